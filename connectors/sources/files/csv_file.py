"""Contacts in CSV files: text in, text out, a chunk at a time.

The csv module in strict mode reads the records; what it refuses becomes a BadRow instead of a guess. Blocks
without anything odd go through `plain_csv`, which gives the same result faster.
"""

import csv
import re
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.files.dialect import (
    SAMPLE_CHARS,
    end_of_good_cells,
    find_delimiter,
    is_proper_record,
)
from connectors.sources.files.encoding import (
    bounded_lines,
    encoding_of,
    endless_line,
    open_text,
    refuse_other_text,
)
from connectors.sources.files.header import SEARCHED_ROWS, Header, header_of
from connectors.sources.files.plain_csv import (
    Blocks,
    EndlessLineError,
    PlainPart,
    can_be_plain,
    plain_chunks,
    read_plain,
)
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.names import unique_names
from connectors.sources.records import CHUNK_CHARS, RawRecord, next_chunk, rows_that_fit, with_nul_faults

MAX_CELL_CHARS = 16 * 1024 * 1024  # bounds what a quote that is never closed may gather; Kartra takes 255
MAX_RECORD_CHARS = 64 * 1024 * 1024
MAX_RECORD_LINES = 500_000
MAX_BLANK_START = 1_000_000
"""Blank lines before the header: nobody's file begins so."""
_END = RawRecord(0, 0, [], "")
BYTES_A_ROW = 130
"""The assumed size of a record, by which a block is read as large as a chunk."""

_SEP_LINE = re.compile(r"""[ \t]*(["']?)sep=([^\r\n])\1([ ,;|\t"']*)(?:\r\n|\n|\r)""", re.IGNORECASE)
"""Excel's line with the delimiter. Other programs quote it, or fill the line up with delimiters."""
_KIND = "a CSV file"
# csv.field_size_limit is one for the whole process; a second reader must not lower it meanwhile.
_field_size_limit = threading.Lock()


def open_csv(
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    quotechar: str = '"',
    header: Sequence[str] | None = None,
    header_row: int | None = None,
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
        found = encoding_of(path, encoding, _KIND)
        with open_text(path, found.name) as handle:
            sample = handle.read(SAMPLE_CHARS)
    except OSError as error:
        raise file.unreadable(error) from error
    refuse_other_text(path, sample, _KIND)
    said = _SEP_LINE.match(sample)
    if delimiter is None:
        is_plain = said is not None and not said[1] and not said[3]
        rest = sample[said.end() :] if said else sample
        delimiter = said[2] if said and is_plain else find_delimiter(rest, quotechar, header_row)
    text = _CsvText(file, found.name, delimiter, quotechar, said is not None)
    head = text.header(header, header_row)
    shown = "tab" if delimiter == "\t" else f"'{delimiter}'"
    notes = (f"read as {found.name}, delimiter {shown}", *head.notes)
    return CsvFile(head.columns, notes, found.words, text, head.row, chunk_rows)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A Source. `chunks()` opens the file anew each time and refuses one that changed since `open_csv`."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    _text: "_CsvText"
    _header_row: int
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._text.file.refuse_change()
        names = unique_names(self.columns)
        with closing(self._text.parts(names, self._header_row, self._chunk_rows)) as parts:
            while part := _next_part(parts):
                if isinstance(part, PlainPart):
                    yield from plain_chunks(part, self._chunk_rows)
                else:
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

    def header(self, names: Sequence[str] | None, row: int | None) -> Header:
        """Found among the first records that are not blank, or as the pipeline file says."""
        wanted = SEARCHED_ROWS if row is None else row
        first: list[RawRecord] = []
        with self._lines(SAMPLE_CHARS) as (lines, _), _long_cells():
            try:
                for record in self._records(lines):
                    if record is not None:
                        first.append(record)
                    if len(first) == wanted or (first and lines.row >= wanted):
                        break
                    if lines.row >= MAX_BLANK_START:
                        raise SourceError(
                            f"{self.file.path.name} has no header: its first {lines.row:,} lines are blank"
                        )
            except SourceError:
                # What is wrong below the header is met again when the records are read, and told then.
                if not first:
                    raise
        return header_of(first, self.file.path.name, names, row)

    def parts(
        self, names: Sequence[str], header_row: int, chunk_rows: int
    ) -> Generator[list[RawRecord] | PlainPart]:
        """Every record below the header that is not blank; blank rows and lines count in row numbers.

        Raises SourceError at a quote that is never closed: a file that was cut off looks the same, and as one
        bad row thousands of contacts would seem to be gone.
        """
        with self._lines(chunk_rows * BYTES_A_ROW) as (lines, blocks):
            records = self._records(lines)
            while lines.row < header_row and next(records, _END) is not _END:
                pass
            odd: list[RawRecord] = []
            odd_chars = 0
            chunk_rows = rows_that_fit(chunk_rows, len(names))
            while True:
                if plain := self._plain_part(lines, blocks, names):
                    if odd:
                        yield odd
                        odd, odd_chars = [], 0
                    yield plain
                    continue
                record = next(records, _END)
                if record is None:
                    continue  # it may have been the last of a block
                if record is not _END:
                    odd.append(record)
                    odd_chars += lines.taken_chars
                if odd and (record is _END or len(odd) == chunk_rows or odd_chars > CHUNK_CHARS):
                    yield odd
                    odd, odd_chars = [], 0
                if record is _END:
                    return

    def _plain_part(self, lines: "_Lines", blocks: Blocks | None, names: Sequence[str]) -> PlainPart | None:
        """Takes the rest of a block if nothing in it is odd, and marks it as read."""
        if blocks is None or lines.has_given_back or not (block := blocks.rest_not_tried()):
            return None
        read = read_plain(block, self.encoding, names, self.delimiter, self.quotechar)
        if read is None:
            return None
        table, places, count = read
        blocks.leave()
        row, line = lines.pass_over(count)
        return PlainPart(table, row, line, places)

    def _records(self, lines: "_Lines") -> Iterator[RawRecord | None]:
        """The header and every record, as the csv module reads them; None for a blank one."""
        reader = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quotechar, strict=True)
        while True:
            lines.start_record()
            try:
                cells, fault = next(reader, None), ""
            except csv.Error:
                fault = self._settle_bad_quote(lines)
                cells = ["".join(lines.taken).rstrip("\r\n")]
            if cells is None:
                return
            is_blank = not "".join(cells).strip()
            yield None if is_blank else with_nul_faults(RawRecord(lines.row, lines.first_line, cells, fault))

    @contextmanager
    def _lines(self, block_bytes: int) -> Iterator[tuple["_Lines", Blocks | None]]:
        """The lines of the text, and the blocks they come from if those may be plain."""
        try:
            if can_be_plain(self.encoding, self.delimiter, self.quotechar):
                with self.file.path.open("rb") as binary:
                    blocks = Blocks(binary, self.encoding, block_bytes)
                    lines = _Lines(blocks, self.file.path.name)
                    try:
                        yield self._after_sep_line(lines), blocks
                    except EndlessLineError:
                        line = lines.first_line + len(lines.taken)
                        raise endless_line(self.file.path.name, line) from None
            else:
                with open_text(self.file.path, self.encoding) as handle:
                    bounded = bounded_lines(handle, self.file.path.name)
                    yield self._after_sep_line(_Lines(bounded, self.file.path.name)), None
        except OSError as error:
            raise self.file.unreadable(error) from error
        except UnicodeError as error:  # open_csv decoded every byte
            raise self.file.changed() from error

    def _after_sep_line(self, lines: "_Lines") -> "_Lines":
        if self.has_sep_line:
            next(lines)
            lines.row += 1
        return lines

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
    """Feeds csv.reader, remembers the physical lines of the record at hand and can take some back.

    `row` and `first_line` are those of the record at hand.
    """

    def __init__(self, lines: Iterator[str], name: str) -> None:
        self._lines, self._name = lines, name
        self._taken_chars = 0
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.row = 0
        self.first_line = 1
        self.at_end = False

    @property
    def taken_chars(self) -> int:
        """Of the record at hand."""
        return self._taken_chars

    @property
    def has_given_back(self) -> bool:
        return bool(self._again)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, "")
        if not line:
            self.at_end = True
            raise StopIteration
        self.taken.append(line)
        self._taken_chars += len(line)
        if self._taken_chars > MAX_RECORD_CHARS or len(self.taken) > MAX_RECORD_LINES:
            raise SourceError(
                f"{self._name}, line {self.first_line}: a record without an end; is a quote missing?"
            )
        return line

    def start_record(self) -> None:
        self.row += 1
        self.first_line += len(self.taken)
        self.taken.clear()
        self._taken_chars = 0

    def pass_over(self, count: int) -> tuple[int, int]:
        """So many records were read elsewhere, one a line; gives the row and the line of the first."""
        row, line = self.row + 1, self.first_line + len(self.taken)
        self.row += count
        self.first_line = line + count
        self.taken.clear()
        self._taken_chars = 0
        return row, line

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


def _next_part(parts: Iterator[list[RawRecord] | PlainPart]) -> list[RawRecord] | PlainPart | None:
    with _long_cells():
        return next(parts, None)


@contextmanager
def _long_cells() -> Iterator[None]:
    """The csv module's own limit of 128 KiB a cell is lifted only meanwhile."""
    with _field_size_limit:
        before = csv.field_size_limit(MAX_CELL_CHARS)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _refuse_settings(delimiter: str | None, quotechar: str) -> None:
    for key, value in (("delimiter", delimiter), ("quotechar", quotechar)):
        if value is not None and (len(value) != 1 or value in "\r\n\0"):
            raise ConfigError(f"`{key}:` is one character, and no line end")
    if delimiter == quotechar:
        raise ConfigError("`delimiter:` and `quotechar:` are the same character")
