"""What every verb shares: its options, its log, the pipeline file, one JSON object on stdout."""

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

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
    from pipelines.pipeline_file import read_pipeline

    return read_pipeline(file, os.environ)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
