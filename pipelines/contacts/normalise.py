"""Brings cells to the one form that is compared and sent, without invisible characters. Pure."""

import re
import unicodedata

from connectors.unseen import MARKS, SOFT

_AROUND = re.compile(rf"\A[\s{SOFT}{MARKS}]+|[\s{SOFT}{MARKS}]+\Z")
# Joiners and direction marks have a meaning between letters (Persian, emoji), so they stay there.
_INSIDE = dict.fromkeys(map(ord, SOFT))

_GUARD = re.compile(r"'+(?=[=+\-@＝＋－＠0-9])")
"""The apostrophe that exporters put before what a spreadsheet would take for a formula or a number."""
_FORMULA = re.compile(r'="([^"]*)"')
"""The form of a number that a spreadsheet must leave alone, such as ="00123"."""
ODD_BEGINNINGS = "'="
"""The first characters of ASCII cells that have more around them than white space."""


def normal_cell(cell: str) -> str:
    """The cell in NFC, without surrounding white space, invisible characters and a spreadsheet's text
    mark."""
    cell = cell.strip()
    if not cell.isascii():
        cell = unicodedata.normalize("NFC", _AROUND.sub("", cell).translate(_INSIDE))
    if cell[:1] in ("'", "=") and (bare := _without_guard(cell)) != cell:
        return normal_cell(bare)  # what stood within may be wrapped again
    return cell


def _without_guard(cell: str) -> str:
    if formula := _FORMULA.fullmatch(cell):
        cell = formula[1].strip()
    return _GUARD.sub("", cell, count=1) if _GUARD.match(cell) else cell
