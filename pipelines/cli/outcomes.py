"""The verb `outcomes`: what became of each lead of a run."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import click
from rich.table import Table

from connectors.privacy import mask_address
from pipelines.cli.files import read_file, target_of
from pipelines.cli.options import EXACT, FILE, REPLACE, common
from pipelines.cli.output import print_json, print_json_rows, print_lines, tell
from pipelines.cli.screens import print_table
from pipelines.verbs.outcomes import Outcome, outcomes_of, unchanged_in, write_outcomes
from pipelines.words.numbers import counted
from pipelines.words.outcomes import OUTCOMES, in_words

ROWS_OF_A_TABLE = 1_000
KIND = click.Choice([*OUTCOMES, *(in_words(one) for one in OUTCOMES if "_" in one)])


@click.command(epilog="Example:  kartra-sync outcomes newsletter.yaml --kind refused")
@click.argument("file", type=FILE)
@click.option("--run", metavar="RUN", help="Of this run: its number or the beginning of it. Else the last.")
@click.option("--kind", type=KIND, metavar="KIND", help="Only these: refused, invalid, held back, created …")
@click.option("--key", metavar="KEY", help="Of this key alone, in all kept runs.")
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@click.option(
    "--csv", "csv_file", metavar="OUT", help="Write all with their keys to a file, or - for stdout."
)
@EXACT
@REPLACE
@common
def outcomes(
    file: Path,
    *,
    run: str | None,
    kind: str | None,
    key: str | None,
    show: bool,
    csv_file: str | None,
    exact: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """What became of each lead of a run: outcome, what was sent by names, type and reason.

    Leads that were as wished already are counted on a screen, and listed with --kind unchanged, --csv and
    --json. Where more leads are known than the run has read, the reason says so.
    Outcomes are kept as long as `keep` says, 90 days when left out; duplicate and blocked rows for five runs.
    """
    config = read_file(file)
    kind = kind.replace(" ", "_") if kind else None
    found = outcomes_of(config, run, kind, key, every=as_json or csv_file is not None)
    if csv_file is not None:
        if as_json and csv_file == "-":
            raise click.UsageError("--csv needs a file with --json")
        count = write_outcomes(found, target_of(csv_file, config, replace=replace), exact=exact)
        if as_json:
            print_json({"written": count, "file": csv_file})
        else:
            tell(f"{counted(count, 'outcome')} written")
        return
    masked = (_masked(one, show=show) for one in found)
    of_a_run = key is None and kind in (None, "unchanged")
    unchanged = unchanged_in(config, run) if of_a_run else 0
    if as_json:
        print_json_rows("outcomes", map(asdict, masked), {"unchanged": unchanged} if of_a_run else None)
    else:
        _print(masked, 0 if kind else unchanged)


def _masked(one: Outcome, *, show: bool) -> Outcome:
    return one if show or one.key is None else replace(one, key=mask_address(one.key))


def _print(found: Iterable[Outcome], unchanged: int) -> None:
    left = iter(found)
    page = list(islice(left, ROWS_OF_A_TABLE))
    if not page and not unchanged:
        click.echo("none")
    while page:
        table = Table("row", "key", "outcome", "sent", "type", "why")
        for one in page:
            table.add_row(
                str(one.row or ""),
                one.key or "",
                in_words(one.outcome),
                ", ".join(one.sent),
                one.type or "",
                one.reason or "",
            )
        print_table(table)
        page = list(islice(left, ROWS_OF_A_TABLE))
    if unchanged:
        print_lines([f"{counted(unchanged, 'lead')} as wished already: --kind unchanged lists them"])
