"""Contacts in Excel workbooks, as text: what a cell shows a computer, not how it is formatted.

Whole numbers have no `.0`, dates are ISO (without an hour where the cell has none), true and false are lower
case, a formula is the value Excel stored last. Everything else is as in `values`.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.records import Record, chunks_of, named_columns, record_of, unique_names
from connectors.sources.values import text_of

_OTHERS = {".xls": "an old Excel workbook", ".ods": "an OpenDocument sheet", ".xlsb": "a binary workbook"}


def open_excel(path: Path, *, sheet: str | None = None, chunk_rows: int = 20_000) -> "ExcelSheet":
    """The sheet of this name, or the first. The first row that is not blank is the header.

    Raises SourceError for a file that is no workbook, ConfigError for a sheet that is not there.
    """
    file = watched(path)
    if kind := _OTHERS.get(path.suffix.lower()):
        raise SourceError(f"{path.name} is {kind}; save it as .xlsx")
    with _opened(file) as book:
        names = [one.title for one in book.worksheets]
        if sheet is not None and sheet not in names:
            raise ConfigError(f'{path.name} has no sheet "{sheet}"; it has {", ".join(names)}')
        chosen = names[0] if sheet is None else sheet
        header = next(_records(book[chosen]), None)
    if header is None:
        raise SourceError(f"{path.name} has no header: the sheet is empty")
    columns, notes = named_columns(_trimmed(header.cells))
    others = f", of {len(names)}" if len(names) > 1 else ""
    return ExcelSheet(columns, (f'read from the sheet "{chosen}"{others}', *notes), file, chosen, chunk_rows)


@dataclass(frozen=True, slots=True)
class ExcelSheet:
    """A Source. Rows are those of the sheet, blank ones counted."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    _file: WatchedFile
    _sheet: str
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        names = unique_names(self.columns)
        with _opened(self._file) as book:
            records = _records(book[self._sheet])
            next(records, None)  # the header
            yield from chunks_of((_padded(record, len(names)) for record in records), names, self._chunk_rows)
        self._file.refuse_change()


@contextmanager
def _opened(file: WatchedFile) -> Iterator[Any]:
    import openpyxl  # a tenth of a second, for whoever has a workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(file.path, read_only=True, data_only=True)
        try:
            yield book
        finally:
            book.close()
    except OSError as error:
        raise file.unreadable(error) from error
    except (zipfile.BadZipFile, InvalidFileException, KeyError, EOFError) as error:
        raise SourceError(f"{file.path.name} is not an Excel workbook, or a damaged one") from error


def _records(sheet: Any) -> Iterator[Record]:
    """Every row that is not blank."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [_text(value) for value in row]
        if any(cell.strip() for cell in cells):
            yield record_of(number, number, cells)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return text_of(value)


def _trimmed(cells: list[str]) -> list[str]:
    """Without the blank cells at the end, which only carry a format."""
    width = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return cells[:width]


def _padded(record: Record, width: int) -> Record:
    """A sheet leaves out the empty cells at the end of a row."""
    return record._replace(cells=record.cells + [""] * (width - len(record.cells)))
