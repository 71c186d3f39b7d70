"""P1 of a pull: a kill loses nothing, writes nothing twice and wastes at most what was in flight."""

from pathlib import Path

from tests.campaigns.pulls import KILLS_EACH, SIZES, play


def test_a_killed_pull_ends_complete_and_wastes_at_most_what_was_in_flight(tmp_path: Path) -> None:
    (tally,) = play("small", 1, tmp_path)
    assert tally.failures == ()
    assert (tally.lost, tally.twice) == (0, 0)
    assert tally.kills >= SIZES["small"].accounts * (KILLS_EACH - 1)
