"""What goes to the streams as text: one JSON object or lines on stdout, the log on stderr."""

import json
import logging
import sys
from collections.abc import Iterable

import click


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


def print_json_rows(name: str, rows: Iterable[object]) -> None:
    """As `print_json` of an object with one list, whose items need not be there at once."""
    before = f'{{\n  "{name}": ['
    end = "]\n}"
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, indent=2, default=str)
        click.echo(before + "\n    " + text.replace("\n", "\n    "), nl=False)
        before, end = ",", "\n  ]\n}"
    click.echo(end if before == "," else before + end)
