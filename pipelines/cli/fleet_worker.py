"""`fleet worker`: one of many, on any host, until it is asked to stop."""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connectors.errors import ConfigError
from pipelines.cli.exits import DONE, leave
from pipelines.cli.fleet_lines import Screen
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_error, print_json, tell
from pipelines.cli.signals import Stop
from pipelines.cli.streams import may_be_lost
from pipelines.config.fleet_file import read_fleet

if TYPE_CHECKING:
    from pipelines.fleet.run import Outcome

MISSING = "fleet worker needs a library that is not installed: pip install 'kartra-sync[fleet]'"


@click.command(
    epilog="Ends with 4 where another worker has begun with other files of the fleet.\n\n"
    "Example:  kartra-sync fleet worker agency.yaml"
)
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1, 64), help="Runs side by side."
)
@click.option(
    "--yes", is_flag=True, help="Agree beforehand to the money of operations and to guards.max_triggered."
)
@click.option("--target", metavar="NAME", help="An environment of the file, such as test or live.")
@common
@click.argument("file", metavar="FLEET", type=FILE)
@click.pass_obj
def worker(stop: Stop, /, file: Path, *, at_once: int, yes: bool, target: str | None, as_json: bool) -> None:
    """Run each pipeline of each account when its schedule says so. One of many workers, on any host.

    The states have to be on PostgreSQL, where the queue is, too. A run that was missed is made up once,
    unless the pipeline says late: skip. What a killed worker ran is taken over by another within a minute. It
    runs until Ctrl-C or SIGTERM, and settles its calls before.
    """
    found = read_fleet(file, os.environ, target)
    try:
        # Loaded here alone: the group is optional, and every other verb of a fleet does without it.
        work = importlib.import_module("pipelines.fleet.worker")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "pipelines":
            raise
        raise ConfigError(MISSING) from None
    screen = Screen(file, target)
    codes: list[int] = []

    def told(outcome: "Outcome") -> None:
        codes.append(screen.code(outcome))
        with may_be_lost():
            if outcome.stopped_by is not None:
                print_error(screen.label(outcome), screen.words(outcome, outcome.stopped_by))
            elif outcome.result is not None:
                tell(f"{screen.label(outcome)}: {outcome.result.status} (run {outcome.result.run_id})")

    work.start_worker(file, os.environ, target, at_once=at_once, approved=yes, stopping=stop.asked, told=told)
    if as_json:
        failed = sum(code != DONE for code in codes)
        print_json({"fleet": found.config.fleet, "runs": len(codes), "not_well": failed})
    leave(stop.code(DONE), at_once=True)
