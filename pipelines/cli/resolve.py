"""The verb `resolve`: a person says what became of something that was parked."""

from pathlib import Path

import click

from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.verbs.resolve import resolve_key


@click.command(epilog="Example:  kartra-sync resolve newsletter.yaml ann@example.org --landed")
@click.argument("file", type=FILE)
@click.argument("key")
@click.option("--landed", "answer", flag_value="landed", help="Kartra has it: it counts as done.")
@click.option("--not-landed", "answer", flag_value="not landed", help="It has not: the next run sends it.")
@click.option("--only", multiple=True, metavar="WHAT", help='Not all of it: such as "sequences Onboarding".')
@common
def resolve(file: Path, key: str, *, answer: str | None, only: tuple[str, ...], as_json: bool) -> None:
    """Say what became of a parked lead or operation, once you have looked it up in Kartra.

    With --not-landed what Kartra refused is tried again, too.
    """
    if answer is None:
        raise click.UsageError("say --landed or --not-landed")
    landed = answer == "landed"
    resolved = resolve_key(read_file(file), key, landed=landed, only=only)
    if as_json:
        print_json(resolved.to_json())
    elif landed:
        print_lines([f"noted as done: {', '.join(resolved.effects)}"])
    else:
        print_lines(["the next run sends it again"])
