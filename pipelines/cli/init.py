"""The verb `init`: a first pipeline file for a source of contacts."""

import os
from pathlib import Path

import click

from connectors.errors import ConfigError
from connectors.kartra.transport import KARTRA_URL
from connectors.own_files import write_text
from pipelines.cli.inspect import QUERY, SHEET
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.rehearsal import sandbox_here
from pipelines.config.used_files import refuse_used
from pipelines.drafts.draft import Choices, draft_pipeline
from pipelines.drafts.draft_text import pipeline_text
from pipelines.drafts.named_source import NamedFile, named_source, pipeline_name


@click.command(epilog="Example:  kartra-sync init contacts.csv --to newsletter.yaml")
@click.argument("source")
@QUERY
@SHEET
@click.option(
    "--to", "target", type=FILE, help="The pipeline file; beside the source, by its name, without it."
)
@click.option(
    "--email", metavar="COLUMN", help="The column of the people's own addresses, where several hold some."
)
@click.option("--consent", metavar="COLUMN", help="The column that says who agreed, if it is not found.")
@click.option("--attested", metavar="TEXT", help="Where and when these people agreed, if no column says so.")
@click.option("--replace", is_flag=True, help="Replace a pipeline file that is there.")
@common
def init(
    source: str,
    *,
    query: str | None,
    sheet: str | None,
    target: Path | None,
    email: str | None,
    consent: str | None,
    attested: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Write a first pipeline for a file or a table of contacts, by its header or by names and values.

    Known: Mailchimp, Kajabi, HubSpot, GoHighLevel, Kit, ActiveCampaign, ClickFunnels, Brevo, systeme.io,
    Constant Contact, Google Contacts, Outlook, Shopify, WooCommerce, Salesforce, Pipedrive, Zoho, Ghost,
    Substack, Stripe customers, Eventbrite, Kartra's own. Every column is there with how sure it is, or with
    why it is left out.
    """
    named = named_source(source, query, os.environ, sheet=sheet)
    name = pipeline_name(named, target)
    beside = named.path.absolute().parent if isinstance(named, NamedFile) else Path.cwd()
    file = target or beside / f"{name}.yaml"
    if file.exists() and not replace:
        raise ConfigError(f"{file}: is there already; --replace replaces it, --to names another")
    if file.suffix not in (".yaml", ".yml"):  # a pipeline file may be replaced, a file that one reads may not
        refuse_used([file], more=[named.path] if isinstance(named, NamedFile) else [])
    if consent is not None and attested is not None:
        raise click.UsageError("either --consent or --attested")
    draft = draft_pipeline(named, file.absolute().parent, Choices(email, consent))
    sandbox = sandbox_here(Path.cwd())
    text = pipeline_text(draft, name, attested, sandbox or KARTRA_URL)
    try:
        write_text(file, text)
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
                "left_out": [
                    {"column": column, "reason": reason} for column, reason in draft.left_out.items()
                ],
            }
        )
        return
    print_lines([f"{file}: " + (f"an export of {platform}" if platform else "not a known export")])
    print_lines([f"  {len(draft.fields)} columns mapped, {len(draft.custom)} proposed as custom fields"])
    for column, reason in draft.left_out.items():
        print_lines([f"  left out: {column}: {reason}"])
    if sandbox is not None:
        print_lines([f"  for the sandbox that serves here: {sandbox}"])
    print_lines([f"next: kartra-sync check {file.name} and kartra-sync plan {file.name}"])
