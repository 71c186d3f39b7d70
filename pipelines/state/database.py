"""The database behind the state: the one module that knows its driver. The parts of the store know its
content.

One database belongs to one thread. WAL with synchronous=FULL: what a transaction has committed survives a
power loss (0.2 ms a commit, measured). Every failure becomes a StateError without the statement and its
parameters, which are people's data. The module is over 400 lines so that nothing else imports the driver.
"""

import math
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import aiosql
from aiosql.queries import Queries as NamedQueries
from aiosql.types import ParamType, SQLOperationType, SyncDriverAdapterProtocol

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.errors import StateBusyError, StateError, StateOutOfReachError
from pipelines.shipped import ROOT

FOLDER = ROOT / "sql" / "state"
MIGRATIONS = FOLDER / "migrations"
BATCH = 1_000
"""The rows that are read or written at a time."""
STREAMED = 20 * BATCH
BUSY_TIMEOUT_S = 30
SCARCE_BYTES = 1 << 20
"""If the disk has less free space than this, a failed write counts as lack of space."""
KEPT_STATEMENTS = 256
"""Compiled statements that are kept: more than there are named queries."""


_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What the driver raises, of a damaged schema even when it words its own error."""


_OUT_OF_REACH = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM),
    }
)


class Row(Protocol):
    """A row of a result; its columns are reached by name or by place."""

    def __getitem__(self, column: str | int, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


class Queries:
    """The queries of `sql/state/<subject>.sql`, each a method that takes its parameters by name.

    The mark behind a name in the file says what comes back: none for a list of rows (read by column name),
    `^` one row or None, `$` one value or None, `!` how many rows were changed. `*!` takes many rows and gives
    nothing: mappings, or tuples where the statement has question marks. `<name>_cursor` gives the rows of a
    long list as tuples, in parts, as they are asked for.
    """

    def __init__(self, database: "Database", subject: str) -> None:
        self._database, self._subject = database, subject

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The query of this name, kept as an attribute: a file is read when its first query is called."""
        query = partial(getattr(_load(self._subject), name), self._database)
        setattr(self, name, query)
        return query


class Database:
    """An open state. After `migrate` it has the newest schema."""

    def __init__(self, path: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        """`path` None is a database in memory, for verbs that must not leave a file. Raises StateError."""
        self.path, self.clock = path, clock
        _refuse_foreign_journal(path)
        self.is_together = self._has_begun = False
        try:
            self._connection = sqlite3.connect(
                path or ":memory:",
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,  # transactions are begun by `transaction` alone
                cached_statements=KEPT_STATEMENTS,
            )
        except _ERRORS as error:
            raise self._failed(error) from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
            self._file = self._identity()
        except StateError:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def queries(self, subject: str) -> Queries:
        return Queries(self, subject)

    def timestamp(self) -> str:
        """The present moment in the stored form."""
        return self.clock.now().isoformat()

    # --- transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is committed together, or nothing.

        BEGIN IMMEDIATE, so that two processes wait for each other instead of failing half-way.
        """
        if self.is_together:
            if not self._has_begun:
                self.change("BEGIN IMMEDIATE")
                self._has_begun = True
            yield
            return
        self.change("BEGIN IMMEDIATE")
        try:
            yield
            self.change("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """What is done within shows within, and nothing of it stays. Other processes wait for its end."""
        self.change("BEGIN IMMEDIATE")
        self.is_together = self._has_begun = True
        try:
            yield
        finally:
            self.is_together = self._has_begun = False
            self._roll_back()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes all transactions within one, committed at the end, or rolled back after an exception.

        It begins with the first change, and should be short, because other processes wait for it.
        """
        self.is_together = True
        try:
            yield
            if self._has_begun:
                self.change("COMMIT")
        except BaseException:
            if self._has_begun:
                self._roll_back()
            raise
        finally:
            self.is_together = self._has_begun = False

    def _roll_back(self) -> None:
        with suppress(StateError):  # after a full disk SQLite has rolled back by itself
            self.change("ROLLBACK")

    # --- statements

    def rows(self, sql: str, parameters: Any = ()) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except _ERRORS as error:
            raise self._failed(error) from error

    def change(self, sql: str, parameters: Any = ()) -> int:
        """Runs a statement; returns how many rows it changed."""
        try:
            return self._connection.execute(sql, parameters).rowcount
        except _ERRORS as error:
            raise self._failed(error) from error

    def change_many(self, sql: str, rows: Iterable[Any]) -> None:
        """Runs a statement for many rows: mappings one by one, tuples many at a time."""
        try:
            if "?" in sql:
                self._insert(sql, iter(rows))
            else:
                self._connection.executemany(sql, rows)
        except _ERRORS as error:
            raise self._failed(error) from error

    def _insert(self, sql: str, rows: Iterator[Sequence[Any]]) -> None:
        one = sql.rstrip(";\n")
        _, _, placeholders = one.rpartition("VALUES ")
        while part := list(islice(rows, BATCH)):
            # One statement for many rows: while SQLite works on it, the other threads have the interpreter.
            many = one + f", {placeholders}" * (len(part) - 1)
            self._connection.execute(many, tuple(chain.from_iterable(part)))

    def stream(self, sql: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.cursor()
            cursor.row_factory = None
            cursor.execute(sql, parameters)
            while part := cursor.fetchmany(STREAMED):
                yield part
        except _ERRORS as error:
            raise self._failed(error) from error

    def define(self, name: str, function: Callable[[int], str | None]) -> None:
        """Defines a function that statements may call."""
        self._connection.create_function(name, 1, function)

    # --- the whole of it

    @property
    def is_of_this_version(self) -> bool:
        return self._version() == len(_migrations())

    def migrate(self, keep_copy: Callable[[int], None]) -> None:
        """Migrates to the newest schema. `keep_copy` is called before an older one is changed.

        This connection holds the write lock meanwhile, so the copy is complete.
        """
        migrations = _migrations()
        with self.transaction():
            version = self._version()
            if version > len(migrations):
                raise StateError(
                    f"{self.path}: written by a newer kartra-sync (schema {version}, this one knows"
                    f" {len(migrations)}): upgrade, or use the newer one"
                )
            if 0 < version < len(migrations):
                keep_copy(version)
            for number, migration in enumerate(migrations[version:], start=version + 1):
                for statement in _statements(migration.read_text(encoding="utf-8")):
                    self.change(statement)
                self.change(f"PRAGMA user_version = {number}")

    def damage(self) -> list[str]:
        """The damage that SQLite finds in the file, without values."""
        found = [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        orphans = self.rows('SELECT "table", count(*) AS found FROM pragma_foreign_key_check GROUP BY 1')
        return found + [f"{row['found']:,} rows of {row['table']} belong to nothing" for row in orphans]

    def check_in_place(self) -> None:
        """Raises StateError where the file is not there any more, or is another one: nobody would find what
        is written now."""
        if self._identity() != self._file:
            raise StateError(
                f"{self.path}: the state was deleted or replaced while it was used: nothing more is sent."
                " What was sent may stand in no state: put the newest copy in its place before the next run"
            )

    def _identity(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        with suppress(OSError):
            found = self.path.stat()
            return found.st_dev, found.st_ino
        return 0, 0

    def erase_what_is_deleted(self) -> None:
        """From now on deleted content is overwritten with zeros."""
        # Deleted rows otherwise stay readable in free pages until these are used again.
        self.rows("PRAGMA secure_delete = ON")

    def wipe(self) -> None:
        """Rewrite the file without anything that was ever deleted, and empty its journal.

        Raises StateError if that is not possible now; it can be tried again.
        """
        self.change("VACUUM")
        if not self.empty_journal():
            raise StateError(f"{self.path}: another program is reading it")

    def empty_journal(self) -> bool:
        """Moves the journal into the file. False while another process reads it."""
        (done,) = self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return not done[0]

    def _prepare(self) -> None:
        self.change("PRAGMA foreign_keys = ON")
        # The staging tables of a million contacts do not belong into memory.
        self.change("PRAGMA temp_store = FILE")
        if self.path is not None:
            mode = self.rows("PRAGMA journal_mode = WAL")[0][0]
            if mode != "wal":
                raise StateError(
                    f"{self.path}: cannot be used as state: its file system does not let processes share"
                    f" memory (journal mode {mode}); put `state:` on a local disk"
                )
            # An intent must survive a power loss before its call leaves; NORMAL could lose the last commits.
            self.change("PRAGMA synchronous = FULL")

    def _version(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    def _failed(self, error: Exception) -> StateError:
        if _kind(error) == sqlite3.SQLITE_BUSY:
            return StateBusyError(
                f"{self.path}: another process is changing the state and does not end it ({error}): run again"
                " once that process has ended"
            )
        kind = StateOutOfReachError if _kind(error) in _OUT_OF_REACH else StateError
        return kind(f"{self.path}: cannot be used as state: {_what_is_wrong(error, self.path)}")


def _refuse_foreign_journal(path: Path | None) -> None:
    """Raises StateError where a copy was put in the place of a file whose journal still lies beside it.

    SQLite would write the one into the other. A copy that was worked on since knows that it is behind.
    """
    journal = path and path.with_name(f"{path.name}-wal")
    if path is None or journal is None or not journal.exists() or not journal.stat().st_size:
        return
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(_looking_at(path, "immutable=1"), uri=True)) as file,
    ):
        row = file.execute("SELECT copied_at IS NOT NULL AND behind IS NULL FROM generation").fetchone()
        if row and row[0]:
            raise StateError(
                f"{path}: a copy was put in its place, and {journal.name} beside it is the journal of another"
                f" file: move {journal.name} and {path.name}-shm away, then run again"
            )


def _looking_at(path: Path, how: str) -> str:
    return f"{path.absolute().as_uri()}?{how}"


class Pages:
    """The pages of a state, read on a connection of its own, by any thread."""

    def __init__(self, path: Path) -> None:
        """Raises StateError."""
        self._path = path
        try:
            self._connection = sqlite3.connect(
                _looking_at(path, "mode=ro"),
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                check_same_thread=False,
            )
        except _ERRORS as error:
            raise StateError(f"{path}: cannot be used as state: {error}") from error

    def damage(self) -> str | None:
        """The first thing that is wrong: 3 s for a million leads, and Python is free meanwhile.

        Asked once. Raises StateError where they cannot be read, or after `interrupt`.
        """
        try:
            with closing(self._connection) as connection:
                found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except _ERRORS as error:
            wrong = _what_is_wrong(error, self._path)
            raise StateError(f"{self._path}: cannot be used as state: {wrong}") from error
        return None if found == "ok" else found

    def interrupt(self) -> None:
        """End the reading that is going on, if there is one."""
        with suppress(sqlite3.ProgrammingError):  # closed between the question and now
            self._connection.interrupt()


def copy_into(state: Path, part: Path, target: Path, *, at: str) -> None:
    """Write a copy of a state, as of one moment, while others write: to `part`, which is to become `target`.

    What was deleted in the state is not in it, not even as free space. It says of itself that it is a copy,
    and since when. Raises StateError.
    """
    try:
        with closing(sqlite3.connect(state, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with closing(sqlite3.connect(part)) as copy, copy:
            if copy.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'generation'").fetchone()[0]:
                copy.execute("UPDATE generation SET copied_at = ?", (at,))
    except _ERRORS as error:
        wrong = _what_is_wrong(error, target)
        raise StateError(f"{target}: the state cannot be copied there: {wrong}") from error


class _Adapter(SyncDriverAdapterProtocol):
    """How the library of named queries calls the database; its `conn` is ours."""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        return sql

    def select(
        self, conn: Database, query_name: str, sql: str, parameters: ParamType, record_class: object = None
    ) -> Any:
        return conn.rows(sql, parameters)

    def select_one(
        self, conn: Database, query_name: str, sql: str, parameters: ParamType, record_class: object = None
    ) -> Any:
        return next(iter(conn.rows(sql, parameters)), None)

    def select_value(self, conn: Database, query_name: str, sql: str, parameters: ParamType) -> Any:
        row = next(iter(conn.rows(sql, parameters)), None)
        return None if row is None else row[0]

    def select_cursor(self, conn: Database, query_name: str, sql: str, parameters: ParamType) -> Any:
        return conn.stream(sql, parameters)

    def insert_update_delete(self, conn: Database, query_name: str, sql: str, parameters: ParamType) -> int:
        return conn.change(sql, parameters)

    def insert_update_delete_many(self, conn: Database, query_name: str, sql: str, parameters: Any) -> Any:
        return conn.change_many(sql, parameters)


@cache
def _load(subject: str) -> NamedQueries:
    """Read once per process: 160 queries take 0.02 s."""
    queries: NamedQueries = aiosql.from_path(FOLDER / f"{subject}.sql", _Adapter, encoding="utf-8")
    return queries


def _migrations() -> list[Path]:
    return sorted(MIGRATIONS.glob("*.sql"))


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _kind(error: Exception) -> int:
    """SQLite's code for what is wrong: the low byte; the others tell where it happened."""
    return int(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _what_is_wrong(error: Exception, state: Path | None) -> str:
    """An error of the database, and which disk is full where that is behind it: SQLite says neither."""
    said = "its schema is damaged" if isinstance(error, UnicodeDecodeError) else str(error)
    kind = _kind(error)
    if state is None or kind not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return said
    free, folder = min((_free_bytes(folder), folder) for folder in (state.parent, _temporary_folder()))
    if kind == sqlite3.SQLITE_FULL or free < SCARCE_BYTES:
        return f"{said}: too little space is left for {folder}. Make room and run again; nothing is lost"
    return said


def _temporary_folder() -> Path:
    """Where SQLite keeps the staging table: https://sqlite.org/tempfiles.html, section 5."""
    return Path(os.environ.get("SQLITE_TMPDIR") or os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108


def _free_bytes(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.inf
