"""The verbs: a row for each, and the group that imports a verb's module when that verb is asked for.

A new verb is one row here and one module beside this one, named after the verb, which holds its command under
the same name. Help lists the rows, so it imports no module of a verb. `fleet`, which has verbs of its own, is
such a group with such a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from pipelines.cli.signals import stop_on_signals


@dataclass(frozen=True, slots=True)
class Verb:
    """`settles`: the first SIGINT or SIGTERM lets calls in flight be settled. The command gets a `Stop`."""

    name: str
    summary: str
    settles: bool = False
    module: str = ""
    """Its module in this package, where that is not named after the verb."""

    @property
    def symbol(self) -> str:
        """Of the command in its module, and of the module unless that has a name of its own."""
        return self.name.replace("-", "_")

    def load(self) -> click.Command:
        command = getattr(import_module(f"pipelines.cli.{self.module or self.symbol}"), self.symbol)
        assert isinstance(command, click.Command)  # noqa: S101 - a test asks each row
        return command


GROUPS: Mapping[str, tuple[Verb, ...]] = {
    "Start here": (
        Verb("demo", "Play the whole job on a built-in sandbox, without an account"),
        Verb("init", "Write a first pipeline file for a source of contacts"),
        Verb("inspect", "Show the columns of a source of contacts, and its bad rows"),
        Verb("connect", "Try an account's key and password, and keep them"),
        Verb("check", "Check pipeline files: syntax, columns, rows, names in Kartra"),
        Verb("schema", "Print the JSON Schema of a pipeline file, for editors"),
    ),
    "Every night": (
        Verb("plan", "Show what a run would send, without sending it"),
        Verb("apply", "Send a saved plan, exactly and once", settles=True),
        Verb("plans", "List the saved plans, and who applied them"),
        Verb("run", "Load what changed, carry out operations, pull the tables", settles=True),
        Verb("status", "Show the last run and what waits"),
        Verb("runs", "List the last runs, newest first"),
        Verb("show", "Show what a run did, on the terminal or as a page"),
        Verb("undo", "Take a run back, as far as Kartra lets it", settles=True),
        Verb("serve", "Serve a page on this machine: see, find, approve", settles=True),
        Verb("schedule", "Print or install what runs it every night: cron, systemd"),
    ),
    "Many accounts": (Verb("fleet", "Run the same pipelines for many accounts of one App"),),
    "When something is wrong": (
        Verb("rejects", "List who did not get through in the last run, and why"),
        Verb("outcomes", "List what became of each lead of a run, and why"),
        Verb("retry", "Load a mended file of rejects", settles=True),
        Verb("parked", "List what is not sent until somebody acts"),
        Verb("resolve", "Say what became of a parked lead or operation"),
        Verb("explain", "Follow one lead or operation from its row to its journal"),
        Verb("drift", "Find what somebody changed in Kartra since it was sent", settles=True),
        Verb("errors", "Explain the error types of Kartra"),
        Verb("doctor", "Find out how a real account behaves, and use it", settles=True),
        Verb("support", "Write a file for support, without people and credentials"),
        Verb("state", "Back up or verify the state file, or erase a person"),
    ),
    "Tables": (
        Verb("reports", "List the reports over the tables of a pull"),
        Verb("report", "Show one report, or write it as CSV"),
        Verb("reconcile", "Compare the tables with Kartra's export of transactions"),
        Verb("export", "Write the tables of a pull to CSV or Parquet files"),
    ),
    "Rehearse": (Verb("sandbox", "Serve an emulated Kartra account on this machine"),),
    "By hand": (
        Verb("call", "Send any command of Kartra's API"),
        Verb("export-import", "Write new leads to files for Kartra's own import", settles=True),
        Verb("adopt", "Record what Kartra imported, without sending it", settles=True),
    ),
}
VERBS: Mapping[str, Verb] = {verb.name: verb for verbs in GROUPS.values() for verb in verbs}
BEGIN = Verb("begin", "Say where to begin in this folder")
"""What answers where no verb was typed; nobody types it, so it stands in no group."""


class LazyVerbs(click.Group):
    """Looks a verb up in its table, which has groups of verbs by title."""

    def __init__(self, *, verbs: Mapping[str, Sequence[Verb]], **settings: Any) -> None:
        super().__init__(**settings)
        self._groups = verbs
        self._verbs = {verb.name: verb for group in verbs.values() for verb in group}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return None
        if verb.settles:  # from now on: its imports are slow, and a signal may come while they go on
            ctx.obj = ctx.with_resource(stop_on_signals())
        return verb.load()

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table: click would import every verb for its help."""
        verbs = [verb for verb in self._verbs.values() if verb.name.startswith(incomplete)]
        if verbs or not incomplete.startswith("-"):
            return [CompletionItem(verb.name, help=verb.summary) for verb in verbs]
        return super(click.Group, self).shell_complete(ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self._verbs))
        for title, verbs in self._groups.items():
            with formatter.section(title):
                formatter.write_dl([(f"{verb.name:<{width}}", verb.summary) for verb in verbs])
