"""The verb `rejects`: the records that did not get through in a run, on screen or as a file to load again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from dataclasses import replace as replaced
from itertools import chain, islice
from pathlib import Path

import click

from connectors.privacy import mask_address
from pipelines.cli.exits import DONE, PARTIAL
from pipelines.cli.files import quoted, read_file, target_of
from pipelines.cli.options import EXACT, FILE, REPLACE, common
from pipelines.cli.output import print_json, print_json_rows, print_next, tell
from pipelines.cli.screens import print_table, rejects_table
from pipelines.config.pipeline import PipelineConfig
from pipelines.verbs.rejects import Reject, RejectedRecord, rejects_of, write_rejects
from pipelines.words.numbers import counted

ROWS_OF_A_TABLE = 1_000
"""A longer list is printed as several tables, whose columns are not as wide all the way."""
KINDS = ("invalid", "refused", "held back", "held_back", "duplicate", "blocked")


@click.command(epilog="Example:  kartra-sync rejects newsletter.yaml --csv again.csv")
@click.argument("file", type=FILE)
@click.option("--run", metavar="RUN", help="Of this run: its number or the beginning of it. Else the last.")
@click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help="Only these, such as invalid.")
@click.option(
    "--new-only", is_flag=True, help="Only who was not among the rejects before; 0 if there is none."
)
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@click.option(
    "--csv",
    "csv_file",
    is_flag=False,
    flag_value="-",
    help="Write the original records as CSV, to load again: to a file, or to stdout. Holds personal data.",
)
@EXACT
@REPLACE
@common
def rejects(
    file: Path,
    *,
    run: str | None,
    kind: str | None,
    new_only: bool,
    show: bool,
    csv_file: str | None,
    exact: bool,
    replace: bool,
    as_json: bool,
) -> int:
    """Who did not get through in a run: row, kind and reason, since when and how often.

    Refused: by Kartra. Invalid: the record cannot be used. Held back: a person has to act. A mended file of
    --csv is loaded by kartra-sync retry.
    """
    config = read_file(file)
    word = kind.replace(" ", "_") if kind else None

    def found() -> Iterator[RejectedRecord]:
        return rejects_of(config, run, word, new_only=new_only)

    if csv_file is not None:
        _write(config, found, csv_file, exact=exact, replace=replace, as_json=as_json)
        return DONE
    shown = (_shown(row.reject, show=show) for row in found())
    # Looked at before the rest, which is a stream: the exit code depends on whether there is any.
    first = next(shown, None)
    rows = shown if first is None else chain([first], shown)
    if as_json:
        print_json_rows("rejects", map(asdict, rows))
    elif first is None:
        click.echo("nothing new since the run before" if new_only else "none")
    else:
        _print(rows)
        named = quoted(config.path)
        print_next(
            f"next: kartra-sync rejects {named} --csv again.csv; mend the rows in it; then kartra-sync retry"
            f" {named} again.csv"
        )
    return PARTIAL if new_only and first is not None else DONE


def _shown(row: Reject, *, show: bool) -> Reject:
    return row if row.key is None or show else replaced(row, key=mask_address(row.key))


def _write(
    config: PipelineConfig,
    found: Callable[[], Iterator[RejectedRecord]],
    csv_file: str,
    *,
    exact: bool,
    replace: bool,
    as_json: bool,
) -> None:
    if as_json and csv_file == "-":
        raise click.UsageError("--csv needs a file with --json")
    source = (config.load or config.needs_operations()).source
    target = target_of(csv_file, config, replace=replace)
    count = write_rejects(found, target, source, exact=exact)
    if as_json:
        print_json({"written": count, "file": csv_file})
    else:
        tell(f"{counted(count, 'record')} written")


def _print(rows: Iterable[Reject]) -> None:
    left = iter(rows)
    page = list(islice(left, ROWS_OF_A_TABLE))
    while page:
        print_table(rejects_table(page))
        page = list(islice(left, ROWS_OF_A_TABLE))
