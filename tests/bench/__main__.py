"""`python -m tests.bench [NAME…] [--rows N]`: prints tables; `--json FILE` writes what was measured."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.load import bench_load
from tests.bench.pull import bench_pull

BENCHES = ("load", "pull")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], default=BENCHES, metavar="NAME")
    parser.add_argument("--rows", type=int, default=1_000_000, help="Contacts; pulled are a five-hundredth.")
    parser.add_argument("--repeat", type=int, default=1, help="Runs of which the medians are taken.")
    parser.add_argument("--json", type=Path, help="A file for what was measured.")
    chosen = parser.parse_args()
    measured: dict[str, Any] = {}
    console = Console(width=100)
    if "load" in chosen.names:
        measured["load"] = bench_load(chosen.rows, chosen.repeat)
        console.print(_load_table(measured["load"]))
    if "pull" in chosen.names:
        measured["pull"] = bench_pull(max(200, chosen.rows // 500))
        console.print(_figures(measured["pull"]))
    if chosen.json:
        chosen.json.write_text(json.dumps(measured, indent=2), encoding="utf-8")
    return 0


def _load_table(measured: dict[str, Any]) -> Table:
    table = Table("stage", "rows", "s", "s of processor", "rows a second", "MiB")
    for name, one in measured["stages"].items():
        speed = one["rows"] / one["seconds"]
        table.add_row(
            name,
            f"{one['rows']:,.0f}",
            f"{one['seconds']:.2f}",
            f"{one['cpu']:.2f}",
            f"{speed:,.0f}",
            f"{one['MiB']:,.0f}",
        )
    for name, ratio in measured["ratios"].items():
        table.add_row(name, "", f"{ratio:,.2f}" if ratio < 1000 else f"{ratio:,.0f}", "", "", "")
    return table


def _figures(measured: dict[str, Any]) -> Table:
    table = Table("what", "figure")
    for name, value in measured.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
