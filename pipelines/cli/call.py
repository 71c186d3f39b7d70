"""The verb `call`: any command of Kartra's API by hand. Its help comes from the builders and the error
table."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from connectors.kartra import Answer, Call, Effect, KartraClient, commands
from connectors.kartra.commands import READS, REPEAT
from connectors.kartra.error_types import ERROR_TYPES
from connectors.kartra.payments import parse_subscription, parse_transaction
from connectors.kartra.sender import Sender
from pipelines.cli.call_answer import outcome_json, outcome_lines, payment_line
from pipelines.cli.call_arguments import (
    COMMANDS,
    call_of,
    confirmed_by,
    example_of,
    needs_words,
    parameters_of,
)
from pipelines.cli.exits import DONE
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json
from pipelines.cli.signals import stop_on_signals
from pipelines.verbs.account import open_client, open_client_of_environment
from pipelines.words.nearest import nearest

_EXITS = (
    "Exit: 0 done · 1 not carried out, or safe to send again · 2 usage or configuration · 3 refused, or once"
    " only and nobody knows: read back first"
)
_REPEATS = {
    "safe": "safe: the same end state",
    "guarded": "guarded: the second one is refused",
    "once_only": "once only: a second effect",
}


class _Commands(click.Group):
    """One subcommand for each command of Kartra, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        documented = self.list_commands(ctx)
        if args[0] not in documented:
            near = nearest(args[0], documented)
            hint = f'did you mean "{near}"?' if near else "see kartra-sync call --list"
            raise click.UsageError(f"Kartra documents no such command; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    no_args_is_help=True,
    subcommand_metavar="CMD [KEY=VALUE]...",
    epilog=f"{_EXITS}\n\nExample:  kartra-sync call assign_tag email=ann@example.org tag_name=VIP",
)
@click.option("--list", "as_list", is_flag=True, help="What each command takes, and what repeating it does.")
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON object.")
@click.pass_context
def call(context: click.Context, *, as_list: bool, as_json: bool) -> None:
    """Any command of Kartra's API by hand; `call CMD --help` says what it takes and how it can fail.

    The account is that of KARTRA_APP_ID, KARTRA_API_KEY and KARTRA_API_PASSWORD, in the environment or in a
    .env here (KARTRA_URL: another endpoint), or that of a pipeline: --file. Money, and what has a second
    effect when it is sent twice, wants a typed confirmation or --yes. What is sent by hand is in no journal.
    """
    if context.invoked_subcommand is None and (as_list or as_json):
        _print_list(as_json=as_json)


def _print_list(*, as_json: bool) -> None:
    rows = [
        {
            "cmd": cmd,
            "required": [one.name for one in parameters_of(cmd) if one.is_required],
            "repeat": _repeat_of(cmd),
            "what": _summary(cmd),
        }
        for cmd in COMMANDS
    ]
    if as_json:
        print_json({"commands": rows})
        return
    width = max(len(cmd) for cmd in COMMANDS)
    for row in rows:
        click.echo(f"{row['cmd']:<{width}}  {row['repeat']:<9}  {row['what']}")


def _command(cmd: str) -> click.Command:
    """The subcommand of one command of Kartra, with the help its builder and the error table give."""

    @click.command(
        cmd,
        cls=_Helped,
        short_help=_summary(cmd),
        help=_about(cmd),
        epilog=f"\b\nExample:  {example_of(cmd)}",
    )
    @click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
    @click.option("--file", "file", type=FILE, help="Take the account from this pipeline file.")
    @click.option("--yes", is_flag=True, help="Do not ask for a typed confirmation.")
    @click.option("--show", is_flag=True, help="Show personal data; without it they are masked.")
    @common
    @click.pass_context
    def carry_out(
        context: click.Context,
        *,
        words: tuple[str, ...],
        file: Path | None,
        yes: bool,
        show: bool,
        as_json: bool,
    ) -> int:
        if not words and needs_words(cmd) and not as_json:
            click.echo(context.get_help())
            return DONE
        try:
            asked = call_of(cmd, words)
        except ValueError as error:
            raise click.UsageError(f"{cmd}: {error}", context) from None
        return _carried_out(asked, file, confirmed=yes, show=show, as_json=as_json)

    return carry_out


def _carried_out(asked: Call, file: Path | None, *, confirmed: bool, show: bool, as_json: bool) -> int:
    def report(call: Call, answer: Answer) -> int:
        outcome = outcome_json(call, answer, show=show)
        if as_json:
            print_json(outcome)
        else:
            for line in outcome_lines(call, answer, show=show):
                click.echo(line, err=answer.effect is not Effect.DONE)
        return int(outcome["exit_code"])

    if not confirmed and (unanswered := _confirm(asked, file)) is not None:
        return report(*unanswered)
    # Only from here on: a question before it simply ends with Ctrl-C.
    with stop_on_signals() as stop:
        client = _open(file, stop.asked)
        try:
            answer = client.send(asked)
        except ValueError as error:
            raise click.UsageError(f"{asked.commands[0]}: {error}") from None
        finally:
            client.close()
    code = report(asked, answer)
    return stop.code(code)


def _open(file: Path | None, stopping: Callable[[], bool]) -> Sender:
    if file is not None:
        return open_client(read_file(file), stopping)
    return open_client_of_environment(os.environ, Path(".env"), stopping)


def _confirm(asked: Call, file: Path | None) -> tuple[Call, Answer] | None:
    """Ask a person to type once more what is at stake. A payment that Kartra does not have is not asked
    about: the call that read it is returned, with its answer."""
    if (at_stake := confirmed_by(asked)) is None:
        return None
    name, value = at_stake
    if name in ("transaction_id", "subscription_id"):
        of_sale = name == "transaction_id"
        details = commands.get_transaction_details if of_sale else commands.get_subscription_details
        client = _open(file, lambda: False)
        try:
            reading = Call((details(value),))
            answer = client.read(reading)
        finally:
            client.close()
        if answer.effect is not Effect.DONE:
            return reading, answer
        payment = parse_transaction(answer.body) if of_sale else parse_subscription(answer.body)
        if payment is not None:
            click.echo(payment_line(payment), err=True)
    click.echo(f"{asked.commands[0]}: type the {name} again to send it: ", nl=False, err=True)
    typed = sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        click.echo(err=True)
    # Without a terminal an empty line, or the end of a script, must not count as a yes to money.
    if typed != value:
        raise click.UsageError("not confirmed: nothing was sent. Without a terminal, say --yes")
    return None


# Help


class _Helped(click.Command):
    """Help in the order of reading: what it does, parameters, errors, options."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        cmd = self.name or ""
        rows = [
            (one.name, f"{one.expects} (required)" if one.is_required else one.expects)
            for one in parameters_of(cmd)
        ]
        if rows:
            with formatter.section("Parameters"):
                formatter.write_dl(rows)
        errors = [
            (number, error.explanation) for number, error in ERROR_TYPES.items() if cmd in error.commands
        ]
        if errors:
            with formatter.section("Errors"):
                formatter.write_dl(errors)


def _about(cmd: str) -> str:
    text = _documented(cmd).partition("\n\nRefused")[0]
    return f"{text}\n\nRepeating it is {_REPEATS[_repeat_of(cmd)]}."


def _summary(cmd: str) -> str:
    first, _, _ = " ".join(_documented(cmd).split()).partition(". ")
    return first.removesuffix(".")


def _documented(cmd: str) -> str:
    """The docstring of the client's method, without what stands elsewhere in the help."""
    text = inspect.getdoc(getattr(KartraClient, cmd)) or ""
    return text.partition(" Again:")[0] if "\n\n" not in text else text


def _repeat_of(cmd: str) -> str:
    return "safe" if cmd in READS else REPEAT[cmd].value
