"""How the pipelines of a state stand, at a glance: hundreds of states are looked at within a second.

Nothing is checked, migrated or written: who works with a state opens a `Store`.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.databases.readable import Readable
from pipelines.config.server_state import StatePlace
from pipelines.errors import StateOutOfReachError
from pipelines.state.accounts import Accounts
from pipelines.state.database import Database
from pipelines.state.lease import Holder
from pipelines.state.migrating import migrate_checked
from pipelines.state.place import open_database
from pipelines.state.runs import Run, Runs, Waiting
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Overview:
    """The last run of a pipeline, its last good one, what waits, and who runs it now."""

    last_run: Run | None
    last_good: datetime | None
    waiting: Waiting
    holder: Holder | None


def overview_of(state: StatePlace, pipelines: Iterable[str]) -> dict[str, Overview]:
    """By pipeline. Raises StateError."""
    with _opened(state) as database:
        if database.is_of_this_version:
            return _read(Runs(database, Scope(database)), pipelines)
    # Not through what is opened to be read only: an older state is migrated on the way.
    with closing(open_database(state)) as database:
        migrate_checked(database)
        return _read(Runs(database, Scope(database)), pipelines)


def _read(runs: Runs, pipelines: Iterable[str]) -> dict[str, Overview]:
    return {
        pipeline: Overview(
            next(iter(runs.last(pipeline, 1)), None),
            runs.last_good(pipeline),
            runs.waiting(pipeline),
            runs.holder(pipeline),
        )
        for pipeline in pipelines
    }


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a state is: the hashes of credentials that it was reached with, and its names for people."""

    credentials: frozenset[str]
    names: frozenset[str]
    is_used: bool


NOBODY = Owner(frozenset(), frozenset(), is_used=False)


def owner_of(state: StatePlace) -> Owner:
    """Raises StateError, also for a state of an older version."""
    with _opened(state) as database:
        accounts = Accounts(database)
        known = accounts.every()
        return Owner(
            frozenset(known),
            frozenset(account.name for account in known.values() if account.name),
            any(scope.is_used for scope in accounts.scopes()),
        )


@contextmanager
def _opened(state: StatePlace) -> Iterator[Database]:
    if not isinstance(state, Path):
        with closing(open_database(state)) as database:
            yield database
        return
    try:
        readable = Readable(state)
    except OSError as error:
        said = f"{state}: cannot be used as state: {error.strerror or error}"
        raise StateOutOfReachError(said) from error
    with closing(readable), closing(open_database(readable.path)) as database:
        yield database
