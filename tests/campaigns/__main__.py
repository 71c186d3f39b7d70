"""Play campaigns and print one table of what they counted: `python -m tests.campaigns --size full`."""

import argparse
import importlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.campaigns.tally import Tally

CAMPAIGNS = (
    "crash",
    "faults",
    "refusals",
    "limiter",
    "model",
    "pulls",
    "operations",
    "undo",
    "server",
    "fleet",
    "hosts",
)
COLUMNS = {
    "campaign": "campaign",
    "faults": "faults injected",
    "kills": "kills",
    "leads": "leads",
    "lost": "lost",
    "twice": "twice",
    "parked": "parked",
    "calls_over_floor": "calls over the floor",
    "worst_second": "worst second",
    "share": "share of the rate",
}
FAILED = 1

log = logging.getLogger("campaigns")


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 1 where anything was lost, done twice or did not hold."""
    chosen = _arguments(words)
    os.environ["KARTRA_SYNC_STATE"] = chosen.state
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    tallies: list[Tally] = []
    with ExitStack() as stack:
        folder = chosen.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in chosen.only:
            tallies += _played(name, chosen.size, chosen.seed, folder / name)
    if chosen.json:
        print(json.dumps({"ok": not _failed(tallies), "tallies": [asdict(one) for one in tallies]}, indent=2))
    else:
        _print(tallies)
    return FAILED if _failed(tallies) else 0


def total(tallies: Sequence[Tally]) -> Tally:
    """Counts added up, of the seconds the worst, of the shares the least."""
    counted = [field.name for field in fields(Tally) if field.type is int]
    seconds = [one.worst_second for one in tallies if one.worst_second is not None]
    shares = [one.share for one in tallies if one.share is not None]
    return Tally(
        "total",
        **{name: sum(getattr(one, name) for one in tallies) for name in counted},
        worst_second=max(seconds, default=None),
        share=min(shares, default=None),
    )


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=CAMPAIGNS, default=CAMPAIGNS)
    parser.add_argument("--state", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--folder", type=Path, help="Where projects are kept; else they are thrown away.")
    parser.add_argument("--json", action="store_true", help="One JSON object on stdout.")
    return parser.parse_args(words)


def _played(name: str, size: str, seed: int, folder: Path) -> list[Tally]:
    """A campaign that breaks off is a line with its error; the others are played nevertheless."""
    started = time.monotonic()
    log.info("%s: begins (%s, seed %d)", name, size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        module = importlib.import_module(f"tests.campaigns.{name}")
        tallies: list[Tally] = module.play(size, seed, folder)
    except Exception as error:
        log.exception("%s: broken off", name)
        return [Tally(name, failures=(f"broken off: {type(error).__name__}: {error}",))]
    log.info("%s: done in %.0f s", name, time.monotonic() - started)
    return tallies


def _failed(tallies: Sequence[Tally]) -> bool:
    return any(one.failures or one.lost or one.twice for one in tallies)


def _print(tallies: Sequence[Tally]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(*COLUMNS.values())
    for column in table.columns[1:]:
        column.justify = "right"
    for one in tallies:
        table.add_row(*_cells(one))
    table.add_section()
    table.add_row(*_cells(total(tallies)))
    console.print(table)
    for one in tallies:
        for failure in one.failures:
            console.print(f"{one.campaign}: {failure}", style="red", markup=False, highlight=False)


def _cells(tally: Tally) -> list[str]:
    return [_cell(getattr(tally, name)) for name in COLUMNS]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.1%}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


if __name__ == "__main__":
    sys.exit(main())
