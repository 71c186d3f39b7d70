"""What the views show, read from the states; any thread may call, for each function opens what it needs."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from connectors.errors import SyncError
from connectors.privacy import mask_text, mask_value
from pipelines.changes.shown import ShownChange, masked
from pipelines.config.pipeline import PipelineConfig
from pipelines.serve.site import Entry
from pipelines.state.overview import Overview, overview_of
from pipelines.state.place import is_there
from pipelines.state.plans import SavedPlan
from pipelines.state.runs import Run
from pipelines.verbs.outcomes import Outcome, outcomes_of
from pipelines.verbs.rejects import Reject, rejects_of
from pipelines.verbs.saved_plans import open_saved
from pipelines.verbs.status import runs_of

AT_ONCE = 100
"""Rows of one page."""
RUNS_LISTED = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Glance:
    """A pipeline in one line: nothing where it has not run, `problem` where its state cannot be read."""

    entry: Entry
    seen: Overview | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Part(Generic[_T]):
    """Some rows of many: the page before and after, where there is one."""

    rows: Sequence[_T]
    number: int
    has_more: bool


def glances(entries: Iterable[Entry]) -> list[Glance]:
    """Hundreds within a second: nothing is checked or migrated."""
    return [_glance(entry) for entry in entries]


def _glance(entry: Entry) -> Glance:
    config = entry.config
    try:
        if not is_there(config.state):
            return Glance(entry, None)
        return Glance(entry, overview_of(config.state, [config.pipeline])[config.pipeline])
    except SyncError as error:
        return Glance(entry, None, str(error))


def runs(config: PipelineConfig, words: str) -> list[Run]:
    """The last runs; those that have the words in their number, status, time or message."""
    found = runs_of(config, RUNS_LISTED)
    wanted = words.casefold().split()
    return [run for run in found if all(word in _text_of(run) for word in wanted)]


def _text_of(run: Run) -> str:
    return " ".join([run.run_id, run.status, run.mode, run.started_at, run.message or ""]).casefold()


def outcomes(config: PipelineConfig, run: str, *, kind: str | None, number: int, show: bool) -> Part[Outcome]:
    found = (_masked_outcome(one, show=show) for one in outcomes_of(config, run, kind, None))
    return _part(found, number)


def outcomes_of_key(config: PipelineConfig, key: str, *, show: bool) -> Part[Outcome]:
    """What became of one key in all kept runs."""
    found = (_masked_outcome(one, show=show) for one in outcomes_of(config, None, None, key))
    return _part(found, 1)


def _masked_outcome(one: Outcome, *, show: bool) -> Outcome:
    if show:
        return one
    key = mask_value(one.key) if one.key else one.key
    return replace(one, key=key, reason=mask_text(one.reason) if one.reason else one.reason)


def rejects(config: PipelineConfig, *, number: int, show: bool) -> Part[Reject]:
    """Those of the last run."""
    found = (record.reject for record in rejects_of(config))
    return _part((one if show else _masked_reject(one) for one in found), number)


def _masked_reject(one: Reject) -> Reject:
    return replace(one, key=mask_value(one.key) if one.key else one.key, reason=mask_text(one.reason))


def plan(
    config: PipelineConfig, plan_id: str, *, number: int, show: bool
) -> tuple[SavedPlan, Part[ShownChange]]:
    """A saved plan and some of its changes. Raises ConfigError where there is none."""
    with open_saved(config, plan_id) as (saved, changes):
        return saved, _part(changes if show else map(masked, changes), number)


def _part(rows: Iterable[_T], number: int) -> Part[_T]:
    first = (number - 1) * AT_ONCE
    # One more than is shown: it tells whether there is a next page without counting them all.
    found = list(islice(rows, first, first + AT_ONCE + 1))
    return Part(found[:AT_ONCE], number, len(found) > AT_ONCE)


def command(entry: Entry, verb: str, *words: str) -> str:
    """What to type, from any folder."""
    return shlex.join(["kartra-sync", verb, entry.file, *words])
