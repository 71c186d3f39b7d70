"""What every verb shares: options, log, the pipeline file, one JSON object on stdout, an end on signals."""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from connectors.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


def common(command: Command) -> Command:
    """`--verbose` and `--json`, as `verbose` and `as_json`."""
    for option in (
        click.option(
            "-v", "--verbose", count=True, help="Say more on stderr; twice for calls without an answer."
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there."
        ),
    ):
        command = option(command)
    return command


def start_log(verbose: int) -> None:
    """To stderr: warnings, with 1 information too, with 2 everything."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("kartra_sync")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def read_file(file: Path) -> Any:
    """The pipeline file. Imports what reads it only now: `--help` needs none of that."""
    from pipelines.config.file import read_pipeline

    return read_pipeline(file, os.environ)


def read_files(file: Path | None) -> list[Any]:
    """The pipeline named, or all that can be read in this folder. Where none can, why."""
    if file is not None:
        return [read_file(file)]
    found = []
    problems = []
    for candidate in sorted((*Path().glob("*.yaml"), *Path().glob("*.yml"))):
        try:
            found.append(read_file(candidate))
        except ConfigError as error:
            problems.append(str(error))
    if not found:
        raise ConfigError("\n".join(["no pipeline file in this folder; name one", *problems]))
    return found


def read_one(file: Path | None) -> Any:
    """The pipeline named, or one of this folder where all of them share a state."""
    found = read_files(file)
    if len({config.state for config in found}) > 1:
        names = ", ".join(config.path.name for config in found)
        raise ConfigError(f"the pipelines of this folder have more than one state; name one of {names}")
    return found[0]


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_json_rows(name: str, rows: Iterable[object]) -> None:
    """As `print_json` of an object with one list, whose items need not be there at once."""
    before = f'{{\n  "{name}": ['
    end = "]\n}"
    for row in rows:
        told = json.dumps(row, ensure_ascii=False, indent=2, default=str)
        click.echo(before + "\n    " + told.replace("\n", "\n    "), nl=False)
        before, end = ",", "\n  ]\n}"
    click.echo(end if before == "," else before + end)


class Stop:
    """Set by the first SIGINT or SIGTERM; the second ends the process at once, which the journal endures."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.number: int | None = None

    def asked(self) -> bool:
        return self._event.is_set()

    def on_signal(self, number: int, _: object) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        self._event.set()
        os.write(2, b"stopping: calls in flight are settled first; once more stops at once\n")


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """To be entered before anything slow."""
    stop = Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
