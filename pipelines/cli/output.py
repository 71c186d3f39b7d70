"""Text for the streams: one JSON object or lines on stdout, the log on stderr."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping

import click

from connectors.errors import lines_of
from connectors.unseen import defused
from pipelines.batches import batches
from pipelines.cli.log import is_json
from pipelines.cli.streams import drawn, drawn_on_stderr
from pipelines.cli.terminal import columns_of, has_colours, shown

log = logging.getLogger("kartra_sync")

LINES_AT_ONCE = 200
"""The lines of a long text that are written together: a write takes longer than making a line."""


def print_lines(lines: Iterable[str]) -> None:
    """Each as it is made: on a terminal wrapped and with colour."""
    for text in shown((part for line in lines for part in lines_of(line)), sys.stdout):
        drawn(text)


def print_error(name: str, error: object) -> None:
    """To stderr, after the name of what it is about; one object where stderr is for machines."""
    if is_json():
        log.error("%s: %s", name, error)
        return
    first, *others = lines_of(error)
    for line in shown((f"{name}: {first}", *others), sys.stderr):
        drawn_on_stderr(line)


def tell(line: str) -> None:
    """To stderr: a remark for people beside the result."""
    if is_json():
        log.warning("%s", line)
    else:
        for part in shown([line], sys.stderr):
            drawn_on_stderr(part)


def print_next(line: str) -> None:
    """What a person would type next, on a terminal alone: a program that reads along needs no advice."""
    if columns_of(sys.stdout) is not None:
        print_lines([line])


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
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        for block in batches(lines, LINES_AT_ONCE):
            drawn("".join(shown(block, sys.stdout)))
        return
    os.environ.setdefault("LESS", "FRX")  # what fits a screen needs no pager, and stays on it
    click.echo_via_pager(shown(lines, sys.stdout), color=has_colours(sys.stdout))


def printable(text: str) -> str:
    """Foreign text for a terminal: what would move its cursor or turn its direction is written by number."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )
