"""Brings headers and cells to plain words, whatever their case, accents and punctuation. Pure."""

import re
import unicodedata

_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """The words of `HasOptedOutOfEmail`, `EMAIL_BLACKLISTED` or `Désabonné(e)`, one space between each."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(one for one in parts if not unicodedata.combining(one))
    return " ".join(_WORD.findall(_HUMPS.sub(" ", text).casefold()))
