"""The verb `run`: load, carry out operations, pull."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import SIGINT
from typing import Any

import click

from connectors.errors import ConfigError, SyncError
from pipelines.cli.choosing import choosing, terms_of
from pipelines.cli.exits import DONE, FAILED, PARTIAL, SIGNALLED, code_of, failure_json, leave
from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_error, print_json, print_lines
from pipelines.cli.progress import progress_bar
from pipelines.cli.question import asker
from pipelines.cli.screens import run_lines
from pipelines.cli.signals import Stop
from pipelines.cli.streams import may_be_lost
from pipelines.config.pipeline import PipelineConfig
from pipelines.verbs.identity import Choices
from pipelines.verbs.notify import run_and_tell, tell_of_others, tell_of_unreadable
from pipelines.verbs.run import RunResult, run_pipeline
from pipelines.verbs.twins import refuse_twins


@click.command(epilog="Example:  kartra-sync run newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--yes",
    is_flag=True,
    help="Agree beforehand: nobody is asked. Also to the money of operations and to guards.max_triggered.",
)
@click.option("--new-account", is_flag=True, help="The account or its mode is another one: begin anew in it.")
@click.option(
    "--new-pipeline", is_flag=True, help="This is no other pipeline renamed, though it has leads of one."
)
@click.option("--take-over-tables", is_flag=True, help="Pull into tables, though they hold another account.")
@click.option(
    "--restored", is_flag=True, help="The state was put back from a copy: go on with it, nothing is missing."
)
@choosing
@click.option("--full", is_flag=True, help="Read an incremental source as a whole, not only its new rows.")
@click.option(
    "--new-only", is_flag=True, help="Where all refusals are known from the run before: exit 0, not 3."
)
@common
@click.pass_obj
def run(
    stop: Stop,
    /,
    files: tuple[Path, ...],
    *,
    yes: bool,
    new_account: bool,
    new_pipeline: bool,
    take_over_tables: bool,
    restored: bool,
    full: bool,
    new_only: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Load what changed since the last run, carry out operations, pull what is not fresh: what the file has.

    On a terminal the plan is shown in five lines first, and a person is asked.
    Operations that move money are counted and summed up first, and sent with --yes alone.
    """
    codes, printed = [], []
    terms = terms_of(**chosen)
    configs = _read_all(files)
    refuse_twins(configs)
    for config in configs:
        if stop.asked():
            break
        try:
            with progress_bar() as progress:
                result = run_and_tell(
                    config,
                    partial(
                        run_pipeline,
                        config,
                        approved=yes,
                        full=full,
                        takes_tables=take_over_tables,
                        goes_on=restored,
                        terms=terms,
                        agree=asker(stop, progress.paused),
                        choices=Choices(new_account=new_account, new_pipeline=new_pipeline),
                        stopping=stop.asked,
                        progress=progress,
                    ),
                )
        except SyncError as error:
            # Alone it is the error of the command; among several, the others still get their run.
            if len(configs) == 1:
                raise
            codes.append(code_of(error))
            printed.append(_print_failure(config, error, codes[-1]))
            continue
        codes.append(DONE if new_only and result.has_nothing_new else code_of_run(result))
        printed.append(run_json(result))
        _print_result(config, result, as_lines=not as_json)
    if as_json:
        with may_be_lost():
            print_json(printed[0] if len(configs) == 1 and printed else {"runs": printed})
    leave(stop.code(max(codes, default=DONE)), at_once=True)


def _read_all(files: tuple[Path, ...]) -> list[PipelineConfig]:
    """All before the first one runs: a typo in the last shows up now, not hours later. Raises ConfigError."""
    configs, error = [], None
    for file in files:
        try:
            configs.append(read_file(file))
        except ConfigError as fault:
            tell_of_unreadable(file, fault, os.environ)
            error = error or fault
    if error is None:
        return configs
    for config in configs:
        tell_of_others(config, error)
    raise error


def _print_failure(config: PipelineConfig, error: SyncError, code: int) -> dict[str, Any]:
    """Tells people of a run that failed, and gives what `--json` says of it."""
    with may_be_lost():
        print_error(config.pipeline, error)
    return {"pipeline": config.pipeline, **failure_json(str(error), code)}


def _print_result(config: PipelineConfig, result: RunResult, *, as_lines: bool) -> None:
    # The run is over and kept in the state: a reader that went away must not turn it into a failure.
    with may_be_lost():
        if as_lines:
            print_lines(run_result_lines(config, result))
        if result.error is not None:
            print_error(result.pipeline, result.error)


def code_of_run(result: RunResult) -> int:
    if result.error is not None:
        return code_of(result.error)
    ended = {"succeeded": DONE, "partial": PARTIAL, "interrupted": SIGNALLED + SIGINT}
    return ended.get(result.status, FAILED)


def run_json(result: RunResult) -> dict[str, Any]:
    refused = result.summary.counts.refused
    return {
        "run_id": result.run_id,
        "pipeline": result.pipeline,
        "status": result.status,
        **result.summary.to_json(),
        **({"refusals": {"new": result.new_refusals, "known": result.known_refusals}} if refused else {}),
        **({"message": result.message} if result.message else {}),
        **({"notes": result.summary.notes} if result.summary.notes else {}),
    }


def run_result_lines(config: PipelineConfig, result: RunResult) -> Iterator[str]:
    yield from run_lines(result)
    yield from taking_back_lines(config, result)
    if result.error is None and result.summary.counts.refused:
        known = ", all known since the run before" if result.has_nothing_new else ""
        if not known and result.known_refusals:
            known = f", {result.new_refusals:,} of them new"
        yield f"  why: kartra-sync rejects {quoted(config.path)}{known}"
        if result.summary.counts.leads["parked"]:
            yield f"  what waits for you: kartra-sync parked {quoted(config.path)}"


def taking_back_lines(config: PipelineConfig, result: RunResult) -> Iterator[str]:
    """How to see and to take back what a run has sent, whether it ended well or was stopped."""
    leads = result.summary.counts.leads
    if any(leads[changed] for changed in ("created", "edited", "removed")):
        file = quoted(config.path)
        yield (
            f"  what it did: kartra-sync show {file}; to take it back:"
            f" kartra-sync undo {file} {result.run_id}"
        )
