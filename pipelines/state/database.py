"""The database behind the state: what the parts of the store ask of it, whichever it is.

There are two: a SQLite file (`sqlite`), and a schema of a PostgreSQL server (`postgresql`). Both run the
named queries of `sql/state/`, which are written so that both understand them; what they do not share stands
in `dialect`. One database belongs to one thread. Every failure becomes a StateError without the statement and
its parameters, which are people's data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import aiosql
from aiosql.queries import Queries as NamedQueries
from aiosql.types import ParamType, SQLOperationType, SyncDriverAdapterProtocol

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.errors import StateError
from pipelines.shipped import ROOT
from pipelines.state.dialect import translate

FOLDER = ROOT / "sql" / "state"
BATCH = 1_000
"""The rows that are read or written at a time."""
STREAMED = 20 * BATCH


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

    A query that a database cannot run as it is stands once more in a folder of that database's name.
    """

    def __init__(self, database: "Database", subject: str) -> None:
        self._database, self._subject = database, subject

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The query of this name, kept as an attribute: a file is read when its first query is called."""
        dialect = self._database.dialect
        own = load_queries(self._subject, dialect, dialect) if dialect else None
        queries = own if own is not None and hasattr(own, name) else load_queries(self._subject, "", dialect)
        query = partial(getattr(queries, name), self._database)
        setattr(self, name, query)
        return query


class Database(ABC):
    """An open state. After `migrate` it has the newest schema."""

    dialect: ClassVar[str] = ""
    """The folder of queries of its own; empty for the database that they are written for."""
    placeholder: ClassVar[str] = "?"
    """Of a value in a statement for many rows."""
    path: Path | None
    """The file; None for a state in memory, or on a server."""

    def __init__(self, path: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path, self.clock = path, clock
        self.is_together = self._has_begun = False
        self.original_of: Callable[[int], str | None] = lambda _: None
        """The text of a staged record by its row, which `Staging` unpacks."""

    def queries(self, subject: str) -> Queries:
        return Queries(self, subject)

    def now(self) -> datetime:
        """The present moment, by the clock that all users of this state share."""
        return self.clock.now()

    def timestamp(self) -> str:
        """The present moment in the stored form."""
        return self.now().isoformat()

    # --- transactions

    @abstractmethod
    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read within is of one moment."""

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        """Everything within is committed together, or nothing.

        `alone`: what is decided within rests on rows that others may be about to write, such as leases.
        """
        if self.is_together:
            if not self._has_begun:
                self.begin(alone=alone)
                self._has_begun = True
            yield
            return
        self.begin(alone=alone)
        try:
            yield
            self.change("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """What is done within shows within, and nothing of it stays. Other processes wait for its end."""
        self.begin(alone=True)
        self.be_patient()
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
        with suppress(StateError):  # after a full disk, or without its server, it has rolled back by itself
            self.change("ROLLBACK")

    @abstractmethod
    def begin(self, *, alone: bool) -> None:
        """Begins a transaction."""

    @abstractmethod
    def be_patient(self) -> None:
        """The transaction may take long, and be idle meanwhile."""

    # --- statements

    @abstractmethod
    def rows(self, sql: str, parameters: Any = ()) -> list[Row]: ...

    @abstractmethod
    def change(self, sql: str, parameters: Any = ()) -> int:
        """Runs a statement; returns how many rows it changed."""

    @abstractmethod
    def change_many(self, sql: str, rows: Iterable[Any]) -> None:
        """Runs a statement for many rows: mappings one by one, tuples many at a time."""

    @abstractmethod
    def stream(self, sql: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]: ...

    # --- the whole of it

    @abstractmethod
    def close(self) -> None: ...

    @property
    @abstractmethod
    def version(self) -> int:
        """The number of the schema; 0 where there is none yet."""

    @property
    @abstractmethod
    def is_of_this_version(self) -> bool: ...

    @abstractmethod
    def migrate(self, keep_copy: Callable[[int], None]) -> None:
        """Migrates to the newest schema. `keep_copy` is called before an older one is changed."""

    @abstractmethod
    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table with their types, and what numbers its rows where it has no key."""

    @abstractmethod
    def go_on_numbering(self) -> None:
        """After rows were written with the numbers they had: new ones get higher numbers."""

    @abstractmethod
    def damage(self) -> list[str]:
        """The damage that the database finds in itself, without values."""

    @abstractmethod
    def hold(self, lease: Mapping[str, Any] | None) -> None:
        """From now on each transaction is refused once this lease is another's (None: no more)."""

    @abstractmethod
    def check_in_place(self) -> None:
        """Raises StateError where the file is not there any more, or is another one: nobody would find what
        is written now."""

    @abstractmethod
    def erase_what_is_deleted(self) -> None:
        """From now on deleted content is overwritten, where the database can."""

    @abstractmethod
    def wipe(self) -> None:
        """Rewrite the state without anything that was ever deleted.

        Raises StateError if that is not possible now; it can be tried again.
        """

    @abstractmethod
    def empty_journal(self) -> bool:
        """Moves the journal into the file, where there is one. False while another process reads it."""


class _Adapter(SyncDriverAdapterProtocol):
    """How the library of named queries calls the database; its `conn` is ours."""

    dialect = ""

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        return translate(sql) if self.dialect else sql

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


class _Translated(_Adapter):
    dialect = "postgresql"


@cache
def load_queries(subject: str, folder: str, dialect: str) -> NamedQueries | None:
    """Read once per process: 160 queries take 0.02 s. None where a database has no queries of its own."""
    file = FOLDER / folder / f"{subject}.sql"
    if not file.exists():
        return None
    adapter = _Translated if dialect else _Adapter
    queries: NamedQueries = aiosql.from_path(file, adapter, encoding="utf-8")
    return queries
