"""The verb `reports`: the names of the reports, and what each tells."""

import click
from rich.table import Table

from pipelines.cli.options import common
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table
from pipelines.tables.reports import describe, report_names


@click.command(epilog="Example:  kartra-sync reports")
@common
def reports(*, as_json: bool) -> None:
    """The reports there are, and what each tells. In the tables they are views: report_<name>."""
    found = {name: describe(name) for name in report_names()}
    if as_json:
        print_json({"reports": [{"name": name, "tells": tells} for name, tells in found.items()]})
        return
    table = Table("report", "tells", box=None, pad_edge=False)
    for name, tells in found.items():
        table.add_row(name.replace("_", "-"), tells)
    print_table(table)
