"""Contacts in Parquet files, as text by the rules of `values`; read a batch at a time.

Structures are columns of their own, `address.city`; lists and maps stay one cell of JSON.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from connectors.errors import SourceError
from connectors.sources import Chunk
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.names import unique_names
from connectors.sources.records import named_columns, rows_that_fit
from connectors.sources.text_columns import TextColumn, chunk_of_columns, text_column_of
from connectors.sources.values import Unusable, cell_of

_KIND = "a Parquet file"
UNSUSPICIOUS_ROWS = 1_000_000
ROWS_A_BYTE = 20
MAX_BATCH_BYTES = 512 * 1024**2
MAX_DEPTH = 32


def open_parquet(path: Path, *, chunk_rows: int = 20_000) -> "ParquetTable":
    """The table of a file. Raises SourceError for one that is not Parquet."""
    file = watched(path)
    with _opened(file) as table:
        _refuse_boundless(file, table)
        columns, notes = named_columns(_flat(table.schema_arrow.empty_table()).column_names)
    return ParquetTable(columns, notes, (), file, chunk_rows)


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Source. Rows are numbered as in a CSV of the same data, where the header is row 1."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    _file: WatchedFile
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        names = unique_names(self.columns)
        row = 2
        with _opened(self._file) as table:
            for batch in table.iter_batches(batch_size=rows_that_fit(self._chunk_rows, len(names))):
                _refuse_large(self._file, batch)
                flat = _flat(pa.Table.from_batches([batch]))
                columns = (_texts(column.combine_chunks()) for column in flat.columns)
                yield chunk_of_columns(columns, batch.num_rows, row, names)
                row += batch.num_rows
        self._file.refuse_change()


@contextmanager
def _opened(file: WatchedFile) -> Iterator[parquet.ParquetFile]:
    """Texts that repeat stay numbers until somebody has counted what they come to."""
    with file.read_as(_KIND):
        with parquet.ParquetFile(file.path) as table:
            repeated = _repeated_texts(table)
        with parquet.ParquetFile(file.path, read_dictionary=repeated) as table:
            yield table


def _repeated_texts(table: parquet.ParquetFile) -> list[str]:
    """The paths of the columns of texts."""
    columns = (table.schema.column(place) for place in range(len(table.schema)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def _refuse_boundless(file: WatchedFile, table: parquet.ParquetFile) -> None:
    """A few bytes can say that a value is repeated a billion times, and hold structures in structures."""
    rows, size = table.metadata.num_rows, file.path.stat().st_size
    if rows > max(UNSUSPICIOUS_ROWS, ROWS_A_BYTE * size):
        raise SourceError(f"{file.path.name} has {rows:,} records in {size:,} bytes, so they are no contacts")
    if any(_depth(field.type) > MAX_DEPTH for field in table.schema_arrow):
        raise SourceError(f"{file.path.name} has values that are nested too deeply to be of contacts")


def _depth(kind: pa.DataType) -> int:
    deepest, waiting = 0, [(kind, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(one.field(place).type, depth + 1) for place in range(one.num_fields)]
    return deepest


def _refuse_large(file: WatchedFile, batch: pa.RecordBatch) -> None:
    """Raises SourceError where texts that repeat would fill the memory once they are written out."""
    size = sum(map(_written_out, batch.columns))
    if size > MAX_BATCH_BYTES:
        raise SourceError(
            f"{file.path.name} has {batch.num_rows:,} records of {size:,} bytes: leave out the columns with"
            " large values, and write it again"
        )


def _written_out(column: pa.Array) -> int:
    """Bytes, with what a dictionary repeats counted each time."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    if pa.types.is_struct(column.type) or pa.types.is_list(column.type):
        inner = column.flatten()
        return sum(map(_written_out, inner)) if isinstance(inner, list) else _written_out(inner)
    return int(column.nbytes)


def _flat(table: pa.Table) -> pa.Table:
    """The table with one column for each part of a structure, however deep."""
    while any(pa.types.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    return table


def _texts(column: pa.Array) -> TextColumn:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # Parquet declares text without checking it: the cast back checks the bytes.
        column = column.cast(pa.binary() if pa.types.is_string(column.type) else pa.large_binary())
    is_binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    if is_binary and not pc.any(pc.match_substring(column, b"\0")).as_py():
        try:
            return pc.fill_null(column.cast(pa.string()), ""), {}
        except pa.ArrowInvalid:
            pass  # some are not UTF-8
    return text_column_of(map(cell_of, _values(column)))


def _values(column: pa.Array) -> Iterator[Any]:
    """The values as Python has them. A 32-bit float gets the shortest digits that identify it."""
    if pa.types.is_floating(column.type) and column.type != pa.float64():
        numbers = column.to_numpy(zero_copy_only=False)
        # as_py() of a 32-bit 0.1 is 0.10000000149011612.
        yield from (float(str(number)) for number in numbers)
        return
    for value in column:
        try:
            yield value.as_py()
        except (ValueError, OverflowError, ArithmeticError, TypeError, pa.ArrowException):
            yield Unusable("", "holds a value that no calendar has, or that cannot be read")
