"""The demo: the whole job in a temporary folder against the built-in sandbox, with no account."""

import csv
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from connectors.errors import SyncError
from connectors.kartra.sandbox import Sandbox
from pipelines.cli.screens import plan_lines, report_table, run_lines
from pipelines.config.file import read_pipeline
from pipelines.shipped import ROOT
from pipelines.tables.reports import ReportRows, read_report
from pipelines.tables.warehouse import open_warehouse
from pipelines.verbs.plan import plan_pipeline
from pipelines.verbs.run import RunResult, run_pipeline

LATENCY_S = 0.12
CHANGED_CITIES = 5


def run_demo(say: Callable[[str], None]) -> dict[str, Any]:
    """Plan, load, load again, change five rows, load again, pull. `ok`: whether each did what it promises."""
    with tempfile.TemporaryDirectory(prefix="kartra-sync-demo-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "configs" / "demo", folder, dirs_exist_ok=True)
        with Sandbox(latency_s=LATENCY_S) as sandbox:
            environ = {
                "KARTRA_URL": sandbox.url,
                "KARTRA_APP_ID": sandbox.credentials.app_id,
                "KARTRA_API_KEY": sandbox.credentials.api_key,
                "KARTRA_API_PASSWORD": sandbox.credentials.api_password,
            }
            config = read_pipeline(folder / "demo.yaml", environ)
            say("A CSV of contacts, some of them ugly, and an emulated Kartra account on this machine.\n")
            planned = plan_pipeline(config)
            _say_all(say, "1. kartra-sync plan demo.yaml", plan_lines(config.pipeline, planned))
            first = _run(say, "2. kartra-sync run demo.yaml", config)
            again = _run(say, "3. the same again: nothing changed, nothing is sent", config)
            _move(folder / "contacts.csv")
            changed = _run(say, f"4. {CHANGED_CITIES} people moved", config)
            tables = read_pipeline(folder / "tables.yaml", environ)
            pulled = _run(say, "5. kartra-sync run tables.yaml: what the account has comes back", tables)
            with open_warehouse(tables.needs_pull().into) as opened:
                report = read_report(opened, "revenue_by_product")
            _say_all(say, "6. kartra-sync report tables.yaml revenue-by-product", _drawn(report))
            worst = sandbox.worst_second()
            throttled = sandbox.throttled
            starts = [len(lead.sequence_starts) for lead in sandbox.account.leads.values()]
    delivered = first.summary.leads["created"] + first.summary.leads["edited"]
    checks = {
        "first run delivered every good row": first.status == "partial"
        and not first.summary.leads["deferred"],
        "second run made 0 calls": again.summary.sent == 0,
        f"{CHANGED_CITIES} changed rows made {CHANGED_CITIES} calls": changed.summary.sent == CHANGED_CITIES,
        "no sequence was started twice": max(starts) <= 1,
        "every lead that was sent is in the tables again": pulled.summary.pulled["leads"] == delivered,
        "never more than 20 calls in a second, as the server counts": worst <= 20 and not throttled,
    }
    say("Summary")
    for promise, kept in checks.items():
        say(f"  {'ok' if kept else 'NOT KEPT'}  {promise}")
    say("\nNext: kartra-sync --help, and the examples in configs/.")
    return {
        "ok": all(checks.values()),
        "checks": checks,
        "plan": {"calls": {"estimated": planned.calls}},
        "runs": [{"status": one.status, **one.summary.to_json()} for one in (first, again, changed)],
        "pull": {"status": pulled.status, **pulled.summary.to_json()},
        "report": {"columns": report.columns, "rows": report.rows},
        "worst_second": worst,
    }


def _run(say: Callable[[str], None], title: str, config: Any) -> RunResult:
    result = run_pipeline(config)
    if result.error is not None:
        raise SyncError(f"the demo failed: {result.error}")
    _say_all(say, title, run_lines(result))
    return result


def _say_all(say: Callable[[str], None], title: str, lines: Any) -> None:
    say(title)
    for line in lines:
        say(f"   {line}")
    say("")


def _drawn(report: ReportRows) -> list[str]:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(report_table(report))
    return captured.get().splitlines()


def _move(contacts: Path) -> None:
    """Some people move to another city."""
    with contacts.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    for row in rows[20 : 20 + CHANGED_CITIES]:
        row[header.index("City")] = "Toulouse"
    with contacts.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
