"""The state as a schema of a PostgreSQL server: the one module that knows this driver.

Many hosts may use one, each pipeline from one at a time: its lease is a row with a number, and every
transaction of a run locks and compares it first (`hold`), so that the database refuses whoever was taken
over from. Times are by the clock of the server.

A connection that is lost is opened anew where nothing depended on it. Within a transaction, and once a source
was staged (its tables live and die with the connection), the work stops: what it had sent is settled by the
next run, as after any crash. Parameters are put into the statement by the driver, so that a pooler needs to
keep nothing of a session but the staging tables. Over 400 lines, because what may be repeated after a lost
connection depends on the transaction, the lease, staging tables and cursors together, which one class knows.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg
from psycopg import errors, sql
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.batches import batches
from pipelines.config.server_state import ServerState
from pipelines.errors import LeaseLostError, StateBusyError, StateError, StateOutOfReachError
from pipelines.state.database import BATCH, FOLDER, STREAMED, Database, Row
from pipelines.state.dialect import values_of

log = logging.getLogger("kartra_sync.state")

T = TypeVar("T")

MIGRATIONS = FOLDER / "postgresql" / "migrations"
_SETTINGS = {
    # A server that is gone without a word is noticed within seconds.
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "kartra-sync",
}
# READ COMMITTED, whatever the server is set to: a transaction that has waited for a lock is to see what the
# other one committed, its lease above all. A transaction that idles is ended before its process counts as
# dead, so that nobody who takes the lease over waits for it.
_SESSION = """\
SET client_min_messages = error; SET timezone = 'UTC'; SET standard_conforming_strings = on;
SET lock_timeout = '30s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '100s';
SET default_transaction_isolation = 'read committed'; SET extra_float_digits = 1;
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local');
"""
# Not the lock of a row: of what is decided alone, such as the first lease, there may be no row yet. It ends
# with its transaction, so a process that dies leaves no lock behind.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('kartra-sync ' || current_schema, 0))"
# FOR SHARE: whoever takes the lease over has to change this row, and so waits for a transaction that is under
# way; the next one of the former holder finds another number.
_FENCE = "SELECT 1 FROM leases WHERE pipeline = %(pipeline)s AND fence = %(fence)s FOR SHARE"
_SESSION_ID = "SELECT pg_backend_pid()"
_CLOCK = "SELECT clock_timestamp()"
_COLUMNS = """\
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema AND table_name = %(table)s ORDER BY ordinal_position"""
_NUMBERED = """\
SELECT quote_ident(table_name), quote_ident(column_name),
    pg_get_serial_sequence(quote_ident(table_name), column_name)
FROM information_schema.columns WHERE table_schema = current_schema AND is_identity = 'YES'"""
_BOUNDARIES = ("BEGIN", "COMMIT", "ROLLBACK")
_AT_ONCE = 200
"""Statements that are sent together."""
_COPIED = 5 * BATCH
_WITH_VALUES = ("22", "23")
"""Classes of errors whose words may hold what a row was to hold."""


class PostgresDatabase(Database):
    """A schema of a server. It is made where it is missing, by who migrates."""

    dialect = "postgresql"
    placeholder = "%s"

    def __init__(self, place: ServerState, clock: Clock = SYSTEM_CLOCK, *, patience_s: float = 0.0) -> None:
        """`patience_s`: how long a lost connection is tried again. Raises StateError."""
        super().__init__(None, clock)
        self.place, self._patience_s = place, patience_s
        self._lease: Mapping[str, Any] | None = None
        self._depends = False  # on this very connection: for its temporary tables
        self._is_in_transaction = False
        self._cursors = 0
        self._connection = self._connected()
        self._ask_time()
        self._refuse_changing_sessions()

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    # --- the connection

    def _connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        try:
            return connect(self.place)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def _reconnect(self, error: psycopg.Error) -> None:
        """Raises StateOutOfReachError where something depended on the connection, or it cannot be had."""
        depended, self._depends = self._depends or self._is_in_transaction, False
        self._is_in_transaction = False
        with suppress(psycopg.Error):
            self._connection.close()
        if depended:
            raise self._failed(error) from None
        log.warning("%s: the connection was lost; it is opened anew", self.place)
        patient = Retrying(
            stop=stop_after_delay(self._patience_s),
            wait=wait_random_exponential(multiplier=0.2, max=3),
            retry=retry_if_exception_type(psycopg.OperationalError),
            reraise=True,
        )
        try:
            self._connection = patient(connect, self.place)
        except psycopg.Error as again:
            raise self._failed(again) from None

    def _refuse_changing_sessions(self) -> None:
        """Raises StateError behind a pooler that gives each transaction another session.

        Its settings and temporary tables would be another's. Such a pooler gives a second connection the
        session that the first one has just used, while it is in a transaction.
        """
        mine = self.rows(_SESSION_ID)[0][0]
        if mine == self._connection.info.backend_pid:
            return
        try:
            with connect(self.place) as second, second.transaction():
                row = second.execute(_SESSION_ID).fetchone()
                is_kept = row is not None and row[0] != mine and self.rows(_SESSION_ID)[0][0] == mine
        except psycopg.Error as error:
            raise self._failed(error) from None
        if not is_kept:
            self.close()
            raise StateError(
                f"{self.place}: a pooler gives each transaction another session of the server (transaction"
                " mode): let it keep sessions (session mode), or connect past it"
            )

    def _ask_time(self) -> None:
        """The time by the clock of the server, kept with the moment at which it was so."""
        before = self.clock.monotonic()
        row = self.rows(_CLOCK)[0]
        # The server read its clock at some moment between the two: the middle is wrong by half the way at
        # most.
        self._monotonic = (before + self.clock.monotonic()) / 2
        self._server_time: datetime = row[0].astimezone(UTC)

    def now(self) -> datetime:
        moment: datetime = self.rows(_CLOCK)[0][0]
        return moment.astimezone(UTC)

    def timestamp(self) -> str:
        """By the server's clock as it was asked last; nothing is decided by it."""
        passed = timedelta(seconds=self.clock.monotonic() - self._monotonic)
        return (self._server_time + passed).isoformat()

    # --- transactions

    def begin(self, *, alone: bool) -> None:
        """Raises LeaseLostError where the lease that is held has gone to another."""
        self.change("BEGIN")
        self._is_in_transaction = True
        try:
            if alone:
                self.rows(_ALONE)
            if self._lease is not None and not self.rows(_FENCE, self._lease):
                raise _lost(self._lease["run_id"])
        except BaseException:
            self._roll_back()
            raise

    def be_patient(self) -> None:
        # Else the server ends what a frozen process has left open, before its lease can be taken over.
        self.change("SET LOCAL idle_in_transaction_session_timeout = 0")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self.change("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self._is_in_transaction = True
        self.be_patient()
        try:
            yield
        finally:
            self._roll_back()

    def hold(self, lease: Mapping[str, Any] | None) -> None:
        self._lease = lease

    # --- statements

    def rows(self, statement: str, parameters: Any = ()) -> list[Row]:
        return cast("list[Row]", self._run(statement, parameters, lambda cursor: _rows(cursor)))

    def change(self, statement: str, parameters: Any = ()) -> int:
        if self._is_unfenced(statement):
            with self.transaction():
                return self.change(statement, parameters)
        try:
            return int(self._run(statement, parameters, lambda cursor: cursor.rowcount))
        finally:
            if statement in ("COMMIT", "ROLLBACK"):
                self._is_in_transaction = False

    def _is_unfenced(self, statement: str) -> bool:
        """Whether it would change what others see outside of a transaction, and so without the lease."""
        is_own = self._is_in_transaction or self._lease is None or statement in _BOUNDARIES
        return not is_own and not _is_temporary(statement)

    def change_many(self, statement: str, rows: Iterable[Any]) -> None:
        if "%s" not in statement:
            self._run_many(statement, rows)
        elif "ON CONFLICT" in statement:
            one, placeholders, rest = values_of(statement)
            many_rows = iter(rows)
            while part := list(islice(many_rows, BATCH)):
                many = one + ", ".join([placeholders] * len(part)) + rest
                self.change(many, tuple(chain.from_iterable(part)))
        else:
            self._copy(statement, rows)

    def _run_many(self, statement: str, rows: Iterable[Any]) -> None:
        """Many statements at a time, without waiting for the answer to each."""
        many_rows = iter(rows)
        while part := list(islice(many_rows, _AT_ONCE)):
            cursor = cast("psycopg.ClientCursor[Any]", self._connection.cursor())
            try:
                many = ";".join(cursor.mogrify(statement, values) for values in part)
            except psycopg.Error as error:
                raise self._failed(error) from None
            self.change(many.replace("%", "%%"))

    def _copy(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """By COPY, which takes rows five times as fast as INSERT."""
        before, _, _ = values_of(statement)
        into = before.replace("INSERT INTO", "COPY", 1).replace("VALUES", "FROM STDIN", 1)
        self._depends = self._depends or _is_temporary(statement)
        try:
            # In parts, each of which is there before its COPY begins: rows may be made of what is read here
            # meanwhile, and within a COPY nothing is answered.
            for part in batches(rows, _COPIED):
                with self._connection.cursor() as cursor, cursor.copy(into) as copy:
                    for row in part:
                        copy.write_row(row)
        except psycopg.Error as error:
            if self._is_lost(error):
                self._depends = True  # some of the rows may have arrived
                self._reconnect(error)
            raise self._failed(error) from None

    def stream(self, statement: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
        self._cursors += 1
        name = f"kartra_sync_{self._cursors}"
        # Outside of a transaction a statement is one by itself, and would take its cursor along as it ends.
        hold = "" if self._is_in_transaction else "WITH HOLD "
        self.rows(f"DECLARE {name} NO SCROLL CURSOR {hold}FOR {statement.rstrip(';')}", parameters)
        self._depends = True
        while part := self._run(
            f"FETCH FORWARD {STREAMED} FROM {name}", (), lambda cursor: cursor.fetchall()
        ):
            yield part
        self.rows(f"CLOSE {name}")

    def _run(self, statement: str, parameters: Any, result: Callable[[Any], T]) -> T:
        self._depends = self._depends or _is_temporary(statement)
        try:
            return self._execute(statement, parameters, result)
        except psycopg.Error as error:
            if not self._is_lost(error):
                raise self._failed(error) from None
            self._reconnect(error)
        try:
            return self._execute(statement, parameters, result)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def _execute(self, statement: str, parameters: Any, result: Callable[[Any], T]) -> T:
        with self._connection.cursor() as cursor:
            return result(cursor.execute(statement, parameters or {}))

    def _is_lost(self, error: psycopg.Error) -> bool:
        return self._connection.closed or isinstance(error, errors.AdminShutdown | errors.CrashShutdown)

    # --- the whole of it

    @property
    def version(self) -> int:
        return self._version()

    @property
    def is_of_this_version(self) -> bool:
        return self._version() == newest()

    @property
    def has_state(self) -> bool:
        return self._version() > 0

    def migrate(self, keep_copy: Callable[[int], None]) -> None:
        """Migrates to the newest schema, one process at a time. Nothing is copied first: a migration is one
        transaction, and backups are the server's."""
        if self._version() == newest():
            return
        self._make_schema()
        with self.transaction(alone=True):
            # Asked again: another process may have migrated while this one waited for its turn.
            version = self._version()
            if version > newest():
                raise StateError(
                    f"{self.place}: written by a newer kartra-sync (schema {version}, this one knows"
                    f" {newest()}): upgrade, or use the newer one"
                )
            for number, migration in migrations():
                if number > version:
                    # Doubled, because the driver takes a percent sign for the place of a parameter.
                    self.change(migration.read_text(encoding="utf-8").replace("%", "%%"))
                    self.change("UPDATE schema_version SET number = %(number)s", {"number": number})

    def _make_schema(self) -> None:
        # Looked for first: who may use a schema need not have the right to make one, and IF NOT EXISTS asks
        # for that right all the same.
        found = self.rows("SELECT 1 FROM pg_namespace WHERE nspname = %(name)s", {"name": self.place.schema})
        if not found:
            name = sql.Identifier(self.place.schema).as_string(self._connection)
            with self.transaction():
                # IF NOT EXISTS does not help two processes that make it at one moment: the second one fails.
                self.rows("SELECT pg_advisory_xact_lock(hashtextextended('kartra-sync schemas', 0))")
                self.change(f"CREATE SCHEMA IF NOT EXISTS {name}")

    def _version(self) -> int:
        """0 where there is no state yet."""
        if not self.rows("SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL"):
            return 0
        return int(self.rows("SELECT number FROM schema_version")[0][0])

    def columns(self, table: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows(_COLUMNS, {"table": table})}

    def go_on_numbering(self) -> None:
        for row in self.rows(_NUMBERED):
            highest = f"(SELECT max({row[1]}) FROM {row[0]})"  # noqa: S608 - names of ours
            # A column that numbers by itself does not notice rows that bring their numbers along.
            self.rows(f"SELECT setval(%(its)s, coalesce({highest}, 0) + 1, false)", {"its": row[2]})

    def damage(self) -> list[str]:
        """What a server keeps whole by itself is not looked for; indexes and pages are its own."""
        return []

    def check_in_place(self) -> None:
        """A transaction that is committed is in its place."""

    def erase_what_is_deleted(self) -> None:
        """A server overwrites what was deleted when it vacuums."""

    def wipe(self) -> None:
        """What was deleted leaves the tables; write-ahead log, replicas and backups are the server's."""
        tables = self.rows("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema")
        for table in tables:
            # FULL writes the table anew. Without it the space of deleted rows is only marked as free, and
            # their bytes stay until it is used again.
            self.change(f"VACUUM FULL {table[0]}")

    def empty_journal(self) -> bool:
        return True

    def _failed(self, error: psycopg.Error) -> StateError:
        return failure(self.place, error)


def connect(place: ServerState) -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection that looks into the schema of the state. Raises psycopg.Error."""
    connection = psycopg.connect(
        place.dsn,
        # Transactions begin in `begin` alone: the driver would open one with the first reading, and leave it
        # open.
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,
        # A prepared statement belongs to a session, and a pooler may hand that to somebody else.
        prepare_threshold=None,
        **_settings(place),
    )
    try:
        connection.execute(_SESSION)
        path = sql.SQL("SET search_path = {}").format(sql.Identifier(place.schema))
        connection.execute(path)
        if place.role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(place.role)))
    except BaseException:
        connection.close()
        raise
    return connection


def _lost(run_id: str) -> LeaseLostError:
    return LeaseLostError(
        f"the run {run_id} has lost its lease to another one, which goes on where it stopped: this one sends"
        " nothing more"
    )


def _settings(place: ServerState) -> dict[str, Any]:
    return {name: value for name, value in _SETTINGS.items() if name not in place.options}


def failure(place: ServerState, error: psycopg.Error) -> StateError:
    """An error of the server without statement and values, nor the password."""
    # All three mean that somebody else was first. Nothing was committed, so it is no fault of the state.
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
        return StateBusyError(
            f"{place}: another process is changing the state and does not end it: run again once that process"
            " has ended"
        )
    state = error.sqlstate or ""
    if state.startswith(_WITH_VALUES) or isinstance(error, psycopg.DataError):
        return StateError(f"{place}: cannot be used as state: a value was refused (SQLSTATE {state or '-'})")
    said = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    if place.password:
        said = said.replace(place.password, "***")
    is_reachable = isinstance(error, psycopg.ProgrammingError | psycopg.InternalError)
    kind = StateError if is_reachable else StateOutOfReachError
    return kind(f"{place}: cannot be used as state: {said}")


@cache
def migrations() -> tuple[tuple[int, Path], ...]:
    return tuple((int(file.name[:4]), file) for file in sorted(MIGRATIONS.glob("*.sql")))


def newest() -> int:
    return migrations()[-1][0]


class _Row(tuple[Any, ...]):
    """A row whose columns are reached by name or by place."""

    names: Mapping[str, int] = {}

    def __getitem__(self, column: Any) -> Any:
        return tuple.__getitem__(self, self.names[column] if isinstance(column, str) else column)

    def keys(self) -> Iterable[str]:
        return self.names


@cache
def _row_of(names: tuple[str, ...]) -> type[_Row]:
    return type("_Row", (_Row,), {"names": {name: place for place, name in enumerate(names)}})


def _rows(cursor: Any) -> list[_Row]:
    """Of several statements that were sent as one, those of the last."""
    while cursor.nextset():
        pass
    if cursor.description is None:
        return []
    kind = _row_of(tuple(column.name for column in cursor.description))
    return [kind(row) for row in cursor]


_TEMPORARY = re.compile(r"\bpg_temp\b|\bTEMP TABLE\b")


@lru_cache(512)
def _is_temporary(statement: str) -> bool:
    return _TEMPORARY.search(statement) is not None
