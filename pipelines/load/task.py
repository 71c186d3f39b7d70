"""One entry of the outbox on its way to Kartra, and its stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD
from pipelines.calls.patience import ON_ITS_WAY_S
from pipelines.changes.before_call import gives_another_spelling, left_of
from pipelines.changes.behaviour import Behaviour
from pipelines.changes.compile import change_from_json
from pipelines.changes.diff import Change, diff_lead, removal, unproven_wishes, without
from pipelines.changes.readback import LEFT_WITHIN
from pipelines.changes.spelling import Names
from pipelines.config.kartra import KartraConfig, Mode
from pipelines.config.load import Existing, LoadConfig, OnGone, SyncMode
from pipelines.contacts.lead import Origin, Snapshot, Unwanted
from pipelines.contacts.wishes import Cause, StepEffect
from pipelines.state.outbox import Entry


class Stage(StrEnum):
    """Where an entry is on its way; `next_step` has the transitions."""

    DUE = "due"
    """Its change may be sent."""
    FRESH = "fresh"
    """Its change may be sent, and its lead was read since the last write: the score before is known."""
    PREPARING = "preparing"
    """The lead is read before its call: for its score, or for what its person has left."""
    ADOPTING = "adopting"
    """The lead is read because Kartra may have had it before us."""
    SEARCHING = "searching"
    """Kartra no longer has its number: the lead is read by its address."""
    TAKEN = "taken"
    """Another lead has its new address: that lead is read."""
    STORED = "stored"
    """Created, the first for a day: it is read because its address shows the mode of the App."""
    UNKNOWN = "unknown"
    """A try has no usable answer: the lead is read back before anything else is sent."""
    SHOWN = "shown"
    """Like UNKNOWN, but the created lead shows already; what was chained to it may still be on its way."""
    LEFT = "left"
    """Like UNKNOWN, for a try that an earlier run left without an outcome."""
    LEFT_SHOWN = "left, shown"
    """Like SHOWN, for a try of an earlier run."""


WRITES = frozenset({Stage.DUE, Stage.FRESH})
"""The stages whose next call writes; at every other stage it reads."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of the pipeline file that decide about single leads."""

    existing: Existing
    sync_mode: SyncMode
    on_removed: tuple[str, ...]
    on_gone: OnGone
    mode: Mode
    settle_s: float
    """After so long without showing in the profile, an effect counts as not having happened."""
    is_restored: bool = False
    """The state is a copy that was put back: what it does not know may have been given since."""
    on_its_way_s: float = 0.0
    """How long a call of a process that died may still be on its way."""
    withdrawn: frozenset[Unwanted] = frozenset()
    """Names that have left the file."""
    left_out: frozenset[str] = frozenset()
    """The parts that a doctor has found to be missing from a profile where they are empty."""
    is_chain_known: bool = False
    """A doctor has found that a chain stops at what is refused, and that effects show at once."""

    @classmethod
    def of(
        cls,
        load: LoadConfig,
        kartra: KartraConfig,
        *,
        is_restored: bool = False,
        withdrawn: frozenset[Unwanted] = frozenset(),
        behaviour: Behaviour | None = None,
    ) -> Self:
        return cls(
            load.existing,
            load.sync_mode,
            tuple(load.on_removed),
            load.on_gone,
            kartra.mode,
            kartra.settle_s,
            is_restored,
            on_its_way_s=min(kartra.timeout_s, ON_ITS_WAY_S),
            withdrawn=withdrawn,
            left_out=frozenset(behaviour.left_out or ()) if behaviour is not None else frozenset(),
            is_chain_known=behaviour is not None and behaviour.is_chain_known,
        )


@dataclass(frozen=True, slots=True)
class Now:
    """The circumstances of the moment, which no task holds: the time, and what the run and the store know."""

    at: datetime
    monotonic_s: float
    is_halted: bool = False
    """No further call may leave."""
    is_mode_open: bool = False
    """No lead that was created has shown yet in which mode the App is."""
    unreached: int = 0
    """Writes in a row that were proven not to have been carried out, including the last one."""
    listed: Names = field(default_factory=dict)
    """The names of the account, as far as they are known."""
    owner: str | None = None
    """The key that the lead just read belongs to (`asks_owner`)."""
    barred_before: str | None = None
    """What refused every try of the same wish on its way in an earlier run (`Task.barrier`)."""
    others_pass: bool = False
    """Whether calls of other leads reach Kartra, so that this one alone is refused on the way."""
    earlier_by_own_clock: bool = False
    """Whether `earlier_try_at` is by the clock of the machine that sent it."""
    earlier_try_at: datetime | None = None
    """When a creation of the same key was intended that an earlier run gave up."""


@dataclass(frozen=True, slots=True)
class Task:
    """One entry on its way. `change` is what is still to be sent."""

    entry: Entry
    snapshot: Snapshot | None
    origin: Origin | None
    change: Change
    stage: Stage = Stage.DUE
    score: int | None = None
    """The score at the last read."""
    one_by_one: bool = False
    """Whether a chain failed without saying where, so that each action is sent alone."""
    tries: int = 0
    reads: int = 0
    """Reads in a row without a usable answer."""
    open_until: float = 0.0
    """The monotonic second by which every effect of the last write must show."""
    by_own_clock: bool = False
    """Whether `intended_at` is by this machine's clock, because no answer had told Kartra's."""
    intended_at: datetime | None = None
    """When the first try was intended."""
    barriers: tuple[str, ...] = ()
    """What refused each try on its way to Kartra, such as HTTP 403; "" if nothing did."""
    trouble: str = ""
    """The words of the last refusal on the way."""
    left: frozenset[StepEffect] = frozenset()
    """What its person had left before the lead was gone and is made anew: it is not given again."""
    gone: str | None = None
    """The error type that said that the number of its lead is gone."""
    refused: Mapping[Cause, str] = field(default_factory=dict)
    """The refused causes and their error types."""
    held: Mapping[Cause, str] = field(default_factory=dict)
    """The causes held back and their error types."""
    done: tuple[str, ...] = ()
    """The commands that Kartra acknowledged or that are proven to have landed."""

    @property
    def needs_read(self) -> bool:
        """Whether its lead has to be read before its next call leaves."""
        if self.stage is not Stage.DUE or self.change.create:
            return False
        known = self.snapshot
        return self.change.needs_read or (
            known is not None and any(gives_another_spelling(self.change, known))
        )

    def is_gone(self, number: str | None) -> bool:
        """Whether an error type says that the number of its lead is gone.

        For an undo it does not matter: another lead with its address has nothing of ours.
        """
        is_ours = self.entry.kind == "load" and self.snapshot is not None and bool(self.snapshot.lead_id)
        return is_ours and self.entry.undoes is None and (number in NO_LEAD or number == LEAD_DELETED)

    @property
    def unproven(self) -> list[str]:
        """The parts of the wish that may have landed without proof."""
        desired = self.entry.desired
        return unproven_wishes(desired, self.snapshot) if desired and self.snapshot else []

    @property
    def barrier(self) -> str | None:
        """What refused all tries in the same way on their way to Kartra."""
        return self.barriers[0] or None if len(set(self.barriers)) == 1 else None

    def is_window_open(self, now: Now) -> bool:
        """Whether effects of the last write may still be on their way."""
        return now.monotonic_s < self.open_until

    def left_s(self, now: Now) -> float:
        """Seconds until every effect of the last write must show."""
        return self.open_until - now.monotonic_s

    def sent(self, at: datetime, *, by_own_clock: bool = False) -> "Task":
        """The task after its intent was written."""
        is_first = self.intended_at is None
        return replace(
            self,
            tries=self.tries + 1,
            intended_at=self.intended_at or at,
            by_own_clock=by_own_clock if is_first else self.by_own_clock,
        )

    def on_kartras_clock(self, offset: timedelta | None) -> "Task":
        """The task once an answer has told how far this machine's clock is off."""
        if not self.by_own_clock or offset is None or self.intended_at is None:
            return self
        return replace(self, intended_at=self.intended_at + offset, by_own_clock=False)


def begin(entry: Entry, rules: Rules) -> Task:
    """The task of an entry that was planned and never sent."""
    known = entry.snapshot if entry.origin != "skipped" else None
    left = left_of(entry.snapshot) if known is None else frozenset()
    task = owing(Task(entry, known, entry.origin if known else None, Change(), left=left), rules)
    may_be_there = entry.origin == "skipped" or rules.sync_mode == "update_only"
    # An undo knows its lead from the journal, or has none.
    may_be_there = may_be_there and entry.undoes is None
    if entry.kind == "load" and known is None and may_be_there:
        return replace(task, stage=Stage.ADOPTING)
    return task


def begin_recovery(entry: Entry, now: Now, rules: Rules) -> Task:
    """An entry that an earlier run left without an outcome.

    That run may have died just now, with its call still on its way. A second creation would be refused; of
    everything else nothing is decided before the first try must have arrived: what counts each time would be
    given twice, and what is taken or written late would undo what is sent now, unnoticed.
    """
    change = change_from_json(entry.change) if entry.change else Change()
    is_recent = entry.sent_at is not None and (
        entry.by_own_clock or now.at - entry.sent_at < LEFT_WITHIN  # the own clock may have been days off
    )
    wait_s = rules.settle_s if is_recent else 0.0
    if not change.create:
        wait_s = rules.settle_s + rules.on_its_way_s  # no clock is asked: it may have been set
    return Task(
        entry,
        entry.snapshot,
        entry.origin,
        change,
        stage=Stage.LEFT,
        open_until=now.monotonic_s + wait_s if wait_s else 0.0,
        intended_at=entry.sent_at,
        by_own_clock=entry.by_own_clock,
    )


def _taken_back(entry: Entry, snapshot: Snapshot, rules: Rules) -> Change:
    """Of a lead without a record: what on_removed says where it is gone, and what has left the file."""
    on_removed = () if entry.is_withdrawal else rules.on_removed
    return removal(snapshot, on_removed, rules.withdrawn)


def owing(task: Task, rules: Rules) -> Task:
    """The task with the change that is still owed, without what Kartra refuses."""
    if task.entry.kind == "removal":
        change = _taken_back(task.entry, task.snapshot, rules) if task.snapshot else Change()
    elif task.entry.desired is None or (task.entry.undoes is not None and task.snapshot is None):
        change = Change()
    else:
        change = diff_lead(task.entry.desired, task.snapshot, rules.withdrawn)
    left = {step.cause for step in change.steps if step.effect in task.left}
    return replace(task, change=without(change, {*task.refused, *task.held, *left}))
