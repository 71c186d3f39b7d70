"""The verb `rejects`: who did not get through in the last run, on screen or as a file to load again."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from pipelines.cli.files import read_file, target_of
from pipelines.cli.options import FILE, REPLACE, common
from pipelines.cli.output import print_json, print_json_rows
from pipelines.cli.screens import print_table, rejects_table
from pipelines.config.pipeline import PipelineConfig
from pipelines.verbs.rejects import rejects_of, write_rejects

ROWS_OF_A_TABLE = 1_000
"""A longer list is printed as several tables, whose columns are not as wide all the way."""


@click.command(epilog="Example:  kartra-sync rejects newsletter.yaml --csv again.csv")
@click.argument("file", type=FILE)
@click.option(
    "--csv",
    "csv_file",
    is_flag=False,
    flag_value="-",
    help="Write the original records as CSV, to load again: to a file, or to stdout. Holds personal data.",
)
@REPLACE
@common
def rejects(file: Path, *, csv_file: str | None, replace: bool, as_json: bool) -> None:
    """Who did not get through in the last run: row, kind and reason."""
    config = read_file(file)
    if csv_file is not None:
        _write(config, csv_file, replace=replace, as_json=as_json)
        return
    rows = ({name: value for name, value in row.items() if name != "record"} for row in rejects_of(config))
    if as_json:
        print_json_rows("rejects", rows)
    else:
        _print(rows)


def _write(config: PipelineConfig, csv_file: str, *, replace: bool, as_json: bool) -> None:
    if as_json and csv_file == "-":
        raise click.UsageError("--csv needs a file with --json")
    source = (config.load or config.needs_operations()).source
    target = target_of(csv_file, config, replace=replace)
    count = write_rejects(lambda: rejects_of(config), target, source)
    if as_json:
        print_json({"written": count, "file": csv_file})
    else:
        click.echo(f"{count:,} records written", err=True)


def _print(rows: Iterable[Mapping[str, Any]]) -> None:
    left = iter(rows)
    page = list(islice(left, ROWS_OF_A_TABLE))
    if not page:
        click.echo("none")
    while page:
        print_table(rejects_table(page))
        page = list(islice(left, ROWS_OF_A_TABLE))
