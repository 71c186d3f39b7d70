"""The fleet campaign in its small size: everybody is served, and nobody over the limit, whoever is dead."""

from pathlib import Path

from tests.campaigns.fleet import RATE, SIZES, measured


def test_the_dead_and_the_refused_cost_their_own_account_alone(tmp_path: Path) -> None:
    small = SIZES["small"]
    measure = measured(small, tmp_path)
    assert (measure.lost, measure.twice) == (0, 0)
    assert measure.worst_second <= RATE + 1  # a call may be long on its way where other tests run
    assert measure.codes == {
        **{f"client-{number}": 0 for number in range(small.accounts)},
        **{f"dead-{number}": 1 for number in range(small.dead)},
        "wrong": 2,
    }
    assert measure.cost < small.cost
