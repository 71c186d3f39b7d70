"""The verbs `state backup` and `state verify`: copy a state file, and check it. No call to Kartra is made."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.clock import utc_now
from connectors.errors import ConfigError
from pipelines.changes.compile import change_from_json
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.forgotten import cells_of
from pipelines.contacts.lead import UNREADABLE, DesiredLead, Snapshot
from pipelines.errors import StateError, StateOutOfReachError
from pipelines.state.file import PART, backups_beside, copy_state
from pipelines.state.generation import count_copy
from pipelines.state.integrity import TextKind
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of


def back_up(config: PipelineConfig, target: Path | None) -> Path:
    """Copy the state of a pipeline, also while it is being run; gives where the copy lies.

    A folder as `target` gets a copy named after the state and the time; without one it is that of the
    state. Raises ConfigError where `target` is there already.
    """
    state = _existing(config)
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


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found. Without problems the state is whole; `notes` say what a run mends by itself."""

    state: Path
    leads: int
    problems: list[str]
    notes: list[str]
    backups: list[Path]


def verify(config: PipelineConfig) -> Verified:
    """Check every page, index, reference and text of the state. Raises StateError where there is none."""
    state = _existing(config)
    backups = [file for file in backups_beside(state) if PART not in file.suffix]
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
    except StateOutOfReachError:
        raise
    except StateError as error:
        return Verified(state, 0, [str(error).removeprefix(f"{state}: ")], [], backups)
    return Verified(state, counts["snapshot"][0], problems, notes, backups)


def _existing(config: PipelineConfig) -> Path:
    if not config.state.is_file():
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
