"""One form for the names of columns, so that a header gives the same names whatever program wrote it."""

import unicodedata
from collections.abc import Sequence

from connectors.unseen import without_unseen

_GUARDED = ("'=", "'+", "'-", "'@")
"""An apostrophe before what a spreadsheet would take for a formula is none of the name."""


def column_name(text: str) -> str:
    """The name in NFC, without invisible characters, and with one blank for any white space."""
    # Most names are ASCII, and there are many: normalising them all would be felt.
    if not text.isascii():
        text = unicodedata.normalize("NFC", without_unseen(text))
    text = " ".join(text.replace("\0", "").split())
    return text[1:] if text.startswith(_GUARDED) else text


def unique_names(columns: Sequence[str]) -> list[str]:
    """The first column of a name keeps it, the later ones become "name (2)", "name (3)" …"""
    taken, names = set(columns), []
    seen: set[str] = set()
    for column in columns:
        name, number = column, 1
        # A column may be called `name (2)` of its own: it keeps that, and the second `name` goes on to (3).
        while name in seen or (number > 1 and name in taken):
            number += 1
            name = f"{column} ({number})"
        seen.add(name)
        names.append(name)
    return names
