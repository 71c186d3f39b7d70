"""Where a state is: a file, or a schema of a server; and how either is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.server_state import ServerState, StatePlace
from pipelines.state.database import Database
from pipelines.state.file import create_private, refuse_network
from pipelines.state.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from pipelines.state.postgresql import PostgresDatabase

Place = StatePlace
RECONNECTED_FOR_S = 20.0
"""How long a server that does not answer is tried again where nothing depends on the connection."""


def open_database(place: Place | None) -> Database:
    """`place` None is a database in memory. Raises StateError."""
    if isinstance(place, ServerState):
        return on_server(place)
    if place is not None:
        refuse_network(place)
        create_private(place)
    return SqliteDatabase(place)


def on_server(place: ServerState, *, patience_s: float = RECONNECTED_FOR_S) -> "PostgresDatabase":
    """`patience_s`: how long a lost connection is tried again. Raises StateError."""
    # Imported when there is a server: its driver takes 0.1 s, which every command would wait for.
    from pipelines.state.postgresql import PostgresDatabase

    return PostgresDatabase(place, patience_s=patience_s)


def is_there(place: Place) -> bool:
    """Whether anything was kept there yet. Raises StateError where a server cannot be asked."""
    if isinstance(place, Path):
        return place.exists()
    database = on_server(place)
    try:
        return database.has_state
    finally:
        database.close()
