"""`python -m tests.mutations`: puts each fault into a copy of the program and lets the simulation find it.

Ends with 1 where a fault was not found within `--runs` runs. What it prints are lines of the table in
`tests/mutations/README.md`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.faults import FAULTS, Fault
from tests.simulate.shrink import kind_of

ROOT = Path(__file__).parents[2]
FOLDERS = ("connectors", "pipelines", "configs", "sql", "tests")


@dataclass(frozen=True)
class Hunt:
    """Whether a fault was found, by what, and after how many runs."""

    fault: Fault
    is_found: bool
    by: str
    runs: int = 0
    seen: str = ""
    life: int | None = None
    """Of the seed: `python -m tests.simulate --seed S --replay LIFE` shows it, with the fault put in."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, help="The most that a hunt may take.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beside", type=int, default=os.cpu_count() or 1, help="Hunts at a time.")
    parser.add_argument(
        "--only", nargs="+", default=(), help="Faults with one of these words in their names."
    )
    asked = parser.parse_args()
    faults = [one for one in FAULTS if not asked.only or any(word in one.name for word in asked.only)]
    with ThreadPoolExecutor(asked.beside) as pool:
        hunts = list(
            pool.map(lambda fault: _told(hunt(fault, asked.runs, asked.seed, asked.seconds)), faults)
        )
    found = sum(one.is_found for one in hunts)
    print(f"{found} of {len(hunts)} faults were found")
    return 0 if found == len(hunts) else 1


def hunt(fault: Fault, runs: int, seed: int, seconds: float | None = None) -> Hunt:
    with tempfile.TemporaryDirectory(prefix="kartra-mutation-") as name:
        copy = Path(name)
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, copy / folder)  # compiled modules, too: each file keeps its time
        shutil.copy(ROOT / "pyproject.toml", copy)
        put_into(copy, fault)
        if fault.found_by:
            # In one process: workers that are stopped by the first failure end otherwise than with 1.
            words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0"]
            words.append(fault.found_by)
            return Hunt(fault, _run(words, copy).returncode == 1, fault.found_by)
        words = ["--runs", str(runs), "--seed", str(seed), "--jobs", "1", "--until-found", "--json"]
        words += ["--kind", fault.kind] if fault.kind else []
        words += ["--theme", fault.theme] if fault.theme else []
        words += ["--seconds", str(seconds)] if seconds else []
        done = _run([sys.executable, "-m", "tests.simulate", *words], copy)
        if not done.stdout.strip():
            return Hunt(fault, False, "broken off", seen=done.stderr[-300:])
        figures = json.loads(done.stdout)
        life = next(iter(figures["failed_lives"]), None)
        return Hunt(fault, life is not None, "simulation", figures["runs"], kind_of(figures["first"]), life)


def put_into(root: Path, fault: Fault) -> None:
    """Raises ValueError where what is to be replaced does not stand there once."""
    file = root / fault.file
    text = file.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: stands {text.count(fault.old)} times in {fault.file}")
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


def _run(words: list[str], copy: Path) -> "subprocess.CompletedProcess[str]":
    """In the copy alone: its modules come first, and no compiled ones are kept."""
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(words, cwd=copy, env=environ, capture_output=True, text=True, check=False)


def _told(one: Hunt) -> Hunt:
    runs, life = f"{one.runs:,}" if one.runs else "", "" if one.life is None else f"{one.life}"
    found = one.by if one.is_found else f"**not found** by {one.by}"
    print(f"| {one.fault.name} | {found} | {life} | {runs} | {one.seen} |", flush=True)
    return one


if __name__ == "__main__":
    sys.exit(main())
