"""Plays every probe of `tests/data/attacks` at full size and writes what was observed.

`python -m tests.attacks` prints each probe and how many there are; `--only` plays those whose test or id
holds a word, and leaves the other rows as they are. A probe whose test fails, or says nothing of it, keeps
what was observed before and ends the command with 1: it is open.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.attacks import table
from tests.attacks.table import Probe


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="probes whose test or id holds it")
    parser.add_argument("--jobs", default="2", metavar="N", help="tests at a time")
    parser.add_argument("--list", action="store_true", help="print the tables as they are; play nothing")
    asked = parser.parse_args()
    wanted = [
        one
        for file in table.tables()
        for one in table.probes(file)
        if asked.only in one.test or asked.only in one.id
    ]
    if asked.list:
        return told(wanted, [one.id for one in wanted if not one.observed])
    with tempfile.TemporaryDirectory() as folder:
        failed = play(wanted, folder, asked.jobs)
        seen = {file.stem: str(json.loads(file.read_text("utf-8"))) for file in Path(folder).glob("*.json")}
    for file in table.tables():
        rows = [one._replace(observed=seen.get(one.id, one.observed)) for one in table.probes(file)]
        table.write(file, rows)
    missing = [one.id for one in wanted if one.id not in seen]
    return told([one._replace(observed=seen.get(one.id, "")) for one in wanted], missing) or int(failed)


def play(wanted: list[Probe], folder: str, jobs: str) -> bool:
    """Whether a test failed. A test tells last what it observed: where it fails, it tells nothing."""
    tests = sorted({one.test.partition("[")[0] for one in wanted})
    environ = os.environ | {table.WRITTEN_TO: folder, "KARTRA_SYNC_FULL": "1"}
    words = [sys.executable, "-m", "pytest", "-q", "-n", jobs, *tests]
    return subprocess.run(words, env=environ, check=False).returncode != 0


def told(rows: list[Probe], missing: list[str]) -> int:
    for one in rows:
        seen = "OPEN: not observed" if one.id in missing else one.observed
        print(f"{one.id}: {one.probe!r}\n  expected  {one.expected}\n  observed  {seen}")
    print(f"{len(rows)} probes: {len(rows) - len(missing)} as expected, {len(missing)} open")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
