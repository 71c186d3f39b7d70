"""The load by its stages, on contacts nobody has: `python -m tests.bench load --rows 1000000`.

Every stage runs in a process of its own, the floor among them: what counts are ratios within one run.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from pipelines.config.file import read_pipeline
from pipelines.contacts.fingerprint import fingerprint
from pipelines.extract.sources import open_source
from pipelines.verbs.account import account_of
from tests.bench import seed
from tests.bench.cache import kept, run_folder
from tests.bench.contacts import account, contacts_csv, pipeline_text
from tests.bench.floor import make_hashes
from tests.bench.report import Asked, Report, medians, stage_table

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

LONGER_THAN_READING = 3.0
MIB = 300
LONGER_WITH_CHANGES = 1.3
FIRST_ROWS_A_SECOND = 80_000
TIMES_AS_MANY = (1, 5, 10)
OFF_LINEAR = 1.15
MIB_OF_MANY = 450


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
        self._take_seeded()

    def run(self, stage: str, edited: int | None) -> dict[str, float]:
        """Its rows, seconds, seconds of processor, and MiB at most."""
        if stage == "floor-hashes" and not (self._folder / "hashes.db").exists():
            make_hashes(self._folder / "hashes.db", self._rows)
        state = "none.db" if edited is None else "state.db"
        csv = contacts_csv(self._rows, edited or 0)
        found = run_stage(stage, self._pipeline(f"edited-{edited}", state, csv), self._environ)
        for left in ("payloads.db", "commit.db", "adopt.db"):
            for file in self._folder.glob(f"{left}*"):
                file.unlink()
        return found

    def run_on(self, stage: str, source: Mapping[str, str]) -> dict[str, float]:
        """On contacts that a query gives, all of them known."""
        return run_stage(stage, self._pipeline("query", "state.db", source), self._environ)

    def run_in(self, stage: str, name: str, state: str, csv: Path) -> dict[str, float]:
        """In a state that is given."""
        return run_stage(stage, self._pipeline(name.replace(", ", "-"), state, csv), self._environ)

    def _take_seeded(self) -> None:
        """A copy of the state that was kept, or is made now, under the account of this sandbox."""
        config = read_pipeline(self._pipeline("same", "state.db", contacts_csv(self._rows)), self._environ)
        source = open_source(config.needs_load().source)
        mapping = fingerprint(config.needs_load(), source.columns, None).digest
        state = kept("state", f"{self._rows}.db", [mapping, *seed.code()], self._make_seeded)
        shutil.copyfile(state, self._folder / "state.db")
        with closing(sqlite3.connect(self._folder / "state.db")) as connection, connection:
            connection.execute("UPDATE scopes SET account = ?", (account_of(config),))

    def _make_seeded(self, state: Path) -> None:
        ordered = state.with_name("ordered.csv")
        seed.sort_contacts(contacts_csv(self._rows), ordered)
        file = state.with_name("seed.yaml")
        file.write_text(pipeline_text(self._url, state, ordered), encoding="utf-8")
        run_stage("seed", file, self._environ)

    def _pipeline(self, name: str, state: str, source: Path | Mapping[str, str]) -> Path:
        file = self._folder / f"{name}.yaml"
        file.write_text(pipeline_text(self._url, state, source), encoding="utf-8")
        return file


def run_stage(stage: str, pipeline: Path, environ: Mapping[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.process", stage, str(pipeline)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environ,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def bench_load(rows: int, repeat: int, only: Collection[str] = ()) -> Report:
    """`only` are names of STAGES; all of them where there is none."""
    chosen = {name: stage for name, stage in STAGES.items() if name in (only or STAGES)}
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox:
        bench = LoadBench(rows, folder, sandbox)
        runs = [{name: bench.run(*stage) for name, stage in chosen.items()} for _ in range(repeat)]
    stages = medians(runs)
    return Report({"rows": rows, "stages": stages}, stage_table(stages), _asked_of_stages(stages))


def bench_growth(rows: int, repeat: int) -> Report:
    """A plan of unchanged contacts: of so many, of five times and of ten times as many."""
    with run_folder() as folder, Sandbox(account(), calls_per_second=0) as sandbox:
        benches = {}
        for times in TIMES_AS_MANY:
            (folder / str(times)).mkdir()
            benches[f"plan, same, {times * rows:,}"] = LoadBench(times * rows, folder / str(times), sandbox)
        runs = [{name: bench.run("plan", 0) for name, bench in benches.items()} for _ in range(repeat)]
    stages = medians(runs)
    least, *_, most = stages.values()
    asked = [
        Asked(
            f"{most['rows']:,.0f} unchanged, {what} a row / of {least['rows']:,.0f}",
            OFF_LINEAR,
            (most[key] / most["rows"]) / (least[key] / least["rows"]),
        )
        for key, what in (("seconds", "seconds"), ("cpu", "processor"))
    ]
    asked.append(Asked(f"{most['rows']:,.0f} unchanged, MiB", MIB_OF_MANY, most["MiB"]))
    return Report({"rows": rows, "stages": stages}, stage_table(stages), asked)


def _asked_of_stages(stages: Mapping[str, Mapping[str, float]]) -> list[Asked]:
    """By the clock, and by seconds of processor, which a busy machine stretches less."""
    asked = []
    reading = ("floor: pyarrow reads", "floor: hashes read")
    same, changed, first = "plan, same", "plan, 1 % changed", "first load committed"
    for what, told in (("seconds", ""), ("cpu", ", processor")):
        spent = {name: one[what] for name, one in stages.items()}
        if {*reading, same} <= set(stages):
            floor = sum(spent[name] for name in reading)
            asked.append(
                Asked(f"plan of unchanged / floor of reading{told}", LONGER_THAN_READING, spent[same] / floor)
            )
        if {same, changed} <= set(stages):
            ratio = spent[changed] / spent[same]
            asked.append(Asked(f"plan of 1 % changed / of unchanged{told}", LONGER_WITH_CHANGES, ratio))
        if first in stages:
            speed = stages[first]["rows"] / spent[first]
            name = f"first load, rows a second{told}"
            asked.append(Asked(name, FIRST_ROWS_A_SECOND, speed, at_least=True))
    if same in stages:
        asked.append(Asked("plan of unchanged, MiB", MIB, stages[same]["MiB"]))
    return asked
