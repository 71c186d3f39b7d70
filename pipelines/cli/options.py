"""The options that every verb shares."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic_core import PydanticCustomError

from pipelines.cli.log import start_log
from pipelines.config.scalars import period

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


class _Period(click.ParamType[timedelta]):
    """As periods of the pipeline file: 30s, 10m, 2h, 1d."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return period(value)
        except PydanticCustomError as error:
            self.fail(f"{value}: {error.message()}", param, ctx)


PERIOD = _Period()


REPLACE = click.option("--replace", is_flag=True, help="Replace a file that is there.")
EXACT = click.option(
    "--exact/--for-spreadsheets",
    "exact",
    default=False,
    show_default=True,
    help="CSV with every value as it is, for programs; or with ' before what a spreadsheet would carry out.",
)


_FORMAT = "kartra_sync.log_format"


def _note_format(context: click.Context, _: click.Parameter, log_format: str) -> None:
    context.meta[_FORMAT] = log_format


def common(command: Command) -> Command:
    """`--verbose` and `--log-format`, which start the log, and `--json`, as `as_json`."""
    for option in (
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            expose_value=False,
            is_eager=True,  # `--verbose` starts the log and has to know its format
            callback=_note_format,
            help="Lines on stderr for people, or an object of JSON each.",
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=lambda context, _, verbose: start_log(verbose, context.meta[_FORMAT]),
            help="Say more on stderr; twice for calls without an answer.",
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there."
        ),
    ):
        command = option(command)
    return command
