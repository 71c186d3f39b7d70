"""The crash campaign: the command is killed again and again, and then has to bring its load to the end.

A kill falls at a chosen call or return of a function in the command (`inject/sitecustomize.py`), at a
seeded time, or when the sandbox has just carried out a seeded call. A scenario is one project with a few
kills in a row; in between its source changes, and now and then a day passes.
"""

import importlib
import itertools
import json
import logging
import random
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from connectors.kartra.sandbox import Faults, Sandbox, SequenceEntry
from connectors.kartra.sandbox.account import DATE_FORM
from pipelines.config.file import read_pipeline
from pipelines.shipped import ROOT
from pipelines.state.place import is_there
from pipelines.verbs.account import account_of
from tests.campaigns.contacts import Contacts, account, calls_over
from tests.campaigns.runs import RUN_ENDS_WITHIN_S, Findings, check_run, noted, settle, side_by_side
from tests.campaigns.tally import Tally
from tests.conftest import Project, Result, all_on_a_server, kill
from tests.state.places import beside

log = logging.getLogger("campaigns")

INJECT = Path(__file__).parent / "inject"
KILLS = {"small": 24, "full": 200}
KILLS_IN_A_ROW = {"small": 4, "full": 5}
SIDE_BY_SIDE = 5
LEADS = 40
ATTEMPTS = 4
KILLED = -9
DAY = timedelta(days=1)
WRITES = frozenset(("create_lead", "edit_lead", "assign_tag", "unassign_tag", "unsubscribe_lead_from_list"))

AT_A_TIME, AT_A_CALL, AFTER_A_WAIT = "at a time", "at a call", "after a wait for 429s"
MIGRATION, READ_BACK = "migration", "read-back"
_INTENDED = "pipelines.state.outbox:Outbox.intend"


@dataclass(frozen=True)
class Point:
    """A call or a return of a function, up to the `most`-th; counted from the first return of `after`."""

    function: str
    event: str
    most: int = 1
    after: str | None = None


_after_intent = partial(Point, after=_INTENDED)

STAGES: dict[str, tuple[Point, ...]] = {
    "extracting": (
        Point("pipelines.extract.stage:stage", "call"),
        Point("connectors.sources.files.csv_file:CsvFile.chunks", "call", 2),
        Point("connectors.sources.records:next_chunk", "return"),
        Point("pipelines.contacts.by_column:ColumnMapper.map", "return"),
        Point("pipelines.contacts.chunks:ChunkMapper.map", "return"),
        Point("pipelines.state.staging:Staging.add", "return"),
        Point("pipelines.state.staging:Staging.end", "return"),
        Point("pipelines.state.staging:Staging.settle", "return"),
    ),
    "diffing": (
        Point("pipelines.state.staging:Staging.count_unchanged", "return"),
        Point("pipelines.state.new_leads:NewLeads.set_apart", "return"),
        Point("pipelines.state.new_leads:NewLeads.shapes", "return", 2),
        Point("pipelines.state.new_leads:NewLeads.enqueue", "return"),
        Point("pipelines.load.plan:make_plan", "call"),
        Point("pipelines.state.staging:Staging.differences", "return", 6),
        Point("pipelines.changes.diff:diff_lead", "return", 6),
        Point("pipelines.load.plan:decide", "return", 6),
        Point("pipelines.state.leads:Leads.mark_same", "return"),
        Point("pipelines.state.outbox:Outbox.enqueue", "call"),
        Point("pipelines.state.outbox:Outbox.enqueue", "return", 2),
        Point("pipelines.load.guards:check_before", "return"),
    ),
    "between intent and call": (
        Point(_INTENDED, "call", 8),
        Point(_INTENDED, "return", 8),
        _after_intent("connectors.kartra.sender:Sender.send", "call", 8),
        _after_intent("connectors.kartra.wire:encode_call", "return", 8),
        _after_intent("connectors.kartra.limiter:CallLimiter.acquire", "call", 8),
        _after_intent("connectors.kartra.limiter:CallLimiter.acquire", "return", 8),
        _after_intent("connectors.kartra.transport:Transport.post", "call", 8),
        _after_intent("http.client:HTTPConnection.send", "call", 16),
    ),
    "during the call": (
        _after_intent("http.client:HTTPConnection.send", "return", 16),
        _after_intent("urllib3.connection:HTTPConnection.request", "return", 8),
        _after_intent("urllib3.connection:HTTPConnection.getresponse", "call", 8),
        _after_intent("http.client:HTTPResponse.begin", "call", 8),
        _after_intent("http.client:HTTPResponse.begin", "return", 8),
    ),
    "between answer and commit": (
        _after_intent("requests.adapters:HTTPAdapter.send", "return", 8),
        _after_intent("connectors.kartra.answers:classify", "call", 8),
        _after_intent("connectors.kartra.answers:classify", "return", 8),
        _after_intent("pipelines.load.delivery:Delivery._answered", "call", 8),
        _after_intent("pipelines.load.next_step:_after_write", "call", 8),
        _after_intent("pipelines.load.next_step:_take", "return", 8),
        _after_intent("pipelines.load.delivery:Delivery._settle", "call", 8),
        _after_intent("pipelines.state.outbox:Outbox.settle", "call", 8),
        _after_intent("pipelines.state.leads:Leads.acknowledge", "return", 8),
        _after_intent("pipelines.state.outbox:Outbox.settle", "return", 8),
    ),
    READ_BACK: (
        Point("pipelines.calls.profiles:first_found", "call", 3),
        Point("pipelines.calls.profiles:first_found", "return", 3),
        Point("pipelines.load.after_read:after_read", "call", 3),
        Point("pipelines.load.after_read:_compare", "call", 3),
        Point("pipelines.changes.readback:after_unknown", "return", 2),
        Point("pipelines.load.after_read:_compare", "return", 3),
        Point("pipelines.load.delivery:Delivery.recover", "return"),
    ),
    MIGRATION: (
        Point("pipelines.state.sqlite:SqliteDatabase.migrate", "call"),
        Point("pipelines.state.sqlite:_statements", "call", 12),
        Point("pipelines.state.sqlite:_statements", "return", 12),
        Point("pipelines.state.sqlite:SqliteDatabase.migrate", "return"),
    ),
}
KINDS = (*STAGES, AT_A_TIME, AT_A_CALL, AFTER_A_WAIT)
"""Every kind of kill. Under read-back every second answer of that run is lost. A stage's first point is the
one that a run reaches most surely."""

SETTLE_S, PATIENT_SETTLE_S = 2, 4
REFUSED, LATE_S = 4, 3.0
"""After a wait: so many 429s before a write is carried out, whose effects show late."""


OLD_SNAPSHOT = {
    "fields": {},
    "custom_fields": {},
    "tags": [],
    "lists": [],
    "sequences": ["Onboarding"],
    "kept": [["tags", "Old"]],
}
"""What the first schema kept of a lead."""


@dataclass(frozen=True)
class Scenario:
    """What is killed when, in one project. Everything else follows from the seed."""

    number: int
    seed: int
    kinds: tuple[str, ...]


@dataclass
class Outcome:
    """What a scenario saw. `hits` are the kills by kind, `places` where the command was told to end."""

    hits: Counter[str] = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)
    leads: int = 0
    lost: int = 0
    twice: int = 0
    parked: int = 0
    calls_over_floor: int = 0
    failures: list[str] = field(default_factory=list)


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """A line for each kind of kill with its kills, and one with the end states of all scenarios.

    Calls over the floor are those of `calls_over`: mostly what reading leads back after a kill costs.
    """
    unknown = tuple(unknown_functions())
    if unknown:
        return [Tally("crash", failures=unknown)]
    scenarios = list(_scenarios(size, seed))
    seen = side_by_side(scenarios, lambda scenario: _play(scenario, folder), SIDE_BY_SIDE)
    hits: Counter[str] = sum((outcome.hits for outcome in seen), Counter())
    planned = Counter(kind for scenario in scenarios for kind in scenario.kinds)
    missed = tuple(
        f"{kind}: {hits[kind]} of {count} kills hit" for kind, count in planned.items() if hits[kind] != count
    )
    return [
        *(Tally(f"crash: {kind}", kills=hits[kind]) for kind in KINDS),
        Tally(
            "crash: end states",
            leads=sum(outcome.leads for outcome in seen),
            lost=sum(outcome.lost for outcome in seen),
            twice=sum(outcome.twice for outcome in seen),
            parked=sum(outcome.parked for outcome in seen),
            calls_over_floor=sum(outcome.calls_over_floor for outcome in seen),
            failures=(*missed, *itertools.chain.from_iterable(outcome.failures for outcome in seen)),
        ),
    ]


def unknown_functions() -> Iterator[str]:
    """Points whose function is not there: renamed since."""
    for stage, points in STAGES.items():
        for place in {point.function for point in points} | {point.after for point in points if point.after}:
            module, _, name = place.partition(":")
            try:
                found: Any = importlib.import_module(module)
                for part in name.split("."):
                    found = getattr(found, part)
            except (ImportError, AttributeError):
                yield f"{stage}: there is no {place}; was it renamed?"


def _scenarios(size: str, seed: int) -> Iterator[Scenario]:
    """Kinds in turn; a migration can only be killed in a scenario's first run, so every second one does."""
    in_a_row = KILLS_IN_A_ROW[size]
    others = itertools.cycle(kind for kind in KINDS if kind != MIGRATION)
    for number in range(KILLS[size] // in_a_row):
        # A server has no schema that is older than its first one.
        first = [MIGRATION] if number % 2 == 0 and not all_on_a_server() else []
        kinds = (*first, *itertools.islice(others, in_a_row - len(first)))
        yield Scenario(number, seed * 1000 + number, kinds)


def _play(scenario: Scenario, folder: Path) -> Outcome:
    chance = random.Random(scenario.seed)
    project = Project(folder / f"crash-{scenario.number}")
    project.folder.mkdir(parents=True)
    findings = Findings(f"crash scenario {scenario.number} (seed {scenario.seed})")
    outcome = Outcome()
    contacts = Contacts(
        scenario.seed, LEADS, by_number=scenario.number % 3 == 2, booking=scenario.number % 3 == 1
    )
    options: dict[str, Any] = {
        "calls_per_second": 0,
        "chain_errors": chance.choice(("flat", "nested")),
        "effect_delay_s": chance.choice((0.0, 0.8)),
        "latency_s": chance.choice((0.0, 0.05)),
    }
    workers = chance.choice(("auto", "1", "8"))
    days_pass = not options["effect_delay_s"] and AFTER_A_WAIT not in scenario.kinds
    with noted(findings), Sandbox(account(), **options) as sandbox:
        project.aim(sandbox)
        _pipeline(project, contacts, settle_s=SETTLE_S, workers=workers)
        if not contacts.by_number:
            contacts.put_before(sandbox, 4)
        if scenario.kinds[0] == MIGRATION:
            _older_state(project, sandbox, scenario.number // 2)
        project.contacts(contacts.table())
        for position, kind in enumerate(scenario.kinds):
            if position and chance.random() < 0.7:
                contacts.edit()
                project.contacts(contacts.table())
            if position and days_pass and chance.random() < 0.5:
                _let_a_day_pass(project, sandbox)
            _kill_once(kind, project, sandbox, contacts, chance, outcome, findings)
        if days_pass:
            _let_a_day_pass(project, sandbox)
        outcome.parked = settle(project, sandbox, findings)
        verdict = contacts.judge(sandbox)
        outcome.leads, outcome.lost, outcome.twice = verdict.leads, verdict.lost, verdict.twice
        for problem in verdict.problems:
            findings.add(problem)
        outcome.calls_over_floor = calls_over(sandbox)
    outcome.failures = findings.sentences
    log.info("%s: killed %s; lost %d, twice %d", findings.part, outcome.places, outcome.lost, outcome.twice)
    return outcome


def _kill_once(
    kind: str,
    project: Project,
    sandbox: Sandbox,
    contacts: Contacts,
    chance: random.Random,
    outcome: Outcome,
    findings: Findings,
) -> None:
    """Runs that end before their kill are followed by an edit and another try, at the first occasion."""
    for attempt in range(ATTEMPTS):
        if kind == READ_BACK:
            sandbox.set_faults(Faults(cut_after=0.5, commands=WRITES, seed=chance.randrange(1000)))
        place = kind
        if kind == AT_A_TIME:
            result = _killed_at_a_time(project, chance.uniform(0.05, 2.0 / (attempt + 1)))
        elif kind == AT_A_CALL:
            result = _killed_at_a_call(project, sandbox, chance.randint(1, 12 if attempt == 0 else 2))
        elif kind == AFTER_A_WAIT:
            result = _killed_after_a_wait(project, sandbox, contacts)
        else:
            point = chance.choice(STAGES[kind] if attempt == 0 else STAGES[kind][:1])
            nth = chance.randint(1, point.most) if attempt == 0 else 1
            result, place = _killed_at(point, nth, project)
        sandbox.set_faults(Faults())
        if result.code == KILLED:
            outcome.hits[kind] += 1
            outcome.places.append(place)
            return
        check_run(result, findings, may_fail=False)
        contacts.edit()
        project.contacts(contacts.table())


def _killed_at(point: Point, nth: int, project: Project) -> tuple[Result, str]:
    """The result, and what the command noted of its end."""
    module, _, function = point.function.partition(":")
    spec = {"module": module, "function": function, "event": point.event, "nth": nth, "after": point.after}
    report = project.folder / "killed.txt"
    report.unlink(missing_ok=True)
    plain = dict(project.environ)
    project.environ |= {
        "PYTHONPATH": str(INJECT),
        "KARTRA_SYNC_KILL": json.dumps(spec),
        "KARTRA_SYNC_KILL_REPORT": str(report),
    }
    try:
        process = project.start("run", "p.yaml", "--json")
    finally:
        project.environ = plain
    result = _ended(process)
    return result, report.read_text().strip() if result.code == KILLED else ""


def _killed_at_a_time(project: Project, after_s: float) -> Result:
    process = project.start("run", "p.yaml", "--json")
    try:
        stdout, stderr = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        kill(process)
        return Result(KILLED, "", "")
    return Result(process.returncode, stdout, stderr)


def _killed_at_a_call(project: Project, sandbox: Sandbox, nth: int, *, refused: int = 0) -> Result:
    """Killed as soon as the nth write was carried out, before or after its answer left.

    So many writes are refused with 429 before.
    """
    target = _written(sandbox) + nth
    to_refuse = sandbox.throttled + refused
    if refused:
        sandbox.set_faults(Faults(throttle=1.0, commands=WRITES))
    process = project.start("run", "p.yaml", "--json")
    while process.poll() is None:
        if refused and sandbox.throttled >= to_refuse:
            refused = 0
            sandbox.set_faults(Faults())
        if _written(sandbox) >= target:
            kill(process)
            return Result(KILLED, "", "")
        time.sleep(0.002)
    return _ended(process)


def _killed_after_a_wait(project: Project, sandbox: Sandbox, contacts: Contacts) -> Result:
    """The intent is seconds old when its call is carried out; the kill follows at once."""
    contacts.edit()
    project.contacts(contacts.table())
    _pipeline(project, contacts, settle_s=PATIENT_SETTLE_S, workers="1")
    delay_s = sandbox.options.effect_delay_s
    sandbox.set_options(effect_delay_s=LATE_S)
    try:
        return _killed_at_a_call(project, sandbox, 1, refused=REFUSED)
    finally:
        sandbox.set_options(effect_delay_s=delay_s)


def _pipeline(project: Project, contacts: Contacts, *, settle_s: int, workers: str) -> None:
    project.pipeline(contacts.load, kartra=f"settle_s: {settle_s}\nworkers: {workers}")


def _written(sandbox: Sandbox) -> int:
    return sum(call.executed and not WRITES.isdisjoint(call.commands) for call in sandbox.calls)


def _ended(process: subprocess.Popen[str]) -> Result:
    try:
        stdout, stderr = process.communicate(timeout=RUN_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return Result(process.returncode, stdout, stderr)


def _let_a_day_pass(project: Project, sandbox: Sandbox) -> None:
    """What has happened so far lies a day back, here and in Kartra: the next run is the next night."""
    with sandbox.lock:
        for lead in sandbox.account.leads.values():
            joined = datetime.strptime(lead.date_joined, DATE_FORM)  # noqa: DTZ007 - Kartra's wall clock
            lead.date_joined = (joined - DAY).strftime(DATE_FORM)
    ask = beside(project.place)
    if isinstance(project.place, Path):
        if not project.state.exists() or not ask("SELECT 1 FROM sqlite_master WHERE name = 'outbox'"):
            return  # killed before its schema was written
    elif not is_there(project.place):
        return
    for entry_id, sent_at in ask("SELECT entry_id, sent_at FROM outbox WHERE state = 'sent'"):
        earlier = (datetime.fromisoformat(sent_at) - DAY).isoformat()
        ask(
            "UPDATE outbox SET sent_at = :earlier WHERE entry_id = :entry_id",
            earlier=earlier,
            entry_id=entry_id,
        )


def _older_state(project: Project, sandbox: Sandbox, turn: int) -> None:
    """A state file of an older schema that knows the leads of the account, in turn with no file at all.

    It says that their sequence was started: a migration that loses it starts it again.
    """
    migrations = sorted((ROOT / "sql" / "state" / "migrations").glob("*.sql"))
    version = turn % len(migrations)
    if version == 0 or not isinstance(project.place, Path):
        return  # the first schema of a server is newer than all of these
    name = account_of(read_pipeline(project.folder / "p.yaml", project.environ))
    project.state.parent.mkdir()
    with closing(sqlite3.connect(project.state)) as connection:
        for migration in migrations[:version]:
            connection.executescript(migration.read_text(encoding="utf-8"))
        connection.execute("INSERT INTO scopes VALUES (1, 'newsletter', ?, 'live')", (name,))
        for lead in sandbox.account.leads.values():
            lead.sequences["Onboarding"] = SequenceEntry("1")
            lead.sequence_starts.append(("Onboarding", "1"))
            connection.execute(
                "INSERT INTO leads (scope_id, key, lead_id, origin, digest, snapshot, changed_at)"
                " VALUES (1, ?, ?, 'adopted', x'', ?, '2026-01-01T00:00:00+00:00')",
                (lead.email, lead.id, json.dumps(OLD_SNAPSHOT | {"email": lead.email})),
            )
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    project.state.chmod(0o600)
