"""The verbs `state backup` and `state verify`: copy a state file, and check it. No call to Kartra is made."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.clock import utc_now
from connectors.errors import ConfigError
from pipelines.changes.compile import change_from_json
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.server_state import ServerState, StatePlace, server_state
from pipelines.config.variables import with_variables
from pipelines.contacts.forgotten import cells_of
from pipelines.contacts.lead import UNREADABLE, DesiredLead, Snapshot
from pipelines.errors import StateError, StateOutOfReachError
from pipelines.state.copying import copy_between, copy_of_server
from pipelines.state.file import PART, backups_beside, copy_state
from pipelines.state.generation import count_copy
from pipelines.state.integrity import TextKind
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of


def back_up(config: PipelineConfig, target: Path | None) -> Path:
    """Copy the state of a pipeline, also while it is being run; gives where the copy lies.

    Of a state on a server the copy is a SQLite file, which `state copy` puts back onto one. A folder as
    `target` gets a copy named after the state and the time; without one it is that of the state. Raises
    ConfigError where `target` is there already.
    """
    state = _existing(config)
    if not isinstance(state, Path):
        return _back_up_server(state, config, target)
    if target is not None and target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: is there already, and nothing is overwritten")
    if target is None or target.is_dir():
        named = f"{state.name}.{utc_now():%Y%m%dT%H%M%SZ}.backup"
        copy = copy_state(state, (target or state.parent) / named, numbered=True)
    else:
        copy = copy_state(state, target)
    # From here on the copy is behind: where it is put back in place of the state, a run recognises it.
    count_copy(state)
    return copy


def _back_up_server(state: ServerState, config: PipelineConfig, target: Path | None) -> Path:
    if target is not None and target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: is there already, and nothing is overwritten")
    if target is None or target.is_dir():
        folder = target or config.path.parent
        target = folder / f"{config.pipeline}.{utc_now():%Y%m%dT%H%M%SZ}.backup"
    if target.exists():
        raise ConfigError(f"{target}: is there already, and nothing is overwritten")
    part = target.with_name(f"{target.name}{PART}")
    try:
        copy_of_server(state, part, at=utc_now().isoformat())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    with Store(state) as store:
        store.generation.advance()
    return target


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a state was copied from and to, and its rows by table."""

    source: str
    target: str
    rows: dict[str, int]


def move(source: str, target: str) -> Moved:
    """Copy a whole state between files and servers: all of it, or nothing. Raises ConfigError, StateError.

    Either is an address as in `state:`, or a pipeline file whose state is meant; ${NAME} in it comes from
    the environment.
    """
    read, made = _place(source), _place(target)
    if not is_there(read):
        raise StateError(f"{read}: there is no state")
    return Moved(str(read), str(made), copy_between(read, made).rows)


def _place(said: str) -> StatePlace:
    if Path(said).suffix.lower() in (".yaml", ".yml"):
        return read_pipeline(Path(said), os.environ).state
    text = with_variables(said, lambda found: os.environ.get(found["name"] or "", found["default"] or ""))
    try:
        return server_state(text) or Path(text.removeprefix("sqlite:///"))
    except ValueError as error:
        raise ConfigError(f"{error}") from None


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found. Without problems the state is whole; `notes` say what a run mends by itself."""

    state: StatePlace
    leads: int
    problems: list[str]
    notes: list[str]
    backups: list[Path]


def verify(config: PipelineConfig) -> Verified:
    """Check every page, index, reference and text of the state. Raises StateError where there is none."""
    state = _existing(config)
    beside = backups_beside(state) if isinstance(state, Path) else []
    backups = [file for file in beside if PART not in file.suffix]
    try:
        with store_of(config) as store:
            problems = store.integrity.damage()
            counts = {kind: _unreadable(store, kind, read) for kind, read in _READERS.items()}
            problems += [f"{bad:,} {kind} texts cannot be read" for kind, (_, bad) in counts.items() if bad]
            notes = [
                f"the lease of {pipeline} is that of a run that died; the next run takes over"
                for pipeline in store.runs.dead_leases()
            ]
            if restored := store.generation.restored():
                notes.append(restored.describe())
    # Out of reach is not damaged: nothing was looked at.
    except StateOutOfReachError:
        raise
    except StateError as error:
        return Verified(state, 0, [str(error).removeprefix(f"{state}: ")], [], backups)
    return Verified(state, counts["snapshot"][0], problems, notes, backups)


def _existing(config: PipelineConfig) -> StatePlace:
    if not is_there(config.state):
        raise StateError(f"{config.state}: there is no state yet; the first run makes it")
    return config.state


def _unreadable(store: Store, kind: TextKind, read: Callable[[str], Any]) -> tuple[int, int]:
    """How many texts of a kind there are, and how many cannot be read."""
    found = bad = 0
    for text in store.integrity.texts(kind):
        found += 1
        try:
            read(text)
        except UNREADABLE:
            bad += 1
    return found, bad


_READERS: dict[TextKind, Callable[[str], Any]] = {
    "snapshot": lambda text: Snapshot.from_json(text, lead_id=None),
    "wish": DesiredLead.from_json,
    "change": change_from_json,
    "summary": lambda text: json.loads(text)["leads"],
    "inventory": json.loads,
    "record": lambda text: list(cells_of(text)),
}
