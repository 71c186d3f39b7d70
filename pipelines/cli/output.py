"""Text for the streams: one JSON object or lines on stdout, the log on stderr."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping

import click

from pipelines.batches import batches

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
        click.echo(line)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_json_rows(name: str, rows: Iterable[object], head: Mapping[str, object] | None = None) -> None:
    """Print an object as JSON whose last value is a list; its items are made one after the other."""
    before = json.dumps(head, ensure_ascii=False, indent=2, default=str)[:-2] + "," if head else "{"
    before += f'\n  "{name}": ['
    end = "]\n}"
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, indent=2, default=str)
        click.echo(before + "\n    " + text.replace("\n", "\n    "), nl=False)
        before, end = ",", "\n  ]\n}"
    click.echo(end if before == "," else before + end)


def print_pages(lines: Iterable[str]) -> None:
    """Print through a pager on a terminal; lines are made only as far as somebody reads."""
    if not sys.stdout.isatty():
        for block in batches(lines, LINES_AT_ONCE):
            click.echo("\n".join(block))
        return
    os.environ.setdefault("LESS", "FRX")  # what fits a screen needs no pager, and stays on it
    click.echo_via_pager(f"{line}\n" for line in lines)


def printable(text: str) -> str:
    """Foreign text for a terminal: what would move its cursor or turn its direction is written by number."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )
