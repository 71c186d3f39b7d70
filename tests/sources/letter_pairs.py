"""Counts `connectors/sources/files/letter_pairs.txt` anew: `python -m tests.sources.letter_pairs`.

What is counted are names of people, streets and places in Faker (PyPI: `faker`, MIT licence, the version of
the group `letters`), names of countries, languages, months and days in CLDR (PyPI: `babel`, Unicode licence),
and a few words below, of letters that neither has. The names of cities in CLDR are left out: the tests read
them, as words that were not counted.
"""

import ast
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from babel import localedata

from connectors.sources.files import letter_pairs

LOCALES_OF_FAKER = {
    "de": "de de_DE de_AT de_CH",
    "fr": "fr_FR fr_CA fr_BE fr_CH fr_QC",
    "es": "es es_ES es_MX es_AR es_CO es_CL",
    "pt": "pt_PT pt_BR",
    "it": "it_IT",
    "nl": "nl_NL nl_BE",
    "da": "da_DK",
    "no": "no_NO",
    "sv": "sv_SE",
    "fi": "fi_FI",
    "is": "is_IS",
    "et": "et_EE",
    "ca": "es_CA",
    "en": "en_US en_GB",
    "ga": "ga_IE",
    "pl": "pl_PL",
    "cs": "cs_CZ",
    "sk": "sk_SK",
    "hu": "hu_HU",
    "hr": "hr_HR",
    "sl": "sl_SI",
    "ro": "ro_RO",
    "tr": "tr_TR",
    "lt": "lt_LT",
    "lv": "lv_LV",
    "ru": "ru_RU",
    "uk": "uk_UA",
    "bg": "bg_BG",
    "mk": "mk_MK",
    "sr": "",
    "be": "",
    "el": "el_GR",
    "he": "he_IL",
    "ar": "ar_AA ar_DZ ar_PS ar_SA",
    "fa": "fa_IR",
    "th": "th_TH th",
    "sq": "",
    "eu": "",
    "gl": "",
    "cy": "",
    "mt": "",
    "fo": "",
    "vi": "vi_VN",
    "zh": "zh_CN",
    "zh_Hant": "zh_TW",
    "ja": "ja_JP",
    "ko": "ko_KR",
    "sh": "hr_HR sl_SI",
    "bs": "",
}
LOCALES_OF_CLDR = {"no": "nb", "sh": "sr_Latn"}
OF_SIGNS = frozenset(("zh", "zh_Hant", "ja", "ko"))
"""Languages of which single characters are counted."""
MORE_WORDS = {
    "it": (
        "più giù laggiù lassù tribù virtù gioventù servitù schiavitù tabù ragù menù tutù Gesù Salò Carrù "
        "Viggiù Corfù Perù però ciò può andò parlò arrivò Rocchetti Bardò Caltabellò così lunedì martedì "
        "venerdì mezzodì Mondì Alì Dì lì là libertà città metà verità età società università perché "
        "poiché né sé caffè è cioè tè bebè Mosè Noè Giosafàt Mattè Ambrosù Bellù Marù Canalù Nicolì "
        "Rapallò Corrò Bertolò Gallè Bergamè Arosiò Montà Andalò Calò Falcò Rondò Gabriè Aosté Carità "
        "Bontà Trinità Pietà"
    ),
    "ro": "Ţepeş Ţiriac Ţara Ţuţea Ţigănaş Ţîrlea Ţăranu Ţugui Ţolea Ţintă Ţicu",
    "hr": (
        "Đuro Đurđa Đurđica Anđela Anđelko Đukić Đurić Đokić Lađević Rađenović Đani Đerek Đurđevac Sanđak "
        "anđeo rođen među građanin vođa lađa Đakovo Đuđić Đoko"
    ),
}
ALPHABETS = {
    "de": "äöüßé",
    "fr": "àâæçéèêëïîôœùûüÿ",
    "it": "àèéìòùóíî",
    "es": "áéíóúüñ",
    "pt": "ãáàâçéêíóôõúü",
    "nl": "áâäåçéèêëíïóôöúü",
    "da": "æøåéäöü",
    "no": "æøåéòô",
    "sv": "åäöéü",
    "fi": "äöåšž",
    "is": "áéíóúýþæöð",
    "et": "äõöüšž",
    "ca": "àçèéíïòóúü",
    "ga": "áéíóú",
    "gl": "áéíóúñü",
    "eu": "ñü",
    "fo": "áíóúýæøð",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    "hr": "čćđšž",
    "sl": "čšžćđ",
    "ro": "ăâîşţ",
    "tr": "çğıöşüâîû",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
}
COUNT_OF_A_LETTER = 3
"""Each letter of an alphabet counts as if it had ended so many words."""
_SERBIAN = (
    *zip(("lj", "nj", "dž"), "љњџ", strict=True),
    *zip("đćčšžabcdefghijklmnoprstuvz", "ђћчшжабцдефгхијклмнопрстувз", strict=True),
)
_WORD = re.compile(r"(?:[^\W\d_]|[\u0591-\u05c7\u064b-\u0655\u0e31-\u0e4e])+")
_FORMS = str.maketrans({"ș": "ş", "ț": "ţ", "ŉ": None})


def main() -> None:
    table = Path(letter_pairs.__file__).with_suffix(".txt")
    table.write_text("".join(f"{line_of(language)}\n" for language in LOCALES_OF_FAKER), encoding="utf-8")


def line_of(language: str) -> str:
    """A language as it stands in the table: its name, then what is equally common, by how common it is."""
    groups: dict[int, list[str]] = {}
    for counted, times in counts_of(language).items():
        is_noise = language not in OF_SIGNS and times < 2 and counted.isascii()
        if not is_noise and (language != "en" or counted.isascii()):
            groups.setdefault(round(2 * math.log2(times)), []).append(counted)
    return " ".join(
        [language, *(chr(48 + group) + "".join(sorted(groups[group])) for group in sorted(groups))]
    )


def counts_of(language: str) -> Counter[str]:
    words = [word for word in words_of(language) if len(word) > 1]
    if language in OF_SIGNS:
        scripts = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA")
        return Counter(
            sign for word in words for sign in word if script_of(sign) in scripts and is_letter(sign)
        )
    main_script = Counter(map(script_of, words)).most_common(1)[0][0]
    counts: Counter[str] = Counter()
    for word in words:
        if all(script_of(letter) in (main_script, "COMBINING") for letter in word):
            counts.update(letter_pairs.pairs_of(word))
    counts.update({f"{letter}$": COUNT_OF_A_LETTER for letter in ALPHABETS.get(language, "")})
    return counts


def words_of(language: str) -> set[str]:
    if language == "sr":
        return {in_cyrillic(word) for word in words_of_faker("hr")} | words_of_cldr(language)
    return words_of_faker(language) | words_of_cldr(language)


def words_of_faker(language: str) -> set[str]:
    import faker.providers  # of the group `letters` alone

    found = set(split(MORE_WORDS.get("hr" if language == "sh" else language, "")))
    folder = Path(faker.providers.__file__).parent
    for locale in LOCALES_OF_FAKER[language].split():
        for kind in ("person", "address"):
            module = folder / kind / locale / "__init__.py"
            if module.exists():
                found.update(word for text in strings_of(module) for word in split(text))
    return found


def strings_of(module: Path) -> Iterator[str]:
    """The texts that a module assigns, without those with places to fill in."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and "{{" not in part.value:
                    yield part.value


def words_of_cldr(language: str) -> set[str]:
    data = localedata.load(LOCALES_OF_CLDR.get(language, language))
    subjects = ("territories", "languages", "months", "days")
    return {word for subject in subjects for text in texts_in(data.get(subject, {})) for word in split(text)}


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_in(part)


def in_cyrillic(word: str) -> str:
    for latin, cyrillic in _SERBIAN:
        word = word.replace(latin, cyrillic)
    return word


def split(text: str) -> list[str]:
    lowered = unicodedata.normalize("NFC", text).replace("İ", "i").lower()
    return _WORD.findall(lowered.translate(_FORMS))


def script_of(word: str) -> str:
    return re.split("[ -]", unicodedata.name(word[0], ""))[0]


def is_letter(sign: str) -> bool:
    return not sign.isascii() and unicodedata.category(sign)[0] == "L"


if __name__ == "__main__":
    main()
