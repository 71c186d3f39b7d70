"""A guard: what a plan of unchanged contacts costs, in times of the floor of the same run."""

from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from tests.bench.contacts import account
from tests.bench.load import LoadBench

ROWS = 50_000
TIMES_THE_FLOOR = 25
"""In seconds of processor. About 6 is usual; it was above 80 when every record was mapped."""


def test_unchanged_contacts_are_planned_without_mapping_them(tmp_path: Path) -> None:
    with Sandbox(account(), calls_per_second=0) as sandbox:
        bench = LoadBench(ROWS, tmp_path, sandbox)
        plan = bench.run("plan", 0)
        floor = bench.run("floor-read", 0)["cpu"] + bench.run("floor-hashes", 0)["cpu"]
    assert plan["rows"] == ROWS
    assert plan["cpu"] < TIMES_THE_FLOOR * floor
