"""What can come next for one entry of the outbox, and how one ends. Values and pure functions."""

from dataclasses import dataclass, replace
from datetime import datetime

from connectors.errors import SyncError
from connectors.kartra.error_types import LEAD_EXISTS, NO_LEAD, NO_SUCH_NAME, error_type
from connectors.privacy import mask_text
from pipelines.changes.diff import why_parked
from pipelines.load.task import Rules, Stage, Task, owing
from pipelines.state.outbox import Outcome


@dataclass(frozen=True, slots=True)
class Send:
    """The write that the task owes, after a while."""

    task: Task
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A read of its lead, after a while; the stage says what for."""

    task: Task
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Settle:
    """The end. `complete`: nothing is owed any more."""

    task: Task
    outcome: Outcome
    complete: bool = False
    given_up_at: datetime | None = None
    """The intent of a creation that did not show: whoever has its address later may still be this lead."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Its call was proven never to have been carried out: the intent is taken back first."""

    task: Task
    then: Send | ReadBack | None = None


@dataclass(frozen=True, slots=True)
class BeginAnew:
    """Kartra does not have the lead after all: what was known of it goes, and it is sent as a new one."""

    task: Task
    gone_id: str | None = None
    """The number it was known by."""


@dataclass(frozen=True, slots=True)
class Leave:
    """It stays in the outbox as it is; the next run goes on with it."""

    task: Task


@dataclass(frozen=True, slots=True)
class PutBy:
    """All that it owes is held back; a probe may show meanwhile that it works again."""

    task: Task


@dataclass(frozen=True, slots=True)
class Stop:
    """No further call may leave, because of the error; `then` is still done."""

    error: SyncError
    then: Send | ReadBack | Settle | Withdraw | Leave
    are_names_wrong: bool = False
    """Whether the account lacks a name that its lists of names had."""


NextStep = Send | ReadBack | Settle | Withdraw | BeginAnew | Leave | PutBy | Stop


def is_disproven(task: Task, number: str | None, rules: Rules) -> bool:
    """Whether it was taken over by a person's word alone, and Kartra has never heard of it."""
    known = task.snapshot
    return (
        number in NO_LEAD
        and task.entry.kind == "load"
        and task.origin == "adopted"
        and (known is not None and not known.lead_id)
        and rules.sync_mode == "upsert"
    )


def anew(task: Task, rules: Rules) -> BeginAnew:
    """As a lead that Kartra does not have."""
    gone_id = task.snapshot.lead_id if task.snapshot else None
    entry = replace(task.entry, snapshot=None, origin=None)
    task = replace(task, entry=entry, snapshot=None, origin=None, stage=Stage.DUE, tries=0, gone=None)
    return BeginAnew(owing(task, rules), gone_id)


def search(task: Task, number: str | None) -> ReadBack:
    """Its lead may be merged into another, or somebody made a new one: the address tells."""
    return ReadBack(replace(task, stage=Stage.SEARCHING, gone=number))


def settled(task: Task) -> Settle | ReadBack:
    """Nothing is owed any more, but for what Kartra refused. Whose an address is that it refused is asked."""
    if task.refused.get(("edit_lead", "")) == LEAD_EXISTS:
        return ReadBack(replace(task, stage=Stage.TAKEN))
    no_such_name = next((number for number in task.refused.values() if number in NO_SUCH_NAME), None)
    if no_such_name is not None:
        return Settle(task, Outcome("deferred", no_such_name, error_type(no_such_name).explanation))
    if task.refused:
        (cmd, label), number = next(iter(task.refused.items()))
        cause = f"{cmd} {label}" if label else None
        return Settle(task, Outcome("rejected", number, error_type(number).explanation, cause=cause))
    if task.held:
        (cmd, label), number = next(iter(task.held.items()))
        what = mask_text(f"{cmd} {label}")
        reason = f"held back: {what} is refused again and again. {error_type(number).explanation}"
        return Settle(task, Outcome("parked", number, reason))
    if task.unproven:
        return Settle(task, Outcome("parked", reason=why_parked(task.unproven)))
    if task.entry.kind == "removal":
        return Settle(task, Outcome("removed"), complete=True)
    if not task.done:
        return Settle(task, Outcome("unchanged"), complete=True)
    name = "created" if task.origin == "created" and task.entry.snapshot is None else "edited"
    return Settle(task, Outcome(name), complete=True)
