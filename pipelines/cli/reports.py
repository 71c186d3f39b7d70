"""The verbs `reports` and `report`: what the tables of a pull tell."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import FILE, common, print_json, read_file, start_log

if TYPE_CHECKING:
    from pipelines.tables.reports import ReportRows


@click.command(epilog="Example:  kartra-sync reports")
@common
def reports(*, as_json: bool, verbose: int) -> None:
    """The reports there are, and what each tells. In the tables they are views: report_<name>."""
    start_log(verbose)
    from pipelines.tables.reports import describe, report_names

    found = {name: describe(name) for name in report_names()}
    if as_json:
        print_json({"reports": [{"name": name, "tells": tells} for name, tells in found.items()]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("report", "tells", box=None, pad_edge=False)
    for name, tells in found.items():
        table.add_row(name.replace("_", "-"), tells)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@click.command(epilog="Example:  kartra-sync report tables.yaml revenue-by-month --csv revenue.csv")
@click.argument("file", type=FILE)
@click.argument("name")
@click.option(
    "--csv", "csv_file", is_flag=False, flag_value="-", help="Write CSV instead: to a file, or to stdout."
)
@common
def report(file: Path, name: str, *, csv_file: str | None, as_json: bool, verbose: int) -> None:
    """One report over the tables that the pipeline FILE pulls into. `reports` lists their names."""
    start_log(verbose)
    from pipelines.tables.reports import read_report, report_named
    from pipelines.tables.warehouse import open_warehouse

    config = read_file(file)
    into = config.needs_pull().into
    with open_warehouse(into, create=False) as tables:
        found = read_report(tables, report_named(name))
    if csv_file is not None:
        if as_json and csv_file == "-":
            raise click.UsageError("--csv needs a file with --json")
        _write_csv(found, csv_file)
    if as_json:
        print_json({"report": found.name, "columns": found.columns, "rows": found.rows})
    elif csv_file is None:
        from rich.console import Console

        from pipelines.cli.screens import report_table

        Console(width=None if sys.stdout.isatty() else 160).print(report_table(found))


def _write_csv(found: ReportRows, target: str) -> None:
    from pipelines.private_file import open_private

    with open_private(None if target == "-" else Path(target)) as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(found.columns)
        writer.writerows(found.rows)
