"""Where the state of a test is, and what else may look at it: here a second database comes in.

The tests of the store take what is here as fixtures and name no database.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from pipelines.state.store import Store


class OpenStore(Protocol):
    """Opens the state of a test, once more if need be, in a scope. The caller closes it."""

    def __call__(
        self, *, pipeline: str = "newsletter", account: str = "acc", mode: str = "live"
    ) -> Store: ...


NewState = Callable[[str], OpenStore]
"""An empty state by a name, and how it is opened."""
Outside = Callable[..., list[tuple[Any, ...]]]
"""What another program would do to the state: a statement and its parameters by name; gives the rows."""


def in_file(path: Path) -> OpenStore:
    def open_store(*, pipeline: str = "newsletter", account: str = "acc", mode: str = "live") -> Store:
        fresh = Store(path)
        fresh.scope.enter(pipeline, account, mode)
        return fresh

    return open_store


def beside(path: Path) -> Outside:
    def outside(statement: str, **values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    return outside
