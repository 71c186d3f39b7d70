"""Brings a state to the newest schema. Of a file a copy is made first, as it was."""

import logging
from functools import partial
from pathlib import Path

from pipelines.state.check import StateCheck
from pipelines.state.database import Database
from pipelines.state.file import copy_state

log = logging.getLogger("kartra_sync.state")


def migrate_checked(database: Database) -> None:
    """To the newest schema, after the file was found whole. Raises StateError."""
    # A copy of a damaged file is no way back, and a migration would write into the damage.
    if database.path is not None:
        StateCheck(database.path).wait()
    migrate(database)


def migrate(database: Database) -> None:
    """To the newest schema; whether the file is whole, the caller knows. Raises StateError."""
    database.migrate(partial(_keep_copy, database.path))


def _keep_copy(path: Path | None, version: int) -> None:
    """Of a file of an older schema, as it is."""
    assert path is not None  # noqa: S101 - a store in memory is never of an older schema
    backup = copy_state(path, path.with_name(f"{path.name}.schema-{version}.backup"), numbered=True)
    log.info("%s has an older schema (%d); a copy of it was made first: %s", path, version, backup)
