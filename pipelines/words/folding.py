"""Words without regard to case, accents, marks between them and the way they are run together. Pure."""

import re
import unicodedata

_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """`HasOptedOutOfEmail`, `EMAIL_BLACKLISTED` and `Désabonné(e)` as words with one space between."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(one for one in parts if not unicodedata.combining(one))
    return " ".join(_WORD.findall(_HUMPS.sub(" ", text).casefold()))
