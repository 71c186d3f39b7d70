"""Finds the code page of a text by its words. Pure.

Most code pages decode any byte, so a wrong one raises no error but gives other letters: Łukasz becomes
£ukasz. So the words are judged: they must decode, be spelt like words (one script, no symbols inside, no
capital in the middle), use the letters of a language of that page, and have its pairs of letters, which
chardet measures. charset-normalizer, which is installed anyway, was tried: on short lists of names it takes
German for Big5.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import chardet

MAX_BAD_SHARE = 0.1
"""The share of misspelt words above which a page is ruled out."""
RARE_PAGES_NEED = 1.3
SEVERAL_LANGUAGES = 0.88
"""The weight of letters from several languages against those of one."""

_WEST, _CENTRE, _TURKEY, _BALTIC = (
    (
        "áéíóúüñªº",
        "äöüßé",
        "àâæçéèêëïîôœùûüÿ",
        "àèéìòùíóúî",
        "ãáàâçéêíóôõúüªº",
        "àçèéíïòóúü·",
        "áâãäåæçèéêëíïñóôöøúüß",
        "åäöéüæø",
        "éëïóöüèêáçí",
        "áéíóúýþæöð",
        "äõöüšž",
    ),
    ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîșşțţ", "äöüßé"),
    ("çğıİöşüâîû", "äöüßé"),
    ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
)
"""The letters beyond ASCII of one language each."""
_OF_SEVERAL = frozenset(("áâãäåæçèéêëíïñóôöøúüß",))
"""Letters of several languages, which stand together in a list of people but not in a word."""


class Page(NamedTuple):
    """A code page. `weight` is how common it is; `languages` are those that tell it from its neighbours."""

    name: str
    weight: float = 1.0
    languages: Sequence[str] = ()
    longest_run: int = 99
    """How many letters beyond ASCII may follow each other, in Latin script."""
    is_rare: bool = False


PAGES = (
    Page("cp1252", 1.1, _WEST, 2),
    Page("cp1250", 1.0, _CENTRE, 4),
    Page("cp1251"),
    Page("cp1253"),
    Page("cp1254", 1.0, _TURKEY, 3),
    Page("cp1255"),
    Page("cp1256"),
    Page("cp1257", 0.6, _BALTIC, 3),
    Page("cp874"),
    Page("koi8-r", 0.9),
    Page("cp866", 0.7, is_rare=True),
    Page("cp850", 0.5, _WEST[:-1], 2, is_rare=True),
    Page("cp852", 0.5, _CENTRE, 4, is_rare=True),
    Page("mac-roman", 0.5, _WEST[:-1], 2, is_rare=True),
    Page("iso8859-2", 0.8, _CENTRE, 4, is_rare=True),
    Page("iso8859-15", 0.8, _WEST, 2, is_rare=True),
    Page("cp932"),
    Page("euc_jp", 0.8, is_rare=True),
    Page("big5"),
    Page("gb18030"),
    Page("cp949"),
)
_USUAL_LEAD_BYTES = {
    "big5": range(0xA4, 0xC7),
    "gb18030": range(0xB0, 0xD8),
    "cp949": range(0xB0, 0xC9),
    "cp932": range(0x81, 0x99),
    "euc_jp": range(0xA1, 0xD0),
}
"""Multi-byte code pages, and the first bytes of the characters in common use."""
_EASTERN_SCRIPTS = frozenset(
    ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "LATIN", "HALFWIDTH", "FULLWIDTH", "IDEOGRAPHIC", "BOPOMOFO")
)
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_IMPOSSIBLE = re.compile(
    r"^[Ðð\u0591-\u05c7\u064b-\u0652]|¤|[©®](?=[^\W\d_])|[ªº](?=[^\W\d_])|°(?=(?![CF]\b)[^\W\d_])|^[^\W\d_àèéìòùóúáíöøåÀÈÉÌÒÙÓÚÁÍÖØÅ\x00-\x7fЀ-￿]$"
    r"|(?:^|[^ก-ฮ])[ัิ-ฺ]|(?:^|[^ก-ฮัิ-ฺ])[็-๎]|[^ฤฦ]ๅ|ฯ(?=\w)|[เ-ไ](?![ก-ฮ])"
)
"""No word begins with eth or a vowel sign; an ordinal or a degree stands before no letter; few letters stand
alone; Thai vowels and tones stand on consonants."""
_INSIDE_WORDS, _BETWEEN_WORDS = "’‘´·", "–—"
_AROUND_WORDS = "“”„«»‹›®™©°…¿¡"

_SIGNS = r"(?i)(?<![a-z])[a-z]{1,2}’(?=[a-z])|’(?=(?:s|t|m|d|re|ll|ve)?(?![a-z]))|[€£“”„–…•™®©°§«»½\xa0]"


class Guess(NamedTuple):
    """The best page. `is_clear`: no other page comes near it with other words."""

    page: str
    is_clear: bool
    rival: str | None


EASTERN = frozenset(("gb18030", "big5", "big5hkscs", "cp949", "euc_kr", "euc_jp", "cp950"))


def guess_page(tokens: Iterable[bytes]) -> Guess | None:
    """The page of pieces of text that have bytes beyond ASCII and no blanks; None if none gives words."""
    different = list(dict.fromkeys(tokens))
    joined = b"\n".join(different)
    # Signs tell no language; of the pages that have them this is by far the commonest.
    if _has_only_signs(joined):
        return Guess("cp1252", True, None)
    likeness = _likeness(joined)
    best: dict[str, tuple[float, Page]] = {}
    for page in PAGES:
        score = _score(joined, page, likeness.get(page.name, 0.0))
        if score is not None:
            text = joined.decode(page.name)
            # Pages that give the same words do not compete: what is common to them may be said by either.
            before = best.get(text)
            best[text] = (max(score, before[0]), before[1]) if before else (score, page)
    ranked = sorted(best.values(), key=lambda scored: -scored[0])
    if not ranked:
        return None
    (score, page), *others = ranked
    if not others:
        is_enough = len(different) > 2 or not (page.is_rare or _is_any_word(joined, page))
        return Guess(page.name, is_enough, None)
    rivals = {rival.name for _, rival in others} & EASTERN
    if len(different) <= 2 and _is_any_word(joined, page):
        named = (rival.name for _, rival in others if page.name in EASTERN and rival.name in rivals)
        return Guess(page.name, False, next(named, others[0][1].name))
    needed = (1.3 + 1.3 / len(different)) * (RARE_PAGES_NEED if page.is_rare else 1.0)
    is_clear = score >= needed * others[0][0] and (len(different) > 2 or not page.is_rare)
    return Guess(page.name, is_clear, others[0][1].name)


def _is_any_word(text: bytes, page: Page) -> bool:
    """Whether a page has as many signs as there are pairs of bytes, so that a word of it says nothing.

    The syllables of Japanese are few, and tell it.
    """
    return page.name in _USUAL_LEAD_BYTES and not _KANA.search(text.decode(page.name))


def misspelt(text: str, page: str) -> list[str]:
    """The words that would be misspelt if this were the right code page."""
    chosen = next((one for one in PAGES if one.name == page), Page(page))
    return [word for word in words_beyond_ascii(text) if not _is_spelt_well(word, chosen)]


def words_beyond_ascii(text: str) -> list[str]:
    return re.findall(r"[^\s.:/_]*[^\x00-\x7f\s][^\s.:/_]*", text)


def _has_only_signs(text: bytes) -> bool:
    """Whether everything beyond ASCII is a sign as in £20 or O’Neil, by Western Europe's code page."""
    decoded = text.decode("cp1252", "replace")
    return re.sub(_SIGNS, "", decoded).isascii() and not misspelt(decoded, "cp1252")


def _likeness(text: bytes) -> dict[str, float]:
    """By code page, how much the pairs of letters look like a language."""
    found = chardet.detect_all(text, ignore_threshold=True)
    return {_canonical(one["encoding"]): float(one["confidence"]) for one in found if one["encoding"]}


@lru_cache
def _canonical(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:  # chardet knows some that Python does not
        return name


def _score(text: bytes, page: Page, likeness: float) -> float | None:
    """How well the page fits; None if the bytes are not text in it."""
    try:
        decoded = text.decode(page.name)
    except UnicodeError:
        return None
    if any(_category(letter) in ("Cc", "Co", "Cn") for letter in set(decoded) - {"\n"}):
        return None
    words = words_beyond_ascii(decoded)
    if not words:
        return None
    bad = sum(not _is_spelt_well(word, page) for word in words) / len(words)
    if bad > MAX_BAD_SHARE:
        return None
    # The more words there are, the more it says that some letters are of no such language.
    home = float(_share_at_home(decoded, page) ** min(6 + len(words) / 4, 24))
    return float((likeness + 0.003) * page.weight * (1 - bad) ** 4 * home)


def _share_at_home(text: str, page: Page) -> float:
    """The share of letters beyond ASCII that belong to one language, or to the characters in common use."""
    letters = Counter(letter for letter in text if not letter.isascii() and _category(letter)[0] in "LM")
    count = letters.total()
    if page.name in _USUAL_LEAD_BYTES:
        usual = _USUAL_LEAD_BYTES[page.name]
        good = sum(times for letter, times in letters.items() if (letter.encode(page.name)[0] in usual))
        return good / count if count else 0.0
    latin = sum(times for letter, times in letters.items() if _script(letter) == "LATIN")
    if not page.languages or latin < count / 2 or not latin:
        return 1.0
    of_one = max(_count_in(language, letters) for language in page.languages)
    return max(of_one, SEVERAL_LANGUAGES * _count_in("".join(page.languages), letters)) / latin


def _count_in(alphabet: str, letters: Counter[str]) -> int:
    return sum(times for letter, times in letters.items() if letter in alphabet or letter.lower() in alphabet)


def _is_spelt_well(word: str, page: Page) -> bool:
    scripts = {_script(letter) for letter in word if _category(letter)[0] == "L" and letter not in "ªº"}
    if page.name in _USUAL_LEAD_BYTES:
        return _is_eastern(word, scripts)
    if len(scripts) > 1 or _mixes_languages(word, page) or _IMPOSSIBLE.search(word):
        return False
    if any(_is_odd(*three) for three in zip(" " + word[:-1], word, word[1:] + " ", strict=True)):
        return False
    longest = max(map(len, re.findall(r"[^\x00-\x7f]+", word)), default=0)
    return "LATIN" not in scripts or longest <= page.longest_run


def _mixes_languages(word: str, page: Page) -> bool:
    """Whether no language has all the letters of a word, as in `Conceiçäo`."""
    letters = {one for letter in word.lower() for one in letter if not one.isascii() and one.isalpha()}
    own = [language for language in page.languages if language not in _OF_SEVERAL]
    return bool(letters and own) and not any(letters <= set(language) for language in own)


def _is_eastern(word: str, scripts: set[str]) -> bool:
    """Whether a word has one script (Japanese mixes its own) and no Latin letters between the characters."""
    if scripts - _EASTERN_SCRIPTS or (len(scripts) > 1 and scripts & {"LATIN", "HALFWIDTH"}):
        return False
    if scripts <= {"LATIN"}:
        return not any(_category(letter)[0] in "SN" and not letter.isascii() for letter in word)
    return not {"HANGUL", "CJK"} <= scripts


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
