"""Contacts in a SQL database: one statement, read through a server-side cursor, as text by the rules of
`values`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, text
from sqlalchemy.exc import DBAPIError

from connectors.databases.statements import MYSQL, escaped_colons, refuse_writing, single_statement
from connectors.errors import ConfigError, SourceError
from connectors.small_files import OtherThanSmallFileError, read_small
from connectors.sources import Chunk
from connectors.sources.database.new_rows import NewRows, Since
from connectors.sources.database.session import of_driver, reading, source_url, text_as_bytes
from connectors.sources.database.watermark import Overlap
from connectors.sources.records import rows_that_fit
from connectors.sources.text_columns import chunk_of, chunk_of_columns

PROBED_ROWS = 50
"""The rows by which the size of the others is estimated."""
MAX_QUERY_BYTES = 1024 * 1024
MAX_ROWS = 50_000_000
PART_BYTES = 32 * 1024 * 1024


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
    place = source_url(url)
    statement = single_statement(_text_of(query), place.get_backend_name())
    refuse_writing(statement, place.get_backend_name())
    values = dict(parameters or {})
    if values:
        statement = escaped_colons(statement, place.get_backend_name())
        _refuse_other_parameters(statement, values)
    found = SqlQuery((), place, statement, values, timeout_s, chunk_rows)
    with reading(place, timeout_s) as connection, found._result(connection) as result:
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
    def words(self) -> tuple[str, ...]:
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"read from {self._url.get_backend_name()}",)

    def chunks(self) -> Iterator[Chunk]:
        """Rows are numbered as in a CSV of the same data, where the header is row 1."""
        with reading(self._url, self._timeout_s) as connection:
            if connection.dialect.name == "postgresql" and not self._parameters:
                yield from self._copied(connection)
            else:
                for _, chunk in self._rows(connection, None):
                    yield chunk

    def since(self, column: str, highest: Any, overlap: Overlap, now: datetime) -> NewRows:
        """Only rows from `highest` on, and a little before it; all of them where it is None.

        Raises ConfigError for a column that the query does not give, SourceError where the database does not
        take the query as a part of another.
        """
        if column not in self.columns:
            given = (
                "" if any("@" in name for name in self.columns) else f"; it gives {', '.join(self.columns)}"
            )
            raise ConfigError(f'incremental.column: the query gives no column "{column}"{given}')
        with (  # now, because the first run reads all, and only the next one would find it out
            reading(self._url, self._timeout_s) as connection,
            self._result(connection, _NO_ROW) as result,
        ):
            self._check_columns(map(str, result.keys()))
        return NewRows(self._read, self.columns, self.notes, column, highest, overlap, now)

    def _read(self, since: Since | None) -> Iterator[tuple[Sequence[Any], Chunk]]:
        with reading(self._url, self._timeout_s) as connection:
            yield from self._rows(connection, since)

    def _rows(self, connection: Connection, since: Since | None) -> Iterator[tuple[Sequence[Any], Chunk]]:
        with self._result(connection, since) as result:
            self._check_columns(map(str, result.keys()))
            row = 2
            for rows in _parts(result, rows_that_fit(self._chunk_rows, len(self.columns))):
                _refuse_endless(row)
                yield rows, chunk_of(rows, row, self.columns)
                row += len(rows)

    def _copied(self, connection: Connection) -> Iterator[Chunk]:
        with of_driver("postgresql_copy").open_copy(connection, self._query) as copied:
            if copied is None:
                yield from (chunk for _, chunk in self._rows(connection, None))
                return
            self._check_columns(copied.columns)
            row = 2
            for part in copied.parts(rows_that_fit(self._chunk_rows, len(self.columns)), self._timeout_s):
                _refuse_endless(row)
                yield chunk_of_columns(part.texts(), len(part), row, self.columns)
                row += len(part)

    def _check_columns(self, found: Iterable[str]) -> None:
        if tuple(found) != self.columns:
            raise SourceError("the columns of the query have changed since it was opened")

    @contextmanager
    def _result(self, connection: Connection, since: Since | None = None) -> Iterator[CursorResult[Any]]:
        """The rows, fetched in parts as they are wanted."""
        text_as_bytes(connection)
        streaming = connection.execution_options(stream_results=True, max_row_buffer=PROBED_ROWS)
        result = self._execute(streaming, since)
        cursor = result.cursor
        try:
            yield result
        finally:
            if connection.dialect.name in MYSQL and not result.closed:
                _leave_unread(cursor)
                connection.invalidate()  # the server ends a statement that nobody listens to
            with suppress(DBAPIError, connection.dialect.loaded_dbapi.Error):
                result.close()

    def _execute(self, connection: Connection, since: Since | None) -> CursorResult[Any]:
        if since is not None:
            statement, values = self._wrapped(connection, since)
            result = connection.execute(text(statement), values)
        elif self._parameters:
            result = connection.execute(text(self._query), dict(self._parameters))
        else:
            # Sent as it is: as text() a colon would be a parameter, and with parameters a percent sign a
            # format.
            result = connection.execution_options(no_parameters=True).exec_driver_sql(self._query)
        if not result.returns_rows:
            raise SourceError("the query gives no rows: a SELECT is expected")
        return result

    def _wrapped(self, connection: Connection, since: Since) -> tuple[str, dict[str, Any]]:
        """The statement and the values for its parameters."""
        # Escaped, because text() would take the colon of a cast or of a time for a parameter.
        inner = self._query if self._parameters else self._query.replace(":", r"\:")
        column = quoted_name(connection, since.column)
        condition = "1 = 0" if since is _NO_ROW else f"{column} >= :the_watermark OR {column} IS NULL"
        if connection.dialect.name in MYSQL and isinstance(since.lowest, date):
            # MySQL's dates of zeros say as little as NULL.
            condition += f" OR {column} < '1000-01-01'"
        values = {} if since is _NO_ROW else {"the_watermark": since.lowest}
        # On lines of its own: a query that ends in a comment would swallow the bracket behind it.
        return (
            f"SELECT * FROM (\n{inner}\n) AS all_of_them WHERE {condition}",  # noqa: S608 - of the file
            {**self._parameters, **values},
        )


def _refuse_endless(rows: int) -> None:
    """Raises SourceError: a statement can give rows for ever."""
    if rows > MAX_ROWS:
        raise SourceError(f"the query gives more than {MAX_ROWS:,} rows, so they are no contacts")


_NO_ROW = Since("", None)
"""Matches no row: a query for the columns alone."""


def _parts(result: CursorResult[Any], chunk_rows: int) -> Iterator[Sequence[Any]]:
    """The rows in parts of at most `chunk_rows`, and of fewer where rows are large, as with photos in
    them."""
    while rows := list(result.fetchmany(min(PROBED_ROWS, chunk_rows))):
        size = sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))
        fitting = min(chunk_rows, PART_BYTES * len(rows) // max(size, 1))
        if fitting > len(rows):
            rows += result.fetchmany(fitting - len(rows))
        yield rows


def quoted_name(connection: Connection, *parts: str) -> str:
    """A quoted name for a statement that goes to the driver as it is."""
    quote = connection.dialect.identifier_preparer.quote
    # The preparer doubles percent signs for drivers that format; nobody formats here.
    return ".".join(quote(part) for part in parts).replace("%%", "%")


def _text_of(query: str | Path) -> str:
    if isinstance(query, str):
        return query
    try:
        return read_small(query, at_most=MAX_QUERY_BYTES).content.decode("utf-8-sig")
    except OtherThanSmallFileError as error:
        raise SourceError(f"{query.name} is {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SourceError(f"{query.name} cannot be read: {why}") from error


def _refuse_other_parameters(statement: str, values: Mapping[str, str]) -> None:
    named = set(text(statement)._bindparams)
    if missing := sorted(named - set(values)):
        raise ConfigError(f"the query has :{missing[0]}, and `parameters:` no value for it")
    if unused := sorted(set(values) - named):
        raise ConfigError(f"`parameters:` has {unused[0]}, and the query no :{unused[0]}")


def _leave_unread(cursor: Any) -> None:
    """Lets PyMySQL drop a result without reading it to its end, for which it has no public way."""
    unread = getattr(cursor, "_result", None)
    if unread is not None:
        unread.unbuffered_active = False
