"""A read-only session with a database: one snapshot of its data, and a time limit for each answer.

The transaction is read-only where the database has that, and is always rolled back.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.databases.engines import message_of, open_engine
from connectors.databases.statements import MYSQL
from connectors.databases.urls import database_url
from connectors.errors import ConfigError, SourceError

CONNECT_TIMEOUT_S = 10
SQLITE_VALUE_BYTES = 64 * 1024 * 1024
STEPS_BETWEEN = 100_000
"""Of SQLite's machine, until it asks whether its time is over."""
MOST_BETWEEN_S = 0.1
"""So long may take what it does in them; more was not spent by SQLite."""
_OF_A_DRIVER = (ValueError, LookupError, ArithmeticError, OSError, EOFError)
"""What drivers raise for a value, an option or a byte that they did not expect."""


def source_url(place: str | Path) -> URL:
    """The URL of a database or of a SQLite file, to be read only. Raises ConfigError, SourceError."""
    if not isinstance(place, Path):
        return database_url(place, "the source")
    return URL.create(
        "sqlite",
        database=f"file:{quote(str(_sqlite_file(place)))}",
        query={"mode": "ro", "uri": "true"},
    )


def _sqlite_file(path: Path) -> Path:
    """The file that a name means: a question mark may begin options, or be a part of it, and so may
    `file:`."""
    before_options = Path(str(path).partition("?")[0])
    for file in (path, before_options, before_options.with_name(before_options.name.removeprefix("file:"))):
        if file.is_file():
            return file.absolute()
    raise SourceError(f"{before_options.name} was not found in {before_options.parent}")


@contextmanager
def reading(url: URL, timeout_s: int) -> Iterator[Connection]:
    """A connection in a read-only transaction. Errors of the database and its driver become ours."""
    engine = open_engine(url, **_options(url, timeout_s))
    if url.get_backend_name() == "sqlite":
        # mode=ro still lets a statement write to a temporary or an attached database.
        event.listen(engine, "connect", partial(_only_reading, timeout_s))
    try:
        with _connected(engine) as connection:
            _begin(connection, timeout_s)
            yield connection
    except DBAPIError as error:
        how = "the connection to the database was lost" if error.connection_invalidated else ""
        raise SourceError(f"{how or 'the query cannot be read'}: {message_of(error, url)}") from error
    except SQLAlchemyError as error:
        raise SourceError(f"the query cannot be read: {type(error).__name__}") from error
    except _OF_A_DRIVER as error:
        raise SourceError(
            f"the query cannot be read: the driver of the database failed with {type(error).__name__}"
        ) from error
    finally:
        engine.dispose()


def text_as_bytes(connection: Connection) -> None:
    """Let SQLite give text as bytes: one that is not UTF-8 is then a fault of its cell alone."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.text_factory = bytes


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except (*_OF_A_DRIVER, TypeError, AttributeError) as error:
        raise ConfigError(
            "the URL of the source has an option with a value that its driver cannot use"
            f" ({', '.join(sorted(engine.url.query)) or 'or no option'}: {type(error).__name__})"
        ) from error


def _options(url: URL, timeout_s: int) -> dict[str, Any]:
    """Options of the driver: how a silent server is noticed, and how values are loaded."""
    backend = url.get_backend_name()
    if backend == "postgresql":
        # A server that has vanished is noticed after a minute; statement_timeout lives on the server and
        # cannot end that wait.
        keepalives = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        encoding = {} if "client_encoding" in url.query else {"client_encoding": "utf8"}
        return {"connect_args": {"connect_timeout": CONNECT_TIMEOUT_S, **keepalives, **encoding}}
    if backend in MYSQL:
        waits: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": timeout_s}
        if url.get_driver_name() == "pymysql":
            waits["conv"] = of_driver("mysql").conversions_of_values()
        return {"connect_args": waits}
    return {}


def of_driver(module: str) -> Any:
    """A module beside this one that imports the driver of one database."""
    # Only once a URL asks for it: a driver that nobody needs may not be there, and takes 0.1 s where it is.
    return import_module(f"connectors.sources.database.{module}")


def _begin(connection: Connection, timeout_s: int) -> None:
    dialect = connection.dialect
    if dialect.name == "postgresql":
        if dialect.driver == "psycopg":
            of_driver("postgresql").load_every_value(connection.connection.driver_connection)
        # One snapshot: the source is read twice, for its columns and for its rows.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_s * 1000}")
    elif dialect.name in MYSQL:
        if getattr(dialect, "is_mariadb", False):
            # The two forks have different names and units for it.
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout_s}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {timeout_s * 1000}")
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _only_reading(timeout_s: int, connection: Any, _record: object) -> None:
    """Whatever the query or a view in the file says; SQLite has neither users nor time limits."""
    cursor = connection.cursor()
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SQLITE_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler(_RunningTime(timeout_s).is_over, STEPS_BETWEEN)


class _RunningTime:
    """What SQLite itself has worked, without what is done with its rows meanwhile."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._last = time.monotonic()

    def is_over(self) -> bool:
        now = time.monotonic()
        self._left_s -= min(now - self._last, MOST_BETWEEN_S)
        self._last = now
        return self._left_s < 0
