"""The verb `errors`: what Kartra's error types mean, from the table that all messages are made of."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.table import Table

from connectors.kartra.error_types import ERROR_TYPES, TOO_MANY_REQUESTS, ErrorType, error_type
from pipelines.cli.options import common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import print_table

SUCCESSES = range(101, 116)
"""The types that Kartra gives to what succeeded (§3.4)."""
_MORE = (
    "What one of them means, its usual cause, what to do and whether repeating helps: kartra-sync errors TYPE"
)


@click.command(epilog="Example:  kartra-sync errors 212")
@click.argument("type", required=False)
@common
def errors(type: str | None, *, as_json: bool) -> None:  # noqa: A002 - Kartra's own word
    """What an error type of Kartra means, what usually causes it, what to do; without TYPE all of them.

    Messages, rejects and the journal say the same words.
    """
    every = (*ERROR_TYPES.values(), TOO_MANY_REQUESTS)
    if type is not None:
        entry = _entry(type)
        print_json(_json(entry)) if as_json else print_lines(_lines(entry))
    elif as_json:
        print_json({"errors": [_json(entry) for entry in every]})
    else:
        _print(every)


def _entry(given: str) -> ErrorType:
    if not re.fullmatch(r"[0-9]{1,6}", given):
        raise click.BadParameter(f"{given}: Kartra's error types are numbers, such as 212", param_hint="TYPE")
    if int(given) in SUCCESSES:
        raise click.BadParameter(
            f"{given} is no error: with {SUCCESSES[0]} to {SUCCESSES[-1]} Kartra says what succeeded",
            param_hint="TYPE",
        )
    return TOO_MANY_REQUESTS if given == TOO_MANY_REQUESTS.type else error_type(given)


def _lines(entry: ErrorType) -> Iterator[str]:
    yield f"{entry.type}  {entry.message}"
    yield f"  means      {entry.means}"
    yield f"  cause      {entry.cause}"
    yield f"  do         {entry.remedy}"
    yield f"  repeating  {entry.repeating}"
    if entry.commands:
        yield f"  from       {', '.join(sorted(entry.commands))}"


def _json(entry: ErrorType) -> dict[str, Any]:
    return {
        "type": entry.type,
        "documented": entry.is_documented,
        "message": entry.message,
        "category": entry.category,
        "class": entry.error_class,
        "commands": sorted(entry.commands),
        "means": entry.means,
        "cause": entry.cause,
        "do": entry.remedy,
        "repeating": entry.repeating,
        "told": entry.explanation,
    }


def _print(entries: Sequence[ErrorType]) -> None:
    table = Table("type", "Kartra says", "what to do", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(entry.type, entry.message, entry.remedy)
    print_table(table)
    click.echo(_MORE, err=True)
