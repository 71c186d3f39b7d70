"""`fleet status`: how every pipeline of every account stands. Imports no pandas."""

import os
from pathlib import Path

import click

from pipelines.cli.exits import DONE, FAILED
from pipelines.cli.fleet_lines import Screen, status_table
from pipelines.cli.fleet_options import shared
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table
from pipelines.config.fleet_file import read_fleet
from pipelines.fleet.status import MemberStatus, status_of_fleet


@click.command(
    epilog="Ends with 1 where something is late or its state cannot be read.\n\n"
    "Example:  kartra-sync fleet status agency.yaml"
)
@click.option("--failed", is_flag=True, help="Only what did not end well last, or never ran.")
@shared
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
