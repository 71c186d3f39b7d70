"""The verb `inspect`: what is in a source of contacts, and what is wrong with it."""

import os
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from pipelines.cli.options import common
from pipelines.cli.output import print_json
from pipelines.cli.screens import print_table
from pipelines.drafts.inspection import PROBLEMS, address_problems, profile_of
from pipelines.drafts.named_source import named_source

QUERY = click.option(
    "--query",
    metavar="SQL",
    help="Of a database: a table, a statement or a .sql file. SOURCE is its URL, '${NAME}' of a variable that"
    " holds it, or a SQLite file.",
)


@click.command(epilog="Example:  kartra-sync inspect contacts.csv")
@click.argument("source")
@QUERY
@common
def inspect(source: str, *, query: str | None, as_json: bool) -> None:
    """What is in a source of contacts: its columns, how full they are, what they look like, what is wrong.

    Values are shown as their form: letters as a, digits as 9.
    """
    named = named_source(source, query, os.environ)
    opened = named.open()
    profile = profile_of(opened)
    addresses = profile.addresses
    invalid = list(address_problems(opened, addresses.name)) if addresses is not None else []
    columns = [
        {
            "name": column.name,
            "filled": column.filled,
            "distinct": column.distinct,
            "longest": column.longest,
            "looks": dict(column.looks.most_common(3)),
            "samples": [] if column.is_secret else column.samples,
            "secret": column.is_secret,
        }
        for column in profile.columns
    ]
    problems = sorted([*profile.problems, *invalid[:PROBLEMS]])
    if as_json:
        print_json(
            {
                "rows": profile.rows,
                "bad_rows": profile.bad,
                "addresses": addresses.name if addresses is not None else None,
                "bad_addresses": len(invalid),
                "columns": columns,
                "problems": [{"row": row, "reason": reason} for row, reason in problems],
            }
        )
        return
    _print(named.name, profile.rows, columns, profile.notes)
    for row, reason in problems:
        click.echo(f"  row {row}: {reason}")
    if (more := profile.bad + len(invalid) - len(problems)) > 0:
        click.echo(f"  and {more:,} bad rows more")


def _print(name: str, rows: int, columns: list[dict[str, Any]], notes: tuple[str, ...]) -> None:
    table = Table("column", "filled", "different", "longest", "looks like", "for example")
    for column in columns:
        share = f"{column['filled'] / rows:.0%}" if rows else ""
        samples = "secret: not read" if column["secret"] else ", ".join(column["samples"])
        table.add_row(
            escape(column["name"]),
            share,
            f"{column['distinct']:,}",
            str(column["longest"]),
            ", ".join(column["looks"]),
            escape(samples),
        )
    click.echo(f"{name}: {rows:,} rows; {'; '.join(notes)}")
    print_table(table)
