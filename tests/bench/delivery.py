"""What a delivered call costs this side, with the limit off: `python -m tests.bench.delivery --leads 3000`.

The sandbox runs in the process that measures, the delivery in one of its own, with its journal on disk and
the real limiter, whose rate is set so high that it never waits. Told is the processor's time of that process
alone, per call. The floor is the same number of calls by `requests` one after another, with nothing around.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.kartra.sandbox import Account, CustomField, Sandbox

ASKED_MS = 2.5
"""Of one core, for each call: journal, limiter, compile, classify, commit and HTTP."""
PIPELINE = """\
pipeline: bench
kartra:
  url: ${KARTRA_URL}
  app_id: ${KARTRA_APP_ID}
  api_key: ${KARTRA_API_KEY}
  api_password: ${KARTRA_API_PASSWORD}
  workers: 8
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email, first_name: First, last_name: Last, company: Company, city: City, country: Country}
  custom_fields: {note: Note, size: Size}
  tags: [Imported, {column: Segment}]
  lists: [News]
  consent: {attested: a form}
  guards: {max_triggered: 1000000, max_edited: 100%}
"""
HEADER = ("Email", "First", "Last", "Company", "City", "Country", "Note", "Size", "Segment")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.delivery", description=__doc__)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=1, help="Runs of which the medians are taken.")
    parser.add_argument("--profile", type=Path, help="A file for the profile of the delivering thread.")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    measured = bench_delivery(chosen.leads, repeat=chosen.repeat, profile=chosen.profile)
    if chosen.json:
        print(json.dumps(measured, indent=2))
        return 0
    table = Table("what", "figure")
    for name, value in measured.items():
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
    Console(width=100).print(table)
    return 0


def bench_delivery(leads: int, *, repeat: int = 1, profile: Path | None = None) -> dict[str, Any]:
    """Figures by name: creations, then edits of one field; medians of `repeat` runs."""
    runs = [_measure(leads, profile) for _ in range(repeat)]
    return {name: sorted(run[name] for run in runs)[repeat // 2] for name in runs[0]}


def _measure(leads: int, profile: Path | None) -> dict[str, Any]:
    account = Account(
        tags=["Imported", "A", "B", "C"],
        lists=["News"],
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {"610": "small", "611": "large"}),
        ],
    )
    with tempfile.TemporaryDirectory() as name, Sandbox(account, calls_per_second=0) as sandbox:
        folder = Path(name)
        (folder / "bench.yaml").write_text(PIPELINE, encoding="utf-8")
        environment = {
            "KARTRA_URL": sandbox.url,
            "KARTRA_APP_ID": sandbox.credentials.app_id,
            "KARTRA_API_KEY": sandbox.credentials.api_key,
            "KARTRA_API_PASSWORD": sandbox.credentials.api_password,
        }
        (folder / "order.json").write_text(json.dumps({"environment": environment, "leads": leads}))
        _write_contacts(folder / "contacts.csv", leads, city="Lyon")
        created = _in_a_process(folder, "run", profile)
        _write_contacts(folder / "contacts.csv", leads, city="Kraków")
        edited = _in_a_process(folder, "run", None)
        floor = _in_a_process(folder, "floor", None)
    if (created["calls"], edited["calls"]) != (leads, leads):
        raise RuntimeError(f"expected {leads} calls each: {created}, {edited}")
    return {
        "calls": leads,
        "ms of a core, a new lead": created["cpu_ms"],
        "ms of a core, a changed lead": edited["cpu_ms"],
        "ms of a core, requests alone": floor["cpu_ms"],
        "ms of a core, asked": ASKED_MS,
        "calls a second, new leads": created["per_second"],
        "commits a call, new leads": created["commits"],
    }


def _write_contacts(path: Path, leads: int, *, city: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for number in range(leads):
            person = (f"lead{number}@example.org", f"Ann {number}", "O'Hara", "Acme & Co", city, "France")
            writer.writerow(
                (*person, f"note {number}", "small" if number % 2 else "large", "ABC"[number % 3])
            )


def _in_a_process(folder: Path, what: str, profile: Path | None) -> dict[str, float]:
    words = [sys.executable, "-m", "tests.bench.delivery_process", str(folder), what]
    words += [str(profile)] if profile else []
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
