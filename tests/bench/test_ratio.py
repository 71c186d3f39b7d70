"""Guards: what a plan costs in times of the floor of the same run, in seconds of processor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.bench.contacts import account
from tests.bench.load import LoadBench

ROWS = 100_000
TIMES_OF_UNCHANGED = 12
"""About 3 are usual; it was above 80 when every record was mapped."""
TIMES_OF_A_FIRST_LOAD = 40
"""About 11 are usual; it was above 110 when each record was mapped, and each lead planned, by itself."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadBench]:
    with Sandbox(account(), calls_per_second=0) as sandbox:
        yield LoadBench(ROWS, Path(tmp_path_factory.mktemp("ratio")), sandbox)


@pytest.fixture(scope="module")
def floor(bench: LoadBench) -> float:
    return bench.run("floor-read", 0)["cpu"] + bench.run("floor-hashes", 0)["cpu"]


def test_unchanged_contacts_are_planned_without_mapping_them(bench: LoadBench, floor: float) -> None:
    plan = bench.run("plan", 0)
    assert plan["rows"] == ROWS
    assert plan["cpu"] < TIMES_OF_UNCHANGED * floor


def test_new_contacts_are_mapped_and_planned_many_at_once(bench: LoadBench, floor: float) -> None:
    plan = bench.run("plan", None)
    assert plan["rows"] == ROWS
    assert plan["cpu"] < TIMES_OF_A_FIRST_LOAD * floor
