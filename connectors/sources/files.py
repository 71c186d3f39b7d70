"""Contacts in CSV files: text in, text out, a chunk at a time. What a column means is the mapping's matter.

The csv module in strict mode reads the records: what it will not read is a BadRow, not a guess. A faster
reader may come behind `open_csv` and must keep what tests/sources says.
"""

import csv
import re
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.dialect import (
    SAMPLE_CHARS,
    check_encoding,
    end_of_good_cells,
    find_delimiter,
    find_encoding,
    is_proper_record,
    open_text,
)
from connectors.sources.local_files import WatchedFile, watched
from connectors.sources.records import Record, named_columns, next_chunk, unique_names

MAX_CELL_CHARS = 16 * 1024 * 1024  # bounds what a quote that is never closed may gather; Kartra takes 255

_SEP_LINE = r"(?i)sep=([^\r\n])\r?\n"
_field_size_limit = threading.Lock()  # the csv module has one limit for the whole process


def open_csv(
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    quotechar: str = '"',
    chunk_rows: int = 20_000,
) -> "CsvFile":
    """Reads the bytes once for their encoding, and the header. A setting left out is found in the file.

    Raises SourceError for a file that is missing, has no header or cannot be decoded, ConfigError for a
    setting that cannot be.
    """
    _refuse_settings(delimiter, quotechar)
    if chunk_rows < 1:
        raise ValueError("chunk_rows is at least 1")
    file = watched(path)
    try:
        if encoding is None:
            encoding = find_encoding(path)
        else:
            check_encoding(path, encoding)
        with open_text(path, encoding) as handle:
            sample = handle.read(SAMPLE_CHARS)
        said = re.match(_SEP_LINE, sample)  # Excel writes the delimiter on a line of its own
        if delimiter is None:
            delimiter = said[1] if said else find_delimiter(sample, quotechar)
    except OSError as error:
        raise file.unreadable(error) from error
    text = _CsvText(file, encoding, delimiter, quotechar, said is not None)
    columns, notes = _columns(text)
    shown = "tab" if delimiter == "\t" else f"'{delimiter}'"
    return CsvFile(columns, (f"read as {encoding}, delimiter {shown}", *notes), text, chunk_rows)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A Source. `chunks()` opens the file anew each time and refuses one that changed since `open_csv`."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    _text: "_CsvText"
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._text.file.refuse_change()
        names = unique_names(self.columns)
        with closing(self._text.records()) as records:
            _next_records(records, 1)  # the header
            while part := _next_records(records, self._chunk_rows):
                yield next_chunk(part, names)
        self._text.file.refuse_change()


@dataclass(frozen=True, slots=True)
class _CsvText:
    """The file and how it is written, cut into records."""

    file: WatchedFile
    encoding: str
    delimiter: str
    quotechar: str
    has_sep_line: bool

    def records(self) -> Generator[Record]:
        """The header and every record that is not blank. Blank rows and blank lines count as rows.

        Raises SourceError at a quote that is never closed. The rest of the file is inside it then, and a
        file cut off on its way looks just like that: as a bad row, thousands of contacts would seem gone.
        """
        try:
            with open_text(self.file.path, self.encoding) as handle:
                lines = _Lines(handle)
                reader = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quotechar, strict=True)
                row = 0
                if self.has_sep_line:
                    next(lines)
                    row += 1
                while True:
                    row += 1
                    lines.start_record()
                    try:
                        cells, fault = next(reader, None), ""
                    except csv.Error:
                        fault = self._settle_bad_quote(lines)
                        cells = ["".join(lines.taken).rstrip("\r\n")]
                    if cells is None:
                        return
                    text = "".join(cells)
                    if "\0" in text:
                        fault = "NUL byte in the record"
                    if text.strip():
                        yield Record(row, lines.first_line, cells, fault)
        except OSError as error:
            raise self.file.unreadable(error) from error
        except UnicodeError as error:  # open_csv decoded every byte
            raise self.file.changed() from error

    def _settle_bad_quote(self, lines: "_Lines") -> str:
        """Says what is wrong with the record at hand, and gives back the lines that its quote only swallowed.

        A quote that opened by mistake swallows records up to the next quote. When the line with that one is
        a proper record, the swallowed lines are read again as records of their own; when it is not, it is
        the end of a cell with several lines, and all of them are one bad record.
        """
        record = "".join(lines.taken)
        opened_at = lines.index_at(end_of_good_cells(record, self.delimiter, self.quotechar))
        opened_line = lines.first_line + opened_at
        where = f"{self.file.path.name}, line {opened_line}"
        if lines.at_end:
            self.file.refuse_change()
            raise SourceError(f"{where}: the quote opened here is never closed. Was the file cut off?")
        if len(record) > MAX_CELL_CHARS:
            raise SourceError(
                f"{where}: more than {MAX_CELL_CHARS} characters in a cell. Is a quote missing?"
            )
        if is_proper_record(lines.taken[-1], self.delimiter, self.quotechar):
            lines.give_back_after(opened_at)
        return f"the quote opened on line {opened_line} is not closed at the end of its cell"


class _Lines:
    """Feeds csv.reader, remembers the physical lines of the record at hand and can take some back."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.first_line = 1
        self.at_end = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._handle, "")
        if not line:
            self.at_end = True
            raise StopIteration
        self.taken.append(line)
        return line

    def start_record(self) -> None:
        self.first_line += len(self.taken)
        self.taken.clear()

    def index_at(self, offset: int) -> int:
        """Which of the lines taken holds the character at `offset` of the record."""
        for index, line in enumerate(self.taken):
            if offset < len(line):
                return index
            offset -= len(line)
        return len(self.taken) - 1

    def give_back_after(self, index: int) -> None:
        self._again.extendleft(reversed(self.taken[index + 1 :]))
        del self.taken[index + 1 :]


def _next_records(records: Iterator[Record], count: int) -> list[Record]:
    """Up to `count` records. The csv module's own limit of 128 KiB a cell is lifted only meanwhile."""
    with _long_cells():
        return list(islice(records, count))


@contextmanager
def _long_cells() -> Iterator[None]:
    with _field_size_limit:
        before = csv.field_size_limit(MAX_CELL_CHARS)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _columns(text: _CsvText) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The header's names and the remarks on it."""
    with closing(text.records()) as records:
        header = next(iter(_next_records(records, 1)), None)
    if header is None:
        raise SourceError(f"{text.file.path.name} has no header: it is empty")
    if header.fault:
        raise SourceError(f"{text.file.path.name}, line {header.line}: in the header, {header.fault}")
    return named_columns(header.cells)


def _refuse_settings(delimiter: str | None, quotechar: str) -> None:
    for key, value in (("delimiter", delimiter), ("quotechar", quotechar)):
        if value is not None and (len(value) != 1 or value in "\r\n\0"):
            raise ConfigError(f"`{key}:` is one character, and no line end")
    if delimiter == quotechar:
        raise ConfigError("`delimiter:` and `quotechar:` are the same character")
