"""The verb `runs`: the last runs of a pipeline."""

from pathlib import Path

import click

from pipelines.cli.files import read_files
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table, runs_table
from pipelines.verbs.status import run_json, runs_of


@click.command(epilog="Example:  kartra-sync runs newsletter.yaml --count 3")
@click.argument("file", required=False, type=FILE)
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@common
def runs(file: Path | None, *, count: int, as_json: bool) -> None:
    """The last runs, newest first."""
    found = [run for config in read_files(file) for run in runs_of(config, count)]
    if as_json:
        print_json({"runs": [run_json(run) for run in found]})
    elif found:
        print_table(runs_table(found))
    else:
        click.echo("no runs yet")
