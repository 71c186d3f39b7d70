"""The options of a run for some leads alone, or with a few leads sent first."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from connectors.errors import ConfigError
from pipelines.cli.options import FILE
from pipelines.load.choosing import Choice
from pipelines.verbs.loading import Terms

Command = TypeVar("Command", bound=Callable[..., Any])


def choosing(command: Command) -> Command:
    """`--only`, `--only-file`, `--limit` and `--canary`."""
    for option in (
        click.option(
            "--canary",
            type=click.IntRange(0, 10_000),
            metavar="N",
            help="Send N leads of every kind first and read them back; a difference stops the run.",
        ),
        click.option(
            "--limit", type=click.IntRange(1), metavar="N", help="Send the first N changes, no others."
        ),
        click.option("--only-file", type=FILE, help="As --only, with a key on each line of a file."),
        click.option(
            "--only",
            multiple=True,
            metavar="KEY",
            help="Send this lead alone; can be repeated, and @FILE has a key on each line.",
        ),
    ):
        command = option(command)
    return command


def terms_of(only: Sequence[str], only_file: Path | None, limit: int | None, canary: int | None) -> Terms:
    """The terms that the options ask for. Raises ConfigError for a file without a key, or that cannot be
    read."""
    if not only and only_file is None:
        return Terms(Choice(None, limit), canary)
    keys = frozenset(_keys(only, only_file))
    if not keys:
        raise ConfigError("--only: no key is given; nothing was sent")
    return Terms(Choice(keys, limit), canary)


def _keys(only: Sequence[str], only_file: Path | None) -> Iterator[str]:
    for one in only:
        if one.startswith("@"):
            yield from _lines(Path(one[1:]))
        elif one.strip():
            yield one.strip()
    if only_file is not None:
        yield from _lines(only_file)


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the keys of --only cannot be read: {_why(error)}") from error
    return (line.strip() for line in text.splitlines() if line.strip())


def _why(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or "no such file"
