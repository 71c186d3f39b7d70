"""P1 under kills: the small crash campaign."""

import pytest

from tests.campaigns import crash
from tests.campaigns.tally import Tally

SEED = 1


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tally]:
    played = crash.play("small", SEED, tmp_path_factory.mktemp("crash"))
    return {tally.campaign.removeprefix("crash: "): tally for tally in played}


def test_every_point_of_a_kill_is_a_function_of_today() -> None:
    assert list(crash.unknown_functions()) == []


def test_every_kind_of_kill_hits(tallies: dict[str, Tally]) -> None:
    assert {kind for kind in crash.KINDS if tallies[kind].kills == 0} == set()
    assert sum(tally.kills for tally in tallies.values()) == crash.KILLS["small"]


def test_whenever_the_command_is_killed_nothing_is_lost_and_nothing_done_twice(
    tallies: dict[str, Tally],
) -> None:
    ended = tallies["end states"]
    assert ended.failures == ()
    assert (ended.lost, ended.twice) == (0, 0)
    assert ended.leads == crash.KILLS["small"] // crash.KILLS_IN_A_ROW["small"] * crash.LEADS
