"""What stops a run: before it starts, and on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.calls.guards import FAILED_IN_A_ROW, OPENS_AFTER, PROBE_AFTER_S, Breakers, FailureGuard
from pipelines.config.guards import GuardsConfig
from pipelines.errors import GuardError
from pipelines.load.guards import check_before

GUARDS = GuardsConfig.model_validate(
    {"min_rows": 10, "max_removed": "5%", "max_edited": "50%", "max_failed": "5%"}
)


def stopped_at(guard: FailureGuard, failures: list[bool]) -> int | None:
    """Which observation stops the run, counted from 1."""
    for number, failed in enumerate(failures, start=1):
        try:
            guard.observe(failed=failed)
        except GuardError:
            return number
    return None


def failing(failed: str) -> FailureGuard:
    return FailureGuard(GuardsConfig.model_validate({"max_failed": failed}))


def test_a_run_at_the_edge_of_its_guards_may_start() -> None:
    check_before(GUARDS, rows=10, known=100, edited=50, removed=5)
    check_before(GUARDS, rows=10, known=0, edited=0, removed=0)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"rows": 9, "known": 0, "edited": 0, "removed": 0},
            "the source has 9 rows, guards.min_rows asks for 10: nothing was sent",
        ),
        (
            {"rows": 5000, "known": 1000, "edited": 0, "removed": 51},
            "51 of 1,000 leads have gone from the source, more than guards.max_removed allows:"
            " nothing was sent. Is the source complete?",
        ),
        (
            {"rows": 10, "known": 100, "edited": 51, "removed": 5},
            "51 of 100 leads would be edited, more than guards.max_edited allows: nothing was sent",
        ),
    ],
)
def test_one_beyond_a_guard_stops_the_run_before_it_starts(counts: dict[str, int], message: str) -> None:
    with pytest.raises(GuardError) as refusal:
        check_before(GUARDS, **counts)
    assert str(refusal.value) == message


def test_a_guard_may_be_a_number_of_leads() -> None:
    guards = GuardsConfig.model_validate({"max_removed": 3, "max_edited": 0})
    check_before(guards, rows=1, known=4, edited=0, removed=3)
    with pytest.raises(GuardError, match=r"^4 of 4 leads have gone"):
        check_before(guards, rows=1, known=4, edited=0, removed=4)
    with pytest.raises(GuardError, match=r"^1 of 4 leads would be edited"):
        check_before(guards, rows=1, known=4, edited=1, removed=0)


def test_an_empty_source_never_starts_by_default() -> None:
    with pytest.raises(GuardError, match=r"^the source has 0 rows"):
        check_before(GuardsConfig(), rows=0, known=0, edited=0, removed=0)


@pytest.mark.parametrize("before", [0, 1, 10_000])
def test_twenty_five_failures_in_a_row_stop_the_run(before: int) -> None:
    failures = [False] * before + [True] * 30
    assert stopped_at(failing("100%"), failures) == before + 25


def test_a_success_breaks_the_row() -> None:
    rows = ([True] * 24 + [False]) * 10
    assert FAILED_IN_A_ROW == 25
    assert stopped_at(failing("100%"), rows) is None


def test_a_share_of_failures_counts_from_the_hundredth_lead() -> None:
    assert stopped_at(failing("5%"), [True] * 20 + [False] * 79) is None
    assert stopped_at(failing("5%"), [True] * 20 + [False] * 79 + [True]) == 100
    assert stopped_at(failing("5%"), [False] * 95 + [True] * 5) is None
    assert stopped_at(failing("5%"), [False] * 95 + [True] * 6) == 101


def test_a_number_of_failures_counts_from_the_first_lead() -> None:
    assert stopped_at(failing("2"), [True, True]) is None
    assert stopped_at(failing("2"), [True, False, True, True]) == 4
    assert stopped_at(failing("0"), [False, True]) == 2


def test_a_failure_guard_says_what_happened() -> None:
    in_a_row, share = failing("100%"), failing("0")
    with pytest.raises(GuardError) as refusal:
        stop_by(in_a_row, 25)
    assert str(refusal.value) == (
        "25 leads in a row were refused or held back: stopped, the rest waits. `kartra-sync rejects` says why"
    )
    with pytest.raises(GuardError) as refusal:
        stop_by(share, 1)
    assert str(refusal.value) == (
        "1 of 1 leads were refused or held back, more than guards.max_failed allows: stopped, the rest waits."
        " `kartra-sync rejects` says why"
    )


def stop_by(guard: FailureGuard, failures: int) -> None:
    for _ in range(failures):
        guard.observe(failed=True)


@given(failures=st.lists(st.booleans(), max_size=400), percent=st.integers(0, 100))
def test_a_run_that_was_not_stopped_is_within_its_share(failures: list[bool], percent: int) -> None:
    stop = stopped_at(failing(f"{percent}%"), failures)
    seen = failures if stop is None else failures[: stop - 1]
    last_failure = max((place for place, failed in enumerate(seen, start=1) if failed), default=0)
    if last_failure >= 100:
        assert sum(seen) * 100 <= percent * last_failure
    if stop is not None:
        assert failures[stop - 1]


# --- what many leads are about to get


def test_more_leads_than_agreed_for_one_thing_need_a_person() -> None:
    guards = GuardsConfig.model_validate({"max_triggered": "20%"})
    counts = {'tag "VIP"': 20, 'list "News"': 21, 'sequence "Onboarding"': 22}
    with pytest.raises(GuardError) as refusal:
        check_before(guards, rows=100, known=0, edited=0, removed=0, triggered=counts)
    assert str(refusal.value) == (
        'about to give list "News" to 21 leads, sequence "Onboarding" to 22 leads, more than'
        " guards.max_triggered allows: nothing was sent, because each can send mail."
        " If it is meant: kartra-sync run --yes"
    )
    check_before(guards, rows=100, known=0, edited=0, removed=0, triggered=counts, approved=True)
    check_before(guards, rows=110, known=0, edited=0, removed=0, triggered=counts)


def test_without_a_limit_any_number_of_leads_gets_anything() -> None:
    check_before(GuardsConfig(), rows=1, known=0, edited=0, removed=0, triggered={'tag "VIP"': 10_000_000})


def test_a_persons_word_opens_no_other_guard() -> None:
    with pytest.raises(GuardError, match=r"^9 of 10 leads have gone"):
        check_before(GuardsConfig(), rows=100, known=10, edited=0, removed=9, approved=True)


# --- causes refused again and again

CAUSE = ("calendar_subscribe", "Webinar: Tuesday")
OTHER = ("calendar_subscribe", "Webinar: Friday")


def opened() -> Breakers:
    breakers = Breakers({})
    assert [breakers.refused(CAUSE, "257", now=5.0) for _ in range(OPENS_AFTER)] == [False] * 9 + [True]
    return breakers


def test_a_cause_opens_after_ten_refusals_and_holds_only_itself() -> None:
    breakers = opened()
    assert breakers.holds(CAUSE, now=6.0) == "257"
    assert breakers.holds(OTHER, now=6.0) is None


def test_a_success_between_refusals_keeps_a_cause_closed() -> None:
    breakers = Breakers({})
    for _ in range(5):
        for _ in range(OPENS_AFTER - 1):
            assert not breakers.refused(CAUSE, "257", now=0.0)
        assert not breakers.done(CAUSE)
    assert breakers.holds(CAUSE, now=1.0) is None


def test_one_lead_at_a_time_probes_an_open_cause() -> None:
    breakers = opened()
    later = 5.0 + PROBE_AFTER_S
    assert breakers.holds(CAUSE, now=later - 0.1) == "257"
    assert [breakers.holds(CAUSE, now=later) for _ in range(3)] == [None, "257", "257"]
    assert not breakers.refused(CAUSE, "257", now=later + 1)
    assert breakers.holds(CAUSE, now=later + PROBE_AFTER_S) == "257"
    assert breakers.holds(CAUSE, now=later + 1 + PROBE_AFTER_S) is None


def test_a_probe_that_works_closes_the_cause() -> None:
    breakers = opened()
    assert breakers.done(CAUSE)
    assert [breakers.holds(CAUSE, now=6.0) for _ in range(3)] == [None] * 3
    assert not breakers.done(CAUSE)


def test_a_cause_left_open_by_the_last_run_is_probed_at_once() -> None:
    breakers = Breakers({CAUSE: "257"})
    assert [breakers.holds(CAUSE, now=0.1) for _ in range(2)] == [None, "257"]
