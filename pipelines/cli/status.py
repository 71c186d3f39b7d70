"""The verb `status`: the last run, and what waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pipelines.cli.files import read_files
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import account_lines
from pipelines.verbs.status import status_of


@click.command(epilog="Example:  kartra-sync status newsletter.yaml")
@click.argument("file", required=False, type=FILE)
@common
def status(file: Path | None, *, as_json: bool) -> None:
    """The last run and what waits, of one pipeline or of all in this folder."""
    found = [status_of(config) for config in read_files(file)]
    if as_json:
        print_json({"pipelines": found})
        return
    for pipeline in found:
        print_lines(_lines(pipeline))


def _lines(pipeline: dict[str, Any]) -> Iterator[str]:
    last = pipeline["last_run"]
    ended = f"last run {last['started_at'][:19]} {last['status']}" if last else "never run"
    yield f"{pipeline['pipeline']}: {pipeline['leads']:,} leads in Kartra, {ended}"
    yield from account_lines(pipeline["account"] or {})
    for word in ("unknown", "parked", "rejected"):
        if pipeline["waiting"][word]:
            yield f"  {pipeline['waiting'][word]:,} {word}"
    for operation, counts in pipeline.get("operations", {}).items():
        yield f"  {operation}: {', '.join(f'{count:,} {outcome}' for outcome, count in counts.items())}"
    if tables := pipeline.get("tables"):
        yield f"  tables: {_freshness(tables)}"
    if running := pipeline["running"]:
        yield f"  running since {running['since'][:19]}, process {running['pid']}"


def _freshness(tables: dict[str, Any]) -> str:
    if "problem" in tables:
        return str(tables["problem"])
    last = f"last pulled {tables['last_pull']} UTC" if tables["last_pull"] else "never pulled"
    return f"{tables['pulled']:,} leads of {tables['on_roster']:,}, {last}"
