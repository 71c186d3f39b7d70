"""A session with a database that reads, and only reads: one moment of its data, and an answer in time.

The transaction is one that cannot write, where the database knows such, and is rolled back in any case.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from connectors.databases.engines import open_engine, said
from connectors.errors import SourceError

CONNECT_TIMEOUT_S = 10
MYSQL = ("mysql", "mariadb")


@contextmanager
def reading(url: URL, timeout_s: int) -> Iterator[Connection]:
    """In a transaction that reads. Errors of the database become SourceError."""
    engine = open_engine(url, **_options(url, timeout_s))
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with engine.connect() as connection:
            _begin(connection, timeout_s)
            yield connection
    except DBAPIError as error:
        how = "the connection to the database was lost" if error.connection_invalidated else ""
        raise SourceError(f"{how or 'the query cannot be read'}: {said(error)}") from error
    except SQLAlchemyError as error:
        raise SourceError(f"the query cannot be read: {type(error).__name__}") from error
    finally:
        engine.dispose()


def _options(url: URL, timeout_s: int) -> dict[str, Any]:
    """How a database that says nothing is noticed, and how its values are loaded."""
    backend = url.get_backend_name()
    if backend == "postgresql":
        keepalives = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        return {"connect_args": {"connect_timeout": CONNECT_TIMEOUT_S, **keepalives}}
    if backend in MYSQL:
        waits: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": timeout_s}
        if url.get_driver_name() == "pymysql":
            from connectors.sources.database.mysql import conversions_of_values  # loads the driver

            waits["conv"] = conversions_of_values()
        return {"connect_args": waits}
    return {}


def _begin(connection: Connection, timeout_s: int) -> None:
    dialect = connection.dialect
    if dialect.name == "postgresql":
        if dialect.driver == "psycopg":
            from connectors.sources.database.postgresql import load_every_value  # loads the driver

            driver: Any = connection.connection.driver_connection
            load_every_value(driver)
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_s * 1000}")
    elif dialect.name in MYSQL:
        if getattr(dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout_s}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {timeout_s * 1000}")
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Text is given as bytes: one that is not UTF-8 is the fault of its cell, not the end of the query."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()
    connection.text_factory = bytes
