"""The verb `doctor`: what a real account shows of itself, beside what this program assumes."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from connectors.errors import ConfigError
from connectors.privacy import mask_address
from pipelines.changes.behaviour import Behaviour
from pipelines.changes.judgement import Finding, Verdict, worries
from pipelines.cli.exits import DONE, PARTIAL, code_of
from pipelines.cli.files import read_file, refuse_target
from pipelines.cli.options import FILE, REPLACE, common
from pipelines.cli.output import print_error, print_json, print_lines, printable
from pipelines.cli.screens import account_lines, print_table
from pipelines.cli.signals import Stop
from pipelines.config.pipeline import PipelineConfig
from pipelines.private_file import open_private
from pipelines.verbs.doctor import CALLS, MOST_CALLS, Asked, Examination, examine, kept_examination
from pipelines.verbs.probes import Chosen

REPORT = "kartra-sync doctor"
REPORT_VERSION = 1
WIDTH = 80


@click.command(epilog="Example:  kartra-sync doctor newsletter.yaml --address me+1@example.com")
@click.argument("file", type=FILE)
@click.option("--address", metavar="ADDRESS", help="An address of your own that is no lead, as you+kartra@…")
@click.option("--tag", metavar="NAME", help="A tag that starts nothing: given to that lead, and taken back.")
@click.option("--list", "list_name", metavar="NAME", help="A list that starts nothing: joined, and left.")
@click.option("--yes", is_flag=True, help="Agree beforehand, where nobody can be asked.")
@click.option("--last", is_flag=True, help="Show what the last doctor found. Makes no call.")
@click.option(
    "--report", type=FILE, help="Write what was found for maintainers, without names and addresses."
)
@REPLACE
@common
@click.pass_obj
def doctor(
    stop: Stop,
    file: Path,
    *,
    address: str | None,
    tag: str | None,
    list_name: str | None,
    yes: bool,
    last: bool,
    report: Path | None,
    replace: bool,
    as_json: bool,
) -> int:
    """Find out how a real account behaves where Kartra's pages leave it open, and use it in later runs.

    Makes one throw-away lead under an address of your own, tries it, and empties it again. Kartra's API
    cannot delete a lead: it stays until you delete it in Kartra. Money is not touched, and no tag, list or
    sequence is given but those that you name. It asks before the first call; a doctor that was stopped or
    killed is repeated with the same address.
    """
    config = read_file(file)
    # Before the first call: an examination must not end with a report that cannot be written.
    if report is not None:
        refuse_target(report, config, replace=replace)
    if last:
        found = kept_examination(config)
    else:
        if address is None:
            raise ConfigError("--address is missing: an address of your own that is no lead, as you+kartra@…")
        chosen = Chosen(tag, list_name)
        agreed = lambda email: yes or _ask(config, chosen, email, stop)  # noqa: E731
        found = examine(config, Asked(address, chosen, agreed, stop.asked))
    if report is not None and found.is_whole:
        _write_report(report, found.behaviour)
    if as_json:
        print_json(_json(found))
    else:
        _print(found, report)
    if found.error is not None:
        print_error(config.pipeline, found.error)
        return stop.code(code_of(found.error))
    return stop.code(PARTIAL if _left_open(found) else DONE)


def _left_open(found: Examination) -> list[Finding]:
    """What an examination of this kind should have found out and has not."""
    # Not every account can show these: they need a name to try, a lead made just now, an address that tells
    # the mode.
    optional = ("capitals in names", "Kartra's times", "mode of the App")
    return [row for row in found.rows if row.verdict is Verdict.OPEN and row.what not in optional]


def _ask(config: PipelineConfig, chosen: Chosen, email: str, stop: Stop) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    with stop.interruptible():
        for line in _before(config, chosen, email):
            click.echo(line, err=True)
        try:
            return click.confirm("Examine this account?", err=True)
        except click.Abort:  # the end of the input, or Ctrl-C
            click.echo(err=True)
            return False


def _before(config: PipelineConfig, chosen: Chosen, email: str) -> Iterator[str]:
    """What is said before the first call."""
    whose = printable(config.kartra.account or "the account of this file")
    yield f"{config.pipeline}: {whose}"
    yield f"  makes   one lead, {mask_address(email)}, and tries it: its fields, and 1 to 4 points"
    gives = [f'the {kind} "{printable(name)}"' for kind, name in _named(chosen)]
    if gives:
        yield f"  gives   it {' and '.join(gives)}, and with that whatever they start, mail as well"
    yield f"  calls   about {CALLS}, {MOST_CALLS} at most, within the rate of the App; no money, no sequence"
    yield "  stays   the empty lead: Kartra's API deletes none, delete it in Kartra"


def _named(chosen: Chosen) -> Iterator[tuple[str, str]]:
    for kind, name in (("tag", chosen.tag), ("list", chosen.list_name)):
        if name:
            yield kind, name


def _write_report(path: Path, behaviour: Behaviour) -> None:
    with open_private(path) as handle:
        json.dump(_report(behaviour), handle, indent=2)
        handle.write("\n")


def _report(behaviour: Behaviour) -> dict[str, Any]:
    return {
        "report": REPORT,
        "version": REPORT_VERSION,
        "program": version("kartra-sync"),
        "found": json.loads(behaviour.to_json()),
    }


def _json(found: Examination) -> dict[str, Any]:
    return {
        "pipeline": found.pipeline,
        "account": found.account,
        "found_at": found.found_at,
        "complete": found.is_whole,
        "findings": [row.to_json() for row in found.rows],
        "matters": len(worries(found.rows)),
        "behaviour": json.loads(found.behaviour.to_json()),
        "left": found.left,
        **({"message": str(found.error)} if found.error else {}),
    }


def _print(found: Examination, report: Path | None) -> None:
    click.echo(
        f"{found.pipeline}: what the account shows{f', {found.found_at[:10]}' if found.found_at else ''}"
    )
    print_lines(account_lines(found.account))
    print_table(_table(found.rows))
    for row in found.rows:
        if row.meaning:
            mark = "  ! " if row.verdict is Verdict.MATTERS else "    "
            print_lines(_wrapped(mark, f"{row.what}: {row.meaning}"))
    matters = len(worries(found.rows))
    if found.is_whole:
        click.echo(f"{matters:,} of {len(found.rows):,} matter" if matters else "nothing of it matters")
    else:
        click.echo("not complete: nothing of it is kept")
    for one in found.left:
        print_lines(_wrapped("  stays  ", one))
    if report is not None and found.is_whole:
        click.echo(f"  written to {report}, for maintainers: numbers and Kartra's own words alone")


def _wrapped(mark: str, text: str) -> Iterator[str]:
    """A text in lines of a terminal, under its mark."""
    indent = " " * len(mark)
    return iter(click.wrap_text(text, WIDTH, mark, indent).splitlines())


_SIGNS = {Verdict.AS_ASSUMED: "", Verdict.HANDLED: "~", Verdict.MATTERS: "!", Verdict.OPEN: "?"}


def _table(rows: list[Finding]) -> Table:
    table = Table("", "what", "found", "assumed", width=WIDTH, box=None, pad_edge=False)
    for row in rows:
        table.add_row(_SIGNS[row.verdict], row.what, row.found, row.assumed)
    return table
