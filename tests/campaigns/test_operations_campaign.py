"""P1 for money: the small operations campaign."""

from pathlib import Path

from tests.campaigns import operations

SEED = 1


def test_every_refund_is_there_exactly_once_whatever_is_lost_and_killed(tmp_path: Path) -> None:
    sizes = (operations.SIZES["small"], operations.TUNNELLED["small"])
    for size, tally in zip(sizes, operations.play("small", SEED, tmp_path), strict=True):
        assert tally.failures == ()
        assert (tally.lost, tally.twice) == (0, 0)
        assert (tally.kills, tally.leads) == (size.kills, size.refunds)
        assert tally.faults > 0
