"""How fast a pull writes its tables, in how much memory: `python -m tests.bench pull --leads 100000`.

The pull runs in a process of its own against a sandbox without a limit, which shows its memory. How fast the
tables are is measured apart, with answers that were read before, beside a floor: bare inserts by SQLite.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.clock import utc_now
from connectors.kartra.clock import EST
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Sandbox
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from pipelines.calls.context import RunContext
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.pull.leads import PullOrder
from pipelines.pull.pull import Pull
from pipelines.state.store import Store
from pipelines.tables.answers import Pulled
from pipelines.tables.warehouse import TABLES, Warehouse
from tests.bench.report import Report, figure_table
from tests.pull.accounts import busy_account

PIPELINE = """\
pipeline: bench
kartra:
  app_id: ${KARTRA_APP_ID}
  api_key: ${KARTRA_API_KEY}
  api_password: ${KARTRA_API_PASSWORD}
  workers: 8
pull: {into: tables.db}
"""
PART_TABLES = ("lead_tags", "lead_lists", "lead_sequences", "lead_memberships", "lead_custom_fields")


def bench_pull(leads: int, *, into: str | None = None, batch: int = 16) -> Report:
    """Into a SQLite file, or a SQLAlchemy URL; `batch` answers committed together."""
    with tempfile.TemporaryDirectory() as folder:
        tables = into or str(Path(folder) / "tables.db")
        figures = tables_alone(Path(folder), batch) | measure(leads, tables, Path(folder))
    return Report(figures, figure_table(figures))


def measure(leads: int, into: str, folder: Path) -> dict[str, Any]:
    account = busy_account(leads, leads // 20, leads // 200)
    with Sandbox(account, calls_per_second=0) as sandbox:
        order = {
            "url": sandbox.url,
            "app_id": sandbox.credentials.app_id,
            "api_key": sandbox.credentials.api_key,
            "api_password": sandbox.credentials.api_password,
            "leads": list(account.leads),
            "into": into,
        }
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.pull_process", str(folder / "order.json")],
            capture_output=True,
            text=True,
            check=True,
        )
    return {"leads": leads, **json.loads(done.stdout)}


def tables_alone(folder: Path, batch: int, leads: int = 2_000) -> dict[str, Any]:
    """Answers that a pull has had, given to new tables again, `batch` at a time as busy workers bring them.

    `floor`: the same rows inserted once by bare SQLite, a transaction for each 500 leads.
    """
    account = busy_account(leads, leads // 20, leads // 200)
    now = utc_now()
    with Sandbox(account, calls_per_second=0) as sandbox, RecordingWarehouse(folder / "record.db") as first:
        client = Sender(sandbox.url, sandbox.credentials, OpenLimiter())
        first.begin_pull("bench", "bench", "bench", now)
        _pull(client, first, list(account.leads))
        client.close()
    with Warehouse(folder / "again.db") as again:
        again.begin_pull("bench", "bench", "bench", now)
        again.add_to_roster((f"id:{lead_id}" for lead_id in account.leads), now)
        started = time.perf_counter()
        for start in range(0, len(first.kept), batch):
            again.keep(first.kept[start : start + batch], now)
        seconds = time.perf_counter() - started
    return {
        f"leads a second, tables alone, {batch} answers at a time": leads / seconds,
        "times the floor": seconds / _floor(folder / "again.db", folder / "floor.db"),
    }


def _floor(tables: Path, copy: Path) -> float:
    """The same rows of leads and their parts into a new file, in one transaction for 500 leads."""
    with closing(sqlite3.connect(tables)) as source, closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA journal_mode = WAL")
        rows = {}
        for name in ("leads", *PART_TABLES):
            target.execute(
                source.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
            )
            rows[name] = source.execute(f"SELECT * FROM {name}").fetchall()
        started = time.perf_counter()
        for name, found in rows.items():
            for start in range(0, len(found), 2_000):
                part = found[start : start + 2_000]
                marks = ", ".join("?" * len(part[0]))
                target.executemany(f"INSERT INTO {name} VALUES ({marks})", part)
                target.commit()
        return time.perf_counter() - started


class OpenLimiter(CallLimiter):
    """Lets every call pass: what is measured is the program, not the pace."""

    def __init__(self) -> None:
        self._permit = 0.0

    def acquire(self, **_: Any) -> float:
        return 1.0

    def sent(self, permit: float) -> None: ...

    def answered(self, took_s: float) -> None: ...

    def throttled(self) -> None: ...

    def close(self) -> None: ...


class RecordingWarehouse(Warehouse):
    """A warehouse that remembers what it was given."""

    def __init__(self, into: str | Path) -> None:
        super().__init__(into)
        self.kept: list[Pulled] = []

    def keep(self, answers: Sequence[Pulled], now: datetime) -> None:
        self.kept += answers
        super().keep(answers, now)


class ForgetfulChains:
    """An account of which nothing was learned before."""

    def __init__(self) -> None:
        self._works: bool | None = None

    def known(self) -> bool | None:
        return self._works

    def learn(self, works: bool) -> None:
        self._works = works


def pull_all(order: dict[str, Any]) -> dict[str, Any]:
    """In the process that is measured."""
    credentials = Credentials(order["app_id"], order["api_key"], order["api_password"])
    client = Sender(order["url"], credentials, OpenLimiter())
    before_mib = memory_mib("VmRSS")
    started = time.perf_counter()
    with Warehouse(order["into"]) as warehouse:
        warehouse.begin_pull("bench", "bench", "bench", utc_now())
        _pull(client, warehouse, order["leads"])
    client.close()
    return {
        "calls": client.counts.sent,
        "seconds": time.perf_counter() - started,
        "MiB before": before_mib,
        "MiB at most": memory_mib("VmHWM"),
    }


def _pull(client: Sender, warehouse: Warehouse, leads: list[str]) -> None:
    order = PullOrder(TABLES, utc_now() - timedelta(days=1), 10**9, EST)
    with tempfile.TemporaryDirectory() as folder, Store(None) as store:
        run = RunContext(_config(Path(folder)), store, client, "bench", run_id="")
        Pull(run, warehouse, order, ForgetfulChains()).run(f"id:{lead_id}" for lead_id in leads)


def _config(folder: Path) -> PipelineConfig:
    path = folder / "bench.yaml"
    path.write_text(PIPELINE, encoding="utf-8")
    names = ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD")
    return read_pipeline(path, dict.fromkeys(names, "bench"))


def memory_mib(name: str) -> float:
    """Of this process alone: what getrusage tells begins with the peak of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
