"""P1 under faults: the small fault campaign."""

import itertools

import pytest

from tests.campaigns import faults
from tests.campaigns.tally import Tally

SEED = 1


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> list[Tally]:
    return faults.play("small", SEED, tmp_path_factory.mktemp("faults"))


def test_the_small_campaign_plays_every_kind_and_every_pair_of_settings() -> None:
    cells = list(faults.cells("small", SEED))
    seen = {pair for cell in cells for pair in faults.pairs(cell.setting)}
    wanted = {pair for setting in faults.SETTINGS for pair in faults.pairs(setting)}
    assert [cell.kind for cell in cells] == list(faults.KINDS)
    assert seen == wanted


def test_the_full_campaign_plays_everything() -> None:
    cells = list(faults.cells("full", SEED))
    played = {(cell.kind.name, cell.setting) for cell in cells}
    names = [kind.name for kind in faults.KINDS]
    assert played == set(itertools.product(names, faults.SETTINGS))


@pytest.mark.parametrize("kind", faults.KINDS, ids=lambda kind: kind.name)
def test_whatever_becomes_of_calls_nothing_is_lost_and_nothing_done_twice(
    tallies: list[Tally], kind: faults.Kind
) -> None:
    (tally,) = (one for one in tallies if one.campaign == f"faults: {kind.name}")
    assert tally.failures == ()
    assert (tally.lost, tally.twice) == (0, 0)
    assert tally.leads == faults.LEADS["small"]


def test_faults_were_injected(tallies: list[Tally]) -> None:
    assert sum(tally.faults for tally in tallies) > 100
