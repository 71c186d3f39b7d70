"""The tables of probes: of each what was expected, what was observed, and the test that plays it.

A test tells what it saw by `observe`, which holds it against the column `observed`, so the column stays true.
`python -m tests.attacks` plays all of them and writes the column anew.
"""

import csv
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "data" / "attacks"
TABLE = FOLDER / "input.csv"
WRITTEN_TO = "KARTRA_SYNC_OBSERVED"
"""The variable with a folder: what is observed is written there, and compared by nobody."""
AT_MOST = 240
"""Characters of what was observed, so that a row stays one that is read."""


_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d{1,6}(?![\d-]))?(?:Z|\+00:00)?")
_RUN = re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{6}\b")


class Probe(NamedTuple):
    """`expected`: what its message, or its result after "ok: ", has to hold. `test`: what holds it."""

    id: str
    kind: str
    probe: str
    expected: str
    observed: str
    test: str


def tables() -> list[Path]:
    return sorted(FOLDER.glob("*.csv"))


def probes(table: Path = TABLE) -> list[Probe]:
    with table.open(encoding="utf-8", newline="") as handle:
        next(handle)
        return [Probe(*row) for row in csv.reader(handle)]


def probes_of(test: str) -> dict[str, Probe]:
    return {one.id: one for table in tables() for one in probes(table) if one.test.endswith(f"::{test}")}


def write(table: Path, rows: Iterable[Probe]) -> None:
    with table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(Probe._fields)
        writer.writerows(rows)


def observe(probe: str, seen: object, **places: object) -> None:
    """What a test saw of its probe is what the table says, once it was written there. `places` are written by
    their names, because they are others each time."""
    text = str(seen)
    for name, place in places.items():
        text = text.replace(str(place), name)
    text = " ".join(_RUN.sub("RUN", _TIME.sub("TIME", text)).split()) or "nothing"
    text = text if len(text) <= AT_MOST else f"{text[: AT_MOST - 2]} …"
    if folder := os.environ.get(WRITTEN_TO):
        Path(folder, f"{probe}.json").write_text(json.dumps(text), encoding="utf-8")
        return
    (row,) = (one for table in tables() for one in probes(table) if one.id == probe)
    assert text == (row.observed or text)
