"""P9 under faults and kills: the small undo campaign."""

from pathlib import Path

from tests.campaigns.undo import play


def test_random_runs_that_are_taken_back_leave_the_account_as_it_was(tmp_path: Path) -> None:
    (tally,) = play("small", 1, tmp_path)
    assert tally.failures == ()
    assert (tally.lost, tally.twice) == (0, 0)
    assert tally.kills > 0
    assert tally.faults > 0
