"""How fast a pull writes its tables, in how much memory: `python -m tests.bench.pull --leads 100000`.

The pull runs in a process of its own against a sandbox without a limit. `tables` is the time its one writing
thread spends with the database; beside it stands the floor, the same rows inserted once by bare SQLite.
"""

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.kartra.client import KartraClient
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Sandbox
from connectors.kartra.wire import Credentials
from pipelines.kartra_time import EST
from pipelines.pull import Pull, PullOrder
from pipelines.state import utc_now
from pipelines.warehouse import TABLES, Pulled, Warehouse
from tests.pull import busy_account

WORKERS = 8
PART_TABLES = ("lead_tags", "lead_lists", "lead_sequences", "lead_memberships", "lead_custom_fields")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pull", description=__doc__)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--into", help="A SQLAlchemy URL; a SQLite file when left out.")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        into = chosen.into or str(Path(folder) / "tables.db")
        measured = measure(chosen.leads, into, Path(folder))
    if chosen.json:
        print(json.dumps(measured, indent=2))
        return 0
    table = Table("what", "figure")
    for name, value in measured.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    Console(width=100).print(table)
    return 0


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
    measured: dict[str, Any] = {"leads": leads, **json.loads(done.stdout)}
    measured["leads a second, tables alone"] = leads / measured["seconds in tables"]
    if "://" not in into:
        measured["seconds, bare inserts of the same rows"] = _floor(Path(into), folder / "floor.db")
    return measured


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

    def throttled(self) -> None: ...

    def close(self) -> None: ...


class TimedWarehouse(Warehouse):
    """A warehouse that adds up the time it takes."""

    seconds = 0.0

    def keep(self, answers: list[Pulled], now: Any) -> None:  # type: ignore[override]
        started = time.perf_counter()
        super().keep(answers, now)
        self.seconds += time.perf_counter() - started


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
    client = KartraClient(order["url"], credentials, OpenLimiter())
    before_mib = _rss_mib()
    started = time.perf_counter()
    with TimedWarehouse(order["into"]) as warehouse:
        now = utc_now()
        warehouse.begin_pull("bench", "bench", "bench", now)
        pull = Pull(
            client,
            warehouse,
            PullOrder(TABLES, now - timedelta(days=1), 10**9, EST),
            ForgetfulChains(),
            calls_per_second=20,
            workers=WORKERS,
        )
        pull.run(f"id:{lead_id}" for lead_id in order["leads"])
        seconds_in_tables = warehouse.seconds
    client.close()
    return {
        "calls": client.counts.sent,
        "seconds": time.perf_counter() - started,
        "seconds in tables": seconds_in_tables,
        "MiB before": before_mib,
        "MiB at most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _rss_mib() -> float:
    with Path("/proc/self/statm").open(encoding="ascii") as handle:
        return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
