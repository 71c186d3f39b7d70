"""The model campaign at its small size: what must hold after each run, whatever happened before it."""

import pytest

from tests.campaigns.expectations import SHAPES
from tests.campaigns.model import play
from tests.campaigns.tally import Tally

SEED = 1


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tally]:
    return {tally.campaign: tally for tally in play("small", SEED, tmp_path_factory.mktemp("model"))}


@pytest.mark.parametrize("shape", [str(shape) for shape in SHAPES])
def test_whatever_happens_a_run_does_what_the_model_says(tallies: dict[str, Tally], shape: str) -> None:
    """Fields, tags, lists, sequences, calls and counters; of a disturbed run, that nothing went too far."""
    assert tallies[shape].failures == ()


@pytest.mark.parametrize("shape", [str(shape) for shape in SHAPES])
def test_no_sequence_starts_twice_whatever_happens(tallies: dict[str, Tally], shape: str) -> None:
    assert tallies[shape].twice == 0


def test_runs_were_killed_and_met_faults(tallies: dict[str, Tally]) -> None:
    """Else the tests above would show little."""
    assert sum(tally.kills for tally in tallies.values()) > 5
    assert sum(tally.faults for tally in tallies.values()) > 10
