"""What the verbs of `fleet` share: their options, and the rule of their exit codes."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipelines.cli.options import FILE, common

Command = TypeVar("Command", bound=Callable[..., Any])

RULE = "Exit: that of the worst account, in the order 70, 2, 4, 1, 5, 3, 0; after a signal 130 or 143."


def shared(command: Command) -> Command:
    for option in (
        common,
        click.option(
            "--account", "names", multiple=True, metavar="NAME", help="This account alone; repeatable."
        ),
        click.option("--target", metavar="NAME", help="An environment of the file, such as test or live."),
        click.argument("file", metavar="FLEET", type=FILE),
    ):
        command = option(command)
    return command
