"""Measures, and prints what was asked beside it.

load: each stage of a load, beside the least it could take. growth: plans of ten times as many contacts.
dlt: second loads by dlt beside ours. sql: plans from PostgreSQL. server: plans with the state there.
memory: that of many bad contacts. changes: a plan that shows each lead.
delivery: what a call costs this side. paced: calls a second under the limit. pull: tables, and memory.
Without a NAME all of them.

What takes long to make is kept in a folder among the temporary files.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.against_dlt import bench_dlt
from tests.bench.changes import bench_changes
from tests.bench.delivery import bench_delivery
from tests.bench.from_sql import bench_sql
from tests.bench.load import STAGES, bench_growth, bench_load
from tests.bench.memory import bench_memory
from tests.bench.on_server import bench_server
from tests.bench.paced import bench_paced
from tests.bench.pull import bench_pull
from tests.bench.report import Report, asked_table

BENCHES: dict[str, Callable[[argparse.Namespace], Report]] = {
    "load": lambda chosen: bench_load(chosen.rows, chosen.repeat, chosen.stages),
    "growth": lambda chosen: bench_growth(chosen.rows, chosen.repeat),
    "dlt": lambda chosen: bench_dlt(chosen.rows, chosen.repeat),
    "sql": lambda chosen: bench_sql(chosen.rows, chosen.repeat),
    "server": lambda chosen: bench_server(chosen.rows, chosen.repeat),
    "memory": lambda chosen: bench_memory(chosen.rows, chosen.repeat),
    "changes": lambda chosen: bench_changes(chosen.changes, chosen.repeat),
    "delivery": lambda chosen: bench_delivery(chosen.leads, repeat=chosen.repeat, profile=chosen.profile),
    "paced": lambda chosen: bench_paced(chosen.jitter),
    "pull": lambda chosen: bench_pull(chosen.leads, into=chosen.into, batch=chosen.batch),
}


def main() -> int:
    chosen = _arguments()
    console = Console(width=110, highlight=False)
    reports: dict[str, Report] = {}
    for name in chosen.names or BENCHES:
        report = reports[name] = BENCHES[name](chosen)
        if report.table is not None:
            report.table.title = name
            console.print(report.table)
        if report.note:
            console.print(f"{name}: {report.note}", markup=False)
        if chosen.json:
            chosen.json.write_text(json.dumps(_measured(reports), indent=2), encoding="utf-8")
    console.print(asked_table(one for report in reports.values() for one in report.asked))
    return 0


def _as_help(text: str) -> str:
    """argparse fills in what stands behind a percent sign."""
    return text.replace("%", "%%")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--rows", type=int, default=1_000_000, help="Contacts of a load.")
    parser.add_argument("--changes", type=int, default=100_000, help="Leads of a plan that shows them.")
    parser.add_argument("--repeat", type=int, default=1, help="Runs of which the medians are taken.")
    parser.add_argument("--json", type=Path, help="A file for what was measured.")
    parser.add_argument(
        "--stages",
        type=lambda names: names.split("; "),
        default=(),
        help=f'Of a load, these alone, as "plan, same; adopt". They are: {_as_help("; ".join(STAGES))}.',
    )
    parser.add_argument("--leads", type=int, default=2_000, help="Of a delivery, and of a pull.")
    parser.add_argument("--profile", type=Path, help="A file for the profile of the delivering thread.")
    parser.add_argument("--into", help="A SQLAlchemy URL to pull into; a SQLite file when left out.")
    parser.add_argument(
        "--jitter", type=int, nargs="+", default=(), metavar="MS", help="Of paced: what calls take to arrive."
    )
    parser.add_argument("--batch", type=int, default=16, help="Answers of a pull committed together.")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.stages if name not in STAGES]:
        parser.error(f"no stage is called {unknown[0]!r}; they are: {'; '.join(STAGES)}")
    return chosen


def _measured(reports: dict[str, Report]) -> dict[str, Any]:
    return {
        name: {
            **report.figures,
            "asked": [{**asdict(one), "is_reached": one.is_reached} for one in report.asked],
        }
        for name, report in reports.items()
    }


if __name__ == "__main__":
    sys.exit(main())
