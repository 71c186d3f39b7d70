"""`fleet check`, `fleet plan` and `fleet run`: what reads contacts or sends them. Imports pandas and more."""

import os
from pathlib import Path

import click

from pipelines.cli.exits import BUG, DONE, FAILED, GUARDED, LOCKED, PARTIAL, USAGE, code_of, leave
from pipelines.cli.fleet_lines import Screen, check_lines, faults_lines, plan_table, run_table
from pipelines.cli.fleet_options import RULE, shared
from pipelines.cli.output import print_error, print_json, print_lines
from pipelines.cli.screens import print_table
from pipelines.cli.signals import Stop
from pipelines.cli.streams import may_be_lost
from pipelines.config.fleet_file import read_fleet
from pipelines.config.pipeline import PipelineConfig
from pipelines.fleet.fleet import open_fleet, shared_contacts
from pipelines.fleet.look import check_fleet, plan_fleet
from pipelines.fleet.run import Outcome, run_fleet
from pipelines.fleet.status import status_of_fleet

# Not by number: what needs a person comes before what the next run may put right by itself.
WORST_FIRST = (BUG, USAGE, GUARDED, FAILED, LOCKED, PARTIAL, DONE)
"""The exit code of a fleet is that of its worst account, in this order."""


def worst(codes: list[int]) -> int:
    return min(codes, key=WORST_FIRST.index, default=DONE)


@click.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet check agency.yaml")
@shared
def check(file: Path, *, target: str | None, names: tuple[str, ...], as_json: bool) -> int:
    """Check the file, every account and every pipeline for it; all that is wrong is told at once, by name."""
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


@click.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet plan agency.yaml --account acme")
@shared
def plan(file: Path, *, target: str | None, names: tuple[str, ...], as_json: bool) -> int:
    """What a run would send, a line for each account and pipeline. Sends no write."""
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


@click.command(epilog=f"{RULE}\n\nExample:  kartra-sync fleet run agency.yaml --failed")
@click.option("--failed", is_flag=True, help="Only what did not end well last, or never ran.")
@click.option(
    "--yes", is_flag=True, help="Agree beforehand to the money of operations and to guards.max_triggered."
)
@shared
@click.pass_obj
def run(
    stop: Stop,
    /,
    file: Path,
    *,
    target: str | None,
    names: tuple[str, ...],
    failed: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Run every pipeline of every account, side by side within the rate of the App.

    Permits go by `share` among those that wait; small accounts begin first. Nobody is asked.
    """
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
