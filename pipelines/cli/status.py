"""The verb `status`: the last run, and what waits."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from connectors.errors import ConfigError, SyncError
from pipelines.cli.exits import DONE, FAILED, leave
from pipelines.cli.files import read_files
from pipelines.cli.options import FILE, PERIOD, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import account_lines
from pipelines.config.pipeline import PipelineConfig
from pipelines.verbs.status import PipelineStatus, status_of
from pipelines.words.numbers import counted


@click.command(epilog="Example:  kartra-sync status newsletter.yaml")
@click.argument("file", required=False, type=FILE)
@click.option(
    "--max-age",
    type=PERIOD,
    help="End with 1 where the last good run ended longer ago, as 26h or 2d, or there was none.",
)
@click.option("--notify", is_flag=True, help="With --max-age: tell the addresses of the file's notify, once.")
@common
def status(file: Path | None, *, max_age: timedelta | None, notify: bool, as_json: bool) -> None:
    """The last run and what waits, of one pipeline or of all in this folder."""
    if notify and max_age is None:
        raise click.UsageError("--notify needs --max-age, which says what is late")
    configs = _read(file, notify=notify)
    found = [_status_of(config, max_age, notify=notify) for config in configs]
    late = [config for config, pipeline in zip(configs, found, strict=True) if pipeline.is_late]
    if as_json:
        print_json({"pipelines": [pipeline.to_json() for pipeline in found]})
    else:
        for pipeline in found:
            print_lines(status_lines(pipeline))
    if notify and max_age is not None:
        for config in late:
            _notify().tell_of_late(config, max_age)
    leave(FAILED if late else DONE)


def _notify() -> ModuleType:
    from pipelines.verbs import notify  # requests and pandas, which no other status needs

    return notify


def _read(file: Path | None, *, notify: bool) -> list[PipelineConfig]:
    try:
        return read_files(file)
    except ConfigError as error:
        if notify and file is not None:
            _notify().tell_of_unreadable(file, error, os.environ)
        raise


def _status_of(config: PipelineConfig, max_age: timedelta | None, *, notify: bool) -> PipelineStatus:
    """A state that nobody can read says nothing of lateness: that is told instead."""
    try:
        return status_of(config, max_age)
    except SyncError as error:
        if notify:
            _notify().tell_of_failure(config, error)
        raise


def status_lines(pipeline: PipelineStatus) -> Iterator[str]:
    last, waiting = pipeline.last_run, pipeline.waiting
    ended = f"last run {last.started_at[:16].replace('T', ' ')} UTC, {last.status}" if last else "never run"
    yield f"{pipeline.pipeline}: {counted(waiting.leads, 'lead')} in Kartra, {ended}"
    yield from account_lines(pipeline.account or {})
    for count, words in (
        (waiting.unknown, "without an answer: the next run reads back what became of them"),
        (waiting.parked, "held back: kartra-sync parked says why"),
        (
            waiting.rejected,
            "refused, and not sent again until something changes: kartra-sync rejects says why",
        ),
    ):
        if count:
            yield f"  {count:,} {words}"
    for operation, outcomes in pipeline.parts.get("operations", {}).items():
        yield f"  {operation}: {', '.join(f'{count:,} {outcome}' for outcome, count in outcomes.items())}"
    if tables := pipeline.parts.get("tables"):
        yield f"  tables: {_freshness(tables)}"
    if pipeline.is_late:
        good = pipeline.last_good
        yield (
            f"  late: the last good run ended {good.isoformat()[:16]} UTC"
            if good
            else "  late: no run has ended well yet"
        )
    if holder := pipeline.holder:
        yield f"  running since {holder.taken_at.isoformat()[:19]}, process {holder.pid}"


def _freshness(tables: dict[str, Any]) -> str:
    if "problem" in tables:
        return str(tables["problem"])
    last = f"last pulled {tables['last_pull']} UTC" if tables["last_pull"] else "never pulled"
    return f"{tables['pulled']:,} of {counted(tables['on_roster'], 'lead')}, {last}"
