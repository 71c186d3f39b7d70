"""The verbs that begin a pipeline: `inspect` a source, `init` a pipeline for it."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from pipelines.cli.options import FILE, common, print_json, start_log

QUERY = click.option(
    "--query",
    metavar="SQL",
    help="Of a database: a table, a statement or a .sql file. SOURCE is its URL, '${NAME}' of a variable that"
    " holds it, or a SQLite file.",
)


@click.command(epilog="Example:  kartra-sync init contacts.csv --to newsletter.yaml")
@click.argument("source")
@QUERY
@click.option(
    "--to", "target", type=FILE, help="The pipeline file; beside the source, by its name, without it."
)
@click.option("--consent", metavar="COLUMN", help="The column that says who agreed, if it is not found.")
@click.option("--attested", metavar="TEXT", help="Where and when these people agreed, if no column says so.")
@click.option("--replace", is_flag=True, help="Replace a pipeline file that is there.")
@common
def init(
    source: str,
    *,
    query: str | None,
    target: Path | None,
    consent: str | None,
    attested: str | None,
    replace: bool,
    as_json: bool,
    verbose: int,
) -> None:
    """Write a first pipeline for a file or a table of contacts, by its header or by names and values.

    Known: Mailchimp, Kajabi, HubSpot, GoHighLevel, Kit, ActiveCampaign, ClickFunnels, Brevo, systeme.io,
    Constant Contact, Kartra's own. Every column is there with how sure it is, or with why it is left out.
    """
    start_log(verbose)
    from connectors.errors import ConfigError
    from pipelines.drafts.draft import draft_pipeline, pipeline_text
    from pipelines.drafts.named_source import NamedFile, named_source, pipeline_name

    named = named_source(source, query, os.environ)
    name = pipeline_name(named)
    beside = named.path.absolute().parent if isinstance(named, NamedFile) else Path.cwd()
    file = target or beside / f"{name}.yaml"
    if file.exists() and not replace:
        raise ConfigError(f"{file}: is there already; --replace replaces it, --to names another")
    if consent is not None and attested is not None:
        raise click.UsageError("either --consent or --attested")
    draft = draft_pipeline(named, file.absolute().parent, consent)
    text = pipeline_text(draft, name, attested)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
    platform = draft.preset.name if draft.preset else None
    if as_json:
        print_json(
            {
                "pipeline": str(file),
                "preset": platform,
                "fields": draft.fields,
                "custom_fields": list(draft.custom),
                "left_out": draft.left_out,
            }
        )
        return
    click.echo(f"{file}: " + (f"an export of {platform}" if platform else "no export that is known"))
    click.echo(f"  {len(draft.fields)} columns mapped, {len(draft.custom)} proposed as custom fields")
    for column, reason in draft.left_out.items():
        click.echo(f"  left out: {column}: {reason}")
    click.echo(f"next: kartra-sync check {file.name} and kartra-sync plan {file.name}")


@click.command(epilog="Example:  kartra-sync inspect contacts.csv")
@click.argument("source")
@QUERY
@common
def inspect(source: str, *, query: str | None, as_json: bool, verbose: int) -> None:
    """What is in a source of contacts: its columns, how full they are, what they look like, what is wrong.

    Values are shown as their form: letters as a, digits as 9.
    """
    start_log(verbose)
    from pipelines.drafts.inspection import PROBLEMS, address_problems, profile_of
    from pipelines.drafts.named_source import named_source

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
    _tell(named.name, profile.rows, columns, profile.notes)
    for row, reason in problems:
        click.echo(f"  row {row}: {reason}")
    if (more := profile.bad + len(invalid) - len(problems)) > 0:
        click.echo(f"  and {more:,} bad rows more")


def _tell(name: str, rows: int, columns: list[dict[str, Any]], notes: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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
    Console(width=None if sys.stdout.isatty() else 160).print(table)
