"""The load by its stages, on contacts nobody has: `python -m tests.bench load --rows 1000000`.

Every stage runs in a process of its own, the floor among them: what counts are ratios within one run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import Sandbox
from tests.bench.contacts import PIPELINE, account, cache_folder, contacts_csv
from tests.bench.floor import make_hashes

STAGES: dict[str, tuple[str, int | None]] = {
    "floor: pyarrow reads": ("floor-read", 0),
    "floor: hashes read": ("floor-hashes", 0),
    "floor: payloads inserted": ("floor-insert", 0),
    "extract": ("extract", 0),
    "map": ("map", 0),
    "plan, first": ("plan", None),
    "plan, same": ("plan", 0),
    "plan, 1 % changed": ("plan", 1),
    "plan, 30 % changed": ("plan", 30),
    "first load committed": ("commit", None),
    "acknowledge": ("acknowledge", None),
    "adopt": ("adopt", None),
}
"""The stage, and how many per cent of the contacts changed since they were acknowledged; None: none was."""


class LoadBench:
    """A folder with the state in which all contacts are known, and pipelines over them, edited or not."""

    def __init__(self, rows: int, folder: Path, sandbox: Sandbox) -> None:
        self._rows, self._folder, self._url = rows, folder, sandbox.url
        named = sandbox.credentials
        self._environ = {
            **os.environ,
            "APP_ID": named.app_id,
            "API_KEY": named.api_key,
            "PASSWORD": named.api_password,
        }
        make_hashes(folder / "hashes.db", rows)
        self.run("seed", 0)

    def run(self, stage: str, edited: int | None) -> dict[str, float]:
        """Its rows, seconds, seconds of processor, and MiB at most."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.process", stage, str(self._pipeline(edited))],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=self._environ,
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found

    def _pipeline(self, edited: int | None) -> Path:
        file = self._folder / f"edited-{edited}.yaml"
        state = "none.db" if edited is None else "state.db"
        csv = contacts_csv(self._rows, edited or 0)
        file.write_text(PIPELINE.format(url=self._url, state=state, csv=csv), encoding="utf-8")
        return file


def measure(rows: int, folder: Path, repeat: int) -> dict[str, dict[str, float]]:
    """Per stage the medians of all runs."""
    with Sandbox(account(), calls_per_second=0) as sandbox:
        bench = LoadBench(rows, folder, sandbox)
        runs = [{name: bench.run(*stage) for name, stage in STAGES.items()} for _ in range(repeat)]
    return {
        name: {what: statistics.median(run[name][what] for run in runs) for what in runs[0][name]}
        for name in STAGES
    }


def bench_load(rows: int, repeat: int) -> dict[str, Any]:
    """Everything measured, and the ratios that were asked for."""
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        stages = measure(rows, Path(folder), repeat)
    return {"rows": rows, "stages": stages, "ratios": ratios(stages)}


def ratios(stages: dict[str, dict[str, float]]) -> dict[str, float]:
    """By the clock, and by seconds of processor, which a busy machine stretches less."""
    found = {}
    for what, told in (("seconds", ""), ("cpu", ", processor")):
        spent = {name: one[what] for name, one in stages.items()}
        floor = spent["floor: pyarrow reads"] + spent["floor: hashes read"]
        found[f"plan of unchanged / floor{told}"] = spent["plan, same"] / floor
        found[f"plan of 1 % changed / unchanged{told}"] = spent["plan, 1 % changed"] / spent["plan, same"]
        first = stages["first load committed"]["rows"] / spent["first load committed"]
        found[f"first load, rows a second{told}"] = first
    return found
