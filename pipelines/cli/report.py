"""The verb `report`: one report over the tables of a pull, or a page of the ones that people ask for."""

from pathlib import Path

import click

from connectors.kartra.clock import zone_of
from pipelines.cli.files import quoted, read_file, target_of
from pipelines.cli.options import EXACT, FILE, REPLACE, common
from pipelines.cli.output import print_json, tell
from pipelines.cli.screens import print_table, report_table
from pipelines.config.pipeline import PipelineConfig
from pipelines.private_file import open_private
from pipelines.tables.reports import ReportRows, read_report, report_named
from pipelines.tables.spreadsheets import CsvForPeople
from pipelines.tables.warehouse import open_warehouse
from pipelines.verbs.tables_page import write_tables_page


@click.command(epilog="Example:  kartra-sync report tables.yaml --html tables.html")
@click.argument("file", type=FILE)
@click.argument("name", required=False)
@click.option(
    "--csv", "csv_file", is_flag=False, flag_value="-", help="Write CSV instead: to a file, or to stdout."
)
@click.option(
    "--html",
    "html_file",
    metavar="PAGE",
    help="Write one self-contained page of all charts, or - for stdout.",
)
@REPLACE
@EXACT
@common
def report(
    file: Path,
    name: str | None,
    *,
    csv_file: str | None,
    html_file: str | None,
    replace: bool,
    exact: bool,
    as_json: bool,
) -> None:
    """One report over the tables that the pipeline FILE pulls into. `reports` lists their names.

    With --html instead of a name: revenue, products, refunds, recurring revenue, churn and lists as charts.
    """
    config = read_file(file)
    if html_file is not None:
        _write_page(config, html_file, name=name, csv_file=csv_file, replace=replace, as_json=as_json)
        return
    if name is None:
        raise click.UsageError(
            "which report? kartra-sync reports lists their names; --html PAGE has all charts"
        )
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
        if not found.rows:
            tell(f"nothing to report yet: kartra-sync run {file} pulls what there is")


def _write_page(
    config: PipelineConfig,
    html_file: str,
    *,
    name: str | None,
    csv_file: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    if name is not None or csv_file is not None:
        raise click.UsageError("--html writes the page of all charts: leave the name and --csv out")
    if as_json and html_file == "-":
        raise click.UsageError("--html needs a file with --json")
    target = target_of(html_file, config, replace=replace)
    write_tables_page(config, target)
    if as_json:
        print_json({"page": html_file})
    elif target is not None:
        click.echo(f"{quoted(target.absolute())} written: open it in a browser", err=True)


def _write_csv(found: ReportRows, target: Path | None, *, exact: bool) -> None:
    with open_private(target) as handle:
        writer = CsvForPeople(handle, exact=exact, line_end="\n")
        for row in (found.columns, *found.rows):
            writer.writerow(row)
