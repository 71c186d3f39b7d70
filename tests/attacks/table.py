"""The table of probes."""

import csv
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parents[1] / "data" / "attacks" / "input.csv"


class Probe(NamedTuple):
    """`expected`: what its message, or its result after "ok: ", has to hold. `test`: what holds it."""

    id: str
    kind: str
    probe: str
    expected: str
    test: str


def probes_of(test: str) -> dict[str, Probe]:
    return {one.id: one for one in probes() if one.test.endswith(f"::{test}")}


def probes() -> list[Probe]:
    with TABLE.open(encoding="utf-8", newline="") as handle:
        next(handle)
        return [Probe(*row) for row in csv.reader(handle)]
