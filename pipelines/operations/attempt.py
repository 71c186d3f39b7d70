"""What comes next for one operation, from its stage and Kartra's answer. Each is sent once. Pure.

`carry_out` does what `next_step` says and decides nothing. Stages, and what leads from one to the next:

    at          came                                       next
    PREPARING   it may be sent                             SENDING
                it is so already, or cannot be             settled
    SENDING     done, or refused                           settled
                not carried out (429, not reached)         SENDING, the intent taken back, after a pause
                no word on it                              READING, after a moment
    READING     it landed                                  settled as done
                anything else, too soon                    READING, once its effect has to show
                nothing proves it                          settled as parked
                it did not land, Kartra said it failed     settled as refused
                it did not land, barred in two runs        settled as refused
                it did not land                            PREPARING, the intent taken back; at last deferred
                refunds of which one may be ours           READING, at those that belong to no other operation
    LEFT        as READING, of an earlier run; did not land: the intent is taken back, and its row decides
    any         no call can succeed or arrive              taken back or left as it is, and the run stops

Only what is proven not to have happened is sent again.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from connectors.errors import SyncError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.error_types import PROVIDER_FAILED
from connectors.kartra.profile import text_of
from connectors.kartra.sender import fatal
from pipelines.calls.patience import FIRST_READ_S, MAX_TRIES, UNREACHABLE_IN_A_ROW, pause_s, unreachable
from pipelines.config.operations import Do
from pipelines.operations.checks import GUARDED, Checked, NewRefunds, ended_by
from pipelines.operations.journal import Ended
from pipelines.operations.operation import Operation
from pipelines.operations.proof import Judged, Verdict
from pipelines.operations.rows import Row


class Stage(StrEnum):
    """Where an operation is on its way."""

    PREPARING = "preparing"
    """What may have changed since its check is read again."""
    SENDING = "sending"
    """Its call leaves, as often as it takes until one arrives."""
    READING = "reading"
    """A try has no answer: its effect is read back, and nothing else leaves before."""
    LEFT = "left"
    """Like READING, for a try that an earlier run left without an outcome."""


@dataclass(frozen=True, slots=True)
class Now:
    """The circumstances of the moment, which no attempt holds."""

    monotonic_s: float
    is_halted: bool = False
    """No further call may leave."""
    unreached: int = 0
    """Calls in a row that were proven not to have been carried out, including the last one."""
    was_given_up: bool = False
    """Whether an open try of the key by an earlier run had not landed."""
    barred_before: str | None = None
    """What refused every try of it in an earlier run (`Attempt.barrier`)."""
    others_pass: bool = False
    """Whether other operations reach Kartra, so that this one alone is refused on the way."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation on its way. `row` is its row in the source; a try of an earlier run has none."""

    asked: Operation
    checked: Checked
    row: Row | None = None
    stage: Stage = Stage.PREPARING
    settle_s: float = 0.0
    """After so long without showing, an effect counts as not having happened."""
    again: bool = False
    """Whether something was sent for this lead since it was checked."""
    tries: int = 1
    until_s: float = 0.0
    """The monotonic second by which its effect must show."""
    read_at_s: float = 0.0
    """The monotonic second of the last read."""
    failed_with: str | None = None
    """The error type of the last try."""
    refunds: tuple[str, ...] = ()
    """New refunds of the lead, one of which may be ours."""
    barriers: tuple[str, ...] = ()
    """Of each try: what stood in front of Kartra and refused it, such as HTTP 403; "" where nothing did."""
    trouble: str = ""
    """What the last of them said."""

    @property
    def barrier(self) -> str | None:
        """What refused every try of it in the same way, before Kartra."""
        return self.barriers[0] or None if len(set(self.barriers)) == 1 else None


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to a try, and the amount of its refund if that was read; `error` if reading it failed."""

    answer: Answer
    amount: Decimal | None = None
    error: SyncError | None = None


Came = Checked | Ended | Sent | Judged | NewRefunds | SyncError


# Like those of `load.steps` in shape alone: they carry an attempt or a task, which share no field,
# and a step for both would have to be opened up again wherever it arrives.


@dataclass(frozen=True, slots=True)
class Go:
    """Make its next call after a delay; the stage says which."""

    attempt: Attempt
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Read back after a delay what became of it; until then that is unknown."""

    attempt: Attempt
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Settle:
    """It has ended."""

    attempt: Attempt
    ended: Ended


@dataclass(frozen=True, slots=True)
class Defer:
    """It has not happened, and the next run sends it."""

    attempt: Attempt
    reason: str | None = None
    barrier: str | None = None
    """What refused every try of it in this run, before Kartra."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the intent back, because its call was never carried out, then go on."""

    attempt: Attempt
    then: Go | Defer


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Take the intent of an earlier run's try back, which had not landed; its row decides."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it as it is for the next run."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Stop:
    """Let no further call leave, because of the error, and do `then`."""

    error: SyncError
    then: Settle | Withdraw | Leave


NextStep = Go | ReadBack | Settle | Defer | Withdraw | GiveUp | Leave | Stop


def next_step(attempt: Attempt, came: Came, now: Now) -> NextStep:
    """The next step, once a worker returned what `came`."""
    if isinstance(came, SyncError):
        return Stop(came, _untouched(attempt))
    match attempt.stage, came:
        case Stage.PREPARING, Checked():
            return Go(replace(attempt, checked=came, stage=Stage.SENDING))
        case Stage.PREPARING, Ended():
            return Settle(attempt, came)
        case Stage.SENDING, Sent():
            return _after_try(attempt, came, now)
        case ((Stage.READING | Stage.LEFT), NewRefunds()):
            return Go(replace(attempt, refunds=came.numbers))
        case ((Stage.READING | Stage.LEFT), Judged()):
            return _after_read_back(attempt, came, now)
    raise TypeError(f"{type(came).__name__} while {attempt.stage}")


def _untouched(attempt: Attempt) -> Withdraw | Leave:
    """The step for an attempt whose call never left."""
    return Withdraw(attempt, Defer(attempt)) if attempt.stage is Stage.SENDING else Leave(attempt)


def _after_try(attempt: Attempt, sent: Sent, now: Now) -> NextStep:
    answer = sent.answer
    match answer.effect:
        case Effect.FATAL:
            return Stop(fatal(answer), _untouched(attempt))
        case Effect.RETRY_LATER:
            return _not_reached(attempt, answer.trouble, now)
        case Effect.DONE:
            settle = Settle(attempt, _done(attempt, sent))
            return Stop(sent.error, settle) if sent.error else settle  # the operation itself is done
        case Effect.REFUSED:
            return Settle(attempt, _refused(attempt, answer.actions[0].type or "", now))
    attempt = replace(
        attempt,
        stage=Stage.READING,
        until_s=now.monotonic_s + attempt.settle_s,
        failed_with=answer.actions[0].type,
        barriers=(*attempt.barriers, f"HTTP {answer.status}" if answer.refused_on_the_way else ""),
        trouble=answer.trouble,
    )
    # Effects may show only "in a few moments" (§3.4), so not at once.
    return ReadBack(attempt, min(FIRST_READ_S, attempt.settle_s))


def _not_reached(attempt: Attempt, trouble: str, now: Now) -> Withdraw | Stop:
    if now.is_halted:
        return Withdraw(attempt, Defer(attempt))
    if now.unreached >= UNREACHABLE_IN_A_ROW:
        return Stop(unreachable(trouble), Withdraw(attempt, Defer(attempt)))
    return Withdraw(attempt, Go(attempt, pause_s(now.unreached)))


def refund_of(answer: Answer) -> str | None:
    """The number of the refund in an answer."""
    return text_of((answer.actions[0].payload or {}).get("transaction_refunded")) or None


def _done(attempt: Attempt, sent: Sent) -> Ended:
    if attempt.asked.do is not Do.REFUND:
        return Ended("done")
    # The new row counts, where it could be read: less may have been left by then than at the check.
    amount = sent.amount or attempt.checked.amount
    return Ended("done", amount=amount, refund_id=refund_of(sent.answer))


def _refused(attempt: Attempt, number: str, now: Now) -> Ended:
    """The end after a refusal. "Already done" proves an open try of ours that had not shown in time."""
    asked = attempt.asked
    is_whole = asked.do is not Do.REFUND or asked.amount is None
    was_tried = attempt.tries > 1 or now.was_given_up
    if was_tried and is_whole and GUARDED.get(asked.do) == number:
        return Ended("done", reason="it showed late", amount=attempt.checked.amount)
    return ended_by(asked, number)


def _after_read_back(attempt: Attempt, judged: Judged, now: Now) -> NextStep:
    is_last = attempt.read_at_s >= attempt.until_s
    # Only the last look can prove that nothing happened: an effect may still be on its way.
    if judged.verdict is not Verdict.LANDED and not is_last:
        attempt = replace(attempt, refunds=())
        return Leave(attempt) if now.is_halted else ReadBack(attempt, attempt.until_s - now.monotonic_s)
    if judged.verdict is not Verdict.NOT_LANDED:
        return Settle(attempt, _proven(judged, attempt.checked.amount))
    if attempt.stage is Stage.LEFT:
        return GiveUp(attempt)
    # Kartra reported a failure of the payment provider, and nothing shows: another try would fail the same
    # way.
    if attempt.failed_with in PROVIDER_FAILED:
        return Settle(attempt, ended_by(attempt.asked, attempt.failed_with or ""))
    if now.is_halted:
        return Withdraw(attempt, Defer(attempt))
    is_barred = attempt.barrier is not None and attempt.barrier == now.barred_before
    if is_barred and now.others_pass and len(attempt.barriers) > 1:
        reason = f"{attempt.trouble}: something in front of Kartra refuses this row, in two runs now"
        return Settle(attempt, Ended("refused", reason=reason))
    if attempt.tries >= MAX_TRIES:
        reason = f"no usable answer in {MAX_TRIES} tries; it has not happened, the next run sends it"
        return Withdraw(attempt, Defer(attempt, reason, attempt.barrier))
    return Withdraw(attempt, Go(replace(attempt, stage=Stage.PREPARING, tries=attempt.tries + 1)))


def _proven(judged: Judged, amount: Decimal | None) -> Ended:
    if judged.verdict is Verdict.LANDED:
        return Ended("done", reason="read back", amount=judged.amount or amount, refund_id=judged.refund_id)
    return Ended("parked", reason=judged.reason, amount=amount)
