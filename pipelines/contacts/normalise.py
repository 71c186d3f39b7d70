"""Cells in one form: what is compared and sent, without what nobody can see. Pure."""

import re
import unicodedata

_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Soft hyphen, zero-width characters, marks of direction, byte order marks."""
_AROUND = re.compile(rf"\A[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+\Z")
# Joiners and marks of direction mean something between letters, so they stay there.
_INSIDE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_INVISIBLE_ANYWHERE = re.compile(rf"[{_INVISIBLE}]")

_GUARD = re.compile(r"'+(?=[=+\-@0-9])")
"""Exporters put an apostrophe before what a spreadsheet would take for a formula or a number."""
_FORMULA = re.compile(r'="([^"]*)"')
"""A number that a spreadsheet is to leave alone, as ="00123"."""
ODD_BEGINNINGS = "'="
"""With what a cell in ASCII begins that has more around it than white space."""


def normal_cell(cell: str) -> str:
    """In Unicode NFC, without white space around it, invisible characters, and a spreadsheet's text mark."""
    cell = cell.strip()
    if not cell.isascii():
        cell = unicodedata.normalize("NFC", _AROUND.sub("", cell).translate(_INSIDE))
    if cell[:1] in ("'", "="):
        cell = _without_guard(cell)
    return cell


def visible(text: str) -> str:
    """The text without any invisible character, wherever it stands."""
    return _INVISIBLE_ANYWHERE.sub("", text)


def _without_guard(cell: str) -> str:
    if formula := _FORMULA.fullmatch(cell):
        cell = formula[1].strip()
    return _GUARD.sub("", cell, count=1) if _GUARD.match(cell) else cell
