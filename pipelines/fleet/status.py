"""`fleet status`: how every pipeline of every account stands. Needs no credentials, and reads no contacts."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from connectors.errors import ConfigError
from pipelines.config.fleet_file import FleetFile
from pipelines.config.yaml_text import compose, shown_path
from pipelines.errors import StateError
from pipelines.fleet.accounts import names_of
from pipelines.fleet.left import left_states
from pipelines.state.clock import CLOCKS_DIFFER
from pipelines.state.overview import Overview, overview_of
from pipelines.state.place import is_there
from pipelines.state.runs import Waiting

ENDED_WELL = ("succeeded", "partial")


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One pipeline of one account. `problem`: why nothing is known."""

    account: str
    pipeline: str
    file: Path
    overview: Overview | None = None
    late_after: timedelta | None = None
    problem: str = ""
    is_left: bool = False
    """Whether the account is not in the fleet any more."""

    @property
    def age(self) -> timedelta | None:
        """How long ago the last good run ended."""
        good = self.overview.last_good if self.overview else None
        return datetime.now(UTC) - good if good else None

    @property
    def is_late(self) -> bool:
        """Whether the last good run is older than the fleet allows, or none ever was.

        A time later than now was written by a clock that was wrong: it proves nothing.
        """
        if self.late_after is None or self.is_left:
            return False
        return self.age is None or not -CLOCKS_DIFFER <= self.age <= self.late_after

    @property
    def has_failed(self) -> bool:
        """Whether the last run did not end well: it failed, was stopped, died, or there was none."""
        last = self.overview.last_run if self.overview else None
        is_running = self.overview is not None and self.overview.holder is not None
        return not is_running and (last is None or last.status not in ENDED_WELL)

    @property
    def status(self) -> str:
        if self.is_left:
            return "left"
        if self.problem or self.overview is None:
            return "unknown"
        if self.overview.holder is not None:
            return "running"
        return self.overview.last_run.status if self.overview.last_run else "never"

    def to_json(self) -> dict[str, Any]:
        seen = self.overview
        waiting = asdict(seen.waiting) if seen else asdict(Waiting(0, 0, 0, 0))
        last = seen.last_run if seen else None
        return {
            "account": self.account,
            "pipeline": self.pipeline,
            "status": self.status,
            "last_good_run": seen.last_good.isoformat() if seen and seen.last_good else None,
            "age_s": round(self.age.total_seconds()) if self.age else None,
            "is_late": self.is_late,
            "leads": waiting.pop("leads"),
            "waiting": waiting,
            "message": self.problem or (last.message if last else None) or None,
        }


def status_of_fleet(file: FleetFile, names: Iterable[str] = ()) -> list[MemberStatus]:
    """A line for each account and pipeline, in their order. Raises ConfigError."""
    accounts = list(names_of(file))
    chosen = set(names) or set(accounts)
    if strangers := sorted(chosen - set(accounts)):
        raise ConfigError(f"no account {strangers[0]}")
    pipelines = [
        (pipeline.file, _name_in(pipeline.file), pipeline.late_after) for pipeline in file.config.pipelines
    ]
    gone = [
        MemberStatus(each.name, "", each.state, problem=str(each.error), is_left=True)
        for each in left_states(file, accounts)
    ]
    return [
        *gone,
        *(each for name in accounts if name in chosen for each in _of_account(file, name, pipelines)),
    ]


def _of_account(
    file: FleetFile, name: str, pipelines: list[tuple[Path, str, timedelta | None]]
) -> Iterator[MemberStatus]:
    state = file.place_of(name)
    seen: dict[str, Overview] = {}
    problem = ""
    try:
        if is_there(state):
            seen = overview_of(state, [pipeline for _, pipeline, _ in pipelines])
    except StateError as error:
        problem = str(error)
    for path, pipeline, late_after in pipelines:
        # Without a state nothing has run yet, which is known; of an unreadable one nothing is.
        nothing = None if problem else Overview(None, None, Waiting(0, 0, 0, 0), None)
        yield MemberStatus(name, pipeline, path, seen.get(pipeline, nothing), late_after, problem)


def _name_in(path: Path) -> str:
    """The name of the pipeline, without reading the rest of its file. Raises ConfigError."""
    root = compose(path)
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "pipeline" and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    raise ConfigError(f"{shown_path(path)}: pipeline: missing")
