"""What a delivered call costs this side, with the limit off: `python -m tests.bench delivery --leads 3000`.

The sandbox runs in the process that measures, the delivery in one of its own, with its journal on disk and
the real limiter, whose rate is set so high that it never waits. Told is the processor's time of that process
alone, per call. The floor is the same number of calls by `requests` one after another, with nothing around.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from connectors.kartra.sandbox import Account, CustomField, Sandbox
from tests.bench.report import Asked, Report, figure_table

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
  sequences: [{name: Onboarding, step: 1}]
  consent: {attested: a form}
  guards: {max_triggered: 1000000, max_edited: 100%}
"""
HEADER = ("Email", "First", "Last", "Company", "City", "Country", "Note", "Size", "Segment")


def bench_delivery(leads: int, *, repeat: int = 1, profile: Path | None = None) -> Report:
    """Creations, then edits of one field, then nothing changed; medians of `repeat` runs."""
    runs = [_measure(leads, profile) for _ in range(repeat)]
    figures = {name: median(run[name] for run in runs) for name in runs[0]}
    asked = [
        Asked(f"ms of a core, {kind}", ASKED_MS, figures[f"ms of a core, {kind}"])
        for kind in ("a new lead", "a changed lead")
    ] + [
        Asked(f"calls for {kind}", limit, figures[f"calls for {kind}"])
        for kind, limit in (
            ("a new lead with tags, a list, a sequence", 1),
            ("a changed lead", 1),
            ("an unchanged lead", 0),
        )
    ]
    return Report(figures, figure_table(figures), asked)


def _measure(leads: int, profile: Path | None) -> dict[str, Any]:
    account = Account(
        tags=["Imported", "A", "B", "C"],
        lists=["News"],
        sequences={"Onboarding": ["1"]},
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
        same = _in_a_process(folder, "run", None)
        floor = _in_a_process(folder, "floor", None)
    return {
        "calls for a new lead with tags, a list, a sequence": created["calls"] / leads,
        "calls for a changed lead": edited["calls"] / leads,
        "calls for an unchanged lead": same["calls"] / leads,
        "ms of a core, a new lead": created["cpu_ms"],
        "ms of a core, a changed lead": edited["cpu_ms"],
        "ms of a core, requests alone": floor["cpu_ms"],
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
