"""Finds the row with the names of the columns. Pure.

People put titles above a table, and some exporters leave the header out. A title taken for the header would
make every record invalid; a person taken for it would be lost, and shown as if their data were column names.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from connectors.errors import ConfigError, SourceError
from connectors.sources.records import RawRecord, named_columns

SEARCHED_ROWS = 20
LONGEST_NAME = 60
SHORT_NAME = 25
"""A longer text with a word for mail in it may be a title."""

# From the start of a word (?<!) only: a cell of a megabyte would be looked through for minutes otherwise.
_ADDRESS = re.compile(r"(?<![^\s@,;<>\"])[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\W\d_]{2,}")
_MAIL_WORD = re.compile(r"mail|correo|courriel|correio|メール|почт|邮|郵|메일", re.IGNORECASE)
_VALUE = re.compile(r"[\d\s.,:/+()%-]+")
"""Matches numbers, dates and telephone numbers, which are not names of columns."""


class Header(NamedTuple):
    """The names of the columns. `row` is 0 if they come from the pipeline file alone."""

    row: int
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def header_of(
    records: Sequence[RawRecord], file: str, names: Sequence[str] | None = None, row: int | None = None
) -> Header:
    """The header among the first records that are not blank; `names` and `row` are from the pipeline file.

    Raises SourceError if there is no header, ConfigError for a row that cannot be one.
    """
    if names is not None and row is None:
        columns, notes = named_columns(names)
        return Header(0, columns, notes)
    if not records:
        raise SourceError(f"{file} has no header: it is empty")
    if row is None:
        record = records[_place(records)]
        said = (f"the header was found on row {record.row}",) if record is not records[0] else ()
    else:
        record, said = _on_row(records, file, row), ()
    if record.fault:
        raise SourceError(f"{file}, line {record.line}: in the header, {record.fault}")
    if names is None and holds_address(record):
        raise SourceError(
            f"{file} has no header: its first line holds an e-mail address, as a person's does. Put a line"
            " with the names of the columns above it, or write them beside the path: header: [email, name]"
        )
    columns, notes = named_columns(record.cells if names is None else names)
    return Header(record.row, columns, (*said, *notes))


def _on_row(records: Sequence[RawRecord], file: str, row: int) -> RawRecord:
    for record in records:
        if record.row == row:
            return record
    raise ConfigError(f"{file}: `header_row: {row}` is blank, or not there")


def _place(records: Sequence[RawRecord]) -> int:
    """The place of the header: the first record, unless it is a title and a later one clearly is a header."""
    first = records[0]
    if first.fault or (_has_mail_word(first) and (_filled(first) > 1 or len(_texts(first)[0]) <= SHORT_NAME)):
        return 0
    for place, record in enumerate(records[1:SEARCHED_ROWS], 1):
        if holds_address(records[place - 1]):
            return 0 if place == 1 else _below_titles(records)
        if _names_addresses(record, records[place + 1 :]):
            return place
    return _below_titles(records)


def _below_titles(records: Sequence[RawRecord]) -> int:
    """The place of a header that is wider than the titles above it, or else the first."""
    for place, record in enumerate(records[1:SEARCHED_ROWS], 1):
        above = max(map(_filled, records[:place]))
        if above == _filled(record) == 1 and _is_of_addresses(record, records[place + 1 :]):
            return place
        if above > max(2, _filled(record) // 2) or above >= _filled(record):
            continue
        if _is_of_names(record) and _is_above_people(record, records[place + 1 :]):
            return place
    return 0


def _is_of_names(record: RawRecord) -> bool:
    texts = _texts(record)
    return (
        not record.fault
        and len(texts) == len(set(texts)) > 1
        and not any(len(text) > LONGEST_NAME or _VALUE.fullmatch(text) for text in texts)
        and not holds_address(record)
    )


def _is_of_addresses(record: RawRecord, below: Sequence[RawRecord]) -> bool:
    """Whether the record heads a single column of addresses."""
    is_name = _has_mail_word(record) and len(_texts(record)[0]) <= SHORT_NAME
    return is_name and any(map(holds_address, below[:1]))


def _names_addresses(record: RawRecord, below: Sequence[RawRecord]) -> bool:
    """A row of names, of which one speaks of mail and has an address right under it."""
    if not below or not _is_of_names(record):
        return False
    return any(
        _MAIL_WORD.search(name) and len(name.strip()) <= SHORT_NAME and _ADDRESS.search(cell)
        for name, cell in zip(record.cells, below[0].cells, strict=False)
    )


def _is_above_people(record: RawRecord, below: Sequence[RawRecord]) -> bool:
    return _has_mail_word(record) or any(map(holds_address, below))


def holds_address(record: RawRecord) -> bool:
    """Whether an e-mail address stands in one of the cells."""
    return any(_ADDRESS.search(cell) for cell in record.cells)


def _has_mail_word(record: RawRecord) -> bool:
    return not holds_address(record) and any(_MAIL_WORD.search(cell) for cell in record.cells)


def _filled(record: RawRecord) -> int:
    return len(_texts(record))


def _texts(record: RawRecord) -> list[str]:
    return [text for cell in record.cells if (text := cell.strip())]
