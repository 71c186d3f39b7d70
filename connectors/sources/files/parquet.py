"""Contacts in Parquet files, as text by the rules of `values`; read a batch at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from connectors.errors import SourceError
from connectors.sources import Chunk
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.records import Record, named_columns, next_chunk, record_of, unique_names
from connectors.sources.values import text_of


def open_parquet(path: Path, *, chunk_rows: int = 20_000) -> "ParquetTable":
    """Raises SourceError for a file that is none."""
    file = watched(path)
    with _opened(file) as table:
        columns, notes = named_columns(table.schema_arrow.names)
    return ParquetTable(columns, notes, file, chunk_rows)


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Source. Rows are numbered as in a CSV of the same data, where the header is row 1."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    _file: WatchedFile
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        names = unique_names(self.columns)
        row = 2
        with _opened(self._file) as table:
            for batch in table.iter_batches(batch_size=self._chunk_rows):
                values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                yield next_chunk([_record(row + place, cells) for place, cells in enumerate(values)], names)
                row += batch.num_rows
        self._file.refuse_change()


@contextmanager
def _opened(file: WatchedFile) -> Iterator[parquet.ParquetFile]:
    try:
        with parquet.ParquetFile(file.path) as table:
            yield table
    except pa.ArrowException as error:
        raise SourceError(f"{file.path.name} is not a Parquet file, or a damaged one") from error
    except OSError as error:
        raise file.unreadable(error) from error


def _record(number: int, values: tuple[object, ...]) -> Record:
    try:
        cells = [text_of(value) for value in values]
    except UnicodeDecodeError:
        return Record(number, number, [], "it holds bytes that are no text")
    return record_of(number, number, cells)
