"""The verb `drift`: what somebody changed in Kartra of what this program sent there."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from connectors.privacy import mask_address
from pipelines.cli.exits import DONE, FAILED
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines, tell
from pipelines.cli.progress import progress_bar
from pipelines.cli.screens import drift_table, print_table
from pipelines.cli.signals import Stop
from pipelines.config.scalars import period
from pipelines.verbs.drift import DriftFound, check_drift
from pipelines.words.numbers import counted

_COMES = {
    "": "nothing",
    "left": "stays left",
    "keep": "stays as it is in Kartra",
    "restore": "the next run sends it again",
    "again": "stays: it came back after it was sent again",
}


def _span(_context: click.Context, _parameter: click.Parameter, text: str) -> timedelta:
    try:
        return period(text)
    except ValueError as error:
        raise click.BadParameter("a span of time is expected, such as 30m, 12h or 1d") from error


@click.command(epilog="Example:  kartra-sync drift newsletter.yaml --max-calls 1000")
@click.argument("file", type=FILE)
@click.option(
    "--within",
    default="1d",
    show_default=True,
    callback=_span,
    metavar="SPAN",
    help="Leave out leads that were looked at within it; 0s looks at all.",
)
@click.option(
    "--max-calls",
    default=1_000_000,
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="Ask for so many leads at most, one call each; 0 shows what is known.",
)
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
@click.pass_obj
def drift(stop: Stop, file: Path, *, within: timedelta, max_calls: int, show: bool, as_json: bool) -> int:
    """What somebody changed in Kartra: tags taken away, lists left, fields edited, leads deleted.

    Reads each lead's profile; a pull of leads does that, too. Writes nothing to Kartra: what the next run
    does about it stands in `load.on_drift`. A list its person has left stays left in any case.
    """
    config = read_file(file)
    with progress_bar() as progress:
        found = check_drift(
            config, within=within, max_calls=max_calls, stopping=stop.asked, progress=progress
        )
    lines = _lines(found, show=show)
    if as_json:
        print_json(
            {
                "looked_at": found.leads,
                "failed": found.failed,
                "fresh": found.fresh,
                "complete": not found.is_cut and not found.failed and not stop.asked(),
                "calls": found.calls,
                "leads": len(found.drifted),
                "drift": lines,
            }
        )
    else:
        _print(found, lines)
    return stop.code(FAILED if found.failed else DONE)


def _lines(found: DriftFound, *, show: bool) -> list[dict[str, Any]]:
    return [
        {
            "key": lead.key if show else mask_address(lead.key),
            "lead_id": lead.lead_id,
            "kind": one.kind,
            "name": one.name,
            "told": one.message,
            "decision": one.decision,
            "looked_at": lead.looked_at,
        }
        for lead in found.drifted
        for one in lead.found
    ]


def _print(found: DriftFound, lines: list[dict[str, Any]]) -> None:
    if lines:
        rows = [{**line, "comes": _COMES[line["decision"]]} for line in lines]
        print_table(drift_table(rows))
    looked_at = counted(found.leads, "lead")
    print_lines([f"{looked_at} looked at, {len(found.drifted):,} are not as Kartra acknowledged them"])
    if found.fresh:
        print_lines([f"  {found.fresh:,} were left alone: looked at lately (--within), or changed just now"])
    if found.failed:
        tell(f"  {found.failed:,} gave no usable answer: look again later")
    if found.is_cut:
        print_lines(["  more wait for the next look (--max-calls)"])
