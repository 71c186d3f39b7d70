"""The verb `fleet`: the same pipelines for many accounts of one App."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pipelines.cli.exits import (
    BUG,
    DONE,
    FAILED,
    GUARDED,
    LOCKED,
    PARTIAL,
    USAGE,
    code_of,
    leave,
)
from pipelines.cli.fleet_lines import Screen, check_lines, faults_lines, plan_table, run_table, status_table
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_error, print_json, print_lines
from pipelines.cli.screens import print_table
from pipelines.cli.signals import stop_on_signals
from pipelines.cli.streams import may_be_lost
from pipelines.config.fleet_file import read_fleet
from pipelines.config.pipeline import PipelineConfig
from pipelines.fleet.status import MemberStatus, status_of_fleet

Command = TypeVar("Command", bound=Callable[..., Any])

# Not by number: what needs a person comes before what the next run may put right by itself.
WORST_FIRST = (BUG, USAGE, GUARDED, FAILED, LOCKED, PARTIAL, DONE)
"""The exit code of a fleet is that of its worst account, in this order."""
RULE = "Exit: that of the worst account, in the order 70, 2, 4, 1, 5, 3, 0; after a signal 130 or 143."


def worst(codes: list[int]) -> int:
    return min(codes, key=WORST_FIRST.index, default=DONE)


@click.group(epilog=f"{RULE}\n\nExample:  kartra-sync fleet run agency.yaml")
def fleet() -> None:
    """Run the same pipelines for many accounts of one App, side by side within its rate.

    FLEET is a file with the accounts and the pipelines. What stops one account stops no other. Other verbs
    take one pipeline of one account as FLEET@ACCOUNT/PIPELINE: rejects agency.yaml@acme/welcome.
    """


def _shared(command: Command) -> Command:
    for option in (
        common,
        click.option(
            "--account", "names", multiple=True, metavar="NAME", help="This account alone; repeatable."
        ),
        click.option("--target", metavar="NAME", help="An environment of the file, such as test or live."),
        click.argument("file", metavar="FLEET", type=FILE),
    ):
        command = option(command)
    return command


@fleet.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet check agency.yaml")
@_shared
def check(file: Path, *, target: str | None, names: tuple[str, ...], as_json: bool) -> int:
    """Check the file, every account and every pipeline for it; all that is wrong is told at once, by name."""
    from pipelines.fleet.fleet import open_fleet, shared_contacts  # pandas and more, which status needs not
    from pipelines.fleet.look import check_fleet

    found = open_fleet(file, os.environ, target=target, names=names)
    looked = check_fleet(found)
    codes = [code_of(each.error) if each.error else DONE for each in looked]
    if as_json:
        screen = Screen(file, target)
        accounts = [screen.checked_json(each, code) for each, code in zip(looked, codes, strict=True)]
        print_json(
            {"fleet": found.name, "ok": not any(codes), "notes": shared_contacts(found), "accounts": accounts}
        )
    else:
        print_lines(check_lines(found, looked))
        print_lines(f"note: {note}" for note in shared_contacts(found))
    return worst(codes)


@fleet.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet plan agency.yaml --account acme")
@_shared
def plan(file: Path, *, target: str | None, names: tuple[str, ...], as_json: bool) -> int:
    """What a run would send, a line for each account and pipeline. Sends no write."""
    from pipelines.fleet.fleet import open_fleet, shared_contacts  # pandas and more, which status needs not
    from pipelines.fleet.look import plan_fleet

    found = open_fleet(file, os.environ, target=target, names=names)
    looked = plan_fleet(found)
    codes = [code_of(each.error) if each.error else DONE for each in looked]
    screen = Screen(file, target)
    if as_json:
        accounts = [screen.planned_json(each, code) for each, code in zip(looked, codes, strict=True)]
        print_json({"fleet": found.name, "notes": shared_contacts(found), "accounts": accounts})
    else:
        print_table(plan_table(looked))
        print_lines(f"note: {note}" for note in shared_contacts(found))
        print_lines(faults_lines(looked))
    return worst(codes)


@fleet.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet run agency.yaml --failed")
@click.option("--failed", is_flag=True, help="Only what did not end well last, or never ran.")
@click.option(
    "--yes", is_flag=True, help="Agree beforehand to the money of operations and to guards.max_triggered."
)
@_shared
def run(
    file: Path, *, target: str | None, names: tuple[str, ...], failed: bool, yes: bool, as_json: bool
) -> None:
    """Run every pipeline of every account, side by side within the rate of the App.

    Permits go by `share` among those that wait; small accounts begin first. Nobody is asked.
    """
    with stop_on_signals() as stop:
        from pipelines.fleet.fleet import open_fleet, shared_contacts  # after the handlers: it takes a while
        from pipelines.fleet.run import Outcome, run_fleet

        found = open_fleet(file, os.environ, target=target, names=names)
        screen = Screen(file, target)
        wanted = _those_that_failed(file, target) if failed else None

        def is_wanted(account: str, config: PipelineConfig) -> bool:
            return wanted is None or (account, config.pipeline) in wanted

        def tell(outcome: Outcome) -> None:
            if outcome.stopped_by is not None:
                with may_be_lost():
                    print_error(screen.label(outcome), screen.words(outcome, outcome.stopped_by))

        outcomes = run_fleet(found, approved=yes, is_wanted=is_wanted, stopping=stop.asked, told=tell)
        codes = [screen.code(outcome) for outcome in outcomes]
        with may_be_lost():
            if as_json:
                accounts = [screen.run_json(each, code) for each, code in zip(outcomes, codes, strict=True)]
                print_json({"fleet": found.name, "notes": shared_contacts(found), "accounts": accounts})
            else:
                print_table(run_table(screen, outcomes))
                print_lines(f"note: {note}" for note in shared_contacts(found))
        leave(stop.code(worst(codes)), at_once=True)


def _those_that_failed(file: Path, target: str | None) -> set[tuple[str, str]]:
    found = status_of_fleet(read_fleet(file, os.environ, target))
    return {(each.account, each.pipeline) for each in found if each.has_failed}


@fleet.command(
    epilog="Ends with 1 where something is late or its state cannot be read.\n\n"
    "Example:  kartra-sync fleet status agency.yaml"
)
@click.option("--failed", is_flag=True, help="Only what did not end well last, or never ran.")
@_shared
def status(file: Path, *, target: str | None, names: tuple[str, ...], failed: bool, as_json: bool) -> int:
    """How every pipeline of every account stands: a line each, with what to do. Needs no credentials."""
    read = read_fleet(file, os.environ, target)
    found = [each for each in status_of_fleet(read, names) if not failed or each.has_failed]
    screen = Screen(file, target)
    if as_json:
        accounts = [{**each.to_json(), "to_do": screen.to_do(each)} for each in found]
        print_json({"fleet": read.config.fleet, "accounts": accounts})
    else:
        print_table(status_table(screen, found))
    return FAILED if any(_is_wrong(each) for each in found) else DONE


def _is_wrong(each: MemberStatus) -> bool:
    return each.is_late or bool(each.problem) or each.is_left
