"""When everything that calls Kartra tries again, and when it gives up."""

from connectors.kartra.answers import Effect, uniform
from connectors.kartra.commands import get_lead
from pipelines.calls.patience import LONGEST_PAUSE_S, UNANSWERED_IN_A_ROW, Patience, pause_s

READ = get_lead(email="ann@example.org")
SILENT, DONE, THROTTLED = (
    uniform(READ, effect) for effect in (Effect.UNKNOWN, Effect.DONE, Effect.RETRY_LATER)
)
SAYS_SOMETHING = uniform(READ, Effect.UNKNOWN, {"status": "error", "type": "266"})


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_s(tries) for tries in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert pause_s(1_000) == LONGEST_PAUSE_S


def test_patience_ends_with_the_last_of_many_calls_in_a_row_without_a_usable_answer() -> None:
    patience = Patience()
    for _ in range(UNANSWERED_IN_A_ROW - 1):
        patience.hear(SILENT)
    assert not patience.is_exhausted
    patience.hear(SILENT)
    assert patience.is_exhausted


def test_one_answer_that_says_something_begins_the_count_anew() -> None:
    for answer in (DONE, THROTTLED, SAYS_SOMETHING):
        patience = Patience()
        for _ in range(UNANSWERED_IN_A_ROW - 1):
            patience.hear(SILENT)
        patience.hear(answer)
        patience.hear(SILENT)
        assert not patience.is_exhausted


def test_writes_that_never_arrive_are_counted_until_one_does() -> None:
    patience = Patience()
    for answer in (THROTTLED, THROTTLED, SILENT):
        patience.hear_write(answer)
    assert patience.unreached == 0
    patience.hear_write(THROTTLED)
    assert patience.unreached == 1
