"""Where the state of a test is, and what else may look at it: a file, or a schema of a server.

The tests of the store take what is here as fixtures and name no database.
"""

import re
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import URL

from pipelines.config.server_state import ServerState, server_state
from pipelines.state.dialect import translate
from pipelines.state.place import Place
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


def opened_at(place: Place) -> OpenStore:
    def open_store(*, pipeline: str = "newsletter", account: str = "acc", mode: str = "live") -> Store:
        fresh = Store(place)
        fresh.scope.enter(pipeline, account, mode)
        return fresh

    return open_store


def beside(place: Place) -> Outside:
    def outside(statement: str, **values: object) -> list[tuple[Any, ...]]:
        if isinstance(place, ServerState):
            return _on_server(place, statement, values)
        with closing(sqlite3.connect(place)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    return outside


def address_of(place: Place) -> str:
    """As a pipeline file has it."""
    if isinstance(place, Path):
        return str(place)
    return f"{place.dsn}{'&' if '?' in place.dsn else '?'}schema={place.schema}"


def _on_server(place: ServerState, statement: str, values: dict[str, object]) -> list[tuple[Any, ...]]:
    with psycopg.connect(place.dsn, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(f"SET search_path = {place.schema}")
        done = connection.execute(translate(statement), values)
        return done.fetchall() if done.description else []


def new_schema(server: URL) -> ServerState:
    """A schema of a server that nobody has used yet."""
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    sign = "&" if re.search(r"\?", address) else "?"
    place = server_state(f"{address}{sign}schema=t{uuid.uuid4().hex}")
    assert place is not None
    return place
