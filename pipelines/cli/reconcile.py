"""The verb `reconcile`: what was pulled beside Kartra's own export."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipelines.cli.exits import DONE, PARTIAL
from pipelines.cli.files import read_file, refuse_target
from pipelines.cli.options import FILE, REPLACE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.tables.reconcile.findings import Kind, Scratch
from pipelines.tables.reconcile.reconcile import Reconciliation, reconciled, write_findings
from pipelines.words.numbers import counted

SHOWN = 10
"""Lines of a list on screen."""

_WORDS: Mapping[Kind, str] = {
    Kind.NOT_PULLED: "in the export and not pulled",
    Kind.NOT_IN_EXPORT: "pulled, within that time, and not in the export",
    Kind.DISAGREES: "different in the export than as pulled",
    Kind.UNKNOWN_TYPE: "of a type that is not known: not counted as income",
    Kind.BAD_ROW: "bad rows, not counted",
}


@click.command(epilog="Example:  kartra-sync reconcile tables.yaml transactions.csv --csv gaps.csv")
@click.argument("file", type=FILE)
@click.argument("transactions", type=FILE)
@click.option(
    "--date-format",
    metavar="FORMAT",
    help="How the column Date is written, such as '%d/%m/%Y %H:%M:%S'. Found out when left out.",
)
@click.option("--add-leads", is_flag=True, help="Have the next run pull the leads that are not pulled yet.")
@click.option("--csv", "csv_file", type=FILE, help="Write everything that does not agree to this file.")
@REPLACE
@common
def reconcile(
    file: Path,
    transactions: Path,
    *,
    date_format: str | None,
    add_leads: bool,
    csv_file: Path | None,
    replace: bool,
    as_json: bool,
) -> int:
    """Merge Kartra's own export of transactions (a CSV) with what was pulled, and list the gaps.

    Each transaction counts once. What was pulled stays; the export fills in what the API does not tell, such
    as the currency. Exit 3 when something does not agree.
    """
    config = read_file(file)
    if csv_file is not None:
        refuse_target(csv_file, config, replace=replace, more=[transactions])
    with reconciled(config, transactions, date_format=date_format, add_leads=add_leads) as outcome:
        if csv_file is not None:
            write_findings(outcome, csv_file)
        if as_json:
            print_json(_json(outcome))
        else:
            print_lines(_lines(outcome))
            if csv_file is not None:
                click.echo(f"written to {csv_file}")
        agrees = outcome.agrees
    return DONE if agrees else PARTIAL


def _json(outcome: Reconciliation) -> dict[str, Any]:
    scratch = outcome.scratch
    return {
        "file": outcome.file,
        "currency": outcome.currency,
        "from": outcome.begin.isoformat() if outcome.begin else None,
        "to": outcome.end.isoformat() if outcome.end else None,
        "rows": {name: outcome.rows[name] for name in ("read", "new", "merged", "known", "bad")},
        "gaps": {kind.value: [asdict(finding) for finding in scratch.findings(kind)] for kind in Kind},
        "leads_not_on_roster": list(scratch.leads()),
        "leads_added": outcome.leads_added,
        "agrees": outcome.agrees,
    }


def _lines(outcome: Reconciliation) -> Iterator[str]:
    scratch, rows = outcome.scratch, outcome.rows
    yield (
        f"{outcome.file}: {counted(rows['read'], 'row')} read, {rows['new']:,} new,"
        f" {rows['merged']:,} merged, {rows['known']:,} already known, {rows['bad']:,} bad"
    )
    if outcome.begin and outcome.end:
        yield f"  from {outcome.begin:%Y-%m-%d %H:%M} to {outcome.end:%Y-%m-%d %H:%M} UTC, {outcome.currency}"
    for kind, words in _WORDS.items():
        yield from _gap_lines(scratch, kind, words)
    if outcome.leads_added:
        yield f"  {outcome.leads_added:>8,} leads are on the roster now: the next run pulls them"
    elif leads := scratch.lead_count():
        yield f"  {leads:>8,} leads of these are not on the roster; --add-leads has the next run pull them"
    if outcome.agrees:
        yield "  everything agrees"


def _gap_lines(scratch: Scratch, kind: Kind, words: str) -> Iterator[str]:
    count = scratch.count(kind)
    if not count:
        return
    yield f"  {count:>8,} {words}"
    for finding in scratch.findings(kind, SHOWN):
        named = f"row {finding.row}" if kind is Kind.BAD_ROW else f"transaction {finding.transaction_id}"
        yield f"{'':11}{named}{f': {finding.what}' if finding.what else ''}"
    if count > SHOWN:
        yield f"{'':11}and {count - SHOWN:,} more: --csv FILE writes them all"
