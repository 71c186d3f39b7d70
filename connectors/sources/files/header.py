"""Which row of a table holds the names of its columns. Pure.

People put titles above a table, and exporters leave the header out. A title line taken for the header makes
every record invalid; a person taken for the header is lost, and shown where only names of columns are.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from connectors.errors import ConfigError, SourceError
from connectors.sources.records import Record, named_columns

SEARCHED_ROWS = 20
LONGEST_NAME = 60
SHORT_NAME = 25
"""A word for mail in a longer text may stand in a title."""

_ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\W\d_]{2,}")
_MAIL_WORD = re.compile(r"mail|correo|courriel|correio|メール|почт|邮|郵|메일", re.IGNORECASE)
_VALUE = re.compile(r"[\d\s.,:/+()%-]+")
"""A number, a date, a telephone number: no name of a column."""


class Header(NamedTuple):
    """`row` is the row it stands on, 0 where the names come from the pipeline file alone."""

    row: int
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def header_of(
    records: Sequence[Record], file: str, names: Sequence[str] | None = None, row: int | None = None
) -> Header:
    """`records` are the first that are not blank, `names` and `row` what the pipeline file says.

    Raises SourceError where there is no header, ConfigError for a row that is none.
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
    if names is None and _holds_address(record):
        raise SourceError(
            f"{file} has no header: its first line holds an e-mail address, as a person's does. Put a line"
            " with the names of the columns above it, or write them beside the path: header: [email, name]"
        )
    columns, notes = named_columns(record.cells if names is None else names)
    return Header(record.row, columns, (*said, *notes))


def _on_row(records: Sequence[Record], file: str, row: int) -> Record:
    for record in records:
        if record.row == row:
            return record
    raise ConfigError(f"{file}: `header_row: {row}` is blank, or not there")


def _place(records: Sequence[Record]) -> int:
    """Of the header: the first record, unless it is a title and a later one clearly is a header."""
    first = records[0]
    if first.fault or (_has_mail_word(first) and (_filled(first) > 1 or len(_texts(first)[0]) <= SHORT_NAME)):
        return 0
    for place, record in enumerate(records[1:SEARCHED_ROWS], 1):
        above = max(map(_filled, records[:place]))
        if above == _filled(record) == 1 and _is_of_addresses(record, records[place + 1 :]):
            return place
        if above > max(2, _filled(record) // 2) or above >= _filled(record):
            continue
        if _is_of_names(record) and _is_above_people(record, records[place + 1 :]):
            return place
    return 0


def _is_of_names(record: Record) -> bool:
    texts = _texts(record)
    return (
        not record.fault
        and len(texts) == len(set(texts)) > 1
        and not any(len(text) > LONGEST_NAME or _VALUE.fullmatch(text) for text in texts)
        and not _holds_address(record)
    )


def _is_of_addresses(record: Record, below: Sequence[Record]) -> bool:
    """A single column of addresses under a title."""
    is_name = _has_mail_word(record) and len(_texts(record)[0]) <= SHORT_NAME
    return is_name and any(map(_holds_address, below[:1]))


def _is_above_people(record: Record, below: Sequence[Record]) -> bool:
    return _has_mail_word(record) or any(map(_holds_address, below))


def _holds_address(record: Record) -> bool:
    return any(_ADDRESS.search(cell) for cell in record.cells)


def _has_mail_word(record: Record) -> bool:
    return not _holds_address(record) and any(_MAIL_WORD.search(cell) for cell in record.cells)


def _filled(record: Record) -> int:
    return len(_texts(record))


def _texts(record: Record) -> list[str]:
    return [text for cell in record.cells if (text := cell.strip())]
