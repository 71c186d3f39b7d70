"""The verb `report`: one report over the tables of a pull."""

from pathlib import Path

import click

from connectors.kartra.clock import zone_of
from pipelines.cli.files import read_file, target_of
from pipelines.cli.options import EXACT, FILE, REPLACE, common
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table, report_table
from pipelines.private_file import open_private
from pipelines.tables.reports import ReportRows, read_report, report_named
from pipelines.tables.spreadsheets import CsvForPeople
from pipelines.tables.warehouse import open_warehouse


@click.command(epilog="Example:  kartra-sync report tables.yaml revenue-by-month --csv revenue.csv")
@click.argument("file", type=FILE)
@click.argument("name")
@click.option(
    "--csv", "csv_file", is_flag=False, flag_value="-", help="Write CSV instead: to a file, or to stdout."
)
@REPLACE
@EXACT
@common
def report(file: Path, name: str, *, csv_file: str | None, replace: bool, exact: bool, as_json: bool) -> None:
    """One report over the tables that the pipeline FILE pulls into. `reports` lists their names."""
    config = read_file(file)
    pull = config.needs_pull()
    if as_json and csv_file == "-":
        raise click.UsageError("--csv needs a file with --json")
    target = target_of(csv_file, config, replace=replace) if csv_file is not None else None
    with open_warehouse(pull.into, read_only=True) as tables:
        found = read_report(tables, report_named(name), zone_of(pull.zone))
    if csv_file is not None:
        _write_csv(found, target, exact=exact)
    if as_json:
        print_json({"report": found.name, "columns": found.columns, "rows": found.rows})
    elif csv_file is None:
        print_table(report_table(found))


def _write_csv(found: ReportRows, target: Path | None, *, exact: bool) -> None:
    with open_private(target) as handle:
        writer = CsvForPeople(handle, exact=exact, line_end="\n")
        for row in (found.columns, *found.rows):
            writer.writerow(row)
