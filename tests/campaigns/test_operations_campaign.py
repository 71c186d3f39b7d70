"""P1 for money: the small operations campaign."""

from pathlib import Path

from tests.campaigns import operations

SEED = 1


def test_every_refund_is_there_exactly_once_whatever_is_lost_and_killed(tmp_path: Path) -> None:
    (tally,) = operations.play("small", SEED, tmp_path)
    assert tally.failures == ()
    assert (tally.lost, tally.twice) == (0, 0)
    assert (tally.kills, tally.leads) == (operations.SIZES["small"].kills, operations.SIZES["small"].refunds)
    assert tally.faults > 0
