"""The verb `demo`: the whole job in a temporary folder against the built-in sandbox, with no account."""

import csv
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from connectors.errors import SyncError
from connectors.kartra.sandbox import Sandbox
from pipelines.cli.exits import DONE, FAILED
from pipelines.cli.options import common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import plan_lines, run_lines
from pipelines.cli.terminal import columns_of, wrapped
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.shipped import ROOT
from pipelines.tables.reports import ReportRows, read_report
from pipelines.tables.warehouse import open_warehouse
from pipelines.verbs.plan import plan_pipeline
from pipelines.verbs.run import RunResult, run_pipeline
from pipelines.words.numbers import counted

LATENCY_S = 0.12
WIDTH = 80
"""Columns of what is said where there is no terminal to ask."""
CHANGED_CITIES = 5


Say = Callable[[str], None]


@click.command(epilog="Example:  kartra-sync demo")
@common
def demo(*, as_json: bool) -> int:
    """The whole job against a built-in sandbox: no account, no questions."""
    say: Say = (lambda _: None) if as_json else _say
    with tempfile.TemporaryDirectory(prefix="kartra-sync-demo-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "configs" / "demo", folder, dirs_exist_ok=True)
        with Sandbox(latency_s=LATENCY_S) as sandbox:
            played = _play(folder, sandbox, say)
    checks = played.checks()
    say("Summary")
    for promise, kept in checks.items():
        say(f"  {'ok' if kept else 'NOT KEPT'}  {promise}")
    say("")
    say("Next, with contacts of your own: kartra-sync init contacts.csv")
    if as_json:
        print_json(played.to_json())
    return DONE if all(checks.values()) else FAILED


@dataclass(frozen=True, slots=True)
class Played:
    """What the demo did, and what the sandbox saw of it."""

    planned_calls: int
    first: RunResult
    again: RunResult
    changed: RunResult
    pulled: RunResult
    report: ReportRows
    worst_second: int
    throttled: int
    starts: int
    """How often a sequence was started for the lead for which that was done most often."""

    def checks(self) -> dict[str, bool]:
        """Whether each part did what it promises."""
        first = self.first.summary.counts
        delivered = first.leads["created"] + first.leads["edited"]
        return {
            # Partial, because some of its contacts are ugly on purpose.
            "first run delivered every good row": self.first.status == "partial"
            and not first.leads["deferred"],
            "second run made 0 calls": self.again.summary.counts.sent == 0,
            f"{CHANGED_CITIES} changed rows made {CHANGED_CITIES} calls": self.changed.summary.counts.sent
            == CHANGED_CITIES,
            "no sequence was started twice": self.starts <= 1,
            "every lead that was sent is in the tables again": self.pulled.summary.counts.pulled["leads"]
            == delivered,
            "never more than 20 calls in a second, as the server counts": self.worst_second <= 20
            and not self.throttled,
        }

    def to_json(self) -> dict[str, Any]:
        runs = (self.first, self.again, self.changed)
        checks = self.checks()
        return {
            "ok": all(checks.values()),
            "checks": [{"promise": promise, "kept": kept} for promise, kept in checks.items()],
            "plan": {"calls": {"estimated": self.planned_calls}},
            "runs": [{"status": run.status, **run.summary.to_json()} for run in runs],
            "pull": {"status": self.pulled.status, **self.pulled.summary.to_json()},
            "report": {"columns": self.report.columns, "rows": self.report.rows},
            "worst_second": self.worst_second,
        }


def _play(folder: Path, sandbox: Sandbox, say: Say) -> Played:
    """Plan, load, load again, change five rows, load again, pull."""
    environ = {
        "KARTRA_URL": sandbox.url,
        "KARTRA_APP_ID": sandbox.credentials.app_id,
        "KARTRA_API_KEY": sandbox.credentials.api_key,
        "KARTRA_API_PASSWORD": sandbox.credentials.api_password,
    }
    config = read_pipeline(folder / "demo.yaml", environ)
    say("A CSV of contacts, some of them ugly, and an emulated Kartra account here.")
    say("")
    planned = plan_pipeline(config)
    _say_all(
        say,
        "1. kartra-sync plan demo.yaml",
        plan_lines(config.pipeline, planned, datetime.now().astimezone()),
    )
    first = _run(say, "2. kartra-sync run demo.yaml", config)
    again = _run(say, "3. the same again: nothing changed, nothing is sent", config)
    _move(folder / "contacts.csv")
    changed = _run(say, f"4. {CHANGED_CITIES} people moved", config)
    tables = read_pipeline(folder / "tables.yaml", environ)
    pulled = _run(say, "5. kartra-sync run tables.yaml: what the account has comes back", tables)
    with open_warehouse(tables.needs_pull().into) as opened:
        report = read_report(opened, "revenue_by_product")
    _say_all(say, "6. kartra-sync report tables.yaml revenue-by-product", _short(report))
    return Played(
        planned.calls,
        first,
        again,
        changed,
        pulled,
        report,
        worst_second=sandbox.worst_second(),
        throttled=sandbox.throttled,
        starts=max(len(lead.sequence_starts) for lead in sandbox.account.leads.values()),
    )


def _run(say: Say, title: str, config: PipelineConfig) -> RunResult:
    result = run_pipeline(config)
    if result.error is not None:
        raise SyncError(f"the demo failed: {result.error}")
    _say_all(say, title, run_lines(result))
    return result


def _say_all(say: Say, title: str, lines: Iterable[str]) -> None:
    say(title)
    for line in lines:
        say(f"   {line}")
    say("")


def _say(line: str) -> None:
    print_lines(wrapped(line, columns_of(sys.stdout) or WIDTH))


def _short(report: ReportRows) -> Iterator[str]:
    """The products and what is left of their sales."""
    rows = [dict(zip(report.columns, row, strict=True)) for row in report.rows]
    for row in rows:
        yield f"  {row['product_name']:<12}{row['net']:>10} from {counted(int(row['sales'] or 0), 'sale')}"


def _move(contacts: Path) -> None:
    """Some people move to another city."""
    with contacts.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    for row in rows[20 : 20 + CHANGED_CITIES]:
        row[header.index("City")] = "Toulouse"
    with contacts.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
