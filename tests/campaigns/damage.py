"""A state with flipped bytes, anywhere, many times over: a run on it is refused or right, and never wrong.

Right is the account that the same run makes of a whole state. Wrong is a lead with points twice, a sequence
begun twice, a lead too many, or a change that was said to be sent and was not. Played in this process: a run
takes a tenth of a second so. `python -m tests.campaigns.damage 1000` plays as many.
"""

import copy
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.errors import SyncError
from connectors.kartra.sandbox import Account, Sandbox
from pipelines.config.file import read_pipeline
from pipelines.verbs.run import run_pipeline
from tests.conftest import LOAD, Project, contact
from tests.promises.scenes import account_without_leads

LEADS = 12
POINTS = LOAD + "points: 10\n"
SECTOR = 512


@dataclass
class Outcome:
    """How the runs on damaged states ended: `wrong` has the seed and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    crashed: list[tuple[int, str]] = field(default_factory=list)


def damage(content: bytes, seed: int) -> bytes:
    """A byte or several are others, a sector is zeros or stands elsewhere too, or the end is cut off."""
    draw = random.Random(seed)
    kind = draw.choice(["byte", "byte", "byte", "bytes", "zeros", "moved", "cut"])
    spoilt = bytearray(content)
    place = draw.randrange(len(spoilt))
    if kind == "byte":
        spoilt[place] ^= draw.randrange(1, 256)
    elif kind == "bytes":
        for at in range(place, min(place + draw.randrange(2, 40), len(spoilt))):
            spoilt[at] = draw.randrange(256)
    elif kind == "zeros":
        start = place // SECTOR * SECTOR
        spoilt[start : start + SECTOR] = bytes(SECTOR)
    elif kind == "moved":
        start, other = (draw.randrange(len(spoilt) // SECTOR) * SECTOR for _ in range(2))
        spoilt[start : start + SECTOR] = spoilt[other : other + SECTOR]
    else:
        del spoilt[max(SECTOR, place) :]
    return bytes(spoilt)


def play(folder: Path, seeds: Iterable[int]) -> Outcome:
    """Load, change the contacts, and run on a damaged state for each seed."""
    project = Project(folder)
    outcome = Outcome()
    with Sandbox(account_without_leads(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        path = project.pipeline(POINTS, kartra="settle_s: 1")
        project.contacts([contact(number) for number in range(LEADS)])
        environ = project.environ
        run_pipeline(read_pipeline(path, environ))
        content, before = project.state.read_bytes(), copy.deepcopy(sandbox.account)
        changed = [contact(number, City="Oslo") if number < 3 else contact(number) for number in range(LEADS)]
        project.contacts([*changed, contact(LEADS)])
        wished = _right(path, environ, sandbox, before)
        for seed in seeds:
            _begin(project, sandbox, before, damage(content, seed))
            _run_once(path, environ, sandbox, wished, seed, outcome)
    return outcome


def _right(path: Path, environ: Mapping[str, str], sandbox: Sandbox, before: Account) -> dict[str, Any]:
    run_pipeline(read_pipeline(path, environ))
    wished = given(sandbox.account)
    assert wished != given(before)
    return wished


def _begin(project: Project, sandbox: Sandbox, before: Account, content: bytes) -> None:
    with sandbox.lock:
        for name, value in vars(copy.deepcopy(before)).items():
            setattr(sandbox.account, name, value)
    shutil.rmtree(project.state.parent)
    project.state.parent.mkdir()
    project.state.write_bytes(content)


def _run_once(
    path: Path,
    environ: Mapping[str, str],
    sandbox: Sandbox,
    wished: Mapping[str, Any],
    seed: int,
    outcome: Outcome,
) -> None:
    try:
        result = run_pipeline(read_pipeline(path, environ))
        ended = result.status
    except SyncError:
        ended = "refused"
    except Exception as error:  # noqa: BLE001 - what it looks for
        ended = "crashed"
        outcome.crashed.append((seed, repr(error)))
    outcome.counts[ended] += 1
    found = given(sandbox.account)
    if twice := [key for key, lead in found.items() if lead[0] > 10 or lead[1] > 1 or key not in wished]:
        outcome.wrong.append((seed, f"{ended}: {len(twice)} given twice"))
    elif ended == "succeeded" and found != wished:
        outcome.wrong.append((seed, f"{ended}: another account than wished"))


def given(account: Account) -> dict[str, Any]:
    return {
        lead.email: (lead.score, len(lead.sequence_starts), sorted(lead.tags), dict(lead.fields))
        for lead in account.leads.values()
    }


def main() -> None:
    import sys
    import tempfile

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(Path(folder), range(count))
    print(dict(outcome.counts), "wrong:", outcome.wrong, "crashed:", outcome.crashed)


if __name__ == "__main__":
    main()
