"""The window of an App as a row of the server that holds the state: all hosts that use it share the limit.

The rows stand in a schema beside those of states, because pipelines of one App may have states of their own.
It has a connection of its own, which any thread may use in turn, and needs nothing of a session: each change
is one transaction, by the clock of the server.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connectors.kartra.hosts_limiter import Moments, WindowLostError
from connectors.kartra.limiter import LEARNED_HALF_LIFE_S, LEARNED_MAX_S, Window
from pipelines.config.server_state import ServerState
from pipelines.errors import StateError
from pipelines.state.place import on_server

if TYPE_CHECKING:
    from pipelines.state.postgresql import PostgresDatabase


def window_of(place: ServerState, app: str) -> "ServerWindow | None":
    """None where there is no state yet, and whoever asks may make none: a plan before the first run."""
    database = on_server(place, patience_s=0)
    try:
        if database.has_state:
            return ServerWindow(database, app)
    except BaseException:
        database.close()
        raise
    database.close()
    return None


class ServerWindow:
    """The row of one App; made when it is first asked for."""

    def __init__(self, database: "PostgresDatabase", app: str) -> None:
        """The connection is the window's own."""
        self._database, self._app = database, app
        self._lock = threading.Lock()
        self._queries = self._database.queries("windows")
        self._make_table()
        self._queries.make(app=app)

    def _make_table(self) -> None:
        """Raises StateError where there is none, and none may be made."""
        if self._queries.is_there():
            return
        with self._database.transaction():
            self._queries.lock_making()
            self._queries.make_schema()
            self._queries.make_table()

    def reserve(self, count: int, gap_s: float) -> Moments:
        """Raises WindowLostError."""
        with self._asked():
            row = self._queries.reserve(
                app=self._app,
                count=count,
                gap_s=gap_s,
                most_s=LEARNED_MAX_S,
                half_life_s=LEARNED_HALF_LIFE_S,
            )
        return Moments(count, float(row["wait_s"]), float(row["gap_s"]))

    def skip(self, gap_s: float) -> None:
        """Raises WindowLostError."""
        with self._asked():
            self._queries.skip(app=self._app, gap_s=gap_s)

    def throttled(self, spread_s: float) -> None:
        """What a 429 teaches is taught to all hosts. Raises WindowLostError."""
        with self._asked(), self._database.transaction():
            row = self._queries.look(app=self._app)
            before = Window((), row["paused_until"], row["learned_s"], row["learned_at"])
            after = before.throttled(row["now"], spread_s)
            self._queries.learn(
                app=self._app,
                paused_until=after.paused_until,
                learned_s=after.learned_s,
                learned_at=after.learned_at,
            )

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except StateError as error:
                raise WindowLostError(str(error)) from error
