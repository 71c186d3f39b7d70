"""Runs of the command in a campaign: what each may say, and how a disturbed load is brought to its end."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project, Result
from tests.promises.scenes import adds_up

log = logging.getLogger("campaigns")

DONE, FAILED, PARTIAL = 0, 1, 3
RUNS_TO_THE_END = 6
RUN_ENDS_WITHIN_S = 240.0

_Part = TypeVar("_Part")
_Seen = TypeVar("_Seen")


@dataclass
class Findings:
    """What went wrong in one part of a campaign; `part` names it, with its seed."""

    part: str
    sentences: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        self.sentences.append(f"{self.part}: {sentence}")
        log.warning("%s: %s", self.part, sentence)


@contextmanager
def noted(findings: Findings) -> Iterator[None]:
    """A part that breaks off, or a run that does not end by itself, is a finding; other parts go on."""
    try:
        yield
    except Exception as error:
        log.exception("%s: broken off", findings.part)
        findings.add(f"broken off: {type(error).__name__}: {error}")


def check_run(result: Result, findings: Findings, *, may_fail: bool) -> None:
    """A run ends with an exit code for it, says why where it failed, and its counters add up."""
    allowed = (DONE, PARTIAL, FAILED) if may_fail else (DONE, PARTIAL)
    if result.code not in allowed:
        findings.add(f"a run ended with exit {result.code}: {result.stderr[-500:]}")
        return
    if result.code == FAILED and not result.json.get("message"):
        findings.add("a run failed and does not say why")
    if not adds_up(result):
        findings.add(f"the counters do not add up: {result.json['rows']} {result.json['leads']}")


def settle(project: Project, sandbox: Sandbox, findings: Findings) -> int:
    """Run without faults until nothing is owed, and a run has sent nothing.

    Gives how many parked leads a person had to resolve on the way.
    """
    resolved = 0
    for _ in range(RUNS_TO_THE_END):
        before = len(sandbox.calls)
        result = project.run()
        check_run(result, findings, may_fail=False)
        if result.code == DONE and len(sandbox.calls) == before:
            return resolved
        if result.code == PARTIAL:
            resolved += resolve_truly(project, sandbox, findings)
        elif result.code != DONE:
            break
    findings.add(f"not done after runs without faults; the last: {result.stdout[-800:]}")
    return resolved


def resolve_truly(project: Project, sandbox: Sandbox, findings: Findings) -> int:
    """A person looks each parked lead up in Kartra and says what became of it; gives how many leads."""
    parked = project.command("parked", "p.yaml", "--json", "--show").json
    parked["leads"] = [one for one in parked["leads"] if one["kind"] != "taken_back"]
    for one in parked["leads"]:
        answer = "--landed" if _landed(sandbox, one["lead_id"], one["what"]) else "--not-landed"
        words = () if one["what"] is None else ("--only", one["what"])
        said = project.command("resolve", "p.yaml", one["key"], answer, *words)
        if said.code != DONE:
            findings.add(f"resolve {answer} {one['what']}: exit {said.code}: {said.stderr[-300:]}")
    if parked["held_back"]:
        findings.add(f"held back: {parked['held_back']}")
    return len({one["key"] for one in parked["leads"]})


def _landed(sandbox: Sandbox, lead_id: str | None, what: str | None) -> bool:
    """What the account shows to a person, in the words of `parked`: `calendars Webinar: Tuesday`."""
    if lead_id is None or what is None:
        return False
    lead = sandbox.account.leads[lead_id]
    shown = {f"calendars {calendar}: {name}" for _, calendar, name in lead.calendar_log}
    shown |= {f"sequences {name}" for name, _ in lead.sequence_starts}
    shown |= {f"points {change.points:+d}" for change in lead.points_log}
    return what in shown


def side_by_side(parts: Iterable[_Part], play: Callable[[_Part], _Seen], count: int) -> list[_Seen]:
    """Play the parts, `count` at a time; what they saw, in their order."""
    with ThreadPoolExecutor(count, thread_name_prefix="part") as pool:
        return list(pool.map(play, parts))
