"""Cells that are seldom what a person meant: damaged text, and what spreadsheets make of values. Pure."""

import re
from collections.abc import Iterator

MARKERS = frozenset(
    (
        *("null", "none", "nil", "nan", "undefined", "n/a", "na", "n.a.", "not set", "(blank)", "(none)"),
        *("\\n", "-", "--", "---", "–", "—", "?", "??", "???", ".", "..", "...", "[]", "{}", "#n/a"),
        *("0000-00-00", "0000-00-00 00:00:00"),
    )
)
"""What exporters write where there is nothing, in lower case."""
_ENTITY = re.compile(
    r"&(?:#\d+|#x[0-9a-f]+|[a-z]+(?:uml|acute|grave|circ|lig|tilde)|[lg]t|amp|quot|apos|nbsp);", re.I
)
# UTF-8 that was read as cp1252: `Ã¼` for an ü, `â€™` for an apostrophe.
_MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u017e\u2013-\u2122]|\u00e2\u20ac|\u00e2\u0080")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# `M?ller`: a letter that the file's encoding had no room for. In a URL a ? is meant.
_LOST = re.compile(r"[^/:]*[^\W\d_]\?[^\W\d_]")
# `4.91702E+11`: a long number as Excel shows it, and then saves it.
_CUT = re.compile(r"[+-]?\d(?:[.,]\d+)?e\+?\d+", re.IGNORECASE)
_ERROR = re.compile(r"#[A-ZÄÖÜ]{3,}(?:/0)?[!?]|#DIV/0!?|#NULL")
_FORMULA = re.compile(r"[=@](?:\w+\(.*|\w+!.*|[A-Z]+\d+.*)", re.DOTALL)
_APOSTROPHE = re.compile(r"'[=+@\d-].*", re.DOTALL)


def suspicions(cell: str) -> Iterator[str]:
    """What may be wrong with a cell, which is trimmed and not blank: a few words for each."""
    if cell.casefold() in MARKERS:
        yield "words for nothing"
        return
    yield from _of_a_spreadsheet(cell)
    if "&" in cell and _ENTITY.search(cell):
        yield "HTML entities"
    if "\ufffd" in cell or ("?" in cell and _LOST.match(cell)):
        yield "lost characters"
    if not cell.isprintable() and _CONTROL.search(cell):
        yield "control characters"
    if not cell.isascii():
        if _MOJIBAKE.search(cell):
            yield "text read in a wrong encoding"
        if _INVISIBLE.search(cell):
            yield "invisible characters"


def _of_a_spreadsheet(cell: str) -> Iterator[str]:
    first = cell[0]
    if first in "=@" and _FORMULA.fullmatch(cell):
        yield "formulas"
    elif first == "'" and _APOSTROPHE.fullmatch(cell):
        yield "apostrophes of a spreadsheet"
    elif first == "#":
        if not cell.strip("#") and len(cell) > 2:
            yield "cells too narrow to show"
        elif _ERROR.fullmatch(cell):
            yield "errors of a spreadsheet"
    elif (first.isdigit() or first in "+-") and _CUT.fullmatch(cell):
        yield "numbers cut by a spreadsheet"
