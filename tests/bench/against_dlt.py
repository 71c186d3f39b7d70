"""Second loads of the same file by dlt, and our plan of it, in one run: `python -m tests.bench dlt`.

dlt reads by Arrow and merges in each way it has for a destination; the fastest counts. Both sides are
measured within their processes, when everything is imported. dlt comes with `pip install --group bench`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from tests.bench.cache import run_folder
from tests.bench.contacts import account, contacts_csv
from tests.bench.load import LoadBench
from tests.bench.report import Asked, Figures, Report, medians, stage_table

WAYS = {"DuckDB": ("upsert", "delete-insert", "scd2"), "SQLite": ("delete-insert", "scd2")}
"""Strategies of merging by destination. dlt has no upsert for SQLite; scd2 compares hashes of rows."""
KINDS = {"unchanged": 0, "1 % changed": 1}
TIMES_FASTER = {"DuckDB": 3.5, "SQLite": 12.0}
SHARE_OF_MEMORY = 1 / 3
MISSING = (
    'dlt or DuckDB is missing: .venv/bin/python -m pip install -U "pip>=25.1", then'
    " .venv/bin/python -m pip install --group bench"
)
QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def bench_dlt(rows: int, repeat: int) -> Report:
    if find_spec("dlt") is None or find_spec("duckdb") is None:
        return Report({}, note=MISSING)
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox:
        (folder / "ours").mkdir()
        ours = LoadBench(rows, folder / "ours", sandbox)
        for destination, strategies in WAYS.items():
            for strategy in strategies:
                _first_load(destination, strategy, rows, folder)
        runs = [_run_all(ours, rows, folder) for _ in range(repeat)]
    stages = medians(runs)
    return Report({"rows": rows, "stages": stages}, stage_table(stages), _asked(stages))


def _run_all(ours: LoadBench, rows: int, folder: Path) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for kind, edited in KINDS.items():
        found[f"plan, {kind}"] = ours.run("plan", edited)
        for destination, strategies in WAYS.items():
            for strategy in strategies:
                name = f"dlt → {destination}, {strategy}, {kind}"
                found[name] = _second_load(destination, strategy, contacts_csv(rows, edited), folder)
    return found


def _first_load(destination: str, strategy: str, rows: int, folder: Path) -> None:
    loaded = folder / f"{destination}-{strategy}"
    loaded.mkdir()
    _run(destination, strategy, contacts_csv(rows), loaded)


def _second_load(destination: str, strategy: str, csv: Path, folder: Path) -> Figures:
    """Into a copy of what the first load left."""
    again = shutil.copytree(folder / f"{destination}-{strategy}", folder / "again")
    found = _run(destination, strategy, csv, again)
    shutil.rmtree(again)
    return found


def _run(destination: str, strategy: str, csv: Path, folder: Path) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.dlt_process", destination, strategy, str(csv), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **QUIET},
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def _asked(stages: Mapping[str, Figures]) -> list[Asked]:
    asked = []
    for kind in KINDS:
        ours = stages[f"plan, {kind}"]
        for destination, strategies in WAYS.items():
            ways = [stages[f"dlt → {destination}, {strategy}, {kind}"] for strategy in strategies]
            fastest = min(ways, key=lambda one: one["seconds"])
            than, least = f"dlt → {destination} / plan, {kind}", TIMES_FASTER[destination]
            asked.append(Asked(than, least, fastest["seconds"] / ours["seconds"], at_least=True))
            asked.append(Asked(f"{than}, processor", least, fastest["cpu"] / ours["cpu"], at_least=True))
            share = ours["MiB"] / fastest["MiB"]
            asked.append(Asked(f"MiB of plan / dlt → {destination}, {kind}", SHARE_OF_MEMORY, share))
    return asked
