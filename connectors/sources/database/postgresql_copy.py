"""Reads the rows of a PostgreSQL query by COPY: the same values as row by row, several times as fast.

COPY writes each value as the server would send it to the driver. Text and numbers are used as they are; any
other value goes through the driver and `values`, once for each distinct text.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.adapt import Transformer
from psycopg.pq import Format
from pyarrow import compute as pc
from pyarrow import csv
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from connectors.sources.text_columns import TextColumn, text_column_of
from connectors.sources.values import cell_of

BLOCK_BYTES = 32 * 1024 * 1024
"""The bound of a block; it holds fewer records if they are large."""
_AS_WRITTEN = frozenset(
    psycopg.adapters.types[name].oid
    for name in ("text", "varchar", "bpchar", "name", "int2", "int4", "int8", "uuid")
)
"""Types whose text in `values` is the one PostgreSQL writes."""
_NUMERIC = psycopg.adapters.types["numeric"].oid


@contextmanager
def open_copy(connection: Connection, query: str) -> Iterator["CopiedRows | None"]:
    """The rows of a query without parameters, read in the open transaction. Errors are SQLAlchemy's.

    None if not all text of the database is known to be UTF-8.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the URL says so
    encodings = map(driver.info.parameter_status, ("server_encoding", "client_encoding"))
    if any(encoding != "UTF8" for encoding in encodings):
        yield None
        return
    try:
        yield CopiedRows(driver, query)
    except psycopg.Error as error:
        raise DBAPIError(None, None, error, connection_invalidated=driver.closed) from error


class CopiedRows:
    """The rows of one query; `columns` are the names of its columns."""

    def __init__(self, connection: psycopg.Connection[Any], query: str) -> None:
        self._connection, self._query = connection, query
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM (\n{query}\n) AS all_of_them LIMIT 0".encode())  # noqa: S608
            described = cursor.description or []
        self.columns = tuple(column.name for column in described)
        self._kinds = [column.type_code for column in described]

    def parts(self, chunk_rows: int, timeout_s: int) -> Iterator["CopiedPart"]:
        """The rows in parts of at most `chunk_rows`, each within `timeout_s`."""
        with self._connection.cursor() as cursor:
            # The server would count the time that this side spends between two parts; the timer below counts
            # waiting alone.
            cursor.execute("SET LOCAL statement_timeout = 0")
            with cursor.copy(f"COPY (\n{self._query}\n) TO STDOUT (FORMAT csv)".encode()) as copy:
                rows = iter(copy)
                while True:
                    with self._given_up_after(timeout_s):
                        block = _next_block(rows, chunk_rows)
                    if not block:
                        return
                    yield CopiedPart(_table(block, len(self._kinds)), self._kinds, self._connection)

    @contextmanager
    def _given_up_after(self, timeout_s: int) -> Iterator[None]:
        timer = threading.Timer(timeout_s, self._connection.cancel_safe)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@dataclass(frozen=True, slots=True)
class CopiedPart:
    """A part of the rows. `_table` holds the texts that PostgreSQL wrote; NULL is empty."""

    _table: pa.Table
    _kinds: Sequence[int]
    _connection: psycopg.Connection[Any] = field(repr=False)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def texts(self) -> Iterator[TextColumn]:
        """The columns, one after the other."""
        for column, kind in zip(self._table.columns, self._kinds, strict=True):
            yield self._texts(column.combine_chunks(), kind)

    def _texts(self, column: pa.Array, kind: int) -> TextColumn:
        if kind == _NUMERIC:
            return pc.if_else(pc.equal(column, "NaN"), "", column), {}
        if kind in _AS_WRITTEN:
            return column, {}
        encoded = column.dictionary_encode()
        loader = Transformer(self._connection).get_loader(kind, Format.TEXT)
        values = [loader.load(cell.encode()) if cell else None for cell in encoded.dictionary.to_pylist()]
        texts, faults = text_column_of(map(cell_of, values))
        which = encoded.indices
        if not faults:
            return texts.take(which), {}
        return texts.take(which), {
            place: faults[one] for place, one in enumerate(which.to_pylist()) if one in faults
        }


def _table(block: list[bytes], width: int) -> pa.Table:
    names = [str(number) for number in range(width)]
    # pyarrow strips a byte order mark at the beginning, which here is a part of a cell. The empty line in
    # front is skipped.
    data = b"\n" + b"".join(block)
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(column_names=names, skip_rows=1, block_size=len(data) + 1, use_threads=False),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
    # COPY gives one message per row. Another count would shift every row number below it.
    if table.num_rows != len(block):
        raise RuntimeError(f"{len(block)} rows of COPY were read as {table.num_rows}")
    return table


def _next_block(rows: Iterator[Any], chunk_rows: int) -> list[bytes]:
    block, size = [], 0
    for row in rows:
        block.append(bytes(row))
        size += len(block[-1])
        if len(block) == chunk_rows or size > BLOCK_BYTES:
            break
    return block
