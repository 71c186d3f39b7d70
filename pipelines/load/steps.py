"""The possible next steps of an outbox entry, and how an entry ends. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from connectors.errors import SyncError
from connectors.kartra.error_types import LEAD_EXISTS, NO_LEAD, NO_SUCH_NAME, error_type
from connectors.privacy import mask_text
from pipelines.changes.before_call import left_of
from pipelines.changes.diff import created_lead, why_parked
from pipelines.config.kartra import Mode
from pipelines.contacts.lead import Snapshot
from pipelines.load.task import Rules, Stage, Task, owing
from pipelines.state.outbox import Outcome


@dataclass(frozen=True, slots=True)
class Send:
    """Send the change of the task, after a delay."""

    task: Task
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Read its lead, after a delay; the stage says what for."""

    task: Task
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Settle:
    """The entry has ended. `complete`: nothing is owed any more."""

    task: Task
    outcome: Outcome
    complete: bool = False
    mode: Mode | None = None
    """The mode of the App that the lead has shown."""
    given_up_at: datetime | None = None
    """When a creation was intended that did not show. A lead that has its address later may still be it."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the intent back, because its call was never carried out, then go on."""

    task: Task
    then: Send | ReadBack | None = None


@dataclass(frozen=True, slots=True)
class BeginAnew:
    """Drop what was known of the lead, because Kartra does not have it, and send it as a new one."""

    task: Task
    gone_id: str | None = None
    """The number it was known by."""
    remains: Snapshot | None = None
    """What its person has left, as of a lead that nobody has read: until it is made anew it stands so in the
    state, and a run that dies before that, or gives up, forgets no no."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it in the outbox for the next run."""

    task: Task


@dataclass(frozen=True, slots=True)
class PutBy:
    """Put the task by: all that it owes is held back, and a probe may show that it works again."""

    task: Task


@dataclass(frozen=True, slots=True)
class Stop:
    """Let no further call leave, because of the error, and do `then`."""

    error: SyncError
    then: Send | ReadBack | Settle | Withdraw | Leave
    are_names_wrong: bool = False
    """Whether the account lacks a name that its kept lists have."""


NextStep = Send | ReadBack | Settle | Withdraw | BeginAnew | Leave | PutBy | Stop


def is_disproven(task: Task, number: str | None, rules: Rules) -> bool:
    """Whether a lead that was only taken over turns out not to be in Kartra."""
    snapshot = task.snapshot
    return (
        number in NO_LEAD
        and task.entry.kind == "load"
        and task.origin == "adopted"
        and (snapshot is not None and not snapshot.lead_id)
        and rules.sync_mode == "upsert"
    )


def anew(task: Task, rules: Rules) -> BeginAnew:
    """The step that sends it as a new lead."""
    gone_id = task.snapshot.lead_id if task.snapshot else None
    # All else is dropped; but who left a list stays off it, whatever number they have now.
    left = left_of(task.snapshot) | task.left
    desired = task.entry.desired
    remains = replace(created_lead(desired), kept=left) if left and desired else None
    entry = replace(task.entry, snapshot=None, origin=None)
    task = replace(
        task, entry=entry, snapshot=None, origin=None, stage=Stage.DUE, tries=0, gone=None, left=left
    )
    return BeginAnew(owing(task, rules), gone_id, remains)


def search(task: Task, number: str | None) -> ReadBack:
    """The step that reads its lead by address: it may be merged into another, or made anew."""
    return ReadBack(replace(task, stage=Stage.SEARCHING, gone=number))


def settled(task: Task) -> Settle | ReadBack:
    """The end of a task that owes nothing any more, except what Kartra refused.

    If its new address was refused, the lead that has the address is read first.
    """
    if task.refused.get(("edit_lead", "")) == LEAD_EXISTS:
        return ReadBack(replace(task, stage=Stage.TAKEN))
    # Deferred and not rejected: it is the account that lacks something, not the record.
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
        return Settle(task, Outcome("edited" if task.entry.is_withdrawal else "removed"), complete=True)
    if not task.done:
        return Settle(task, Outcome("unchanged"), complete=True)
    name = "created" if task.origin == "created" and task.entry.snapshot is None else "edited"
    return Settle(task, Outcome(name), complete=True)
