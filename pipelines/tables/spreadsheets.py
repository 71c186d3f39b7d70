"""CSV that a spreadsheet opens without carrying anything out, and a screen shows as it is.

A cell that begins as a formula does would be one, and whoever calls himself `=HYPERLINK(…)` would have made
it: it gets an apostrophe in front. What nobody sees is written by number. Programs that need every value
as it is ask for exact ones.
"""

import csv
import re
from collections.abc import Sequence
from typing import Any, TextIO

from connectors.unseen import defused

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_CALLS = re.compile(r"[(|!\[]")
_CONTROL = ("\t", "\r", "\n", "\0")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
_ENDS_A_CELL = re.compile(r"([;\t\r\n])")
"""Also within quotes, for a spreadsheet of a country that does not part cells by commas."""


class CsvForPeople:
    """As `csv.writer`, with cells that are no formulas; `exact` leaves them as they are."""

    def __init__(self, handle: TextIO, *, exact: bool = False, line_end: str = "\r\n") -> None:
        self._plain = csv.writer(handle, lineterminator=line_end)
        self._quoted = csv.writer(handle, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        self._exact = exact

    def writerow(self, cells: Sequence[Any]) -> None:
        if not self._exact:
            cells = [self._shown(cell) if isinstance(cell, str) else cell for cell in cells]
        # of the characters that end a line the module quotes those alone that end its own
        has_other_end = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (self._quoted if has_other_end else self._plain).writerow(cells)

    @staticmethod
    def _shown(cell: str) -> str:
        return without_formula("\r".join(map(defused, cell.split("\r"))))


def carries_out(cell: str) -> bool:
    """Whether a spreadsheet would call something for it; a name, a number and a sum call nothing."""
    return bool(_FORMULA.match(cell) and _CALLS.search(cell) and any(map(str.isalpha, cell)))


def without_formula(cell: str) -> str:
    """A number stays one, with or without a sign."""
    if not cell or not (_ENDS_A_CELL.search(cell) or _FORMULA.match(cell)):
        return cell
    parts = _ENDS_A_CELL.split(cell)
    safe = "".join(
        f"'{part}" if _FORMULA.match(part) and not _NUMBER.fullmatch(part) else part for part in parts
    )
    return f"'{safe}" if safe.startswith(_CONTROL) else safe
