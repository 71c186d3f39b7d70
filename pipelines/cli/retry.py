"""The verb `retry`: load a mended file of rejects."""

from pathlib import Path

import click

from pipelines.cli.exits import leave
from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_error, print_json, print_lines
from pipelines.cli.progress import progress_bar
from pipelines.cli.run import code_of_run, run_json, taking_back_lines
from pipelines.cli.screens import run_lines
from pipelines.cli.signals import Stop
from pipelines.cli.streams import may_be_lost
from pipelines.verbs.retry import retry_file


@click.command(epilog="Example:  kartra-sync retry newsletter.yaml again.csv")
@click.argument("file", type=FILE)
@click.argument("csv_file", metavar="CSV", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Agree to more leads than guards.max_triggered.")
@common
@click.pass_obj
def retry(stop: Stop, file: Path, csv_file: Path, *, yes: bool, as_json: bool) -> None:
    """Load a mended file of `rejects --csv` with the mapping of FILE.

    The rows that are not in it stay as they are: nobody counts as gone from the source.
    """
    config = read_file(file)
    with progress_bar() as progress:
        result = retry_file(config, csv_file, approved=yes, stopping=stop.asked, progress=progress)
    with may_be_lost():
        if as_json:
            print_json(run_json(result))
        else:
            print_lines([*run_lines(result), *taking_back_lines(config, result)])
            if result.error is None and result.summary.counts.refused:
                click.echo(f"  why: kartra-sync rejects {quoted(config.path)}")
        if result.error is not None:
            print_error(result.pipeline, result.error)
    leave(stop.code(code_of_run(result)), at_once=True)
