"""The undo campaign: random runs, taken back, and the account is as it was before, but for what was said.

Each scenario loads a random source into an account that has leads of its own, sometimes twice. Then the
account is remembered, and one more change of the source is loaded and taken back, the newest run first: under
faults, and with the command killed in the middle. What an undo says that it leaves, by lead and name, may
differ afterwards; so may what nobody can take back: leads that were created stay, bare, a sequence that has
begun has begun, and a list that was taken back shows as left. All else has to be what it was.
"""

import itertools
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SandboxLead
from tests.campaigns.contacts import BEFORE, LISTS, TAGS, account
from tests.campaigns.crash import KILLED, WRITES
from tests.campaigns.runs import (
    DONE,
    PARTIAL,
    RUN_ENDS_WITHIN_S,
    Findings,
    check_run,
    noted,
    resolve_truly,
    side_by_side,
)
from tests.campaigns.tally import Tally
from tests.conftest import Project, Result, kill
from tests.promises.scenes import FRUITS, SIZES

log = logging.getLogger("campaigns")

SCENARIOS = {"small": 4, "full": 200}
SIDE_BY_SIDE = {"small": 4, "full": 5}
PEOPLE = 8
SETTLE_S = 1
TRIES = 8
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First, city: City}
custom_fields: {note: Note, size: Size, fruits: {column: Fruits, split: ";"}}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
untag: [{column: Off, split: ";"}]
sequences: [{name: {column: Sequence}, step: 1}]
points: {column: Points}
blank: clear
on_removed: [untag, unsubscribe]
consent: {attested: "a campaign of the tests"}
guards: {min_rows: 0, max_removed: 100%, max_failed: 100%}
"""

Lead = dict[str, Any]
Differences = Iterator[tuple[str, str, Any, Any]]


@dataclass
class Outcome:
    faults: int = 0
    kills: int = 0
    leads: int = 0
    lost: int = 0
    twice: int = 0
    parked: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class Scenario:
    """One project in play. `told` is what an undo said that it leaves: (lead, kind, name)."""

    chance: random.Random
    project: Project
    sandbox: Sandbox
    findings: Findings
    outcome: Outcome = field(default_factory=Outcome)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    told: set[tuple[str, str, str]] = field(default_factory=set)


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """One line over all scenarios. Lost: leads that are not as they were; twice: points and sequences."""
    seeds = [seed * 1000 + number for number in range(SCENARIOS[size])]
    seen = side_by_side(seeds, lambda one: _play(one, folder / f"undo-{one}"), SIDE_BY_SIDE[size])
    return [
        Tally(
            "undo",
            faults=sum(one.faults for one in seen),
            kills=sum(one.kills for one in seen),
            leads=sum(one.leads for one in seen),
            lost=sum(one.lost for one in seen),
            twice=sum(one.twice for one in seen),
            parked=sum(one.parked for one in seen),
            failures=tuple(itertools.chain.from_iterable(one.failures for one in seen)),
        )
    ]


def _play(seed: int, folder: Path) -> Outcome:
    chance = random.Random(seed)
    project = Project(folder)
    folder.mkdir(parents=True)
    findings = Findings(f"undo (seed {seed})")
    outcome = Outcome()
    chain_errors = chance.choice(("flat", "nested"))
    with noted(findings), Sandbox(account(), calls_per_second=0, chain_errors=chain_errors) as sandbox:
        scenario = Scenario(chance, project, sandbox, findings, outcome)
        project.aim(sandbox)
        project.pipeline(LOAD, kartra=f"settle_s: {SETTLE_S}\ntimeout_s: 2")
        _before_us(scenario)
        for _ in range(chance.choice((0, 1, 2))):
            _edit(scenario)
            _run(scenario, disturbed=False)
        start, known = _shown(sandbox), _runs(project)
        _edit(scenario)
        _run(scenario, disturbed=chance.random() < 0.7)
        for run_id in _runs(project):
            if run_id not in known:
                _undo(scenario, run_id)
        _judge(scenario, start, _shown(sandbox))
        _nothing_is_sent_again(scenario)
        outcome.faults = sum(call.fault is not None for call in sandbox.calls)
    outcome.failures = findings.sentences
    log.info("%s: lost %d, twice %d", findings.part, outcome.lost, outcome.twice)
    return outcome


def _before_us(scenario: Scenario) -> None:
    """Leads that Kartra had, with values, tags and lists of their own."""
    chance = scenario.chance
    for number in chance.sample(range(PEOPLE), 3):
        lead = scenario.sandbox.account.add_lead(_address(number), city="Oslo", company="Acme")
        lead.tags.update(chance.sample(["Old", *TAGS], 2))
        lead.lists.update({name: chance.random() < 0.6 for name in chance.sample(LISTS, 1)})
        lead.custom_fields["note"] = "theirs"
        lead.date_joined = BEFORE
        lead.score = chance.choice((0, 7))


def _edit(scenario: Scenario) -> None:
    """Some people come, some go, and some of those who stay change."""
    chance = scenario.chance
    wanted = chance.sample(range(PEOPLE), chance.randint(3, PEOPLE))
    before = scenario.rows
    scenario.rows = {
        email: before[email] if email in before and chance.random() < 0.3 else _row(chance, email)
        for email in map(_address, wanted)
    }
    scenario.project.contacts(list(scenario.rows.values()))


def _address(number: int) -> str:
    return f"person{number}@example.org"


def _row(chance: random.Random, email: str) -> dict[str, str]:
    tags = chance.sample(TAGS, chance.randint(0, 2))
    off = [name for name in ("Old", *TAGS) if name not in tags]
    return {
        "Email": email,
        "First": chance.choice(("", "Ann", "Bob")),
        "City": chance.choice(("", "Lyon", "Leeds", "Oslo")),
        "Note": chance.choice(("", "one", "two; three")),
        "Size": chance.choice(("", *SIZES)),
        "Fruits": ";".join(chance.sample(list(FRUITS), chance.randint(0, 2))),
        "Tags": ";".join(tags),
        "Lists": ";".join(chance.sample(["News", *LISTS], chance.randint(0, 2))),
        "Off": chance.choice(("", "", chance.choice(off))),
        "Sequence": chance.choice(("", "Onboarding")),
        "Points": chance.choice(("", "5", "8")),
    }


def _faults(scenario: Scenario) -> Faults:
    names = scenario.chance.sample(
        ("cut_after", "cut_before", "bad_gateway_after", "not_json", "missing_entry", "throttle"), 2
    )
    return Faults(**dict.fromkeys(names, 0.12), seed=scenario.chance.randrange(10_000))


def _run(scenario: Scenario, *, disturbed: bool) -> None:
    """Until nothing is owed; the first tries under faults and a kill, if it is disturbed."""
    if disturbed:
        _disturbed(scenario, "run", "p.yaml", "--json")
    for _ in range(TRIES):
        result = scenario.project.command("run", "p.yaml", "--json", timeout_s=RUN_ENDS_WITHIN_S)
        check_run(result, scenario.findings, may_fail=False)
        if result.code == DONE:
            return
        scenario.outcome.parked += resolve_truly(scenario.project, scenario.sandbox, scenario.findings)
    scenario.findings.add("a load does not come to its end")


def _disturbed(scenario: Scenario, *words: str) -> None:
    """Once under faults, and once killed after a few writes."""
    scenario.sandbox.set_faults(_faults(scenario))
    if scenario.chance.random() < 0.5:
        scenario.project.command(*words, timeout_s=RUN_ENDS_WITHIN_S)
    if scenario.chance.random() < 0.7:
        result = _killed_at_a_write(scenario, words)
        scenario.outcome.kills += result.code == KILLED
    scenario.sandbox.set_faults(Faults())


def _killed_at_a_write(scenario: Scenario, words: tuple[str, ...]) -> Result:
    """Killed as soon as a write was carried out, before or after its answer left."""
    target = _written(scenario.sandbox) + scenario.chance.randint(1, 5)
    process = scenario.project.start(*words)
    while process.poll() is None:
        if _written(scenario.sandbox) >= target:
            kill(process)
            return Result(KILLED, "", "")
        time.sleep(0.002)
    stdout, stderr = process.communicate()
    return Result(process.returncode, stdout, stderr)


def _written(sandbox: Sandbox) -> int:
    return sum(call.executed and not WRITES.isdisjoint(call.commands) for call in sandbox.calls)


def _runs(project: Project) -> list[str]:
    """The newest first."""
    if not project.state.exists():
        return []
    return [run["run_id"] for run in project.command("runs", "p.yaml", "--json").json["runs"]]


def _undo(scenario: Scenario, run_id: str) -> None:
    """Until nothing is left to take back."""
    words = ("undo", "p.yaml", run_id, "--yes", "--json", "--changes", "--show")
    if scenario.chance.random() < 0.7:
        _disturbed(scenario, *words)
    for _ in range(TRIES):
        result = scenario.project.command(*words, timeout_s=RUN_ENDS_WITHIN_S)
        if result.code not in (DONE, PARTIAL):
            scenario.findings.add(f"undo ended with exit {result.code}: {result.stderr[-500:]}")
            return
        scenario.told |= {
            (lead["key"], one["kind"], one["name"])
            for lead in result.json["changes"]
            for one in lead["stays"]
        }
        if not result.json["plan"]["leads"] and not result.json["plan"]["unread"]:
            return
        scenario.outcome.parked += _resolve_unproven(scenario)
    scenario.findings.add(f"undo of {run_id} does not come to its end: {result.stdout[-800:]}")


def _resolve_unproven(scenario: Scenario) -> int:
    parked = scenario.project.command("parked", "p.yaml", "--json", "--show").json["leads"]
    if any(one["kind"] == "unproven" for one in parked):
        return resolve_truly(scenario.project, scenario.sandbox, scenario.findings)
    return 0


def _shown(sandbox: Sandbox) -> dict[str, Lead]:
    with sandbox.lock:
        return {lead.email: _lead(lead) for lead in sandbox.account.leads.values()}


def _lead(lead: SandboxLead) -> Lead:
    """All that the account has of a lead, but for when it joined and its log of points."""
    custom = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in lead.custom_fields.items()
    }
    return {
        "id": lead.id,
        "fields": {name: value for name, value in lead.fields.items() if value},
        "custom_fields": {name: value for name, value in custom.items() if value},
        "tags": dict.fromkeys(lead.tags, True),
        "lists": dict(lead.lists),
        "sequences": {name: entry.status for name, entry in lead.sequences.items()},
        "starts": sorted(lead.sequence_starts),
        "score": lead.score,
        "bookings": len(lead.bookings),
        "deleted": lead.deleted,
    }


BARE: Lead = {
    "fields": {},
    "custom_fields": {},
    "tags": {},
    "lists": {},
    "sequences": {},
    "starts": [],
    "score": 0,
    "bookings": 0,
    "deleted": False,
}


def _judge(scenario: Scenario, start: dict[str, Lead], end: dict[str, Lead]) -> None:
    outcome = scenario.outcome
    outcome.leads = len(end)
    for email in start.keys() - end.keys():
        outcome.lost += 1
        scenario.findings.add(f"{email} is gone")
    for email, now in end.items():
        was = start.get(email, {**BARE, "id": now["id"]})
        wrong = [
            f"{kind} {name}: {before!r} became {after!r}"
            for kind, name, before, after in _differences(was, now)
            if (email, kind, name) not in scenario.told
        ]
        outcome.lost += bool(wrong)
        starts = len(now["starts"]) - len(set(now["starts"]))
        outcome.twice += starts > 0
        for sentence in wrong:
            scenario.findings.add(f"{email}: {sentence}")


def _differences(was: Lead, now: Lead) -> Differences:
    for kind in ("id", "score", "bookings", "deleted"):
        if was[kind] != now[kind]:
            yield kind, "", was[kind], now[kind]
    for kind in ("fields", "custom_fields", "tags"):
        for name in was[kind].keys() | now[kind].keys():
            if was[kind].get(name) != now[kind].get(name):
                yield kind, name, was[kind].get(name), now[kind].get(name)
    for name in was["lists"].keys() | now["lists"].keys():
        before, after = was["lists"].get(name, False), now["lists"].get(name, False)
        if before != after:
            yield "lists", name, before, after
    for name in was["sequences"].keys() - now["sequences"].keys():
        yield "sequences", name, was["sequences"][name], None


def _nothing_is_sent_again(scenario: Scenario) -> None:
    """The source asks for the same as before the undo, and a person took it back."""
    before = _written(scenario.sandbox)
    result = scenario.project.command("run", "p.yaml", "--json", timeout_s=RUN_ENDS_WITHIN_S)
    check_run(result, scenario.findings, may_fail=False)
    if _written(scenario.sandbox) != before:
        scenario.findings.add("the next run sent again what was taken back")
