"""Tables in a SQL database, for a pull to write: SQLite, PostgreSQL, MariaDB or MySQL, through SQLAlchemy.

Here: opening, migrations, upserts. Not here: how the databases differ (`dialects`), which tables there are
(`sql/warehouse`) and what they hold.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Row,
    String,
    TextClause,
    bindparam,
    column,
    event,
    inspect,
    table,
    text,
)
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from connectors.databases.dialects import IS_THERE, LOCKS, TYPES, render, statements
from connectors.databases.engines import message_of, open_engine
from connectors.databases.readable import Readable
from connectors.databases.urls import database_url
from connectors.errors import ConfigError, RefusedValueError, TablesError
from connectors.own_files import PRIVATE_FILE, close_to_the_world, make_folder

_BUSY_TIMEOUT_S = 30


def tables_url(into: str | Path) -> URL:
    """The URL of a database or of a SQLite file. Raises ConfigError, which never shows a password."""
    if isinstance(into, Path) or "://" not in into:
        return URL.create("sqlite", database=str(into))
    url = database_url(into, "the tables")
    if url.get_backend_name() not in TYPES:
        raise ConfigError(
            f"tables are written to SQLite, PostgreSQL, MariaDB or MySQL, not to {url.get_backend_name()}"
        )
    return url


class Tables:
    """A database with tables; one per thread. Raises TablesError for everything the database refuses."""

    def __init__(self, url: URL, *, create: bool = True, read_only: bool = False) -> None:
        """Without `create` a missing SQLite file is an error; `read_only` implies that and never writes."""
        create = create and not read_only
        self._keys: dict[str, tuple[str, ...]] = {}
        self._upserts: dict[tuple[object, ...], Any] = {}
        self._clauses: dict[tuple[str, frozenset[str]], TextClause] = {}
        is_sqlite = url.get_backend_name() == "sqlite"
        self.name = url.render_as_string(hide_password=True) if not is_sqlite else str(url.database)
        self._readable: Readable | None = None
        if is_sqlite and read_only:
            self._readable = _readable(Path(url.database or ""))
            url = url.set(database=str(self._readable.path))
        if is_sqlite:
            _prepare_file(Path(url.database or ""), create=create)
        self._engine = open_engine(
            url,
            # A pull may wait for Kartra longer than a server keeps an idle connection.
            pool_pre_ping=not is_sqlite,
            connect_args={"timeout": _BUSY_TIMEOUT_S} if is_sqlite else {},
        )
        if is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
        with self.begin() as connection:
            is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
        backend = url.get_backend_name()
        self.dialect = "mariadb" if is_mariadb else "mysql" if backend == "mariadb" else backend
        """sqlite, postgresql, mysql or mariadb."""
        family = "mysql" if self.dialect == "mariadb" else self.dialect
        # Upserts differ by dialect, and each of SQLAlchemy's takes a while to import: only the one in use is.
        self._insert = import_module(f"sqlalchemy.dialects.{family}").insert

    def close(self) -> None:
        self._engine.dispose()
        if self._readable is not None:
            self._readable.close()

    def __enter__(self) -> "Tables":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except DataError as error:
            raise RefusedValueError(f"{self.name}: {message_of(error, self._engine.url)}") from error
        except DBAPIError as error:
            raise TablesError(f"{self.name}: {message_of(error, self._engine.url)}") from error
        except SQLAlchemyError as error:
            raise TablesError(f"{self.name}: {type(error).__name__}") from error

    # --- statements

    def wipe(self) -> None:
        """In SQLite: the file is written anew without what was deleted. Raises TablesError."""
        if self.dialect != "sqlite":
            return
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))
                is_read = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]
        except DBAPIError as error:
            raise TablesError(f"{self.name}: {message_of(error, self._engine.url)}") from error
        if is_read:
            raise TablesError(f"{self.name}: another program is reading it")

    def render(self, template: str, *, macros: str = "", **more: object) -> str:
        """A statement for this database, from a template as in `dialects`."""
        return render(template, self.dialect, macros=macros, **more)

    def migrate(self, migrations: Sequence[tuple[int, str]]) -> None:
        """Bring the tables to the last of the numbered migrations. Each can be tried again after a crash."""
        created = """CREATE TABLE IF NOT EXISTS warehouse_version (
            version {{ integer }} NOT NULL, applied_at {{ utc }} NOT NULL, PRIMARY KEY (version)
        ) {{ options }}"""
        with self.begin() as connection:
            self._run_plain(connection, self.render(created))
            version = self.version(connection)
        if version > max((number for number, _ in migrations), default=0):
            raise TablesError(f"{self.name}: was written by a newer version of kartra-sync; update this one")
        for number, template in migrations:
            if number <= version:
                continue
            with self.begin() as connection:
                if lock := LOCKS.get(self.dialect):
                    self._run_plain(connection, lock)
                    # Another process may have migrated while this one waited for the lock.
                    if self.version(connection) >= number:
                        continue
                for statement in statements(template, self.dialect):
                    self._run_once(connection, statement)
                row = {"version": number, "applied_at": datetime.now(UTC)}
                self.upsert(connection, "warehouse_version", [row])

    def version(self, connection: Connection) -> int:
        """The last migration; 0 before the first."""
        return int(connection.execute(text("SELECT max(version) FROM warehouse_version")).scalar() or 0)

    def _run_once(self, connection: Connection, statement: str) -> None:
        """Tolerates what exists: MySQL commits each ALTER at once and has no IF NOT EXISTS for it."""
        try:
            self._run_plain(connection, statement)
        except DBAPIError as error:
            if self.dialect != "mysql" or error.orig is None or error.orig.args[0] not in IS_THERE:
                raise

    def _run_plain(self, connection: Connection, statement: str) -> None:
        connection.execution_options(no_parameters=True).exec_driver_sql(statement)

    # --- rows

    def read(self, connection: Connection, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """Rows of a SELECT; a list of texts among the values is for `IN :name`."""
        lists = frozenset(name for name, value in values.items() if isinstance(value, list))
        clause = self._clause(statement, lists)
        adapted = {
            name: [self.adapted(one) for one in value] if name in lists else self.adapted(value)
            for name, value in values.items()
        }
        return connection.execute(clause, adapted).all()

    def run(self, connection: Connection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """A statement once for each row of values."""
        if rows:
            connection.execute(self._clause(statement), [self._adapted_row(row) for row in rows])

    def _clause(self, statement: str, lists: frozenset[str] = frozenset()) -> TextClause:
        known = (statement, lists)
        if known not in self._clauses:
            self._clauses[known] = text(statement).bindparams(
                *(bindparam(name, type_=String(), expanding=True) for name in sorted(lists))
            )
        return self._clauses[known]

    def upsert(
        self,
        connection: Connection,
        into: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        keep: frozenset[str] = frozenset(),
    ) -> None:
        """Insert rows, or change those with the same primary key; all have the same columns.

        Columns in `keep` stay as they are in a row that was there before.
        """
        if not rows:
            return
        statement = self._upsert(connection, into, tuple(rows[0]), keep)
        connection.execute(statement, [self._adapted_row(row) for row in rows])

    def delete(self, connection: Connection, of: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Delete the rows with these values, all in the same columns."""
        if not keys:
            return
        names = tuple(keys[0])
        where = " AND ".join(f"{name} = :{name}" for name in names)
        _refuse_other_names((of, *names))
        self.run(connection, f"DELETE FROM {of} WHERE {where}", keys)  # noqa: S608

    def _upsert(self, connection: Connection, into: str, names: tuple[str, ...], keep: frozenset[str]) -> Any:
        known = (into, names, keep)
        if known not in self._upserts:
            keys = self._keys_of(connection, into)
            statement: Any = self._insert(table(into, *map(column, names))).values(dict.fromkeys(names))
            changed = [name for name in names if name not in keys and name not in keep]
            if self.dialect in ("mysql", "mariadb"):
                # MySQL wants at least one assignment even where nothing is to change: the key to itself.
                kept = {keys[0]: statement.inserted[keys[0]]}
                statement = statement.on_duplicate_key_update(
                    {name: statement.inserted[name] for name in changed} or kept
                )
            elif changed:
                statement = statement.on_conflict_do_update(
                    index_elements=list(keys), set_={name: statement.excluded[name] for name in changed}
                )
            else:
                statement = statement.on_conflict_do_nothing(index_elements=list(keys))
            self._upserts[known] = statement
        return self._upserts[known]

    def _keys_of(self, connection: Connection, of: str) -> tuple[str, ...]:
        if of not in self._keys:
            self._keys[of] = tuple(inspect(connection).get_pk_constraint(of)["constrained_columns"])
        return self._keys[of]

    def has(self, connection: Connection, table_name: str) -> bool:
        return inspect(connection).has_table(table_name)

    def columns(self, connection: Connection, of: str) -> tuple[str, ...]:
        """The columns of a table, in order."""
        return tuple(found["name"] for found in inspect(connection).get_columns(of))

    def _adapted_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        # The quick way for most cells; in PostgreSQL a text still has to be searched for NULs.
        plain = (str, int, NoneType) if self.dialect != "postgresql" else (int, NoneType)
        return {name: value if type(value) in plain else self.adapted(value) for name, value in row.items()}

    def adapted(self, value: Any) -> Any:
        """The value in the form of this database: exact decimals, aware times, maps and lists as JSON."""
        if isinstance(value, str):
            # PostgreSQL stores no NUL in text.
            return value.replace("\0", "\ufffd") if "\0" in value else value
        if isinstance(value, dict | list | tuple):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, Decimal) and self.dialect == "sqlite":
            # As text: SQLite would turn a number into a float.
            return format(value, "f")
        if isinstance(value, datetime) and self.dialect != "postgresql":
            naive = value.astimezone(UTC).replace(tzinfo=None)
            return naive.strftime("%Y-%m-%d %H:%M:%S") if self.dialect == "sqlite" else naive
        return value


def as_utc(value: Any) -> datetime | None:
    """A time that any of these databases gave back, in UTC."""
    if value is None:
        return None
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def json_value(value: Any) -> Any:
    """The value of a JSON column: PostgreSQL returns it decoded, the others as text."""
    return json.loads(value) if isinstance(value, str) else value


def _refuse_other_names(names: Sequence[str]) -> None:
    if not all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names):
        raise ValueError("names of tables and columns come from the program, never from data")


def _readable(path: Path) -> Readable:
    try:
        return Readable(path)
    except OSError as error:
        raise TablesError(f"{path}: cannot be used for tables: {error.strerror or error}") from error


def _prepare_file(path: Path, *, create: bool) -> None:
    if not create and not path.exists():
        raise TablesError(f"{path}: does not exist yet; kartra-sync run creates it")
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE))
        close_to_the_world(path)
    except OSError as error:
        raise TablesError(f"{path}: cannot be used for tables: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Reports are read while a pull writes.
    cursor.execute("PRAGMA journal_mode = WAL")
    # A power loss then costs the last rows, which the next pull reads again.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
