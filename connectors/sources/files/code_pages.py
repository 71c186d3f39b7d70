"""Finds the code page of a text by its words. Pure.

Most code pages decode any byte, so a wrong one raises no error but gives other letters: Łukasz becomes
£ukasz. So every page that Python has is asked how likely its words are: how common the page is, whether they
are spelt like words (one script, no symbols inside, no capital in the middle), and how likely their letters
follow each other in the languages that are written in it. The best is only clear if it is far likelier than
every other that reads different words, and if its words are of some language at all. charset-normalizer and
chardet, which are made for long texts, were tried: on short lists of names they take German for Big5.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from connectors.sources.files.letter_pairs import is_of, log_likelihood, log_likelihood_of_signs, words_of

MAX_BAD_SHARE = 0.1
"""The share of misspelt words above which a page is ruled out."""
_MISSPELT = -12.0
_CLEAR, _BY_WORD, _BY_RARE_WORD, _BY_SIGNS = 4.0, 1.0, 4.0, 6.0
"""How far above the next a page has to be, as the logarithm of its likelihood; how much more of one word;
of a single one in another page than the commonest; and of one whose page has as many signs as there are pairs
of bytes, so that anything is a word there."""
_LOST = -11.0
"""A byte that is an ASCII letter or sign in a page, where each of these has its own byte."""
_MIN_FIT = 0.5
"""The share of words that have to be of a language of the page."""
MAX_SCORED = 300

_WEST = ("de", "fr", "es", "pt", "it", "nl", "da", "no", "sv", "fi", "ca", "en", "ga", "eu", "gl", "fo")
_WEST_NOW = (*_WEST, "is", "et", "sq")
_CENTRE = ("pl", "cs", "sk", "hu", "hr", "sl", "sh", "bs", "ro", "sq", "de")
_TURKEY, _BALTIC = ("tr", "de"), ("lt", "lv", "et", "de")
_NORTH = ("is", "fo", "sv", "no", "da", "fi", "et", "lt", "lv")
_LATIN = tuple(dict.fromkeys((*_WEST_NOW, *_CENTRE, *_TURKEY, *_BALTIC, "cy", "mt")))
_CYRILLIC = ("ru", "uk", "bg", "mk", "sr", "be")
_ARABIC = ("ar", "fa")


class Page(NamedTuple):
    """A code page. `rarity` is the logarithm of how much rarer it is than the commonest.

    `languages` are those that it has the letters of. Words of others may stand among theirs, the same ones in
    every page of an alphabet: a list in Turkish names people of Spain, too.
    """

    name: str
    rarity: float = 0.0
    languages: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        return next(
            (every for every in (_LATIN, _CYRILLIC) if set(every) & set(self.languages)), self.languages
        )


PAGES = (
    Page("cp1252", 0.0, _WEST_NOW),
    Page("cp1250", -1.0, _CENTRE),
    Page("cp1251", -1.0, _CYRILLIC),
    Page("cp1253", -1.5, ("el",)),
    Page("cp1254", -1.5, _TURKEY),
    Page("cp1257", -2.5, _BALTIC),
    Page("cp1255", -1.5, ("he",)),
    Page("cp1256", -1.5, _ARABIC),
    Page("cp874", -1.5, ("th",)),
    Page("cp1258", -3.0, ("vi",)),
    Page("mac-roman", -3.5, _WEST_NOW),
    Page("iso8859-15", -4.0, _WEST_NOW),
    Page("cp850", -4.5, _WEST),
    Page("cp437", -5.0, _WEST),
    Page("cp858", -5.0, _WEST),
    Page("iso8859-2", -3.0, _CENTRE),
    Page("cp852", -4.5, _CENTRE),
    Page("koi8-r", -3.0, ("ru", "bg")),
    Page("koi8-u", -3.5, ("ru", "uk")),
    Page("cp866", -4.0, _CYRILLIC),
    Page("iso8859-5", -4.5, _CYRILLIC),
    Page("iso8859-6", -4.0, _ARABIC),
    Page("iso8859-7", -3.0, ("el",)),
    Page("iso8859-8", -3.0, ("he",)),
    Page("iso8859-9", -3.0, _TURKEY),
    Page("iso8859-4", -7.0, _BALTIC),
    Page("iso8859-13", -4.0, _BALTIC),
    Page("iso8859-16", -5.0, ("ro",)),
    Page("iso8859-3", -7.5, ("mt", "tr")),
    Page("iso8859-10", -7.5, _NORTH),
    Page("iso8859-14", -7.5, ("cy", "ga", "en")),
    Page("mac-cyrillic", -4.0, _CYRILLIC),
    Page("mac-greek", -4.5, ("el",)),
    Page("mac-turkish", -4.5, _TURKEY),
    Page("mac-latin2", -4.0, _CENTRE),
    Page("mac-iceland", -5.0, ("is", "fo")),
    Page("mac-croatian", -5.0, ("hr", "sl", "sh", "bs")),
    Page("mac-romanian", -5.0, ("ro",)),
    Page("mac-arabic", -6.0, ("ar",)),
    Page("mac-farsi", -6.0, ("fa",)),
    Page("cp857", -5.0, _TURKEY),
    Page("cp775", -5.0, _BALTIC),
    Page("cp737", -5.0, ("el",)),
    Page("cp869", -6.0, ("el",)),
    Page("cp855", -6.0, _CYRILLIC),
    Page("cp862", -5.0, ("he",)),
    Page("cp860", -5.5, ("pt",)),
    Page("cp861", -5.5, ("is", "fo")),
    Page("cp863", -5.5, ("fr",)),
    Page("cp865", -5.5, ("no", "da", "sv")),
    Page("cp720", -5.0, ("ar",)),
    Page("cp864", -7.0, ("ar",)),
    Page("cp1125", -5.0, ("uk", "ru")),
    Page("hp-roman8", -8.0, _WEST),
    Page("gb18030", -1.0, ("zh", "zh_Hant")),
    Page("big5", -1.0, ("zh_Hant",)),
    Page("cp949", -1.0, ("ko",)),
    Page("cp932", -1.0, ("ja",)),
    Page("euc_jp", -3.0, ("ja",)),
    Page("johab", -6.0, ("ko",)),
)
_USUAL_LEAD_BYTES = {
    "big5": range(0xA4, 0xC7),
    "gb18030": range(0xB0, 0xD8),
    "cp949": range(0xB0, 0xC9),
    "cp932": range(0x81, 0x99),
    "euc_jp": range(0xA1, 0xD0),
    "johab": range(0x88, 0xD4),
}
"""Multi-byte code pages, and the first bytes of the characters in common use."""
_EASTERN_SCRIPTS = frozenset(
    ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "LATIN", "HALFWIDTH", "FULLWIDTH", "IDEOGRAPHIC", "BOPOMOFO")
)
_IMPOSSIBLE = re.compile(
    r"^[Ðð\u0591-\u05c7\u064b-\u0652]|¤|[©®](?=[^\W\d_])|[ªº](?=[^\W\d_])|°(?=(?![CF]\b)[^\W\d_])|^[^\W\d_àèéìòùóúáíöøåÀÈÉÌÒÙÓÚÁÍÖØÅ\x00-\x7fЀ-￿]$"
    r"|(?:^|[^ก-ฮ])[ัิ-ฺ]|(?:^|[^ก-ฮัิ-ฺ])[็-๎]|[^ฤฦ]ๅ|ฯ(?=\w)|[เ-ไ](?![ก-ฮ])"
)
"""No word begins with eth or a vowel sign; an ordinal or a degree stands before no letter; few letters stand
alone; Thai vowels and tones stand on consonants."""
_INSIDE_WORDS, _BETWEEN_WORDS = "’‘´·׳״", "–—"
_AROUND_WORDS = "“”„«»‹›®™©°…¿¡"

_SIGNS = re.compile(
    r"(?<=[^\W\d_])’(?=[A-Z])|“(?=\w)[\x00-\x7f]*(?<=[\w.,!?])”|(?<=[^\W\d_])[™®©](?![^\W\d_])|°(?=[CF]\b)"
    r"|(?<![^\W\d_])[€£„–…•™®©§°«»½\xa0](?![^\W\d_])"
)
"""Signs where they belong. Within a word they may be letters of another page: Malm” is Malmö in DOS."""


_ALIKE = str.maketrans({"ș": "ş", "ț": "ţ", "Ș": "Ş", "Ț": "Ţ"})
"""Letters that pages have in one of two forms, for the same words."""


class Guess(NamedTuple):
    """The best page. `is_clear`: far likelier than each that reads other words. `fits`: they are words."""

    page: str
    is_clear: bool
    fits: bool
    rivals: tuple[str, ...]


def guess_page(tokens: Iterable[bytes]) -> Guess | None:
    """The page of pieces of text that have bytes beyond ASCII and no blanks; None if none gives words."""
    different = list(dict.fromkeys(tokens))
    # Signs tell no language; of the pages that have them this is by far the commonest.
    if _has_only_signs(b"\n".join(different)):
        return Guess("cp1252", True, True, ())
    scored = _sample(different)
    best: dict[str, tuple[float, Page, str]] = {}
    for page in PAGES:
        score, text = _score(b"\n".join(scored), page)
        if score is not None:
            # Pages that give the same words do not compete: what is common to them may be said by either.
            before = best.get(text.translate(_ALIKE), (score, page, text))
            best[text.translate(_ALIKE)] = (max(score, before[0]), *before[1:])
    if not best:
        return None
    (score, page, text), *others = sorted(best.values(), key=lambda one: -one[0])
    is_far = not others or score - others[0][0] >= _CLEAR + _more_of_few(page, len(different))
    fits = _fits(text, page)
    return Guess(page.name, is_far and fits, fits, tuple(rival.name for _, rival, _ in others))


def _more_of_few(page: Page, words: int) -> float:
    if page.name in _USUAL_LEAD_BYTES:
        return _BY_SIGNS / words
    return _BY_RARE_WORD if words == 1 and page.rarity else _BY_WORD / words


def _sample(tokens: Sequence[bytes]) -> list[bytes]:
    """Pieces from everywhere, and one with each byte: pages may differ in a single sign."""
    chosen = dict.fromkeys(tokens[:: max(1, len(tokens) // MAX_SCORED)])
    seen = set(b"".join(chosen))
    for token in tokens:
        if not seen.issuperset(token):
            seen.update(token)
            chosen[token] = None
    return list(chosen)


def _fits(text: str, page: Page) -> bool:
    """Whether most words are of some language: those of a page that is not among ours are of none."""
    if page.name in _USUAL_LEAD_BYTES:
        return True
    words = [word for word in words_of(text) if not word.isascii()]
    return sum(is_of(word, page.languages) for word in words) >= _MIN_FIT * len(words)


def misspelt(text: str, page: str) -> list[str]:
    """The words that would be misspelt if this were the right code page."""
    chosen = next((one for one in PAGES if one.name == page), Page(page))
    return [word for word in words_beyond_ascii(text) if not _is_spelt_well(word, chosen)]


def words_beyond_ascii(text: str) -> list[str]:
    return re.findall(r"[^\s.:/_]*[^\x00-\x7f\s][^\s.:/_]*", text)


def _has_only_signs(text: bytes) -> bool:
    """Whether everything beyond ASCII is a sign as in £20 or O’Neil, by Western Europe's code page."""
    decoded = text.decode("cp1252", "replace")
    return _SIGNS.sub("", decoded).isascii() and not misspelt(decoded, "cp1252")


def _score(text: bytes, page: Page) -> tuple[float | None, str]:
    """How likely the text is in a page, and the text; None if the bytes are not text in it."""
    try:
        decoded = text.decode(page.name)
    except UnicodeError:
        return None, ""
    if any(_category(letter) in ("Cc", "Co", "Cn") for letter in set(decoded) - {"\n"}):
        return None, ""
    words = words_beyond_ascii(decoded)
    bad = sum(not _is_spelt_well(word, page) for word in words)
    if not words or bad > MAX_BAD_SHARE * len(words):
        return None, ""
    lost = 0 if page.name in _USUAL_LEAD_BYTES else _beyond_ascii(text) - _beyond_ascii(decoded)
    return page.rarity + bad * _MISSPELT + max(lost, 0) * _LOST + _likelihood(decoded, page), decoded


def _beyond_ascii(text: bytes | str) -> int:
    if isinstance(text, bytes):
        return sum(byte > 0x7F for byte in text)
    return sum(letter > "\x7f" for letter in text)


def _likelihood(text: str, page: Page) -> float:
    if page.name not in _USUAL_LEAD_BYTES:
        return log_likelihood(text.split("\n"), page.languages, page.others)
    usual = _USUAL_LEAD_BYTES[page.name]
    is_usual = {letter: letter.encode(page.name)[0] in usual for letter in set(text)}
    return max(log_likelihood_of_signs(text, language, is_usual) for language in page.languages)


def _is_spelt_well(word: str, page: Page) -> bool:
    scripts = {_script(letter) for letter in word if _category(letter)[0] == "L" and letter not in "ªº"}
    if page.name in _USUAL_LEAD_BYTES:
        return _is_eastern(word, scripts)
    if len(scripts) > 1 or _IMPOSSIBLE.search(word):
        return False
    return not any(_is_odd(*three) for three in zip(" " + word[:-1], word, word[1:] + " ", strict=True))


def _is_eastern(word: str, scripts: set[str]) -> bool:
    """Whether a word has one script (Japanese mixes its own) and no Latin letters between the characters."""
    if scripts - _EASTERN_SCRIPTS or (len(scripts) > 1 and scripts & {"LATIN", "HALFWIDTH"}):
        return False
    if scripts <= {"LATIN"}:
        return not any(_category(letter)[0] in "SN" and not letter.isascii() for letter in word)
    return "HANGUL" not in scripts or scripts <= {"HANGUL"}


def _is_odd(before: str, letter: str, after: str) -> bool:
    """Whether `letter` cannot stand there: a capital or a symbol inside a word."""
    kind, left, right = _category(letter), _category(before), _category(after)
    if kind == "Lu" and left == "Ll" and not (letter.isascii() and before.isascii()):
        return True
    if kind == "Lu" and left == "Lu" and right == "Ll" and not letter.isascii():
        return True
    if letter.isascii() or letter in _INSIDE_WORDS or not (kind[0] in "SP" or kind == "No"):
        return False
    beside = (left[0] == "L") + (right[0] == "L")
    if letter in _BETWEEN_WORDS:
        return beside == 1 or (beside == 2 and right == "Ll")
    return beside == 2 if letter in _AROUND_WORDS else beside > 0


@lru_cache(maxsize=65536)
def _script(letter: str) -> str:
    return re.split(r"[ -]", unicodedata.name(letter, ""))[0]


_category = lru_cache(maxsize=65536)(unicodedata.category)
