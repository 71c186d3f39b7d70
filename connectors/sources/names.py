"""Names of columns in one form, so that the same header has the same names wherever it comes from."""

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def column_name(text: str) -> str:
    """In NFC, without what nobody sees, with one blank for any white space: a line break, a hard blank."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(text.replace("\0", "").split())
