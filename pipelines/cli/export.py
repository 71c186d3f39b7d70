"""The verb `export`: the tables of a pull as files."""

from pathlib import Path

import click

from pipelines.cli.files import read_file
from pipelines.cli.options import EXACT, FILE, common
from pipelines.cli.output import print_json
from pipelines.tables.export import export_tables


@click.command(epilog="Example:  kartra-sync export tables.yaml --to tables --format parquet")
@click.argument("file", type=FILE)
@click.option("--to", "folder", type=FILE, required=True, help="The folder the files are written to.")
@click.option(
    "--format",
    "kind",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "parquet"]),
    help="Of the files.",
)
@click.option("--table", "names", multiple=True, metavar="NAME", help="Only this table; can be repeated.")
@click.option("--reports", is_flag=True, help="The reports, too.")
@click.option("--replace", is_flag=True, help="Replace files that are there.")
@EXACT
@common
def export(
    file: Path,
    *,
    folder: Path,
    kind: str,
    names: tuple[str, ...],
    reports: bool,
    replace: bool,
    exact: bool,
    as_json: bool,
) -> None:
    """Write the tables of a pull to files, a table each, for other programs. They hold personal data."""
    written = export_tables(
        read_file(file), folder, kind, names=names, reports=reports, replace=replace, exact=exact
    )
    if as_json:
        print_json(
            {"files": [{"table": one.table, "file": str(one.path), "rows": one.rows} for one in written]}
        )
        return
    for one in written:
        click.echo(f"{one.rows:>10,} rows  {one.path}")
