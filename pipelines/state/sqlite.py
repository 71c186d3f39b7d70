"""The state as a SQLite file: the one module that knows this driver.

WAL with synchronous=FULL: what a transaction has committed survives a power loss (0.2 ms a commit, measured).
"""

import math
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.errors import StateBusyError, StateError, StateOutOfReachError
from pipelines.state.database import BATCH, FOLDER, STREAMED, Database, Row
from pipelines.state.dialect import values_of

MIGRATIONS = FOLDER / "migrations"
BUSY_TIMEOUT_S = 30
NUMBERED = frozenset({"runs", "attempts", "rejects"})
"""Tables in which the order of rows is told by the number that SQLite gives them."""
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


class SqliteDatabase(Database):
    """A file."""

    def __init__(self, path: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        """`path` None is a database in memory, for verbs that must not leave a file. Raises StateError."""
        super().__init__(path, clock)
        _refuse_foreign_journal(path)
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

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self.change("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def begin(self, *, alone: bool) -> None:
        # IMMEDIATE, so that two processes wait for each other instead of failing half-way.
        self.change("BEGIN IMMEDIATE")

    def be_patient(self) -> None:
        """A file has as much patience."""

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
        one, placeholders, rest = values_of(sql)
        while part := list(islice(rows, BATCH)):
            # One statement for many rows: while SQLite works on it, the other threads have the interpreter.
            many = one + ", ".join([placeholders] * len(part)) + rest
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

    # --- the whole of it

    @property
    def version(self) -> int:
        return self._version()

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
            # A new file has nothing that a copy could save.
            if 0 < version < len(migrations):
                keep_copy(version)
            # Statement by statement: `executescript` would commit first, and half a migration could stay.
            for number, migration in enumerate(migrations[version:], start=version + 1):
                for statement in _statements(migration.read_text(encoding="utf-8")):
                    self.change(statement)
                self.change(f"PRAGMA user_version = {number}")

    def columns(self, table: str) -> dict[str, str]:
        found = self.rows("SELECT name, type, pk FROM pragma_table_info(?)", (table,))
        columns = {row["name"]: row["type"].lower() for row in found}
        return {"rowid": "integer", **columns} if table in NUMBERED else columns

    def go_on_numbering(self) -> None:
        """SQLite numbers from the highest on."""

    def damage(self) -> list[str]:
        """The damage that SQLite finds in the file, without values."""
        found = [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        orphans = self.rows('SELECT "table", count(*) AS found FROM pragma_foreign_key_check GROUP BY 1')
        return found + [f"{row['found']:,} rows of {row['table']} belong to nothing" for row in orphans]

    def hold(self, lease: Mapping[str, Any] | None) -> None:
        """Here a lock of the operating system keeps the lease, and who waits for a change sees the row."""

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
            # Not a copy of the file: what is committed may still stand in the journal beside it.
            connection.execute("VACUUM INTO ?", (str(part),))
        with closing(sqlite3.connect(part)) as copy, copy:
            if copy.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'generation'").fetchone()[0]:
                copy.execute("UPDATE generation SET copied_at = ?", (at,))
    except _ERRORS as error:
        wrong = _what_is_wrong(error, target)
        raise StateError(f"{target}: the state cannot be copied there: {wrong}") from error


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
