"""What comes next for one operation: a table of stages and answers, and what holds in any order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import AccessRefusedError, RetryableApiError
from connectors.kartra.answers import ActionAnswer, Answer, Effect
from connectors.kartra.commands import Lead
from pipelines.calls.patience import FIRST_READ_S, MAX_TRIES, UNREACHABLE_IN_A_ROW
from pipelines.config.operations import Do
from pipelines.operations.attempt import (
    Attempt,
    Came,
    Defer,
    GiveUp,
    Go,
    Leave,
    NextStep,
    Now,
    ReadBack,
    Sent,
    Settle,
    Stage,
    Stop,
    Withdraw,
    next_step,
)
from pipelines.operations.checks import Checked, NewRefunds
from pipelines.operations.journal import Ended
from pipelines.operations.operation import Operation
from pipelines.operations.proof import Judged, Verdict
from pipelines.operations.rows import Row

SETTLE_S = 10.0
LEAD = Lead(id="5")
PART = Operation("R-1", Do.REFUND, LEAD, {"transaction": "7", "amount": "12.50"})
WHOLE = Operation("R-2", Do.REFUND, LEAD, {"transaction": "7"})
CANCEL = Operation("C-1", Do.CANCEL, LEAD, {"transaction": "7"})
CHECKED = Checked(LEAD, Decimal("12.50"), {"refunds": []}, Decimal("40.00"))
NOW = Now(1000.0)
LATE = Now(1000.0 + SETTLE_S)


def attempt(stage: Stage, asked: Operation = PART, **more: object) -> Attempt:
    row = None if stage is Stage.LEFT else Row(1, 2, None, asked.key, asked)
    return replace(Attempt(asked, CHECKED, row, stage, SETTLE_S), **more)  # type: ignore[arg-type]


def looked(at_s: float = 1000.0, stage: Stage = Stage.READING, **more: object) -> Attempt:
    """Sent at second 1000, and looked at."""
    return attempt(stage, until_s=1000.0 + SETTLE_S, read_at_s=at_s, **more)


def last(**more: object) -> Attempt:
    """Looked at once its effect has to show."""
    return looked(1000.0 + SETTLE_S, **more)  # type: ignore[arg-type]


def answered(effect: Effect, number: str | None = None, **payload: str) -> Sent:
    action = ActionAnswer(effect, number, payload)
    return Sent(Answer(effect, (action,), number, {"type": number} if number else {}))


def judged(verdict: Verdict) -> Judged:
    return Judged(verdict, "nobody can tell" if verdict is Verdict.UNPROVEN else "")


DONE = answered(Effect.DONE, transaction_refunded="90")
NO_WORD = answered(Effect.UNKNOWN)
REFUSED = "250"
LANDED, NOT_LANDED, UNPROVEN = map(judged, (Verdict.LANDED, Verdict.NOT_LANDED, Verdict.UNPROVEN))
ERROR = RetryableApiError("no usable answer")


@dataclass(frozen=True)
class Case:
    attempt: Attempt
    came: Came
    then: tuple[str, ...]
    now: Now = NOW


def named(step: NextStep) -> tuple[str, ...]:
    """A step in words: what is done, then the stage it leads to or the outcome."""
    match step:
        case Go(of) | ReadBack(of):
            return (type(step).__name__, of.stage.name)
        case Settle(_, ended):
            return ("Settle", ended.outcome)
        case Withdraw(_, then):
            return ("Withdraw", *named(then))
        case Stop(error, then):
            return ("Stop", type(error).__name__, *named(then))
        case _:
            return (type(step).__name__,)


CASES = {
    "it may be sent": Case(attempt(Stage.PREPARING), CHECKED, ("Go", "SENDING")),
    "it is so already": Case(attempt(Stage.PREPARING), Ended("already done"), ("Settle", "already done")),
    "it cannot be checked": Case(attempt(Stage.PREPARING), ERROR, ("Stop", "RetryableApiError", "Leave")),
    "done": Case(attempt(Stage.SENDING), DONE, ("Settle", "done")),
    "done, and what it gave back could not be asked": Case(
        attempt(Stage.SENDING, WHOLE),
        replace(DONE, error=ERROR),
        ("Stop", "RetryableApiError", "Settle", "done"),
    ),
    "refused": Case(attempt(Stage.SENDING), answered(Effect.REFUSED, REFUSED), ("Settle", "refused")),
    "it is so already, says Kartra": Case(
        attempt(Stage.SENDING, WHOLE), answered(Effect.REFUSED, "251"), ("Settle", "already done")
    ),
    "it is so already, after a try of ours": Case(
        attempt(Stage.SENDING, WHOLE, tries=2), answered(Effect.REFUSED, "251"), ("Settle", "done")
    ),
    "it is so already, after a try of an earlier run": Case(
        attempt(Stage.SENDING, WHOLE),
        answered(Effect.REFUSED, "251"),
        ("Settle", "done"),
        replace(NOW, was_given_up=True),
    ),
    "a part may have been given back by somebody else": Case(
        attempt(Stage.SENDING, PART, tries=2), answered(Effect.REFUSED, "251"), ("Settle", "refused")
    ),
    "not carried out": Case(
        attempt(Stage.SENDING),
        answered(Effect.RETRY_LATER),
        ("Withdraw", "Go", "SENDING"),
        replace(NOW, unreached=1),
    ),
    "not carried out, and a stop": Case(
        attempt(Stage.SENDING),
        answered(Effect.RETRY_LATER),
        ("Withdraw", "Defer"),
        replace(NOW, is_halted=True),
    ),
    "nothing arrives any more": Case(
        attempt(Stage.SENDING),
        answered(Effect.RETRY_LATER),
        ("Stop", "RetryableApiError", "Withdraw", "Defer"),
        replace(NOW, unreached=UNREACHABLE_IN_A_ROW),
    ),
    "it never left": Case(attempt(Stage.SENDING), ERROR, ("Stop", "RetryableApiError", "Withdraw", "Defer")),
    "credentials are refused": Case(
        attempt(Stage.SENDING),
        answered(Effect.FATAL, "201"),
        ("Stop", "AccessRefusedError", "Withdraw", "Defer"),
    ),
    "no word on it": Case(attempt(Stage.SENDING), NO_WORD, ("ReadBack", "READING")),
    "Kartra says that it failed": Case(
        attempt(Stage.SENDING), answered(Effect.UNKNOWN, "266"), ("ReadBack", "READING")
    ),
    "it landed": Case(looked(), LANDED, ("Settle", "done")),
    "it may land yet": Case(looked(), NOT_LANDED, ("ReadBack", "READING")),
    "it may be proven yet": Case(looked(), UNPROVEN, ("ReadBack", "READING")),
    "it may land yet, and a stop": Case(looked(), NOT_LANDED, ("Leave",), replace(NOW, is_halted=True)),
    "nothing proves it": Case(last(), UNPROVEN, ("Settle", "parked"), LATE),
    "it did not land": Case(last(), NOT_LANDED, ("Withdraw", "Go", "PREPARING"), LATE),
    "it did not land, and a stop": Case(
        last(), NOT_LANDED, ("Withdraw", "Defer"), replace(LATE, is_halted=True)
    ),
    "it did not land in all its tries": Case(last(tries=MAX_TRIES), NOT_LANDED, ("Withdraw", "Defer"), LATE),
    "it did not land, and Kartra said that it failed": Case(
        last(failed_with="266"), NOT_LANDED, ("Settle", "refused"), LATE
    ),
    "one of these may be ours": Case(looked(), NewRefunds(("90",)), ("Go", "READING")),
    "it cannot be looked at": Case(last(), ERROR, ("Stop", "RetryableApiError", "Leave"), LATE),
    "an earlier run's landed": Case(looked(stage=Stage.LEFT), LANDED, ("Settle", "done")),
    "an earlier run's may land yet": Case(looked(stage=Stage.LEFT), NOT_LANDED, ("ReadBack", "LEFT")),
    "an earlier run's did not land": Case(last(stage=Stage.LEFT), NOT_LANDED, ("GiveUp",), LATE),
    "nothing proves an earlier run's": Case(last(stage=Stage.LEFT), UNPROVEN, ("Settle", "parked"), LATE),
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes_next(name: str) -> None:
    case = CASES[name]
    assert named(next_step(case.attempt, case.came, case.now)) == case.then


def test_the_table_reaches_every_stage_and_every_kind_of_step() -> None:
    stages = {case.attempt.stage for case in CASES.values()}
    kinds = {word for case in CASES.values() for word in case.then}
    assert stages == set(Stage)
    assert kinds >= {"Go", "ReadBack", "Settle", "Defer", "Withdraw", "GiveUp", "Leave", "Stop"}


def test_a_refund_ends_with_its_number_and_with_what_it_gave_back() -> None:
    step = next_step(attempt(Stage.SENDING, WHOLE), replace(DONE, amount=Decimal("40.00")), NOW)
    assert isinstance(step, Settle)
    assert step.ended == Ended("done", amount=Decimal("40.00"), refund_id="90")
    unweighed = next_step(attempt(Stage.SENDING), DONE, NOW)
    assert isinstance(unweighed, Settle)
    assert unweighed.ended == Ended("done", amount=Decimal("12.50"), refund_id="90")


def test_the_first_look_comes_soon_and_the_last_once_the_effect_has_to_show() -> None:
    first = next_step(attempt(Stage.SENDING), NO_WORD, NOW)
    assert isinstance(first, ReadBack)
    assert (first.delay_s, first.attempt.until_s) == (FIRST_READ_S, 1000.0 + SETTLE_S)
    second = next_step(looked(1001.0), NOT_LANDED, Now(1001.5))
    assert isinstance(second, ReadBack)
    assert second.delay_s == SETTLE_S - 1.5


def test_after_a_look_at_its_refunds_the_next_look_asks_for_them_anew() -> None:
    step = next_step(looked(refunds=("90",)), UNPROVEN, NOW)
    assert isinstance(step, ReadBack)
    assert step.attempt.refunds == ()


def test_credentials_that_are_refused_are_the_error_of_the_run() -> None:
    step = next_step(attempt(Stage.SENDING), answered(Effect.FATAL, "201"), NOW)
    assert isinstance(step, Stop)
    assert isinstance(step.error, AccessRefusedError)
    assert step.error.type == "201"


# --- in any order of answers


CAME: dict[Stage, list[Callable[[], Came]]] = {
    Stage.PREPARING: [lambda: CHECKED, lambda: CHECKED, lambda: Ended("already done"), lambda: ERROR],
    Stage.SENDING: [
        *(lambda: NO_WORD, lambda: NO_WORD, lambda: DONE, lambda: answered(Effect.RETRY_LATER)),
        *(lambda: answered(Effect.REFUSED, REFUSED), lambda: answered(Effect.UNKNOWN, "266"), lambda: ERROR),
    ],
    Stage.READING: [lambda: LANDED, lambda: NOT_LANDED, lambda: NOT_LANDED, lambda: UNPROVEN, lambda: ERROR],
}
CAME[Stage.LEFT] = CAME[Stage.READING]


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from([attempt(Stage.PREPARING), looked(stage=Stage.LEFT)]), data=st.data())
def test_an_operation_ends_once_and_is_sent_again_only_when_the_try_before_is_proven_not_to_have_landed(
    start: Attempt, data: st.DataObject
) -> None:
    now, proof = NOW, True
    intent = start.stage is Stage.LEFT
    ended = calls = 0
    done: list[NextStep] = [Go(start)]
    while done:
        match done.pop():
            case Go(of, delay_s) | ReadBack(of, delay_s):
                now = Now(now.monotonic_s + delay_s, now.is_halted, unreached=1)
                if of.stage is Stage.SENDING:
                    assert proof, "sent again without proof"
                    intent = True
                elif of.stage is not Stage.PREPARING:
                    of = replace(of, read_at_s=now.monotonic_s)
                came = data.draw(st.sampled_from(CAME[of.stage]))()
                if isinstance(came, Sent) and came.answer.effect is Effect.UNKNOWN:
                    proof = False
                if isinstance(came, Judged) and came.verdict is Verdict.NOT_LANDED:
                    proof = of.read_at_s >= of.until_s
                calls += 1
                assert calls < 200, "it never ends"
                done.append(next_step(of, came, now))
            case Withdraw(_, then):
                assert intent, "nothing to take back"
                assert proof, "taken back without proof"
                intent = False
                done.append(then)
            case Settle():
                ended, intent = ended + 1, False
            case GiveUp():
                assert proof
                ended, intent = ended + 1, False
            case Stop(_, then):
                now = replace(now, is_halted=True)
                done.append(then)
            case Defer():
                assert not intent
                ended += 1
            case Leave():
                ended += 1
    assert ended == 1
