"""Contacts in a SQL database: one statement, read through a cursor of the server, as text.

Read only: the transaction is one that cannot write, where the database knows such, and is rolled back at the
end in any case. What values are as text is in `values`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, CursorResult, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.databases.engines import database_url, open_engine, said
from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.database.watermark import Overlap, lowered
from connectors.sources.records import Record, next_chunk, record_of, text_column, whole_chunk
from connectors.sources.values import text_of

if TYPE_CHECKING:
    from connectors.sources.database.postgresql_copy import CopiedPart

CONNECT_TIMEOUT_S = 10
_MYSQL = ("mysql", "mariadb")


def open_sql(
    url: str | Path,
    query: str | Path,
    *,
    parameters: Mapping[str, str] | None = None,
    timeout_s: int = 600,
    chunk_rows: int = 20_000,
) -> "SqlQuery":
    """Runs the statement once for its columns. `query` is a statement, or the file with it; `:name` in it
    stands for a parameter, where there are any.

    Raises ConfigError for a URL, driver or parameter that cannot be, SourceError for what a database refuses.
    """
    place = (
        URL.create("sqlite", database=f"file:{url}", query={"mode": "ro", "uri": "true"})
        if isinstance(url, Path)
        else database_url(url, "the source")
    )
    if isinstance(url, Path) and not url.is_file():
        raise SourceError(f"{url.name} was not found in {url.parent}")
    statement = _statement(query)
    values = dict(parameters or {})
    _refuse_other_parameters(statement, values)
    found = SqlQuery((), place, statement, values, timeout_s, chunk_rows)
    with found._connected() as connection, found._result(connection) as result:
        columns = tuple(map(str, result.keys()))
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise SourceError(
            f"the query gives more than one column of the name {', '.join(repeated)}; name one with AS"
        )
    return SqlQuery(columns, place, statement, values, timeout_s, chunk_rows)


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """A Source. Each `chunks()` is a transaction of its own: what it gives is of one moment."""

    columns: tuple[str, ...]
    _url: URL = field(repr=False)
    _query: str = field(repr=False)
    _parameters: Mapping[str, str] = field(repr=False)
    _timeout_s: int
    _chunk_rows: int

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"read from {self._url.get_backend_name()}",)

    def chunks(self) -> Iterator[Chunk]:
        """Rows are numbered as in a CSV of the same data, where the header is row 1."""
        with self._connected() as connection:
            if connection.dialect.name == "postgresql" and not self._parameters:
                yield from self._copied(connection)
            else:
                for _, chunk in self._rows(connection, None):
                    yield chunk

    def since(self, column: str, highest: Any, overlap: Overlap) -> "NewRows":
        """Only rows from `highest` on, and a little before it; all of them where it is None.

        Raises ConfigError for a column that the query does not give.
        """
        if column not in self.columns:
            raise ConfigError(
                f'incremental.column: the query gives no column "{column}"; it gives'
                f" {', '.join(self.columns)}"
            )
        return NewRows(self, column, highest, overlap)

    def _read(self, filtered: tuple[str, Any] | None) -> Iterator[tuple[Sequence[Any], Chunk]]:
        with self._connected() as connection:
            yield from self._rows(connection, filtered)

    def _rows(
        self, connection: Connection, filtered: tuple[str, Any] | None
    ) -> Iterator[tuple[Sequence[Any], Chunk]]:
        with self._result(connection, filtered) as result:
            self._check_columns(map(str, result.keys()))
            row = 2
            for rows in result.partitions(self._chunk_rows):
                yield rows, _chunk(rows, row, self.columns)
                row += len(rows)

    def _copied(self, connection: Connection) -> Iterator[Chunk]:
        from connectors.sources.database.postgresql_copy import (
            open_copy,  # psycopg is loaded by whoever needs it
        )

        with open_copy(connection, self._query) as copied:
            if copied is None:
                yield from (chunk for _, chunk in self._rows(connection, None))
                return
            self._check_columns(copied.columns)
            row = 2
            for part in copied.parts(self._chunk_rows, self._timeout_s):
                yield _copied_chunk(part, row, self.columns)
                row += len(part)

    def _check_columns(self, found: Iterable[str]) -> None:
        if tuple(found) != self.columns:
            raise SourceError("the columns of the query have changed since it was opened")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """In a transaction that reads. Errors of the database become SourceError."""
        engine = open_engine(self._url, **_options(self._url, self._timeout_s))
        if self._url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _refuse_writes)
        try:
            with engine.connect() as connection:
                _begin_reading(connection, self._timeout_s)
                yield connection
        except DBAPIError as error:
            how = "the connection to the database was lost" if error.connection_invalidated else ""
            raise SourceError(f"{how or 'the query cannot be read'}: {said(error)}") from error
        except SQLAlchemyError as error:
            raise SourceError(f"the query cannot be read: {type(error).__name__}") from error
        finally:
            engine.dispose()

    @contextmanager
    def _result(
        self, connection: Connection, filtered: tuple[str, Any] | None = None
    ) -> Iterator[CursorResult[Any]]:
        """The rows, fetched in parts as they are wanted."""
        streaming = connection.execution_options(stream_results=True, yield_per=self._chunk_rows)
        result = self._execute(streaming, filtered)
        cursor = result.cursor
        try:
            yield result
        finally:
            if connection.dialect.name in _MYSQL and not result.closed:
                _leave_unread(cursor)
                connection.invalidate()  # the server ends a statement that nobody listens to
            with suppress(DBAPIError, connection.dialect.loaded_dbapi.Error):
                result.close()

    def _execute(self, connection: Connection, filtered: tuple[str, Any] | None) -> CursorResult[Any]:
        if filtered is not None:
            column = connection.dialect.identifier_preparer.quote(filtered[0])
            inner = self._query if self._parameters else self._query.replace(":", r"\:")
            query = (
                f"SELECT * FROM (\n{inner}\n) AS all_of_them"  # noqa: S608 - both stand in the pipeline file
                f" WHERE {column} >= :the_watermark OR {column} IS NULL"
            )
            result = connection.execute(text(query), {**self._parameters, "the_watermark": filtered[1]})
        elif self._parameters:
            result = connection.execute(text(self._query), dict(self._parameters))
        else:  # as it is: a colon or a percent sign in it means nothing
            result = connection.execution_options(no_parameters=True).exec_driver_sql(self._query)
        if not result.returns_rows:
            raise SourceError("the query gives no rows: a SELECT is expected")
        return result


class NewRows:
    """A Source of the rows of a query whose column is at or above a value, or NULL; of all without one.

    `highest` is the highest value of the column that was read, None before `chunks()` and without a value.
    """

    def __init__(self, query: SqlQuery, column: str, known: Any, overlap: Overlap) -> None:
        self._query, self._column, self._overlap = query, column, overlap
        self._lowest = None if known is None else lowered(known, overlap)
        self.columns, self.notes = query.columns, query.notes
        self.highest: Any = None

    def chunks(self) -> Iterator[Chunk]:
        filtered = None if self._lowest is None else (self._column, self._lowest)
        place = self.columns.index(self._column)
        for rows, chunk in self._query._read(filtered):
            values = [row[place] for row in rows if row[place] is not None]
            self.highest = max([*values, self.highest] if self.highest is not None else values, default=None)
            if self.highest is not None:
                lowered(self.highest, self._overlap)  # said now, and not when everything was sent
            yield chunk


def _statement(query: str | Path) -> str:
    if isinstance(query, str):
        statement = query
    else:
        try:
            statement = query.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise SourceError(f"{query.name} cannot be read: {why}") from error
    statement = statement.strip().removesuffix(";").strip()
    if not statement:
        raise ConfigError("the query is empty")
    return statement


def _refuse_other_parameters(statement: str, values: Mapping[str, str]) -> None:
    if not values:
        return
    named = set(text(statement)._bindparams)
    if missing := sorted(named - set(values)):
        raise ConfigError(f"the query has :{missing[0]}, and `parameters:` no value for it")
    if unused := sorted(set(values) - named):
        raise ConfigError(f"`parameters:` has {unused[0]}, and the query no :{unused[0]}")


def _options(url: URL, timeout_s: int) -> dict[str, Any]:
    """How a database that says nothing is noticed."""
    backend = url.get_backend_name()
    if backend == "postgresql":
        keepalives = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        return {"connect_args": {"connect_timeout": CONNECT_TIMEOUT_S, **keepalives}}
    if backend in _MYSQL:
        return {"connect_args": {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": timeout_s}}
    return {}


def _begin_reading(connection: Connection, timeout_s: int) -> None:
    """A transaction that cannot write, sees one moment of the data, and gives no answer later than wanted."""
    dialect = connection.dialect
    if dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_s * 1000}")
    elif dialect.name in _MYSQL:
        if getattr(dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout_s}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {timeout_s * 1000}")
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _leave_unread(cursor: Any) -> None:
    """PyMySQL reads a result to its end before it lets go of it, and has no other way to be told not to."""
    unread = getattr(cursor, "_result", None)
    if unread is not None:
        unread.unbuffered_active = False


def _refuse_writes(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _chunk(rows: Sequence[Any], first: int, columns: tuple[str, ...]) -> Chunk:
    """A column at a time; record by record where one of them holds something that is no text."""
    try:
        texts = [text_column(list(map(_text, values))) for values in zip(*rows, strict=True)]
    except UnicodeError:
        texts = [None]
    if any(column is None for column in texts):
        return next_chunk(list(_records(rows, first, columns)), columns)
    numbers = range(first, first + len(rows))
    return whole_chunk(dict(zip(columns, texts, strict=True)), numbers, numbers)


def _copied_chunk(part: "CopiedPart", first: int, columns: tuple[str, ...]) -> Chunk:
    """Record by record where one of them holds bytes that are no text."""
    try:
        texts = part.texts()
    except UnicodeDecodeError:
        rows = zip(*part.values(), strict=True)
        return next_chunk(list(_records(rows, first, columns)), columns)
    numbers = range(first, first + len(part))
    return whole_chunk(dict(zip(columns, texts, strict=True)), numbers, numbers)


def _text(value: Any) -> str:
    return value if type(value) is str else text_of(value)


def _records(rows: Any, first: int, columns: tuple[str, ...]) -> Iterator[Record]:
    for number, row in enumerate(rows, start=first):
        try:
            cells = list(map(_text, row))
        except UnicodeDecodeError:
            yield Record(number, number, [], f"{_binary(row, columns)} holds bytes that are no text")
            continue
        yield record_of(number, number, cells)


def _binary(row: Any, columns: tuple[str, ...]) -> str:
    for name, value in zip(columns, row, strict=True):
        try:
            text_of(value)
        except UnicodeDecodeError:
            return re.sub(r"[^\w .-]", "?", name)
    return "a column"
