"""The state of a life: a real SQLite file. What opening it costs, and proves nothing, is paid once.

A connection whose process has ended in order serves the next one, with its temporary tables emptied:
compiled statements stay, and SQLite compiles all of them anew whenever a temporary table is created. The
connection of a process that is killed is closed under it, and nobody gets it.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.state.check import StateCheck
from pipelines.state.database import Database
from pipelines.state.file import create_private
from pipelines.state.sqlite import SqliteDatabase
from pipelines.state.store import Store

_TEMPORARY = re.compile(
    r"^CREATE TEMP TABLE (?P<table>\w+) (?P<filled>AS\s)?|^CREATE INDEX temp\.(?P<index>\w+)"
    r"|^DROP TABLE temp\.(?P<dropped>\w+)",
    re.MULTILINE,
)


@dataclass
class Kept:
    """A connection that nobody uses, and its temporary tables and indexes."""

    connection: sqlite3.Connection
    temporary: set[str]


@dataclass
class Disk:
    """Connections of a life, by the file that they are to."""

    idle: dict[tuple[int, int], list[Kept]] = field(default_factory=dict)

    def let_go(self) -> None:
        """All are closed, as if no process had ever waited: before a file is moved or put back."""
        for kept in self.idle.values():
            for one in kept:
                one.connection.close()
        self.idle.clear()


class KeptDatabase(SqliteDatabase):
    """A state whose connection goes back to the disk."""

    def __init__(self, path: Path, disk: Disk, clock: Any) -> None:
        self._disk = disk
        self._streams = 0
        create_private(path)
        found = path.stat()
        self._inherited: set[str] = set()
        if kept := disk.idle.get((found.st_dev, found.st_ino)):
            Database.__init__(self, path, clock)
            one = kept.pop()
            self._connection, self._inherited = one.connection, one.temporary
            self._file = self._identity()
        else:
            super().__init__(path, clock)

    def change(self, sql: str, parameters: Any = ()) -> int:
        found = _temporary(sql) if "temp." in sql or "TEMP" in sql else None
        if found is None:
            return super().change(sql, parameters)
        name, rest = found
        if rest == "DROP":
            changed = super().change(sql, parameters)
            self._inherited &= {name for name, _ in self._connection.execute(_THERE)}  # not its indexes
            return changed
        if name not in self._inherited:
            return super().change(sql, parameters)
        self._inherited.remove(name)
        return super().change(f"INSERT INTO temp.{name} {rest}", parameters) if rest else 0

    def stream(self, sql: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
        self._streams += 1
        yield from super().stream(sql, parameters)
        self._streams -= 1

    def close(self) -> None:
        """Goes back, unless something of it is still going on: a reader would see what once was."""
        connection, self._connection = self._connection, _CLOSED
        if self._streams or self._file is None:
            connection.close()
            return
        with suppress(sqlite3.ProgrammingError):  # of a process that was killed: closed already
            if connection.in_transaction:
                connection.close()
                return
            there = dict(connection.execute(_THERE))
            for name, kind in there.items():
                if kind == "table":
                    connection.execute(f"DELETE FROM temp.{name}")
            self._disk.idle.setdefault(self._file, []).append(Kept(connection, set(there)))


class Unchecked(StateCheck):
    """Nothing damages a file in a life."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wait(self) -> None:
        pass

    def stop(self) -> None:
        pass


def store_on(disk: Disk, path: Path, clock: Any) -> Store:
    """For those who look at the state between two runs."""
    return Store(path, open_database=lambda _: KeptDatabase(path, disk, clock), check=Unchecked)


_CLOSED = sqlite3.connect(":memory:")
_CLOSED.close()
_THERE = "SELECT name, type FROM sqlite_temp_master WHERE name NOT LIKE 'sqlite%'"


@lru_cache(maxsize=500)
def _temporary(sql: str) -> tuple[str, str] | None:
    """The table or index that a statement makes, and what fills it; or that it drops."""
    found = _TEMPORARY.search(sql)
    if found is None:
        return None
    if found["dropped"]:
        return found["dropped"], "DROP"
    if found["index"]:
        return found["index"], ""
    return found["table"], sql[found.end() :] if found["filled"] else ""
