"""States of whole projects on a PostgreSQL server: `KARTRA_SYNC_STATE=postgresql` gives every project one.

The server is started when the first of them is asked for, and ends with the process.
"""

import atexit
import threading
from contextlib import ExitStack
from functools import cache

from sqlalchemy import URL

from pipelines.config.server_state import ServerState
from tests.servers import postgresql
from tests.state.places import address_of, new_schema

VARIABLE = "KARTRA_STATE"
_LOCK = threading.Lock()


@cache
def _server() -> URL:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgresql())


def new_place() -> ServerState:
    """A schema of a server that nobody has used yet."""
    with _LOCK:
        return new_schema(_server())


def environ_of(place: ServerState) -> dict[str, str]:
    """What a project needs for its state to lie there."""
    return {VARIABLE: address_of(place)}
