"""The window of an App as a row of the server that holds the state: all hosts that use it share the limit.

The rows stand in a schema beside those of states, because pipelines of one App may have states of their own.
It has a connection of its own, which any thread may use in turn, and needs nothing of a session: each change
is one transaction, by the clock of the server. Who waits for a moment of the App stands there as well, for a
second after its last word: a host that died holds no place.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from connectors.kartra.hosts_limiter import Moment, WindowLostError
from connectors.kartra.limiter import LEARNED_HALF_LIFE_S, LEARNED_MAX_S, Window
from pipelines.config.server_state import ServerState
from pipelines.errors import StateError
from pipelines.state.place import on_server

if TYPE_CHECKING:
    from pipelines.state.postgresql import PostgresDatabase

AHEAD = 3
"""Moments are given so many gaps ahead: enough for a host that is a little late to ask, and all that a host
that dies takes with it. Whoever comes anew waits for no more of them."""
LATE = 0.5
"""A moment that is no further away than this part of a gap is whoever asks, for nobody else has come."""
HELD_S = 1.0
"""A host that waits asks several times a second."""


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
        self._host = uuid.uuid4().hex
        self._is_closed = False
        self._queries = self._database.queries("windows")
        self._make_table()
        self._queries.make(app=app)

    def _make_table(self) -> None:
        """Raises StateError where there is none, and none may be made."""
        if self._queries.is_there():
            return
        with self._database.transaction():
            self._queries.lock_making()
            if not self._queries.has_schema():
                self._queries.make_schema()
            self._queries.make_table()
            self._queries.add_turn()
            self._queries.make_waiting()

    def ask(self, share: float, gap_s: float, *, waits_on: bool) -> Moment:
        """Raises WindowLostError."""
        with self._asked():
            row = self._queries.ask(
                app=self._app,
                host=self._host,
                share=share,
                waits_on=waits_on,
                gap_s=gap_s,
                ahead=AHEAD,
                late=LATE,
                held_s=HELD_S,
                most_s=LEARNED_MAX_S,
                half_life_s=LEARNED_HALF_LIFE_S,
            )
        return Moment(bool(row["is_given"]), float(row["wait_s"] if row["is_given"] else row["again_s"]))

    def skip(self, gap_s: float) -> None:
        """Raises WindowLostError."""
        with self._asked():
            self._queries.skip(app=self._app, gap_s=gap_s)

    def throttled(self, spread_s: float) -> None:
        """What a 429 teaches is taught to all hosts. Raises WindowLostError."""
        with self._asked(), self._database.transaction():
            self._queries.be_brief()
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
        """May be called twice, by whoever works and by whoever opened it: it has left by then."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            with suppress(StateError):
                self._queries.leave(app=self._app, host=self._host)
            self._database.close()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except StateError as error:
                raise WindowLostError(str(error)) from error
