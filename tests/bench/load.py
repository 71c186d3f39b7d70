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

EDITED = (0, 1, 30)
"""Per cent of the contacts that changed between two loads."""


class LoadBench:
    """A folder with the contacts, the state in which all of them are known, and pipelines over them."""

    def __init__(self, rows: int, folder: Path, sandbox: Sandbox, repeat: int = 1) -> None:
        self._folder, self._repeat = folder, repeat
        named = sandbox.credentials
        self._environ = {
            **os.environ,
            "APP_ID": named.app_id,
            "API_KEY": named.api_key,
            "PASSWORD": named.api_password,
        }
        self._files: dict[int | None, Path] = {}
        for edited in EDITED:
            self._files[edited] = self._pipeline(f"edited-{edited}", "state.db", rows, edited, sandbox.url)
        self._files[None] = self._pipeline("first", "none.db", rows, 0, sandbox.url)
        make_hashes(folder / "hashes.db", rows)
        self._run("seed", self._files[0])

    def measured(self) -> dict[str, dict[str, float]]:
        """Per stage: rows, seconds, seconds of processor, MiB; the medians of all runs."""
        stages: dict[str, tuple[str, Path]] = {
            "floor: pyarrow reads": ("floor-read", self._files[0]),
            "floor: hashes read": ("floor-hashes", self._files[0]),
            "floor: payloads inserted": ("floor-insert", self._files[0]),
            "extract": ("extract", self._files[0]),
            "map": ("map", self._files[0]),
            "plan, first": ("plan", self._files[None]),
            "plan, same": ("plan", self._files[0]),
            "plan, 1 % changed": ("plan", self._files[1]),
            "plan, 30 % changed": ("plan", self._files[30]),
            "first load committed": ("commit", self._files[None]),
            "acknowledge": ("acknowledge", self._files[None]),
            "adopt": ("adopt", self._files[None]),
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in stages}
        for _ in range(self._repeat):
            for name, (stage, file) in stages.items():
                runs[name].append(self._run(stage, file))
        return {
            name: {what: statistics.median(one[what] for one in found) for what in found[0]}
            for name, found in runs.items()
        }

    def _pipeline(self, name: str, state: str, rows: int, edited: int, url: str) -> Path:
        file = self._folder / f"{name}.yaml"
        text = PIPELINE.format(url=url, state=state, csv=contacts_csv(rows, edited))
        file.write_text(text, encoding="utf-8")
        return file

    def _run(self, stage: str, file: Path) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.process", stage, str(file)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=self._environ,
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found


def bench_load(rows: int, repeat: int) -> dict[str, Any]:
    """Everything measured, and the ratios that were asked for."""
    with (
        Sandbox(account(), calls_per_second=0) as sandbox,
        tempfile.TemporaryDirectory(dir=cache_folder()) as folder,
    ):
        stages = LoadBench(rows, Path(folder), sandbox, repeat).measured()
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
