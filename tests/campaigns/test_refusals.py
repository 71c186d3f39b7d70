"""P6 over many nights, played as people play it: by the program that prints the table."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.campaigns.refusals import EACH_GOOD, SIZES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def played() -> dict[str, Any]:
    """What the program said, after it ended with 0."""
    words = ["-m", "tests.campaigns", "--size", "small", "--only", "refusals", "--json"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_who_is_refused_for_good_costs_one_call_over_all_nights(played: dict[str, Any]) -> None:
    (tally,) = played["tallies"]
    assert tally["calls_over_floor"] == 0
    assert tally["failures"] == []


def test_the_good_contacts_between_them_are_as_wished(played: dict[str, Any]) -> None:
    (tally,) = played["tallies"]
    assert played["ok"]
    assert (tally["lost"], tally["twice"]) == (0, 0)
    assert tally["leads"] == SIZES["small"].refused * EACH_GOOD // (EACH_GOOD - 1)
