"""Contacts in Excel workbooks, as text.

Whole numbers have no `.0` but the zeros and signs of their format; dates are ISO, without an hour if the cell
has none; true and false are lower case; a formula is the value that was stored last. Everything else follows
`values`.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.files.archives import refuse_many_members
from connectors.sources.files.encoding import NOT_TEXT
from connectors.sources.files.header import SEARCHED_ROWS, header_of, holds_address
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.files.workbook import Row, Sheet, Workbook, read_workbook
from connectors.sources.names import unique_names
from connectors.sources.records import RawRecord, chunks_of, with_nul_faults

_KIND = "an Excel workbook"
_OTHERS = {".ods": "an OpenDocument sheet", ".xlsb": "a binary workbook"}
# The container of an encrypted workbook holds the names of its parts in UTF-16.
_PASSWORD = "EncryptedPackage".encode("utf-16-le")
_START_BYTES = 1024 * 1024
NOTED_ROWS = 1_000
"""The rows that are searched for cells beside the table."""


def open_excel(
    path: Path,
    *,
    sheet: str | None = None,
    header: Sequence[str] | None = None,
    header_row: int | None = None,
    chunk_rows: int = 20_000,
) -> "ExcelSheet":
    """The sheet of this name, or the first visible one.

    Raises SourceError for a file that is not a workbook, ConfigError for a missing sheet.
    """
    file = watched(path)
    _refuse_other_kinds(file)
    with _opened(file) as book:
        chosen = _chosen(book, sheet, path.name)
        rows = book.rows(chosen)
        first = list(islice((_record(row) for row in rows), max(NOTED_ROWS, header_row or 0)))
        # Whoever names a sheet has chosen; only a silent choice has to say what else there was.
        others = _with_addresses(book, chosen) if sheet is None else []
        hidden = book.hidden_rows(chosen)
    if not first and header is None:
        raise SourceError(f'{path.name} has no header: the sheet is empty ("{chosen.name}")')
    searched = first if header_row is not None else first[:SEARCHED_ROWS]
    head = header_of([_trimmed(record) for record in searched], path.name, header, header_row)
    notes = (
        _sheet_note(book, chosen, sheet),
        *([f"addresses stand in other sheets, too: {', '.join(others)}; `sheet:` chooses"] if others else []),
        *([f"hidden rows, as by a filter, are read like the others: {hidden:,}"] if hidden else []),
        *head.notes,
        *_notes_beside(first, head.row, len(head.columns)),
    )
    return ExcelSheet(head.columns, notes, (), file, chosen, head.row, chunk_rows)


@dataclass(frozen=True, slots=True)
class ExcelSheet:
    """A Source. Rows are those of the sheet, blank ones counted."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    _file: WatchedFile
    _sheet: Sheet
    _header_row: int
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        names = unique_names(self.columns)
        with _opened(self._file) as book:
            records = (
                _record(row, len(names)) for row in book.rows(self._sheet) if row.number > self._header_row
            )
            filled = (record for record in records if record.cell_faults or any(map(str.strip, record.cells)))
            yield from chunks_of(filled, names, self._chunk_rows)
        self._file.refuse_change()


@contextmanager
def _opened(file: WatchedFile) -> Iterator[Workbook]:
    with file.read_as(_KIND):
        refuse_many_members(file.path)
    with file.read_as(_KIND), zipfile.ZipFile(file.path) as archive:
        try:
            book = read_workbook(archive)
        except KeyError:
            raise SourceError(f"{file.path.name} is {_archive_kind(archive)}, not {_KIND}") from None
        yield book


def _refuse_other_kinds(file: WatchedFile) -> None:
    """Goes by the content, because many files are only named .xlsx."""
    try:
        with file.path.open("rb") as handle:
            start = handle.read(_START_BYTES)
    except OSError as error:
        raise file.unreadable(error) from error
    name = file.path.name
    # Word, PowerPoint and Excel 97 share these four bytes, and so does what is encrypted.
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        if _PASSWORD in start:
            raise SourceError(f"{name} is protected by a password; save it without one")
        raise SourceError(f"{name} is an old Excel workbook; save it as .xlsx")
    if start.startswith(b"PK"):
        if kind := _OTHERS.get(file.path.suffix.lower()):
            raise SourceError(f"{name} is {kind}; save it as .xlsx")
        return
    if other := next((kind for mark, kind in NOT_TEXT.items() if start.startswith(mark)), None):
        raise SourceError(f"{name} is {other}, not {_KIND}")
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<table", b"<meta")):
        raise SourceError(f"{name} is a web page, not {_KIND}")
    if text.startswith(b"<?xml"):
        raise SourceError(f"{name} is an XML document, not {_KIND}; save it as .xlsx")
    if start and b"\0" not in start and any(mark in start for mark in (b",", b";", b"\t", b"@")):
        raise SourceError(
            f"{name} is text, not {_KIND}, whatever its name says: read it with csv: instead of excel:"
        )
    raise SourceError(f"{name} is not {_KIND}, or a damaged one")


def _archive_kind(archive: zipfile.ZipFile) -> str:
    names = set(archive.namelist())
    if "mimetype" in names:
        return "an OpenDocument sheet"
    return "a binary workbook" if "xl/workbook.bin" in names else "a ZIP archive"


def _chosen(book: Workbook, wanted: str | None, file: str) -> Sheet:
    """The sheet of the wanted name, compared without case and surrounding blanks."""
    if not book.sheets:
        raise SourceError(f"{file} has no sheet with cells")
    if wanted is None:
        return next((sheet for sheet in book.sheets if not sheet.is_hidden), book.sheets[0])
    same = [sheet for sheet in book.sheets if sheet.name == wanted]
    alike = [sheet for sheet in book.sheets if _plain(sheet.name) == _plain(wanted)]
    if found := same or alike:
        return found[0]
    names = ", ".join(f'"{sheet.name}"' for sheet in book.sheets)
    raise ConfigError(f'{file} has no sheet "{wanted}"; it has {names}')


def _with_addresses(book: Workbook, chosen: Sheet) -> list[str]:
    """The other sheets with an e-mail address in their first rows."""
    return [
        f'"{sheet.name}"'
        for sheet in book.sheets
        if sheet != chosen and any(map(holds_address, map(_record, islice(book.rows(sheet), SEARCHED_ROWS))))
    ]


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _sheet_note(book: Workbook, chosen: Sheet, wanted: str | None) -> str:
    note = f'read from the sheet "{chosen.name}"'
    if len(book.sheets) > 1:
        note += f", of {len(book.sheets)}"
    hidden = [f'"{sheet.name}"' for sheet in book.sheets if sheet.is_hidden and sheet != chosen]
    if wanted is None and hidden:
        note += f"; not from what is hidden: {', '.join(hidden)}"
    return f"{note}, which is hidden" if chosen.is_hidden else note


def _notes_beside(records: Sequence[RawRecord], header_row: int, width: int) -> Iterator[str]:
    rows = [
        str(record.row)
        for record in records
        if record.row > header_row and any(map(str.strip, record.cells[width:]))
    ]
    if rows:
        more = " and others" if len(rows) > 5 else ""
        yield f"cells to the right of the header are left out: row {', '.join(rows[:5])}{more}"


def _record(row: Row, width: int | None = None) -> RawRecord:
    """The record of a row, as wide as the header."""
    if width is None:
        width = max(row.cells, default=-1) + 1
    cells, faults = [""] * width, []
    for place, (text, fault) in row.cells.items():
        if place < width:
            cells[place] = text
            if fault:
                faults.append((place, fault))
    return with_nul_faults(RawRecord(row.number, row.number, cells, "", tuple(faults)))


def _trimmed(record: RawRecord) -> RawRecord:
    """Without the blank cells at the end, which only carry a format."""
    width = max((place for place, cell in enumerate(record.cells, 1) if cell.strip()), default=0)
    return record._replace(cells=record.cells[:width])
