"""The verbs on the tables of a pull: `reconcile` with Kartra's own export, `export` to files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.options import FILE, common, print_json, read_file, start_log

if TYPE_CHECKING:  # pandas comes with it
    from pipelines.tables.reconcile.reconcile import Reconciliation

DONE, PARTIAL = 0, 3  # as in pipelines.cli.main
SHOWN = 10
"""Lines of a list on screen."""


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
@common
def reconcile(
    file: Path,
    transactions: Path,
    *,
    date_format: str | None,
    add_leads: bool,
    csv_file: Path | None,
    as_json: bool,
    verbose: int,
) -> None:
    """Merge Kartra's own export of transactions (a CSV) with what was pulled, and list the gaps.

    Each transaction counts once. What was pulled stays; the export fills in what the API does not tell, such
    as the currency. Exit 3 when something does not agree.
    """
    start_log(verbose)
    from pipelines.tables.reconcile.reconcile import reconciled, write_findings

    with reconciled(read_file(file), transactions, date_format=date_format, add_leads=add_leads) as outcome:
        if csv_file is not None:
            write_findings(outcome, csv_file)
        if as_json:
            print_json(_reconciliation_json(outcome))
        else:
            for line in _reconciliation_lines(outcome):
                click.echo(line)
            if csv_file is not None:
                click.echo(f"written to {csv_file}")
        agrees = outcome.agrees
    sys.exit(DONE if agrees else PARTIAL)


def _reconciliation_json(outcome: Reconciliation) -> dict[str, Any]:
    from pipelines.tables.reconcile.findings import Kind

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


def _reconciliation_lines(outcome: Reconciliation) -> Iterator[str]:
    from pipelines.tables.reconcile.findings import Kind

    scratch, rows = outcome.scratch, outcome.rows
    yield (
        f"{outcome.file}: {rows['read']:,} rows read, {rows['new']:,} new, {rows['merged']:,} merged,"
        f" {rows['known']:,} already known, {rows['bad']:,} bad"
    )
    if outcome.begin and outcome.end:
        yield f"  from {outcome.begin:%Y-%m-%d %H:%M} to {outcome.end:%Y-%m-%d %H:%M} UTC, {outcome.currency}"
    told = {
        Kind.NOT_PULLED: "in the export and not pulled",
        Kind.NOT_IN_EXPORT: "pulled, within that time, and not in the export",
        Kind.DISAGREES: "different in the export than as pulled",
        Kind.UNKNOWN_TYPE: "of a type that is not known: not counted as income",
        Kind.BAD_ROW: "bad rows, not counted",
    }
    for kind, words in told.items():
        count = scratch.count(kind)
        if not count:
            continue
        yield f"  {count:>8,} {words}"
        for finding in scratch.findings(kind, SHOWN):
            named = f"row {finding.row}" if kind is Kind.BAD_ROW else f"transaction {finding.transaction_id}"
            yield f"{'':11}{named}{f': {finding.what}' if finding.what else ''}"
        if count > SHOWN:
            yield f"{'':11}and {count - SHOWN:,} more: --csv FILE writes them all"
    if outcome.leads_added:
        yield f"  {outcome.leads_added:>8,} leads are on the roster now: the next run pulls them"
    elif leads := scratch.lead_count():
        yield f"  {leads:>8,} leads of these are not on the roster; --add-leads has the next run pull them"
    if outcome.agrees:
        yield "  everything agrees"


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
@common
def export(
    file: Path,
    *,
    folder: Path,
    kind: str,
    names: tuple[str, ...],
    reports: bool,
    replace: bool,
    as_json: bool,
    verbose: int,
) -> None:
    """Write the tables of a pull to files, a table each, for other programs. They hold personal data."""
    start_log(verbose)
    from pipelines.tables.export import export_tables

    written = export_tables(read_file(file), folder, kind, names=names, reports=reports, replace=replace)
    if as_json:
        print_json(
            {"files": [{"table": one.table, "file": str(one.path), "rows": one.rows} for one in written]}
        )
        return
    for one in written:
        click.echo(f"{one.rows:>10,} rows  {one.path}")
