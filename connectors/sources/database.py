"""Contacts in a SQL database: one statement, read through a cursor of the server, as text.

Read only: the transaction is one that cannot write, where the database knows such, and is rolled back at the
end in any case. What values are as text is in `values`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.databases import database_url, open_engine, said
from connectors.errors import ConfigError, SourceError
from connectors.sources import Chunk
from connectors.sources.records import Record, next_chunk
from connectors.sources.values import text_of

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
    with found._run() as result:
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
        with self._run() as result:
            if tuple(map(str, result.keys())) != self.columns:
                raise SourceError("the columns of the query have changed since it was opened")
            row = 2
            for rows in result.partitions(self._chunk_rows):
                yield next_chunk(list(_records(rows, row, self.columns)), self.columns)
                row += len(rows)

    @contextmanager
    def _run(self) -> Iterator[CursorResult[Any]]:
        """The rows, fetched in parts as they are wanted. Errors of the database become SourceError."""
        engine = open_engine(self._url, **_options(self._url, self._timeout_s))
        if self._url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _refuse_writes)
        try:
            with engine.connect() as connection:
                _begin_reading(connection, self._timeout_s)
                streaming = connection.execution_options(stream_results=True, yield_per=self._chunk_rows)
                result = self._execute(streaming)
                cursor = result.cursor
                try:
                    yield result
                finally:
                    if connection.dialect.name in _MYSQL and not result.closed:
                        _leave_unread(cursor)
                        connection.invalidate()  # the server ends a statement that nobody listens to
                    with suppress(DBAPIError, connection.dialect.loaded_dbapi.Error):
                        result.close()
        except DBAPIError as error:
            how = "the connection to the database was lost" if error.connection_invalidated else ""
            raise SourceError(f"{how or 'the query cannot be read'}: {said(error)}") from error
        except SQLAlchemyError as error:
            raise SourceError(f"the query cannot be read: {type(error).__name__}") from error
        finally:
            engine.dispose()

    def _execute(self, connection: Connection) -> CursorResult[Any]:
        if self._parameters:
            result = connection.execute(text(self._query), dict(self._parameters))
        else:  # as it is: a colon or a percent sign in it means nothing
            result = connection.execution_options(no_parameters=True).exec_driver_sql(self._query)
        if not result.returns_rows:
            raise SourceError("the query gives no rows: a SELECT is expected")
        return result


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


def _records(rows: Any, first: int, columns: tuple[str, ...]) -> Iterator[Record]:
    for number, row in enumerate(rows, start=first):
        try:
            cells = [value if type(value) is str else text_of(value) for value in row]
        except UnicodeDecodeError:
            yield Record(number, number, [], f"{_binary(row, columns)} holds bytes that are no text")
            continue
        fault = "NUL byte in the record" if any("\0" in cell for cell in cells) else ""
        yield Record(number, number, cells, fault)


def _binary(row: Any, columns: tuple[str, ...]) -> str:
    for name, value in zip(columns, row, strict=True):
        try:
            text_of(value)
        except UnicodeDecodeError:
            return re.sub(r"[^\w .-]", "?", name)
    return "a column"
