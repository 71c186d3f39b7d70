"""The verb `apply`: sends a saved plan, exactly and once."""

from datetime import timedelta
from pathlib import Path

import click

from pipelines.cli.exits import leave
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, PERIOD, common
from pipelines.cli.output import print_error, print_json, print_lines
from pipelines.cli.progress import progress_bar
from pipelines.cli.question import asker
from pipelines.cli.run import code_of_run, run_json, run_result_lines
from pipelines.cli.signals import Stop
from pipelines.cli.streams import may_be_lost
from pipelines.verbs.notify import apply_and_tell
from pipelines.verbs.work import Caller


@click.command(epilog="Example:  kartra-sync apply newsletter.yaml 20270116-3f2a9c")
@click.argument("file", type=FILE)
@click.argument("plan")
@click.option("--max-age", type=PERIOD, metavar="AGE", help="Refuse a plan that is older, such as 2h.")
@click.option("--yes", is_flag=True, help="Agree beforehand, also to more leads than guards.max_triggered.")
@common
@click.pass_obj
def apply(stop: Stop, file: Path, plan: str, *, max_age: timedelta | None, yes: bool, as_json: bool) -> None:
    """Send the changes of a saved plan, no others: refused with 6 where something has moved since.

    PLAN is the number that plan --save has printed. The file, the mapping, the records of the source, what is
    known of its leads, the account and its mode have to be as they were. A plan is applied once; where that
    was cut short, the same words go on. Operations and the pull of the file are left to `run`.
    """
    config = read_file(file)
    with progress_bar() as progress:
        caller = Caller(
            approved=yes, stopping=stop.asked, progress=progress, agree=asker(stop, progress.paused)
        )
        result = apply_and_tell(config, plan, caller, max_age=max_age)
    with may_be_lost():
        if as_json:
            print_json({**run_json(result), "plan_id": plan})
        else:
            print_lines(run_result_lines(config, result))
        if result.error is not None:
            print_error(result.pipeline, result.error)
    leave(stop.code(code_of_run(result)), at_once=True)
