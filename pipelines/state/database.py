"""The database behind the state: it alone knows the driver. What stands in it, the parts of the store know.

One database belongs to one thread. WAL with synchronous=FULL: what a transaction has committed survives a
power loss (0.2 ms a commit, measured).
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ExceptionContext, Row, TextClause, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool

from pipelines.errors import StateError
from pipelines.shipped import ROOT, read_sql
from pipelines.state.check import StateCheck
from pipelines.state.file import BUSY_TIMEOUT_S, copy_state, refuse_network, what_is_wrong

MIGRATIONS = ROOT / "sql" / "state" / "migrations"
BATCH = 1_000
"""How many rows are read, or written, at a time."""

log = logging.getLogger("kartra_sync.state")


class Database:
    """A state file, open and of the newest schema."""

    def __init__(self, path: Path | None, *, check_beside: bool = False) -> None:
        """`path` None is a database in memory, for looking without leaving a file. Raises StateError.

        `check_beside`: who only looks may begin before it is known whether the file is whole, and asks
        `check_is_whole` before anything is told of it. A file that has to be migrated is checked first.
        """
        self.path = path
        self._check: StateCheck | None = None
        if path is not None:
            refuse_network(path)
            _create_private(path)
        self._engine = create_engine(
            URL.create("sqlite", database=str(path) if path else None),
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",  # transactions are begun by `transaction` alone
            connect_args={"timeout": BUSY_TIMEOUT_S},
            hide_parameters=True,  # they are people's data
        )
        event.listen(self._engine, "handle_error", self._translate)
        self._statements: dict[str, TextClause] = {}
        self._is_together = self._has_begun = False
        try:
            self._connection = self._engine.connect()
            self._prepare(check_beside=check_beside)
        except StateError:
            self._dispose()
            raise
        except (DatabaseError, sqlite3.Error) as error:
            self._dispose()
            raise StateError(f"{path}: cannot be used as state: {_cause(error)}") from error

    def check_is_whole(self) -> None:
        """Wait for the check of the file that began with it. Raises StateError where it is damaged."""
        if self._check is not None:
            self._check.wait()

    def close(self) -> None:
        self._connection.close()
        self._dispose()

    def _dispose(self) -> None:
        if self._check is not None:
            self._check.stop()
        self._engine.dispose()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done within is one transaction, committed at the end; after an exception nothing of it is.

        It begins with the first change, and should be short: other processes wait for it.
        """
        self._is_together = True
        try:
            yield
        except BaseException:
            self._end_together("ROLLBACK")
            raise
        self._end_together("COMMIT")

    def _end_together(self, end: str) -> None:
        has_begun, self._has_begun, self._is_together = self._has_begun, False, False
        if has_begun and end == "ROLLBACK":
            with suppress(StateError):  # a full disk has ended the transaction already
                self._connection.exec_driver_sql(end)
        elif has_begun:
            self._connection.exec_driver_sql(end)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE, so that two processes wait for each other instead of failing half-way."""
        if self._is_together:
            if not self._has_begun:
                self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                self._has_begun = True
            yield
            return
        self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(StateError):  # a full disk has ended the transaction already
                self._connection.exec_driver_sql("ROLLBACK")
            raise
        self._connection.exec_driver_sql("COMMIT")

    @contextmanager
    def driver(self) -> Iterator[sqlite3.Connection]:
        """The connection itself, for rows by the million. Its errors become ours."""
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the URL says so
        try:
            yield driver
        except sqlite3.Error as error:
            wrong = what_is_wrong(error, self.path)
            raise StateError(f"{self.path}: cannot be used as state: {wrong}") from error

    def statement(self, name: str) -> TextClause:
        if name not in self._statements:
            self._statements[name] = text(read_sql(f"state/{name}"))
        return self._statements[name]

    def _line(self, statement: str) -> TextClause:
        if statement not in self._statements:
            self._statements[statement] = text(statement)
        return self._statements[statement]

    def run(self, name: str, **values: object) -> list[Row[Any]]:
        result = self._connection.execute(self.statement(name), values)
        return list(result.all()) if result.returns_rows else []

    def run_many(self, name: str, rows: Sequence[Mapping[str, Any]] | Sequence[tuple[Any, ...]]) -> None:
        """By the driver, which takes rows as they are."""
        if rows:
            with self.driver() as driver:
                driver.executemany(self.statement(name).text, rows)

    def run_line(self, statement: str, **values: object) -> list[Row[Any]]:
        result = self._connection.execute(self._line(statement), values)
        return list(result.all()) if result.returns_rows else []

    def run_lines(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(self._line(statement), rows)

    def stream(self, statement: str, **values: object) -> Iterator[Row[Any]]:
        """Rows as they are asked for."""
        yield from self._connection.execute(self._line(statement), values)

    def _keep_copy(self, version: int) -> None:
        """Of a file of an older schema, as it is. This connection holds the lock: nobody writes meanwhile."""
        assert self.path is not None  # noqa: S101 - a store in memory is never of an older schema
        backup = self.path.with_name(f"{self.path.name}.schema-{version}.backup")
        backup = copy_state(self.path, backup, numbered=True)
        log.info("%s has an older schema (%d); a copy of it was made first: %s", self.path, version, backup)

    def _prepare(self, *, check_beside: bool) -> None:
        self.run_line("PRAGMA foreign_keys = ON")
        self.run_line("PRAGMA temp_store = FILE")
        if self.path is not None:
            mode = self.run_line("PRAGMA journal_mode = WAL")[0][0]
            if mode != "wal":
                raise StateError(
                    f"{self.path}: cannot be used as state: its file system does not let processes share"
                    f" memory (journal mode {mode}); put `state:` on a local disk"
                )
            self.run_line("PRAGMA synchronous = FULL")
            version = int(self.run_line("PRAGMA user_version")[0][0])
            self._check = StateCheck(self.path)
            if not check_beside or version != len(_migrations()):
                self.check_is_whole()
        self._migrate()

    def _migrate(self) -> None:
        migrations = _migrations()
        with self.transaction():
            version = int(self.run_line("PRAGMA user_version")[0][0])
            if version > len(migrations):
                raise StateError(
                    f"{self.path}: written by a newer kartra-sync (schema {version}, this one knows"
                    f" {len(migrations)}): upgrade, or use the newer one"
                )
            if 0 < version < len(migrations):
                self._keep_copy(version)
            for number, migration in enumerate(migrations[version:], start=version + 1):
                for statement in _statements(migration.read_text(encoding="utf-8")):
                    self._connection.exec_driver_sql(statement)
                self._connection.exec_driver_sql(f"PRAGMA user_version = {number}")

    def _translate(self, context: ExceptionContext) -> StateError:
        """The database's errors as ours: without the statement, and without what it was given."""
        cause = context.original_exception
        return StateError(f"{self.path}: cannot be used as state: {what_is_wrong(cause, self.path)}")


def _migrations() -> list[Path]:
    return sorted(MIGRATIONS.glob("*.sql"))


def _create_private(path: Path) -> None:
    """The file, readable by its owner alone from the start; SQLite gives its side files the same mode."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateError(f"{path}: cannot be used as state: {error.strerror}") from error


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _cause(error: Exception) -> str:
    return str(error.orig) if isinstance(error, OperationalError | DatabaseError) else str(error)
