"""One life: days of edits, runs, crashes and hands, calm runs at the end, and what must hold."""

import logging
import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, lru_cache, partial
from multiprocessing.util import Finalize
from pathlib import Path

from connectors.clock import Clock
from connectors.errors import SyncError
from connectors.kartra.sandbox.account import Account, SandboxLead
from connectors.kartra.sandbox.emulator import Emulator, ReceivedCall
from connectors.kartra.sandbox.options import SandboxOptions
from pipelines.changes.diff import resolve
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, LeaseLostError, LockedError
from pipelines.state.file import copy_state
from pipelines.state.keys import FORMER
from pipelines.state.store import Store
from pipelines.verbs.identity import find, take_over
from pipelines.verbs.run import RunResult, run_pipeline
from tests.simulate import money, tables, verbs
from tests.simulate.disk import Disk, store_on
from tests.simulate.hub import Hub
from tests.simulate.machine import Host, Process
from tests.simulate.network import Server, Weather
from tests.simulate.people import LISTS, TAGS, People, Person, new_account, problems, twice
from tests.simulate.plan import Day, Plan

SETTLE_S, TIMEOUT_S = 10, 30
CALM_RUNS = 8
OPEN_CALLS = (
    "SELECT (SELECT count(*) FROM outbox WHERE state = 'sent')"
    " + (SELECT count(*) FROM operations WHERE state = 'sent')"
)
LEFT_OVER = "SELECT count(*) FROM outbox WHERE run_id = ? AND state = 'planned'"
PIPELINE = """\
pipeline: {name}
kartra:
  url: {url}
  app_id: ${{KARTRA_APP_ID}}
  api_key: ${{KARTRA_API_KEY}}
  api_password: ${{KARTRA_API_PASSWORD}}
  mode: {mode}
  calls_per_second: {rate}
  settle_s: {settle}
  timeout_s: {timeout}
state: state.db
"""
LOAD = """\
load:
  source: {{csv: contacts.csv}}
  key: {key}
  fields: {{email: Email, first_name: First, city: City}}
  custom_fields: {{note: Note, size: Size}}
  tags: [Imported, {{column: Tags, split: ";"}}]
  lists: [News, {{column: Lists, split: ";"}}]
  sequences: [{{name: Onboarding, step: 1}}]
{more}  consent: {{column: Consent, accepted: ["yes"]}}
  guards: {{max_removed: 100%, max_edited: 100%, max_failed: 100%}}
"""


@dataclass
class Lived:
    """What a life was. `violations` has to be empty."""

    plan: Plan
    violations: list[str] = field(default_factory=list)
    runs: int = 0
    kills: int = 0
    faults: int = 0
    events: int = 0
    calls: int = 0
    refused: int = 0
    hours: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


class Life:
    """Plays a plan."""

    def __init__(self, plan: Plan, folder: Path, *, trace: bool = False) -> None:
        self.plan = plan
        self.folder = folder
        self.hub = Hub(plan.chance("order"), trace=[] if trace else None)
        self.lived = Lived(plan, met=self.hub.met)
        self.people = People(
            plan.chance("people"), plan.leads, plan.by_number, plan.test_mode, leaving=plan.leaving
        )
        if plan.has_wrong_clock:
            for person in self.people.people.values():
                person.unclear = {"Imported", "News", *TAGS, *LISTS}
        self.account: Account = new_account()
        self.bank = money.Bank(plan, self.account) if plan.kind == "money" else None
        options = SandboxOptions(
            mode="test" if plan.test_mode else "live",
            clock_offset_s=plan.server_ahead_s,
            **dict(plan.options),
        )
        emulator = Emulator(self.account, options, now=lambda: self.hub.now)
        self.server = Server(
            self.hub, plan.chance("network"), emulator, on_call=self._on_call, on_write=self._on_write
        )
        self.disk = Disk()
        one = Host("one", self.hub, plan.ahead_s, plan.drift, disk=self.disk)
        # Heartbeats alone, without a lock, are right only as long as clocks agree.
        self.hosts = [one, Host("two", self.hub, disk=self.disk) if plan.locks else one]
        self.hands = plan.chance("hands")
        self.name, self.url = "sim", "https://app.kartra.com/api"
        self.key = self.account.api_key
        self._numbers = 0
        self._saved = self._written = ""
        self.is_by_number = plan.by_number
        self._is_meanwhile = False
        self._is_in_step = False
        self._goes_on = False
        self._watch: sqlite3.Connection | None = None
        self._bereft: dict[str, int] = {}  # processes whose state was taken away: writes that may still leave
        self._quiet_since = self.hub.seconds
        os.environ["XDG_STATE_HOME"] = str(folder)

    # --- the whole of it

    def play(self) -> Lived:
        lived = self.lived
        self.hub.met["a life of money"] += self.bank is not None
        self.hub.met[f"theme: {self.plan.theme}"] += bool(self.plan.theme)
        try:
            if self.bank is None:
                self.people.put_before(self.account, self.plan.known_before)
            if not self.plan.locks:
                (self.folder / f"state.db-{self.name}.lock").mkdir()
            for number, day in enumerate(self.plan.days):
                self._day(number, day)
            self._calm()
        except AssertionError as error:
            self._violated(f"{type(error).__name__}: {error}")
        finally:
            self._look_away()
            self.disk.let_go()
        lived.events, lived.faults = self.hub.events, self.server.injected
        lived.calls, lived.refused = len(self.server.sent), self.server.refused
        lived.hours = (self.hub.seconds - 1000.0) / 3600
        lived.trace = self.hub.trace or []
        return lived

    def _violated(self, sentence: str) -> None:
        self.hub.note(f"VIOLATED: {sentence}")
        self.lived.violations.append(sentence)

    # --- a day

    def _day(self, number: int, day: Day) -> None:
        self._pass(day.gap_s)
        self._before(day)
        for _ in range(day.hands):
            self._by_hand()
        if day.edits:
            (self.bank or self.people).edit(self.account)
            self._is_in_step = False
        self._write()
        self.server.weather = Weather(
            dict(day.weather),
            day.spares_reads,
            up_s=(0.05, 0.05 + day.jitter_s),
            down_s=(0.05, 0.05 + day.jitter_s),
        )
        started = self.hub.seconds
        first = self._begin(self.hosts[0], day, day.verb)
        running = [first]
        if day.stop_after_s is not None:
            first.stop_at = started + day.stop_after_s
            self.hub.met["a person stops a run"] += 1
        if day.pause is not None:
            after, seconds = day.pause
            self.hub.after(after, lambda: first.pause(seconds) if not first.is_gone else None)
        if day.second_after_s is not None:
            self.hub.after(day.second_after_s, lambda: running.append(self._begin(self.hosts[1], Day())))
            waits_until = started + day.second_after_s
        else:
            waits_until = started
        for place in range(day.hands_meanwhile):
            self.hub.after(1.0 + 2.0 * place, self._meanwhile)
        if day.jump_s:
            self.hub.after(2.0, lambda: self._jump(day.jump_s))
        if day.neighbour:
            self._neighbour(running)
        if day.replaced_after_s is not None:
            self.hub.after(day.replaced_after_s, lambda: self._replace_state(first))
        self.hub.run(lambda: self._is_over(running, waits_until))
        for process in running:
            self._ended(process)
        self._check_twice()
        self._check_rate(started, day)

    def _is_over(self, running: list[Process], waits_until: float) -> bool:
        for process in running:  # no generator: this is asked after each event
            if not process.is_gone:
                return False
        return self.hub.seconds >= waits_until

    def _begin(self, host: Host, day: Day, verb: str = "") -> Process:
        self._numbers += 1
        process = Process(
            f"process {self._numbers}",
            host,
            self.server.connect,
            kill_at=day.kill_at,
            kill_at_point=day.kill_point,
            verb=verb,
        )
        self.hub.note(f"{process.name} begins on {host.name}")
        process.start(partial(self._do, verb) if verb and self.bank is None else self._run)
        self.lived.runs += 1
        return process

    def _run(self, process: Process) -> RunResult:
        return run_pipeline(
            self.config(),
            approved=True,
            goes_on=self._said_to_go_on(),
            stopping=process.is_stopping,
            world=process.world(),
        )

    def _do(self, verb: str, process: Process) -> RunResult:
        """A verb; where there is nothing to do for it, a plain run."""
        self.hub.note(f"{process.name}: {verb}")
        config = self.config()
        match verb:
            case "canary":
                self.hub.met["a few leads go first and are read back"] += 1
                return verbs.canary(config, process)
            case "some":
                self.hub.met["a few leads are sent alone"] += 1
                return verbs.some(config, process)
            case "retry":
                self.hub.met["a mended file of rejects is loaded"] += 1
                return verbs.retry(config, process, self.people, self.folder)
            case "undo":
                return verbs.undo(config, process, self._undone)
            case "apply":
                if plan_id := verbs.save(config, process):
                    self.hub.met["a plan is saved"] += 1
                    self._saved = plan_id
                    process.sleep(self.hands.choice((0.0, 5.0, 3600.0)))
                    return verbs.apply(config, process, plan_id)
            case "apply again" if self._saved:
                self.hub.met["a saved plan is applied once more"] += 1
                return verbs.apply(config, process, self._saved)
        return self._run(process)

    def _undone(self) -> None:
        """What was taken back is not given again: the account is not as the source wishes it any more."""
        self.hub.met["a run is taken back"] += 1
        self.people.is_undone = True

    def _said_to_go_on(self) -> bool:
        """A person's word, once, that the newest copy is what counts."""
        said, self._goes_on = self._goes_on, False
        return said

    def config(self) -> PipelineConfig:
        """Read anew only when something in it has changed: that takes longer than many a run."""
        account, text = self.account, self._pipeline()
        if text != self._written:
            (self.folder / "p.yaml").write_text(text, encoding="utf-8")
            self._written = text
        return _config(self.folder / "p.yaml", text, account.app_id, self.key, account.api_password)

    def _ended(self, process: Process) -> None:
        """What became of a run; what may not become of one."""
        met = self.hub.met
        self._look_away()
        self._quiet_since = self.hub.seconds
        if process.died_at:
            self.lived.kills += 1
            self._is_in_step = False
            return
        error, result = process.error, process.result
        process.end()
        self._is_in_step = error is None and result.status == "succeeded" and not process.verb
        if error is not None:
            self.hub.note(f"{process.name} raised {type(error).__name__}: {error}")
            met[f"not begun: {type(error).__name__}"] += 1
            met["a run meets another one under way"] += isinstance(error, LockedError)
            if isinstance(error, GuardError) and "take-over" in str(error):
                self._say_that_it_is_the_same()
            if not isinstance(error, SyncError):
                self._violated(f"a run raised {type(error).__name__}: {error}")
            return
        self.hub.note(
            f"{process.name}: {result.status} {result.message or ''} {dict(result.summary.counts.leads)}"
        )
        met[f"a run is {result.status}"] += 1
        self._check_left_over(process, result)
        if result.error is not None:
            met[f"ended by {type(result.error).__name__}"] += 1
            met["a lease is taken over by heartbeat"] += isinstance(result.error, LeaseLostError)
        if (
            "put back from a copy" in (result.message or "")
            and (self.folder / "newest" / "state.db").exists()
        ):
            met["a newer copy is put in the place of an older one"] += 1
            self._put(self.folder / "newest", self.folder)
            self._goes_on = True  # it was seen since how far the older one came
        elif "put back from a copy" in (result.message or "") and self._bereft:
            self._goes_on = True  # the copy was made when it was put there
        if result.status in ("succeeded", "partial") and process.verb in ("", "canary"):
            self.people.change_key(by_number=self.is_by_number)  # from now on an address may change
        elif (result.message or "").startswith("the key was") and not self.people.by_number:
            self.is_by_number = False
        if "add up" in (result.message or ""):
            self._violated(f"the counters do not add up: {result.message}")
        if result.status == "failed" and "own" in (result.message or "")[:40]:
            self._violated(str(result.message))

    def _check_left_over(self, process: Process, result: RunResult) -> None:
        """What a run had planned has an outcome, and nothing but another run ends its lease."""
        if process.name in self._bereft:
            return
        if isinstance(result.error, LeaseLostError):
            if not self._is_disturbed(process):
                self._violated("a run that was never silent has lost its lease")
            return
        with closing(sqlite3.connect(self.folder / "state.db")) as connection:
            (left,) = connection.execute(LEFT_OVER, (result.run_id,)).fetchone()
        if left:
            self._violated(f"a run left {left} leads that it had planned without an outcome")

    def _is_disturbed(self, process: Process) -> bool:
        """Whether it was stopped for a while, or its clock was set."""
        return process.paused_until > 0 or any(day.jump_s or day.pause for day in self.plan.days)

    def _say_that_it_is_the_same(self) -> None:
        """A person knows the account, and what the pipeline was called before."""
        self.hub.met["a person says that the account is the same"] += 1
        with Store(self.folder / "state.db") as store:
            known = [scope.pipeline for scope in store.accounts.scopes() if scope.is_used]
        take_over(self.config(), self.name if self.name in known else known[0])

    # --- before a day

    def _pass(self, seconds: float) -> None:
        """Time passes, and what was under way ends."""
        until = self.hub.seconds + seconds
        self.hub.at(until, lambda: None)
        self.hub.run(lambda: self.hub.seconds >= until)

    def _before(self, day: Day) -> None:
        state, backup = self.folder / "state.db", self.folder / "backup.db"
        if day.before and not state.exists():
            return
        match day.before:
            case "back up":
                backup.unlink(missing_ok=True)
                copy_state(state, backup)
            case "restore" if backup.exists():
                self._put(self.folder, self.folder / "newest")
                shutil.copy(backup, state)
                self.hub.met["an older backup is restored"] += 1
                self.people.is_restored = True
            case "rotate the key":
                self.key = self.account.api_key = f"KEY{self._numbers:05}"
                self.hub.met["the key is renewed"] += 1
            case "rename":
                self.name = f"sim-{self._numbers}"
                if not self.plan.locks:
                    (self.folder / f"state.db-{self.name}.lock").mkdir(exist_ok=True)
                self.hub.met["the pipeline is renamed"] += 1
            case "change the key" if self.bank is None and not self.is_by_number:
                self.is_by_number = True
                self.hub.met["the sync key becomes the number"] += 1
            case "go live" if self.people.test_mode:
                self.people.go_live()
                self._is_in_step = False
                options = self.server.emulator.options
                self.server.emulator.set_options(replace(options, mode="live"))
                self.hub.met["the App goes live"] += 1
            case "respell":
                self.url = "https://APP.kartra.com:443/api/"
                self.hub.met["the URL is spelled otherwise"] += 1
        if day.before:
            self.hub.note(f"before: {day.before}")

    def _put(self, source: Path, target: Path) -> None:
        """The files of the state, from one folder into another."""
        self.disk.let_go()
        target.mkdir(exist_ok=True)
        for old in target.glob("state.db*"):
            if old.is_file():
                old.unlink()
        for file in source.glob("state.db*"):
            if file.is_file():
                shutil.move(file, target / file.name)

    def _pipeline(self) -> str:
        plan = self.plan
        head = PIPELINE.format(
            name=self.name,
            url=self.url,
            mode="test" if self.people.test_mode else "live",
            rate=plan.calls_per_second,
            settle=SETTLE_S,
            timeout=TIMEOUT_S,
        )
        head += tables.section(of_money=self.bank is not None) if plan.pulling else ""
        if self.bank is not None:
            return head + self.bank.section
        more = ""
        more += "  points: {column: Points}\n" if plan.scoring else ""
        more += "  calendars: [{name: Webinar, class: Tuesday}]\n" if plan.booking else ""
        more += "  on_removed: [untag, unsubscribe]\n" if plan.removing else ""
        return head + LOAD.format(key="{column: Id}" if self.is_by_number else "email", more=more)

    def _write(self) -> None:
        if self.bank is not None:
            self.bank.write(self.folder / "operations.csv")
        else:
            self.people.write(self.folder / "contacts.csv")

    # --- what people do

    def _living(self) -> list[tuple[Person, SandboxLead]]:
        found = (
            (person, self.people.lead_of(self.account, person)) for person in self.people.people.values()
        )
        return [(person, lead) for person, lead in found if lead is not None and not lead.deleted]

    def _meanwhile(self) -> None:
        self._is_meanwhile = True
        self._by_hand()
        self._is_meanwhile = False

    def _by_hand(self) -> None:
        if self.bank is not None:
            return
        living = self._living()
        what = self.hands.choice(("leave", "leave", "join", "tag", "city", "make"))
        if what == "make":
            if self.people.is_undone:  # a lead that has lost its name would be made a second time
                return
            absent = [
                person
                for person in self.people.present()
                if self.people.lead_of(self.account, person) is None and not self._has_unknown(person)
            ]  # one that joins after a creation without an outcome cannot be told from what that creates
            if absent:
                person = self.hands.choice(absent)
                # By Kartra's clock, which shows EST; so long ago that no clock's slack makes it ours.
                joined = (self.hub.now - timedelta(hours=5, minutes=7)).strftime("%Y-%m-%d %H:%M:%S")
                lead = self.people.make_by_hand(self.account, person, joined)
                self.hub.met["somebody makes a lead that the source has, too"] += 1
                self.hub.note(f"by hand: {lead.email if lead else ''} is made")
            return
        if not living:
            return
        person, lead = self.hands.choice(living)
        # What is looked at a quarter of an hour later tells who has left from what never arrived.
        is_soon = self.hub.seconds - self._quiet_since < 1000.0
        unsure = self._is_meanwhile or (self._has_unknown(person) and (is_soon or person.is_away))
        if what == "leave":
            on = sorted(name for name, is_on in lead.lists.items() if is_on)
            if not on:
                return
            name = self.hands.choice(on)
            lead.lists[name] = False
            person.left.add(name)
            person.own_lists.discard(name)
            self.hub.met["a person leaves a list" + (" while a call is unknown" if unsure else "")] += 1
        elif what == "join":
            name = self.hands.choice(self.account.lists)
            if lead.lists.get(name):
                return
            came_back = name in person.left
            lead.lists[name] = True
            person.left.discard(name)
            person.own_lists.add(name)
            person.blurred.add(name)
            self.hub.met["a person comes back to a list" if came_back else "a person joins a list"] += 1
        elif what == "tag":
            name = "By hand"
            lead.tags.add(name)
            person.own_tags.add(name)
        else:
            if not self._is_in_step:
                return
            lead.fields["city"] = person.city_by_hand = f"By hand {self._numbers}"
        if unsure and what == "leave":
            person.blurred.add(name)
        self.hub.note(f"by hand: {lead.email} {what} {name if what != 'city' else ''}")

    def _has_unknown(self, person: Person) -> bool:
        """Whether nobody knows what became of the last call for somebody's lead."""
        state = self.folder / "state.db"
        if not state.exists():
            return False
        with closing(sqlite3.connect(state)) as connection:
            rows = connection.execute("SELECT count(*) FROM outbox WHERE state = 'sent'").fetchone()
        return bool(rows[0]) or person.is_away

    def _replace_state(self, process: Process) -> None:
        """Somebody puts a copy in the place of the state, the journal beside it included."""
        state, copy = self.folder / "state.db", self.folder / "copy.db"
        if process.is_gone or not state.exists():
            return
        self._look_away()
        copy.unlink(missing_ok=True)
        copy_state(state, copy)
        self._bereft[process.name] = self._open_calls() - process.writing
        self._look_away()
        self.disk.let_go()
        (self.folder / "away").mkdir(exist_ok=True)
        for end in ("", "-wal", "-shm"):
            file = state.with_name(f"state.db{end}")
            if file.exists():
                file.replace(self.folder / "away" / file.name)
        copy.replace(state)
        self.hub.met["a copy takes the place of the state during a run"] += 1
        self.hub.note("a copy takes the place of the state")

    def _jump(self, seconds: float) -> None:
        self.hosts[0].jump(seconds)
        self.hub.met["the clock jumps during a run"] += 1

    def _neighbour(self, running: list[Process]) -> None:
        """A program elsewhere that uses the same App, 8 calls a second for a while."""
        self.hub.met["another program uses the App"] += 1
        admits = self.server.emulator._limit.admits
        limit = self.server.emulator.options.calls_per_second

        def call(left: int) -> None:
            admits(self.account.app_id, self.hub.seconds, limit)
            if left and not all(one.is_gone for one in running):
                self.hub.after(0.125, lambda: call(left - 1))

        self.hub.after(0.0, lambda: call(100))

    # --- what is looked at

    def _on_write(self, process: Process) -> None:
        """A write may only leave once its intent is committed."""
        if process.name in self._bereft:
            self._bereft[process.name] -= 1
            if self._bereft[process.name] < 0:
                self._violated("a write leaves after its state was taken away, and no state knows of it")
            return
        open_now = self._open_calls()
        if process.writing > open_now:
            self._violated(f"{process.writing} writes are under way, and {open_now} have an intent")

    def _on_call(self, call: ReceivedCall) -> None:
        """A person's no is kept at every moment, and not only in the end."""
        if call.error_type is not None or not call.executed or self.bank is not None:
            return
        actions = call.form.get("actions")
        for action in actions.values() if isinstance(actions, dict) else ():
            if isinstance(action, dict) and action.get("cmd") == "subscribe_lead_to_list":
                self._check_no(call, str(action.get("list_name")))

    def _check_no(self, call: ReceivedCall, name: str) -> None:
        form = call.form.get("lead")
        lead_id = form.get("id") if isinstance(form, dict) else None
        for person in self.people.people.values():
            lead = self.people.lead_of(self.account, person) if name in person.left else None
            is_told = name not in person.blurred | person.unclear and not self.people.is_restored
            if lead is not None and lead.id == lead_id and is_told:
                self._violated(f"{lead.email}: is put on {name}, which it had left")

    def _look_away(self) -> None:
        """The last one who lets go of a state empties its journal: that is to be the process."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _check_twice(self) -> None:
        found = self.bank.twice() if self.bank is not None else twice(self.people, self.account)
        for sentence in found:
            self._violated(f"twice: {sentence}")

    def _check_rate(self, started: float, day: Day) -> None:
        """No host lets more calls go than a second may have."""
        for host in self.hosts:
            sent = [at for at, name in self.server.sent if name == host.name and at >= started - 2.0]
            limit = self.plan.calls_per_second
            for earlier, later in zip(sent, sent[limit:], strict=False):
                if later - earlier < 1.0:
                    self._violated(f"over the window: {limit + 1} calls left {host.name} in a second")
                    break

    # --- the end

    def _calm(self) -> None:
        """Runs without faults until nothing is owed; then all has to be as wished."""
        self.server.weather = Weather()
        self._pass(7200.0)
        if self.hub.chance.random() < 0.5 and self.bank is None:
            self.people.edit(self.account)
            self._write()
        last: RunResult | None = None
        for place in range(CALM_RUNS):
            before = self._work_done()
            process = self._begin(self.hosts[0], Day())
            self.hub.run(lambda process=process: process.is_gone)
            self._ended(process)
            self._check_twice()
            if (
                isinstance(process.error, LockedError) and place < 2
            ):  # its holder is dead since less than 2 min
                self._pass(200.0)
                continue
            if isinstance(process.error, GuardError) and place < 2:  # a person has said which account it is
                continue
            if process.error is not None:
                self._violated(f"a calm run raised {type(process.error).__name__}: {process.error}")
                return
            last = process.result
            touched = self._heal()
            self._pass(60.0)
            if self._work_done() == before and not touched:
                break
        else:
            self._violated(
                f"not done after {CALM_RUNS} calm runs: {last and last.status} {last and last.message}"
            )
        if last is not None and "put back" in (last.message or ""):
            return  # a person has to say a word
        if last is not None and last.status not in ("succeeded", "partial"):
            self._violated(f"the last calm run is {last.status}: {last.message}")
        found = (
            self.bank.problems(self)
            if self.bank is not None
            else problems(self.people, self.account, self.plan)
        )
        for sentence in found:
            self._violated(sentence)
        if self.plan.pulling:
            self.hub.met["tables are pulled"] += 1
            present = {person.row["Email"] for person in self.people.present()}
            for sentence in tables.problems(self.folder / "tables.db", self.account, present):
                self._violated(sentence)

    @property
    def _clock(self) -> Clock:
        return Clock(lambda: self.hub.now, lambda: self.hub.seconds)

    def _work_done(self) -> tuple[int, ...]:
        """What stays as it is once nothing is owed: calls, or, of runs that pull each time, writes."""
        if not self.plan.pulling:
            return (len(self.server.sent),)
        return self.server.writes, self._open_calls()

    def _open_calls(self) -> int:
        """Intents without an outcome, as a process that died now would leave them."""
        if (
            self._watch is None
        ):  # one for all writes of a run: SQLite reads the schema with the first question
            self._watch = sqlite3.connect(self.folder / "state.db")
        return int(self._watch.execute(OPEN_CALLS).fetchone()[0])

    def _heal(self) -> bool:
        """A person says what became of what is parked, and changes a row that something in front refused.

        What was taken back from a lead, and not asked for anew, stays as it is.
        """
        touched = False
        self.people.taken_back.clear()
        config = self.config()
        with store_on(self.disk, self.folder / "state.db", self._clock) as store:
            find(config, store, ask=False)
            if self.bank is not None:
                return self.bank.heal(store, self.hub)
            for parked in store.refusals.parked(config.pipeline):
                if parked.mode != config.kartra.mode:
                    continue
                if parked.kind == "taken_back":
                    self.people.taken_back.add(parked.key.removeprefix(FORMER))
                    continue
                known = store.leads.get(parked.key)
                unproven = {" ".join(effect): effect for effect in known.snapshot.unproven} if known else {}
                if known is None or parked.what not in unproven:
                    self.hub.met["something in front of Kartra refuses a record for good"] += 1
                    touched = self._touch(parked.key) or touched
                    continue
                touched = True
                self.hub.met["something is parked until a person says what became of it"] += 1
                lead = self.account.leads.get(known.snapshot.lead_id or "")
                has_landed = lead is not None and parked.what in _shown(lead)
                after = resolve(known.snapshot, [unproven[parked.what]], landed=has_landed)
                store.refusals.resolve(parked.key, replace(known, snapshot=after))
        if touched:
            self._write()
        return touched

    def _touch(self, key: str) -> bool:
        """Changes the rows of a key; whether the source has any."""
        rows = [one for one in self.people.present() if key in (one.row["Id"], one.row["Email"])]
        for person in rows:
            self.people.touch(person)
        return bool(rows)


def _shown(lead: SandboxLead) -> set[str]:
    shown = {f"calendars {calendar}: {name}" for _, calendar, name in lead.calendar_log}
    shown |= {f"sequences {name}" for name, _ in lead.sequence_starts}
    shown |= {f"points {change.points:+d}" for change in lead.points_log}
    return shown


def live(plan: Plan, *, trace: bool = False) -> Lived:
    """Plays a plan in a folder of its own."""
    random.seed(plan.seed)  # tenacity draws from it how long a read waits until it is tried again
    folder = _folder()
    shutil.rmtree(folder)  # with its attributes: they say how far a state has come
    folder.mkdir()
    (folder / "state.db").write_bytes(_empty_state())
    logged = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return Life(plan, folder, trace=trace).play()
    finally:
        logging.disable(logged)


@cache
def _folder() -> Path:
    """One for all lives of this process, so that one configuration serves many of them."""
    name = tempfile.mkdtemp(dir=room(), prefix="kartra-simulate-")
    # Not atexit: workers of a pool end without it.
    Finalize(None, shutil.rmtree, (name, True), exitpriority=0)
    return Path(name)


@lru_cache(maxsize=500)
def _config(file: Path, text: str, app_id: str, api_key: str, api_password: str) -> PipelineConfig:
    """What the file holds, which is `text`: reading it takes longer than many a run."""
    environ = {"KARTRA_APP_ID": app_id, "KARTRA_API_KEY": api_key, "KARTRA_API_PASSWORD": api_password}
    return read_pipeline(file, environ)


@cache
def _empty_state() -> bytes:
    """Of the newest schema: making it takes longer than many a run."""
    with tempfile.TemporaryDirectory(dir=room()) as name:
        path = Path(name) / "state.db"
        Store(path).close()
        return path.read_bytes()


def room() -> str | None:
    """Memory, where there is a file system in it: many small states are written."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
