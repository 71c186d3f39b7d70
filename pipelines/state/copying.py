"""Moves a whole state from one database to another: every table, every number, or nothing."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pipelines.errors import LockedError, StateError
from pipelines.state.database import Database
from pipelines.state.place import Place, open_database
from pipelines.state.store import Store

TABLES = (
    *("scopes", "accounts", "modes", "inventories", "generation", "forgotten_salt", "forgotten", "health"),
    *("leads", "raw_hashes", "drift", "refusals", "breakers", "watermarks", "imports", "given_to_all"),
    *("runs", "attempts", "outbox", "rejects", "operations", "barred_operations"),
    *("plans", "plan_changes", "plan_runs", "leases", "fences", "doctor"),
)
"""In an order in which no row refers to one that comes later."""
BORN_WITH = frozenset({"generation"})
"""Tables that a new state has rows in."""


def row_counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    return {name: int(database.rows(f"SELECT count(*) FROM {name}")[0][0]) for name in TABLES}  # noqa: S608


@dataclass(frozen=True, slots=True)
class Copied:
    """The rows that were copied, by table; those without any are left out."""

    rows: dict[str, int]


def copy_between(source: Place, target: Place) -> Copied:
    """Copies a state that nobody is working on into an empty one; all of it in one transaction.

    From then on the source counts as a copy that was put back: a run on it stops before anything that is done
    once only. Raises LockedError while a pipeline is run, StateError where the target has something in it.
    """
    if str(source) == str(target):
        raise StateError(f"{target}: is the state that is to be copied")
    # The store in the background keeps runs from beginning; the tables are read on a connection of their own.
    with Store(source) as guard, guard.database.transaction(alone=True):
        guard.database.be_patient()
        if running := guard.runs.running():
            pipeline, holder = running[0]
            raise LockedError(f"{holder.message(pipeline)}: nothing was copied")
        with closing(open_database(source)) as read, Store(target) as made:
            copied = _copy(read, made.database, target)
        guard.generation.leave()
    return copied


def copy_of_server(source: Place, target: Place, *, at: str) -> Copied:
    """As of one moment, also while runs go on; the copy says of itself that it is one."""
    with closing(open_database(source)) as read, Store(target) as made:
        copied = _copy(read, made.database, target)
        made.generation.mark_copy(at)
    return copied


def _copy(read: Database, made: Database, target: Place) -> Copied:
    rows: dict[str, int] = {}
    with read.snapshot(), made.transaction(alone=True):
        for table in TABLES:
            if table not in BORN_WITH and made.rows(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - of ours
                raise StateError(f"{target}: has a state in it already, and nothing is written over it")
        for table in TABLES:
            rows[table] = _copy_table(read, made, table)
        made.go_on_numbering()
        for table, count in rows.items():
            found = made.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
            if found != count:
                raise StateError(
                    f"{target}: {found:,} rows of {table} arrived of {count:,}: nothing was copied"
                )
    return Copied({table: count for table, count in rows.items() if count})


def _copy_table(read: Database, made: Database, table: str) -> int:
    columns = made.columns(table)
    names = ", ".join(f'"{name}"' for name in columns)
    switches = [place for place, kind in enumerate(columns.values()) if kind == "boolean"]
    count = 0

    def rows() -> Iterator[Iterable[Any]]:
        nonlocal count
        for part in read.stream(f"SELECT {names} FROM {table}"):  # noqa: S608
            count += len(part)
            for row in part:
                yield _with_switches(row, switches) if switches else row

    if table in BORN_WITH:
        made.change(f"DELETE FROM {table}")  # noqa: S608
    places = ", ".join([made.placeholder] * len(columns))
    made.change_many(f"INSERT INTO {table} ({names}) VALUES ({places})", rows())  # noqa: S608
    return count


def _with_switches(row: tuple[Any, ...], places: list[int]) -> list[Any]:
    """SQLite has 0 and 1 where PostgreSQL has false and true."""
    values = list(row)
    for place in places:
        values[place] = bool(values[place])
    return values
