"""Text for the streams: one JSON object or lines on stdout, the log on stderr."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping

import click

from connectors.errors import lines_of
from connectors.unseen import defused, one_message
from pipelines.batches import batches
from pipelines.cli.streams import drawn

LINES_AT_ONCE = 200
"""The lines of a long text that are written together: a write takes longer than making a line."""


def start_log(verbose: int) -> None:
    """To stderr: warnings, with 1 information too, with 2 everything."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("kartra_sync")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        for part in lines_of(line):
            click.echo(part)


def print_error(name: str, error: object) -> None:
    """To stderr, after the name of what it is about."""
    first, *others = lines_of(error)
    for line in (f"{name}: {first}", *others):
        click.echo(line, err=True, color=True)  # click would take a part out, the stream writes it by number


def print_json(value: object) -> None:
    drawn(_json(value) + "\n")


def print_json_rows(name: str, rows: Iterable[object], head: Mapping[str, object] | None = None) -> None:
    """Print an object as JSON whose last value is a list; its items are made one after the other."""
    before = json.dumps(head, ensure_ascii=False, indent=2, default=str)[:-2] + "," if head else "{"
    before += f'\n  "{name}": ['
    end = "]\n}"
    for row in rows:
        drawn(before + "\n    " + _json(row).replace("\n", "\n    "))
        before, end = ",", "\n  ]\n}"
    drawn((end if before == "," else before + end) + "\n")


def _json(value: object) -> str:
    """What nobody sees stands in it by number: the same value for a program, and harmless on a screen."""
    return defused(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_pages(lines: Iterable[str]) -> None:
    """Print through a pager on a terminal; lines are made only as far as somebody reads."""
    if not sys.stdout.isatty():
        for block in batches(lines, LINES_AT_ONCE):
            drawn("".join(f"{one_message(line)}\n" for line in block))
        return
    os.environ.setdefault("LESS", "FRX")  # what fits a screen needs no pager, and stays on it
    click.echo_via_pager(f"{one_message(line)}\n" for line in lines)


def printable(text: str) -> str:
    """Foreign text for a terminal: what would move its cursor or turn its direction is written by number."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )
