"""What comes next for one entry of the outbox, from its stage and Kartra's answer. Pure.

`next_call` is asked before a call, `next_step` after its answer; `delivery` does what they say and decides
nothing. Stages, and what leads from one to the next:

    planned ─┬─> DUE        what it owes may leave
             └─> ADOPTING   `update_only`, or a lead that was skipped before: Kartra may have it
    left without an outcome by an earlier run ──> LEFT

    at           answer                                      next
    DUE, FRESH   done, the first creation for a day          STORED
                 points are owed, or a list is taken back    PREPARING (at DUE)
                 nothing is owed                             settled
                 done, or refused for good, nothing owed     settled
                 done, and something is owed                 DUE
                 no word on some of it                       UNKNOWN, after a moment
                 not carried out (429, not reached)          DUE, the intent taken back, after a pause
                 244 to the first try of a creation          ADOPTING, the intent taken back
                 244 after an earlier try of it              UNKNOWN, once its effects have to show
                 244 to a new address, nothing else owed     TAKEN
                 no such lead, which a person had named      DUE, as a new lead
                 no such lead, known by its number           SEARCHING, the intent taken back
    PREPARING    profile                                     FRESH, what its person has left is kept
                 profile without the part to take from       settled as deferred
    SEARCHING    profile under another number                FRESH, with what it was given once
                 no such lead, `on_gone`                     settled (report, forget), or DUE as a new lead
    ADOPTING     profile                                     FRESH, or settled (skip, create_only)
                 profile with a part that cannot be read     settled as deferred
    UNKNOWN      profile: a creation of ours                 SHOWN, until its effects have to show
    UNKNOWN,     profile: all of it                          settled
    SHOWN        profile: not all of it, too soon            the same, once its effects have to show
                 profile: not all of it                      FRESH
                 profile: somebody else's creation           FRESH, as adopted
                 no such lead, too soon                      the same, once its effects have to show
                 no such lead                                FRESH
    LEFT,        as UNKNOWN and SHOWN, but settled as
    LEFT_SHOWN   "recovered": the run plans anew             settled
    STORED       profile: the address is stored as the file's mode has it, or does not show: settled
                 profile: the App is in the other mode       settled, and the run stops
    TAKEN        profile                                     settled, with whose address it is
                 no such lead: it was given up meanwhile     DUE
    other reads  no such lead, known by its number           SEARCHING
    any read     no usable answer                            the same, after a pause; at last left as it is
                 the lead of another record, deleted         settled
    any          credentials, App or address refused         left or taken back, and the run stops

A call that may have been carried out is followed by a read: nothing is sent again before its lead was read
and every effect had time to show ("in a few moments", §3.4).
"""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from connectors.errors import ConfigError, SyncError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Call, get_lead
from connectors.kartra.error_types import ALREADY_SO, LEAD_EXISTS, NO_SUCH_NAME, WRONG_STEP, error_type
from connectors.kartra.sender import fatal
from connectors.privacy import mask_text
from pipelines.calls.patience import FIRST_READ_S, UNREACHABLE_IN_A_ROW, pause_s, unreachable
from pipelines.changes.diff import (
    Change,
    apply_change,
    causes_of,
    created_lead,
    first_only,
    remaining,
    without,
)
from pipelines.changes.readback import reads_of, test_address
from pipelines.config.kartra import Mode
from pipelines.contacts.wishes import Cause
from pipelines.load.after_read import after_read
from pipelines.load.steps import (
    Leave,
    NextStep,
    PutBy,
    ReadBack,
    Send,
    Settle,
    Stop,
    Withdraw,
    anew,
    is_disproven,
    search,
    settled,
)
from pipelines.load.task import WRITES, Now, Rules, Stage, Task, owing
from pipelines.state.outbox import Outcome

# --- before a call


def next_call(task: Task, held: Mapping[Cause, str], *, is_last_pass: bool) -> NextStep:
    """The call that a task makes now, or its end if it needs none.

    `held` are the causes of the task that Kartra keeps refusing for every lead.
    """
    if task.stage not in WRITES:
        return ReadBack(task)
    if held:
        task = replace(task, held={**task.held, **held}, change=without(task.change, held))
    if not task.change:
        return PutBy(task) if task.held and not task.tries and not is_last_pass else settled(task)
    if task.one_by_one:
        task = replace(task, change=first_only(task.change))
    if task.needs_read:
        return ReadBack(replace(task, stage=Stage.PREPARING))
    if task.change.gives_points:
        # A new lead has no points (§6.1); the score before a call is what proves its points.
        score = 0 if task.change.create else task.score
        task = replace(task, change=replace(task.change, score=score))
    return Send(task)


def not_compiled(task: Task, error: KeyError | ValueError) -> Settle:
    """The end of a task whose change cannot be written as a call."""
    reason = str(error)
    if isinstance(error, KeyError):
        reason = f"the account has no custom field or option {error}"
    return Settle(task, Outcome("rejected", reason=reason))


def lookups(task: Task, mode: Mode, *, is_mode_open: bool = False) -> Iterator[Call]:
    """The calls that read its lead: by id if known, else by address, also as Test mode rewrites it.

    A lead that was taken over still has its old address, unless its change has landed.
    """
    desired, known = task.entry.desired, task.snapshot
    if task.stage is Stage.TAKEN:
        known = None
    if task.stage is Stage.SEARCHING and known is not None:
        known = replace(known, lead_id=None)
    if known is not None and (known.lead_id or task.origin != "created"):
        yield from reads_of(known, mode)
        if known.lead_id or desired is None or desired.email == known.email:
            return
    email = desired.email if desired else known.email if known else ""
    if mode == "test":
        yield get_lead(email=test_address(email))
    yield get_lead(email=email)
    if mode == "live" and (task.stage is Stage.ADOPTING or is_mode_open):
        yield get_lead(email=test_address(email))  # the file may be wrong about the mode


# --- after an answer


def next_step(task: Task, answer: Answer, now: Now, rules: Rules) -> NextStep:
    """The next step; `asks_owner` says when `now.owner` counts."""
    if answer.effect is Effect.FATAL:
        return not_sent(task, fatal(answer))
    if task.stage in WRITES:
        open_until = now.monotonic_s + rules.settle_s
        task = replace(task, stage=Stage.DUE, open_until=open_until)
        step = _after_write(task, answer, now, rules)
        return _shown(step) if now.is_mode_open and not now.is_halted else step
    return after_read(task, answer, now, rules)


def _shown(step: NextStep) -> NextStep:
    """What was created is read before it is settled, while nobody knows in which mode the App is."""
    if not isinstance(step, Settle) or "create_lead" not in step.task.done:
        return step
    return ReadBack(replace(step.task, stage=Stage.STORED))


def not_sent(task: Task, error: SyncError) -> Stop:
    """The step for a call that never left and never will; the intent of a write is taken back."""
    return Stop(error, Withdraw(task) if task.stage in WRITES else Leave(task))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the answer to a write says of its actions: which were done, and why others were refused."""

    done: tuple[bool, ...] = ()
    works: tuple[Cause, ...] = ()
    refused: tuple[tuple[Cause, str], ...] = ()


def heard(task: Task, answer: Answer, rules: Rules) -> Heard:
    """Nothing where no action of it was tried: not sent, no such lead, or the lead was there before."""
    if (
        answer.effect in (Effect.RETRY_LATER, Effect.FATAL)
        or (task.change.create and answer.actions[0].type == LEAD_EXISTS)
        or is_disproven(task, answer.actions[0].type, rules)
        or task.is_gone(answer.actions[0].type)
    ):
        return Heard()
    done = tuple(
        action.effect is Effect.DONE or (cmd, action.type) in ALREADY_SO
        for cmd, action in zip(task.change.commands, answer.actions, strict=True)
    )
    each = list(zip(causes_of(task.change), answer.actions, done, strict=True))
    return Heard(
        done,
        tuple(cause for cause, _, is_done in each if is_done),
        tuple(
            (cause, action.type or "")
            for cause, action, is_done in each
            if not is_done and action.effect is Effect.REFUSED
        ),
    )


def _after_write(task: Task, answer: Answer, now: Now, rules: Rules) -> NextStep:
    if answer.effect is Effect.RETRY_LATER:
        return _not_reached(task, answer.trouble, now)
    first = answer.actions[0].type
    if task.change.create and first == LEAD_EXISTS:
        return _address_taken(task, now)
    if is_disproven(task, first, rules):
        return anew(task, rules)
    if task.is_gone(first):  # nothing was done, because there was no such lead
        return Withdraw(task, search(task, first))
    barrier = f"HTTP {answer.status}" if answer.refused_on_the_way else ""
    task = replace(task, barriers=(*task.barriers, barrier), trouble=answer.trouble)
    result = heard(task, answer, rules)
    task = _take(task, result.done, answer.lead_id)
    task = replace(task, refused={**task.refused, **dict(result.refused)})
    missing = _name_missing(task)
    step = _after_actions(task, answer, result, replace(now, is_halted=now.is_halted or bool(missing)), rules)
    return Stop(missing, step, are_names_wrong=True) if missing else step


def _after_actions(
    task: Task, answer: Answer, result: Heard, now: Now, rules: Rules
) -> Send | ReadBack | Settle:
    if any(action.effect is Effect.UNKNOWN for action in answer.actions):
        refused = [action.effect is Effect.REFUSED for action in answer.actions]
        # Of a creation nothing counts as done before the lead itself has shown.
        proven = map(operator.or_, result.done, refused) if task.snapshot else [False, *refused[1:]]
        change = remaining(task.change, list(proven))
        one_by_one = task.one_by_one or answer.type is not None
        open_until = now.monotonic_s if _one_read_decides(change, answer, rules) else task.open_until
        task = replace(task, change=change, one_by_one=one_by_one, stage=Stage.UNKNOWN)
        return ReadBack(replace(task, open_until=open_until), FIRST_READ_S)
    task = owing(task, rules)
    if task.change and now.is_halted:
        # What was answered is proven and kept.
        return Settle(task, Outcome("deferred", reason="stopped before the rest was sent"))
    return Send(task) if task.change else settled(task)


def _one_read_decides(change: Change, answer: Answer, rules: Rules) -> bool:
    """Whether what does not show after a refused chain need not be waited for.

    Only where sending it again does no harm: an account may behave otherwise than when a doctor looked.
    """
    is_safe = not any(step.wish.once_only for step in change.steps)
    return rules.is_chain_known and answer.type is not None and is_safe


def _not_reached(task: Task, trouble: str, now: Now) -> Withdraw | Stop:
    if now.is_halted:
        return Withdraw(task)
    if now.unreached >= UNREACHABLE_IN_A_ROW:
        return Stop(unreachable(trouble), Withdraw(task))
    # A call that did not arrive does not count as a try.
    return Withdraw(task, Send(replace(task, tries=task.tries - 1), pause_s(now.unreached)))


def _address_taken(task: Task, now: Now) -> ReadBack | Withdraw:
    """After 244: a creation that was tried before, by this run or a dead one, may have landed."""
    if now.earlier_try_at is not None or task.tries > 1:
        intended_at = now.earlier_try_at or task.intended_at
        is_own = now.earlier_by_own_clock if now.earlier_try_at else task.by_own_clock
        task = replace(task, intended_at=intended_at, by_own_clock=is_own, stage=Stage.UNKNOWN)
        return ReadBack(task, task.left_s(now))
    task = replace(task, stage=Stage.ADOPTING)
    return Withdraw(task, ReadBack(task))  # refused before anything was done


def _take(task: Task, done: tuple[bool, ...], lead_id: str | None) -> Task:
    """The task with what this answer acknowledged; the outcome or the next intent commits it."""
    if not any(done):
        return task
    snapshot, origin, desired = task.snapshot, task.origin, task.entry.desired
    if snapshot is None and desired is not None and done[0]:
        snapshot, origin = replace(created_lead(desired), kept=task.left), "created"
    if snapshot is None:
        return task
    snapshot = apply_change(snapshot, task.change, done)
    if lead_id:
        snapshot = replace(snapshot, lead_id=lead_id)
    landed_now = [cmd for cmd, is_done in zip(task.change.commands, done, strict=True) if is_done]
    return replace(task, snapshot=snapshot, origin=origin, done=(*task.done, *landed_now))


def names_missing(task: Task) -> frozenset[Cause]:
    """What Kartra refused because the account has no such name; none where a step is wrong, too."""
    missing = {cause: number for cause, number in task.refused.items() if number in NO_SUCH_NAME}
    return frozenset() if WRONG_STEP.intersection(missing.values()) else frozenset(missing)


def once_more(task: Task, rules: Rules) -> Send:
    """The account has those names after all: what was refused for want of them is owed again."""
    missing = names_missing(task)
    refused = {cause: number for cause, number in task.refused.items() if cause not in missing}
    return Send(owing(replace(task, stage=Stage.DUE, refused=refused), rules))


def _name_missing(task: Task) -> ConfigError | None:
    """The error for a name that the account lacks: every lead that wishes for it would be refused."""
    for (_, name), number in task.refused.items():
        if number in NO_SUCH_NAME:
            error = error_type(number)
            return ConfigError(
                f'Kartra: {error.message} ({number}): "{mask_text(name)}". Stopped, the rest waits.'
                f" {error.advice}"
            )
    return None
