"""Blocks of CSV in which nothing is odd, read as columns: what the csv module would say of them, much faster.

Whatever is not plain (a quote that does not enclose a cell, a cell of several lines, another number of cells
than the header has, a NUL, a lone carriage return) is not read here but by the csv module in `files`.
"""

import codecs
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from connectors.sources import Chunk
from connectors.sources.files.encoding import MAX_LINE_CHARS

PLAIN_ENCODINGS = frozenset({"utf-8", "ascii", "cp1252", "cp1250", "iso8859-1", "iso8859-15", "mac-roman"})
"""Encodings, by Python's name, in which a byte below 128 is always that ASCII character."""

MIN_BLOCK = 64 * 1024
MAX_BLOCK = 4 * 1024 * 1024

_WHITE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_LINE_FEED, _RETURN = ord("\n"), ord("\r")
_IS_WHITE = np.array([chr(code).isspace() and code < 128 for code in range(256)])

PlainRecords = tuple[pa.Table, npt.NDArray[np.intp], int]
"""The records of a block, the place of each among its lines, and how many lines it has."""


@dataclass(frozen=True, slots=True)
class PlainPart:
    """The records of a block, one per line, blank ones too. `row` and `line` are those of its first line."""

    table: pa.Table
    row: int
    line: int
    places: npt.NDArray[np.intp]
    """Of each record, how many lines of the block stand before it."""


class EndlessLineError(Exception):
    """A line has no end in sight."""


class Blocks:
    """The lines of a file without its byte order mark, in blocks of whole lines or one by one."""

    def __init__(self, file: BinaryIO, encoding: str, block_bytes: int) -> None:
        self._file, self._encoding = file, encoding
        self._next_bytes, self._block_bytes = MIN_BLOCK, min(max(block_bytes, MIN_BLOCK), MAX_BLOCK)
        self._block = b""
        self._lines: deque[bytes] = deque()
        self._cut = b""
        self._is_tried = False
        mark = codecs.BOM_UTF8
        if not _is_utf_8(encoding) or file.read(len(mark)) != mark:
            file.seek(0)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._lines:
            if not self._block and not self._load():
                raise StopIteration
            self._lines.extend(self._block.splitlines(keepends=True))
            self._block = b""
        return self._lines.popleft().decode(self._encoding)

    def rest_not_tried(self) -> bytes:
        """The rest of the current block or else the next one; empty if it was given before."""
        if not self._block and not self._lines:
            self._load()
        if self._is_tried:
            return b""
        self._is_tried = True
        return self._block or b"".join(self._lines)

    def leave(self) -> None:
        """Skips the rest of the current block."""
        self._block = b""
        self._lines.clear()

    def _load(self) -> bool:
        """The next block, up to its last line end."""
        parts: list[bytes | memoryview] = [self._cut]
        end = 0
        size = len(self._cut)
        while not end and (more := self._file.read(self._next_bytes)):
            if (size := size + len(more)) > MAX_LINE_CHARS + self._block_bytes:
                raise EndlessLineError
            # A carriage return at the very end may be half of a line end.
            end = max(more.rfind(b"\n"), more.rfind(b"\r", 0, -1)) + 1
            parts.append(memoryview(more)[:end] if end else more)
        self._next_bytes = self._block_bytes
        self._block, self._is_tried = b"".join(parts), False
        self._cut = more[end:] if end else b""
        return bool(self._block)


def can_be_plain(encoding: str, delimiter: str, quotechar: str) -> bool:
    """Whether blocks of such a text can be plain at all."""
    name = codecs.lookup(encoding).name
    return name in PLAIN_ENCODINGS and delimiter.isascii() and quotechar.isascii()


def read_plain(
    block: bytes, encoding: str, names: Sequence[str], delimiter: str, quotechar: str
) -> PlainRecords | None:
    """The records of a block, one per line; None if anything in it is odd."""
    # A line of megabytes is left to the csv module, which bounds it; pyarrow would strip a byte order mark.
    if len(block) > 2 * MAX_BLOCK or b"\0" in block or block.startswith(codecs.BOM_UTF8):
        return None
    # Looking for a byte is five times faster than counting it, and numpy counts twice as fast as bytes do.
    if b"\r" in block and _count(block, _RETURN) != block.count(b"\r\n"):
        return None
    if not _quotes_enclose_cells(block, delimiter, quotechar):
        return None
    if not _is_utf_8(encoding):
        block = block.decode(encoding).encode()
    lines = _count(block, _LINE_FEED) + (not block.endswith(b"\n"))
    # A cell of several lines is one record, so that there are fewer of them than lines.
    if (table := _table(block, names, delimiter, quotechar)) is not None and table.num_rows == lines:
        return table, np.arange(lines), lines
    if quotechar.encode() in block:
        return None  # which lines are blank, and which are within a cell?
    block, places = _without_blank_lines(block)
    if len(places) == lines:
        return None
    table = _table(block, names, delimiter, quotechar)
    return (table, places, lines) if table is not None and table.num_rows == len(places) else None


def _table(block: bytes, names: Sequence[str], delimiter: str, quotechar: str) -> pa.Table | None:
    if not block:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    try:
        return csv.read_csv(
            pa.BufferReader(block),
            csv.ReadOptions(column_names=list(names), block_size=len(block) + 1, use_threads=False),
            csv.ParseOptions(delimiter=delimiter, quote_char=quotechar, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None


def _without_blank_lines(block: bytes) -> tuple[bytes, npt.NDArray[np.intp]]:
    """Millions of them would be gone through one by one. Gives the places of the lines that are left, too."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == _LINE_FEED) + 1
    starts = np.concatenate(([0], ends if len(ends) and ends[-1] < len(data) else ends[:-1])).astype(np.intp)
    is_kept = ~np.logical_and.reduceat(_IS_WHITE[data], starts)
    sizes = np.diff(starts, append=len(data))
    return data[np.repeat(is_kept, sizes)].tobytes(), np.flatnonzero(is_kept)


def plain_chunks(part: PlainPart, chunk_rows: int) -> Iterator[Chunk]:
    """The records that are not blank."""
    kept = _not_blank(part.table)
    for start in range(0, part.table.num_rows, chunk_rows):
        table = part.table.slice(start, chunk_rows)
        places = part.places[start : start + table.num_rows]
        if kept is not None:
            is_kept = kept[start : start + table.num_rows]
            places, table = places[is_kept], table.filter(pa.array(is_kept))
        if not len(places):
            continue
        frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
        frame.index = pd.Index(places + part.row, name="row", dtype="int64")
        yield Chunk(frame, (places + part.line).tolist(), ())


def _not_blank(table: pa.Table) -> npt.NDArray[np.bool_] | None:
    """Which records are not blank; None for all of them."""
    first = pc.equal(pc.utf8_trim(table.column(0), characters=_WHITE), "")
    if not pc.any(first).as_py():
        return None
    is_kept: npt.NDArray[np.bool_] = ~first.to_numpy(zero_copy_only=False).astype(np.bool_)
    doubtful = table.filter(first)
    cells = pc.binary_join_element_wise(*doubtful.columns, "")
    says_something = pc.not_equal(pc.utf8_trim(cells, characters=_WHITE), "")
    is_kept[~is_kept] = says_something.to_numpy(zero_copy_only=False)
    return is_kept


def _quotes_enclose_cells(block: bytes, delimiter: str, quotechar: str) -> bool:
    """Whether every quote opens or closes a cell, or is doubled inside one."""
    if quotechar.encode() not in block:
        return True
    data = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(data == ord(quotechar))
    if len(quotes) % 2:
        return False
    opens, closes = quotes[::2], quotes[1::2]
    is_doubled = np.zeros(len(opens) + 1, dtype=np.bool_)  # with the quote before
    is_doubled[1:-1] = opens[1:] == closes[:-1] + 1
    before = np.where(opens > 0, data[opens - 1], _LINE_FEED)
    edges = (ord(delimiter), _LINE_FEED)
    opens_well = np.isin(before, edges) | is_doubled[:-1]
    after = np.where(closes + 1 < len(data), data[np.minimum(closes + 1, len(data) - 1)], _LINE_FEED)
    closes_well = np.isin(after, (*edges, _RETURN)) | is_doubled[1:]
    return bool(opens_well.all() and closes_well.all())


def _count(block: bytes, byte: int) -> int:
    return int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == byte))


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"
