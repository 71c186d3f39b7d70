"""One entry of the outbox on its way to Kartra: a value, and at which stage it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD
from pipelines.calls.patience import LEFT_WITHIN, ON_ITS_WAY_S
from pipelines.changes.compile import change_from_json
from pipelines.changes.diff import Change, diff_lead, removal, unproven_wishes, without
from pipelines.config.kartra import KartraConfig
from pipelines.config.load import Existing, LoadConfig, OnGone, SyncMode
from pipelines.contacts.lead import Origin, Snapshot
from pipelines.contacts.wishes import Cause
from pipelines.state.outbox import Entry


class Stage(StrEnum):
    """Where an entry is on its way; `next_step` has the transitions."""

    DUE = "due"
    """What it owes may leave."""
    FRESH = "fresh"
    """What it owes may leave, and its lead was read since the last write: the score before is known."""
    PREPARING = "preparing"
    """The lead is read before its call leaves: for its score, or for what its person has left."""
    ADOPTING = "adopting"
    """The lead is read because Kartra may have had it before us."""
    SEARCHING = "searching"
    """Kartra has no lead of its number any more: it is looked up by its address."""
    TAKEN = "taken"
    """Another lead has the address it is to get: who that is, is looked up."""
    UNKNOWN = "unknown"
    """A try has no usable answer: the lead is read back, and nothing leaves before."""
    SHOWN = "shown"
    """As UNKNOWN. The lead that the try created shows; what was chained to it may still be on its way."""
    LEFT = "left"
    """As UNKNOWN, of a try that an earlier run left without an outcome."""
    LEFT_SHOWN = "left, shown"
    """As SHOWN, of an earlier run."""


WRITES = frozenset({Stage.DUE, Stage.FRESH})
"""The next call of such a task writes; at every other stage it reads."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the pipeline file says that decides about single leads."""

    existing: Existing
    sync_mode: SyncMode
    on_removed: tuple[str, ...]
    on_gone: OnGone
    settle_s: float
    """An effect that is not in the profile so long after its call is taken not to have happened."""
    is_restored: bool = False
    """The state is a copy that was put back: what it does not know may have been given since."""
    on_its_way_s: float = 0.0
    """How long a call of a process that died may still be on its way."""

    @classmethod
    def of(cls, load: LoadConfig, kartra: KartraConfig, *, is_restored: bool = False) -> Self:
        return cls(
            load.existing,
            load.sync_mode,
            tuple(load.on_removed),
            load.on_gone,
            kartra.settle_s,
            is_restored,
            on_its_way_s=min(kartra.timeout_s, ON_ITS_WAY_S),
        )


@dataclass(frozen=True, slots=True)
class Now:
    """What is true at the moment and stands in no task: the time, and what the run and the store know."""

    at: datetime
    monotonic_s: float
    is_halted: bool = False
    """No further call may leave."""
    unreached: int = 0
    """Writes in a row that were proven not to have been carried out, with the one just answered."""
    owner: str | None = None
    """The key whose lead a profile is that was just read (`asks_owner`)."""
    barred_before: str | None = None
    """What barred the way to every try of the same wish in an earlier run (`Task.barrier`)."""
    others_pass: bool = False
    """Calls of other leads reach Kartra: what stands in between bars this one alone."""
    earlier_try_at: datetime | None = None
    """The intent of a creation of the same key that an earlier run had given up."""


@dataclass(frozen=True, slots=True)
class Task:
    """One entry on its way. `change` is what the next call has to effect."""

    entry: Entry
    snapshot: Snapshot | None
    origin: Origin | None
    change: Change
    stage: Stage = Stage.DUE
    score: int | None = None
    """Of the last read."""
    one_by_one: bool = False
    """Whether a chain of it failed without a word on where: then each action is sent alone."""
    tries: int = 0
    reads: int = 0
    """In a row without a usable answer."""
    open_until: float = 0.0
    """The monotonic second at which every effect of the last write has to show."""
    intended_at: datetime | None = None
    """The first try."""
    barriers: tuple[str, ...] = ()
    """Of each try: what stood in front of Kartra and refused it, such as HTTP 403; "" where nothing did."""
    trouble: str = ""
    """What the last of them said."""
    gone: str | None = None
    """The error type by which Kartra said that the number of its lead is gone."""
    refused: Mapping[Cause, str] = field(default_factory=dict)
    """What Kartra refused, by which error type."""
    held: Mapping[Cause, str] = field(default_factory=dict)
    """What is not sent, because of which error type."""
    done: tuple[str, ...] = ()
    """The commands that Kartra acknowledged, or that are proven to have landed."""

    @property
    def needs_read(self) -> bool:
        """Whether its lead has to be read before its next call leaves."""
        return self.change.needs_read and self.stage is Stage.DUE

    def is_gone(self, number: str | None) -> bool:
        """Whether an error type says that the number its lead is known by is gone.

        Where something is taken back it does not matter: another lead with its address has none of it.
        """
        is_ours = self.entry.kind == "load" and self.snapshot is not None and bool(self.snapshot.lead_id)
        return is_ours and self.entry.undoes is None and (number in NO_LEAD or number == LEAD_DELETED)

    @property
    def unproven(self) -> list[str]:
        """What of the wish may have landed, and nothing proves it."""
        desired = self.entry.desired
        return unproven_wishes(desired, self.snapshot) if desired and self.snapshot else []

    @property
    def barrier(self) -> str | None:
        """What refused every try of it in the same way, before Kartra."""
        return self.barriers[0] or None if len(set(self.barriers)) == 1 else None

    def is_window_open(self, now: Now) -> bool:
        """Whether effects of the last write may still be on their way."""
        return now.monotonic_s < self.open_until

    def left_s(self, now: Now) -> float:
        """Until every effect of the last write has to show."""
        return self.open_until - now.monotonic_s

    def sent(self, at: datetime) -> "Task":
        """With its intent written down."""
        return replace(self, tries=self.tries + 1, intended_at=self.intended_at or at)


def begin(entry: Entry, rules: Rules) -> Task:
    """An entry that was planned and never sent."""
    known = entry.snapshot if entry.origin != "skipped" else None
    task = owing(Task(entry, known, entry.origin if known else None, Change()), rules)
    may_be_there = entry.origin == "skipped" or rules.sync_mode == "update_only"
    may_be_there = may_be_there and entry.undoes is None
    if entry.kind == "load" and known is None and may_be_there:
        return replace(task, stage=Stage.ADOPTING)
    return task


def begin_recovery(entry: Entry, now: Now, rules: Rules) -> Task:
    """An entry that an earlier run left without an outcome.

    That run may have died just now, with its call still on its way. A second creation would be refused, and
    tags are tags; what counts each time it is given has to wait until the first try must have arrived.
    """
    change = change_from_json(entry.change) if entry.change else Change()
    is_recent = entry.sent_at is not None and now.at - entry.sent_at < LEFT_WITHIN
    wait_s = rules.settle_s if is_recent else 0.0
    if not change.create and any(step.wish.once_only and not step.takes for step in change.steps):
        wait_s = rules.settle_s + rules.on_its_way_s  # no clock is asked: it may have been set
    return Task(
        entry,
        entry.snapshot,
        entry.origin,
        change,
        stage=Stage.LEFT,
        open_until=now.monotonic_s + wait_s if wait_s else 0.0,
        intended_at=entry.sent_at,
    )


def owing(task: Task, rules: Rules) -> Task:
    """With the change that is still to be effected, without what Kartra refuses."""
    if task.entry.kind == "removal":
        change = removal(task.snapshot, rules.on_removed) if task.snapshot else Change()
    elif task.entry.desired is None or (task.entry.undoes is not None and task.snapshot is None):
        change = Change()
    else:
        change = diff_lead(task.entry.desired, task.snapshot)
    return replace(task, change=without(change, {*task.refused, *task.held}))
