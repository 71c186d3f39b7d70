"""Finds countries by their code or by their name in many languages, from Unicode's CLDR. Pure."""

import re
import unicodedata
from functools import cache
from types import ModuleType
from typing import Literal

LANGUAGES = (
    *("en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "da", "nb", "fi", "cs", "sk", "hu", "ro", "bg"),
    *("el", "tr", "ru", "uk", "ja", "zh", "ko", "ar", "he", "id", "vi", "th"),
)
OTHER_NAMES = {
    **dict.fromkeys(("united states of america", "us of a", "america"), "US"),
    **dict.fromkeys(("great britain", "britain", "england", "scotland", "wales", "northern ireland"), "GB"),
    **dict.fromkeys(("holland",), "NL"),
    **dict.fromkeys(("czech republic",), "CZ"),
    **dict.fromkeys(("viet nam",), "VN"),
    **dict.fromkeys(("ivory coast",), "CI"),
    **dict.fromkeys(("republic of korea", "korea"), "KR"),
    **dict.fromkeys(("republic of ireland", "eire"), "IE"),
    **dict.fromkeys(("russian federation",), "RU"),
    **dict.fromkeys(("turkey", "turkiye"), "TR"),
    **dict.fromkeys(("hong kong",), "HK"),
    **dict.fromkeys(("macau", "macao"), "MO"),
    **dict.fromkeys(("burma", "myanmar"), "MM"),
    **dict.fromkeys(("macedonia",), "MK"),
    **dict.fromkeys(("swaziland",), "SZ"),
    **dict.fromkeys(("cape verde",), "CV"),
    **dict.fromkeys(("uae", "emirates"), "AE"),
    **dict.fromkeys(("peoples republic of china", "pr china"), "CN"),
    **dict.fromkeys(("palestine",), "PS"),
    **dict.fromkeys(("oesterreich",), "AT"),
    **dict.fromkeys(("korea republic of",), "KR"),
    **dict.fromkeys(("korea democratic peoples republic of",), "KP"),
    **dict.fromkeys(("congo the democratic republic of the", "congo democratic republic of the"), "CD"),
    **dict.fromkeys(("dr congo", "drc"), "CD"),
    **dict.fromkeys(("virgin islands british",), "VG"),
    **dict.fromkeys(("virgin islands us",), "VI"),
}
"""Names in English exports that CLDR does not have in this form."""
SHARED_NAMES = frozenset(("korea", "congo", "virgin islands"))
"""Names that several countries share before the comma ("Korea, Republic of"); elsewhere the rest is
dropped."""
NO_COUNTRIES = frozenset(("EU", "EZ", "QO", "UN", "ZZ"))


def country_code(text: str) -> str | None:
    """The two-letter code (ISO 3166-1) of a name, or of a code of two or three letters or three digits."""
    word = text.strip().upper()
    if len(word) == 2 and word in _english():
        return word
    if found := _codes().get(word):
        return found
    if found := _by_name().get(_plain(text)):
        return found
    name = _plain(re.split(r"[,(]", text)[0])  # Iran, Islamic Republic of
    return None if name in SHARED_NAMES else _by_name().get(name)


def country_in(form: Literal["name", "code", "code3"], text: str) -> str | None:
    code = country_code(text)
    if code is None:
        return None
    match form:
        case "name":
            return _english()[code]
        case "code":
            return code
        case "code3":
            return _letters().get(code)


@cache
def _babel() -> ModuleType:
    # The settings of a pipeline import this module to check the name of a region; nearly all have none, and
    # `status` and `--help` are to answer without the library.
    import babel.core

    return babel.core


@cache
def _english() -> dict[str, str]:
    """Names in English by two-letter code, without regions such as the European Union."""
    letters = _letters().keys() - NO_COUNTRIES
    return {code: name for code, name in _babel().Locale("en").territories.items() if code in letters}


@cache
def _codes() -> dict[str, str]:
    """Two-letter codes by those of three letters or digits, and by common variants such as UK."""
    aliases = _babel().get_global("territory_aliases")
    return {alias: codes[0] for alias, codes in aliases.items() if len(codes) == 1}


@cache
def _letters() -> dict[str, str]:
    """Three-letter codes by two-letter code."""
    return {code: alias for alias, code in _codes().items() if re.fullmatch("[A-Z]{3}", alias)}


@cache
def _by_name() -> dict[str, str]:
    """Two-letter codes by folded name. A name with two meanings counts in the first of LANGUAGES."""
    names = dict(OTHER_NAMES)
    for language in LANGUAGES:
        for code, name in _babel().Locale(language).territories.items():
            if code in _english():
                names.setdefault(_plain(name), code)
    return names


def _plain(name: str) -> str:
    """The name without case, dots, accents and article: "The U.S.A." is "usa"."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = re.sub(r"[.'’()\u0300-\u036f]", "", letters).replace("&", " and ")
    return re.sub(r"^the ", "", re.sub(r"[\s,-]+", " ", plain).strip())
