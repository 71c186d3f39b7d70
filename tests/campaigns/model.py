"""The model campaign: any edits of source and account, any runs, and after each what must hold.

A run in good order has to do all that `expectations` says, and no more; of a run that was killed, stopped
or met faults each item is as before or as wished.

Killed runs are the real command in a process of its own. The others call `run_pipeline`, which is what the
command calls and starts faster; now and then one goes through the command, for its exit code.
"""

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SandboxLead, SequenceEntry
from connectors.kartra.sandbox.emulator import ReceivedCall
from pipelines.config.file import read_pipeline
from pipelines.verbs.run import run_pipeline
from tests.campaigns.expectations import (
    ALWAYS,
    COLUMNS,
    ELSEWHERE,
    EXECUTED,
    OPTED_OUT,
    SEQUENCE,
    SHAPES,
    STEP,
    Due,
    Heard,
    Image,
    Model,
    Row,
    Shape,
    account_of_the_model,
    asked_by,
    heard,
    image_of,
    looked_at,
)
from tests.campaigns.tally import Tally
from tests.conftest import Project, kill
from tests.promises.scenes import about_leads, said, wait_until

EXAMPLES = {"small": 8, "full": 90}
STEPS = {"small": 24, "full": 32}
CONTACTS = 6
RUNS_END_AFTER = 300
"""Calls. A run that makes more of them for a handful of contacts does not know what it has done."""
SETTLE_S = 1
LATE_S = 0.6
BEFORE = "2019-01-16 19:30:00"
"""When leads made by hand had joined: long before any run, so that none can be taken for ours."""


# --- the stage: what all examples of one shape share


@dataclass
class Stage:
    """One sandbox for all examples, whose leads differ by the example's number in their addresses."""

    shape: Shape
    sandbox: Sandbox
    folder: Path
    examples: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def tally(self, failures: tuple[str, ...]) -> Tally:
        return Tally(str(self.shape), failures=failures, **self.counts)


@dataclass(frozen=True)
class Ran:
    """How a run ended. `said` is None for one that was killed."""

    said: dict[str, Any] | None
    code: int | None = None

    @property
    def is_done(self) -> bool:
        return self.said is not None and self.said["status"] == "succeeded"


# --- what is drawn

numbers = st.integers(0, 99)
cells = st.fixed_dictionaries(
    {
        "First": st.sampled_from(["Ann", "Bo", "Zoë", ""]),
        "City": st.sampled_from(["Lyon", "Kraków", "Leeds", ""]),
        "Note": st.sampled_from(["", "a, b", "c"]),
        "Tags": st.sampled_from(["VIP", "Blog", "Blog;VIP", "VIP;Customer", ""]),
        "Lists": st.sampled_from(["News", "Customers", "News;Customers", ""]),
    }
)
columns = st.sampled_from(["First", "City", "Note", "Tags", "Tags", "Lists", "Lists"])
tags = st.sampled_from([ALWAYS, "VIP", "Blog", "Customer"])
lists = st.sampled_from(["News", "Customers"])
WRITES = frozenset(EXECUTED)
READS = frozenset({"get_lead"})
kinds = st.sampled_from(sorted(set(Faults().shares()) - {"slow"}))
faults = st.builds(
    lambda shares, drawn, commands: Faults(**shares, seed=drawn, commands=commands),
    shares=st.dictionaries(kinds, st.sampled_from([0.1, 0.3]), min_size=1, max_size=2),
    drawn=st.integers(0, 999),
    commands=st.sampled_from([WRITES, WRITES, READS, WRITES | READS]),
)
options = st.fixed_dictionaries(
    {
        "chain_errors": st.sampled_from(["flat", "nested"]),
        "wording": st.sampled_from(["current", "older"]),
        "effect_delay_s": st.sampled_from([0.0, LATE_S]),
    }
)


Known = tuple[set[str], bool | None, bool]
known = st.tuples(st.sets(tags), st.none() | st.booleans(), st.booleans())
"""What a lead made by hand had before us: tags, whether it is or was on the list News, the sequence."""
edits = st.lists(
    st.tuples(
        st.sampled_from(["cells"] * 4 + ["remove", "add", "address", "duplicate"]), numbers, cells, columns
    ),
    max_size=4,
)


class Play(RuleBasedStateMachine):
    """One example: a project, its source and its leads, under any order of edits and runs."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        stage.examples += 1
        self.stage, self.sandbox = stage, stage.sandbox
        self.mark = f"-{stage.examples}@example.org"
        self.model = Model(stage.shape)
        self.gone: list[Row] = []
        self.people = self.aliases = 0
        self.broken = False
        self.story: list[str] = []
        folder = stage.folder / f"example-{stage.examples}"
        folder.mkdir(parents=True)
        self.project = Project(folder)
        self.project.aim(self.sandbox)
        self.sandbox.set_faults(Faults())
        self.sandbox.reset_calls()

    def teardown(self) -> None:
        try:
            if not self.broken:
                self._run_in_order(through_the_command=False)
                self._run_in_order(through_the_command=False)
        finally:
            self._count()
            shutil.rmtree(self.project.folder)

    def _count(self) -> None:
        stage, calls = self.stage, self.sandbox.calls
        stage.counts["faults"] += sum(call.fault is not None for call in calls)
        leads = self._leads()
        stage.counts["leads"] += len(leads)
        stage.counts["twice"] += sum(max(0, len(lead.sequence_starts) - 1) for lead in leads)

    # --- the source

    @initialize(contacts=st.lists(st.tuples(cells, st.none() | known), min_size=1, max_size=4))
    def begin(self, contacts: list[tuple[Row, Known | None]]) -> None:
        for cells, before in contacts:
            self.model.rows.append(self._row(cells, "yes"))
            if before is not None:
                self._create_by_hand(self.model.rows[-1]["Email"], before)

    @rule(cells=cells, consent=st.sampled_from(["yes", "yes", "yes", "no"]))
    def add_contact(self, cells: Row, consent: str) -> None:
        if len(self.model.rows) < CONTACTS:
            self.model.rows.append(self._row(cells, consent))

    @rule(edits=edits)
    def edit_the_source(self, edits: list[tuple[str, int, Row, str]]) -> None:
        self._edit(edits)

    @precondition(lambda self: self.model.rows)
    @rule(which=numbers, word=st.sampled_from(["yes", "yes", "no", OPTED_OUT]))
    def change_consent(self, which: int, word: str) -> None:
        self._pick_row(which)["Consent"] = word

    @precondition(lambda self: self.model.rows)
    @rule(which=numbers, cells=cells, consent=st.sampled_from(["yes", "yes", "no", OPTED_OUT]))
    def add_duplicate(self, which: int, cells: Row, consent: str) -> None:
        row = self._pick_row(which)
        if len(self.model.rows) < CONTACTS:
            self.model.rows.append({**row, **cells, "Consent": consent})

    @rule(cells=cells)
    def add_bad_row(self, cells: Row) -> None:
        if len(self.model.rows) < CONTACTS:
            self.model.rows.append({**self._row(cells, "yes"), "Email": "nobody at nowhere"})

    def _edit(self, edits: list[tuple[str, int, Row, str]]) -> None:
        """What happened to the source since the last run."""
        for what, which, cells, column in edits:
            if what == "add" and self.gone:
                self.model.rows.append(self.gone.pop(which % len(self.gone)))
            elif what == "cells" and self.model.rows:
                self._pick_row(which)[column] = cells[column]
            elif what == "remove" and self.model.rows:
                self._remove(self._pick_row(which))
            elif what == "address" and self.model.rows:
                self._change_address(self._pick_row(which))
            elif what == "duplicate" and 0 < len(self.model.rows) < CONTACTS:
                self.model.rows.append({**self._pick_row(which), **cells})

    def _remove(self, row: Row) -> None:
        self.model.rows = [kept for kept in self.model.rows if kept["Id"] != row["Id"]]
        self.gone.append(row)

    def _change_address(self, row: Row) -> None:
        """Not of a contact with a lead that may be its own: whose would the new address be?"""
        if row["Id"] in self.model.unclaimed:
            return
        self.aliases += 1
        number = row["Id"]
        for same in self.model.rows:
            if same["Id"] == number:
                same["Email"] = f"alias{self.aliases}{self.mark}"

    def _row(self, cells: Row, consent: str) -> Row:
        self.people += 1
        address = f"lead{self.people}{self.mark}"
        return {"Id": f"N{self.people}", "Email": address, **cells, "Consent": consent}

    def _pick_row(self, which: int) -> Row:
        return self.model.rows[which % len(self.model.rows)]

    # --- hands in the account

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers, tag=tags, gives=st.booleans())
    def tag_by_hand(self, which: int, tag: str, gives: bool) -> None:
        self._tag(self._pick_lead(which), tag, gives)

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers, name=lists, joins=st.sampled_from([False, False, True]))
    def join_or_leave_by_hand(self, which: int, name: str, joins: bool) -> None:
        self._join_or_leave(self._pick_lead(which), name, joins)

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers, name=st.sampled_from(["first_name", "city", "company"]))
    def fill_by_hand(self, which: int, name: str) -> None:
        lead = self._pick_lead(which)
        lead.fields[name] = "By hand"
        self.story.append(f"by hand: {name} of {lead.email}")

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers)
    def delete_by_hand(self, which: int) -> None:
        lead = self._pick_lead(which)
        lead.deleted = True
        self.story.append(f"by hand: {lead.email} is deleted")

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers, cells=cells, collides=st.booleans())
    def move_by_hand(self, which: int, cells: Row, collides: bool) -> None:
        """To another address; it may turn out to be that of a new contact."""
        self.aliases += 1
        address = f"moved{self.aliases}{self.mark}"
        lead = self._pick_lead(which)
        self.story.append(f"by hand: {lead.email} becomes {address}")
        self.sandbox.account.change_address(lead, address)
        if collides:
            self.model.rows.append({**self._row(cells, "yes"), "Email": address})

    @precondition(lambda self: not self.model.unsure and self._living())
    @rule(which=numbers)
    def start_by_hand(self, which: int) -> None:
        lead = self._pick_lead(which)
        lead.sequences[SEQUENCE] = SequenceEntry(STEP)
        self.story.append(f"by hand: {lead.email} is in the sequence")

    @precondition(lambda self: self.model.rows)
    @rule(which=numbers, before=known)
    def create_by_hand(self, which: int, before: Known) -> None:
        address = self._pick_row(which)["Email"]
        if "@" in address and self.sandbox.account.lead(address) is None:
            self._create_by_hand(address, before)

    @rule(cells=cells, before=known)
    def add_a_known_contact(self, cells: Row, before: Known) -> None:
        self.model.rows.append(self._row(cells, "yes"))
        self._create_by_hand(self.model.rows[-1]["Email"], before)

    def _create_by_hand(self, address: str, before: Known) -> None:
        had, member, started = before
        lead = self.sandbox.account.add_lead(address, first_name="By hand", company="By hand")
        self.story.append(f"by hand: {address} is created with {sorted(had)}, News {member}, {started}")
        lead.date_joined = BEFORE
        lead.tags |= had
        if member is not None:
            lead.lists["News"] = member
        if started:
            lead.sequences[SEQUENCE] = SequenceEntry(STEP)

    @precondition(lambda self: self.model.unsure and self._living())
    @rule(which=numbers, tag=tags, name=lists, what=st.sampled_from(["tag", "list", "list", "field"]))
    def edit_by_hand_meanwhile(self, which: int, tag: str, name: str, what: str) -> None:
        """While calls of an interrupted run have no outcome."""
        lead = self._pick_lead(which)
        if what == "tag":
            self._tag(lead, tag, tag not in lead.tags)
            self.model.moved_by_hand(lead.id, ("tag", tag))
        elif what == "list":
            self._join_or_leave(lead, name, False)
            self.model.moved_by_hand(lead.id, ("list", name))
        else:
            lead.fields["city"] = "By hand"
            self.story.append(f"by hand: city of {lead.email}")
            self.model.moved_by_hand(lead.id, ("field", "city"))

    def _tag(self, lead: SandboxLead, tag: str, gives: bool) -> None:
        (lead.tags.add if gives else lead.tags.discard)(tag)
        self.story.append(f"by hand: {lead.email} {'gets' if gives else 'loses'} the tag {tag}")

    def _join_or_leave(self, lead: SandboxLead, name: str, joins: bool) -> None:
        self.story.append(f"by hand: {lead.email} {'joins' if joins else 'leaves'} {name}")
        if joins:
            lead.lists[name] = True
            self.model.left.discard((lead.id, name))
        elif lead.lists.get(name):
            lead.lists[name] = False
            self.model.left.add((lead.id, name))

    def _leads(self) -> list[SandboxLead]:
        with self.sandbox.lock:
            return [lead for lead in self.sandbox.account.leads.values() if lead.email.endswith(self.mark)]

    def _living(self) -> list[SandboxLead]:
        """Those that hands may touch: not leads of which it cannot be told whether the product knows them."""
        unclaimed = set(self.model.unclaimed.values())
        return [lead for lead in self._leads() if not lead.deleted and lead.id not in unclaimed]

    def _pick_lead(self, which: int) -> SandboxLead:
        living = self._living()
        return living[which % len(living)]

    # --- runs

    @rule(edits=edits, again=st.booleans(), how=st.sampled_from(["here"] * 9 + ["command"]))
    def run_in_order(self, edits: list[tuple[str, int, Row, str]], again: bool, how: str) -> None:
        self._edit(edits)
        self._run_in_order(through_the_command=how == "command")
        if again:
            self._run_in_order(through_the_command=False)

    @rule(
        edits=edits,
        how=st.sampled_from(["faults", "stop", "kill", "kill"]),
        faults=faults,
        calls=st.integers(1, 6),
        fault=st.sampled_from(["cut_before", "cut_before", "silence", "silence", "throttle", None]),
        options=options,
    )
    def run_disturbed(
        self,
        edits: list[tuple[str, int, Row, str]],
        how: str,
        faults: Faults,
        calls: int,
        fault: str | None,
        options: dict[str, Any],
    ) -> None:
        """With faults; or stopped or killed when so many calls have arrived.

        A kill falls before the effect of the last call, after it, after a 429, or as it comes.
        """
        self._edit(edits)
        if not self._has_work():
            return
        last = len(self.sandbox.calls) + self._questions() + calls
        if how == "faults":
            self.sandbox.set_options(faults=faults, **options)
            self._disturbed(f"run with {faults}", partial(self._run_here, timeout_s=1))
        elif how == "stop":
            self.sandbox.set_options(latency_s=0.05, **options)
            stop = partial(self._run_here, stopping=lambda: len(self.sandbox.calls) >= last)
            self._disturbed(f"run stopped at call {last}", stop)
        else:
            hit = {} if fault is None else {fault: 1.0}
            self.sandbox.set_faults(Faults(**hit, from_call=last, to_call=last))  # type: ignore[arg-type]
            self.sandbox.set_options(latency_s=0.1, **options)
            last += fault == "throttle"
            self._disturbed(f"run killed at call {last} ({fault})", partial(self._run_and_kill, last))

    def _questions(self) -> int:
        """The first run asks for the lists of names; a few of the kills shall fall there, not most."""
        return 0 if self.sandbox.calls else 3

    def _has_work(self) -> bool:
        return self.model.unsure or any(one.calls for one in self.model.due(self._images()).values())

    def _run_in_order(self, through_the_command: bool) -> None:
        """A run without faults does all that is due, and nothing else."""
        self._write_source()
        strict = not self.model.unsure
        before, first = self._images(), len(self.sandbox.calls)
        due = self.model.due(before)
        self.story.append(f"run{self._told_source()}")
        ran = self._run_as_command() if through_the_command else self._run_here()
        calls, after = self.sandbox.calls[first:], self._images()
        assert ran.said is not None
        self.stage.counts["parked"] += ran.said["leads"]["parked"]
        self._check(ran.said["status"] in ("succeeded", "partial"), f"a run ended as {ran.said}")
        self._check_counters(ran, due, strict=strict)
        self._check_calls(calls, due)
        self._learn(due, calls)
        self._check_account(due, before, after, done=True)
        self._try(lambda: self.model.complete(due, after))

    def _disturbed(self, how: str, run: Callable[[], Ran]) -> None:
        options = self.sandbox.options
        late = f", effects {options.effect_delay_s} s late" if options.effect_delay_s else ""
        self.story.append(f"{how}{late}{self._told_source()}")
        self._write_source()
        before, first = self._images(), len(self.sandbox.calls)
        due = self.model.due(before)
        ran = run()
        self.sandbox.set_options(latency_s=0.0, effect_delay_s=0.0, faults=Faults())
        calls, after = self.sandbox.calls[first:], self._images()
        self.model.interrupted(due, before, parked=bool(ran.said and ran.said["leads"]["parked"]))
        self._learn(due, calls)
        self._check_account(due, before, after, done=ran.is_done)
        if ran.said is not None:
            self._check(_difference(ran.said) == 0, f"the counters do not add up: {ran.said}")
        if ran.is_done:
            self._try(lambda: self.model.complete(due, after))

    def _run_here(self, *, timeout_s: int = 30, stopping: Callable[[], bool] = lambda: False) -> Ran:
        path, most = self._write_pipeline(timeout_s), len(self.sandbox.calls) + RUNS_END_AFTER
        result = run_pipeline(
            read_pipeline(path, self.project.environ),
            stopping=lambda: stopping() or len(self.sandbox.calls) > most,
        )
        self._check(len(self.sandbox.calls) <= most, "a run went on and on")
        return Ran({"status": result.status, "message": result.message, **result.summary.to_json()})

    def _run_as_command(self) -> Ran:
        self._write_pipeline(30)
        result = self.project.run()
        ran = Ran(json.loads(result.stdout), result.code)
        expected = {"succeeded": 0, "partial": 3}.get(result.json["status"], 1)
        self._check(result.code == expected, f"exit {result.code} of a run that {result.json['status']}")
        return ran

    def _run_and_kill(self, last: int) -> Ran:
        self._write_pipeline(30)
        process = self.project.start("run", "p.yaml", "--json")
        wait_until(lambda: self._has_arrived(last) or process.poll() is not None, f"call {last}")
        if process.poll() is None:
            kill(process)
            self.stage.counts["kills"] += 1
        else:
            process.communicate()
        for _ in range(3):  # what the dead process had sent is read before these are answered
            requests.get(self.sandbox.url, timeout=30)
        return Ran(None)

    def _has_arrived(self, last: int) -> bool:
        calls = self.sandbox.calls
        return len(calls) >= last and bool(calls[last - 1].commands)

    def _write_pipeline(self, timeout_s: int) -> Path:
        return self.project.pipeline(
            self.stage.shape.load, kartra=f"settle_s: {SETTLE_S}\ntimeout_s: {timeout_s}"
        )

    def _told_source(self) -> str:
        return "".join(f"\n      {' | '.join(row[column] for column in COLUMNS)}" for row in self.model.rows)

    def _write_source(self) -> None:
        with (self.project.folder / "contacts.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=COLUMNS)
            writer.writeheader()
            writer.writerows(self.model.rows)

    # --- what must hold

    def _images(self) -> dict[str, Image]:
        return {lead.id: image_of(lead) for lead in self._leads()}

    def _check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.broken = True
            raise AssertionError("\n  ".join([sentence, *self.story]))

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except AssertionError as error:
            self._check(False, str(error))

    def _learn(self, due: dict[str, Due], calls: list[ReceivedCall]) -> None:
        def found(address: str) -> str:
            lead = self.sandbox.account.lead(address)
            assert lead is not None, "a call was executed on a lead that is nowhere"
            return lead.id

        self._try(lambda: self.model.learn(due, calls, found))

    def _check_account(
        self, due: dict[str, Due], before: dict[str, Image], after: dict[str, Image], *, done: bool
    ) -> None:
        for lead_id, image in after.items():
            key, one = self._due_for(due, lead_id, image)
            if lead_id not in before:
                is_new = one is not None and one.outcome == "created"
                self._check(is_new, f"{key}: created, and not asked for")
                assert one is not None
                wrong = image != one.owed.items
                self.stage.counts["lost"] += done and wrong
                self._check(not wrong, f"{key}: created as {image} instead of {one.owed.items}")
                continue
            was = before[lead_id]
            for item in sorted({*was, *image}, key=str):
                may = self.model.allowed(key, one, lead_id, item, was, done=done)
                wrong = image.get(item) not in may
                self.stage.counts["lost"] += done and wrong
                self._check(
                    not wrong,
                    f"{key}: {item} went from {was.get(item)!r} to {image.get(item)!r}, may be {may};"
                    f" due: {one}, given: {self.model.given.get(key or '')}",
                )
            missing = [] if one is None else [item for item in one.owed.items if item not in {*was, *image}]
            for item in missing:
                may = self.model.allowed(key, one, lead_id, item, was, done=done)
                self.stage.counts["lost"] += done and None not in may
                self._check(None in may, f"{key}: {item} is missing, may be {may}; due: {one}")

    def _due_for(self, due: dict[str, Due], lead_id: str, image: Image) -> tuple[str | None, Due | None]:
        for key, given in self.model.given.items():
            if given.lead_id == lead_id:
                return key, due.get(key)
        for key, one in due.items():
            if one.base is not None and one.base.lead_id == lead_id:
                return key, one
        address = image["email", ""]
        return next(
            (
                (key, one)
                for key, one in due.items()
                if one.outcome == "created" and one.wish and one.wish.email == address
            ),
            (None, None),
        )

    def _certain(self, key: str, one: Due | None) -> bool:
        """Whether it is known by which calls this key is done."""
        given = self.model.given.get(key) or (one.base if one else None)
        is_open = given is not None and any(lead_id == given.lead_id for lead_id, _ in self.model.open)
        return key not in self.model.loose and key not in self.model.maybe_refused and not is_open

    def _check_calls(self, calls: list[ReceivedCall], due: dict[str, Due]) -> None:
        """One call per changed lead with what changed, none for the others."""
        got: dict[str, Counter[Heard]] = {}
        for call in about_leads(calls):
            key = self._key_of_call(due, call)
            self._check(key is not None, f"a call for nobody in the source: {heard(call)}")
            got.setdefault(key or "", Counter()).update([heard(call)])
        for key in {*got, *due}:
            one = due.get(key)
            asked, wanted = got.get(key, Counter()), Counter(one.calls if one else ())
            is_refused = one is not None and one.outcome == "rejected"
            asked -= looked_at(asked, wanted, is_refused=is_refused)
            self.stage.counts["calls_over_floor"] += max(0, asked.total() - wanted.total())
            if key != ELSEWHERE and self._certain(key, one):
                self._check(asked == wanted, f"{key}: the calls were {asked} instead of {wanted}")

    def _key_of_call(self, due: dict[str, Due], call: ReceivedCall) -> str | None:
        lead = said(call).lead
        for key, one in due.items():
            if one.wish is not None and lead.get("email") == one.wish.email:
                return key
        for key, given in self.model.given.items():
            if lead.get("id") == given.lead_id or lead.get("email") == given.email:
                return key
        for key, one in due.items():
            if one.base is not None and lead.get("id") == one.base.lead_id:
                return key
        # By id: the first lead that was created is read back, because it shows the mode of the App.
        is_read = call.commands == ("get_lead",) and (self.model.unsure or "id" in lead)
        return ELSEWHERE if is_read else None

    def _check_counters(self, ran: Ran, due: dict[str, Due], *, strict: bool) -> None:
        assert ran.said is not None
        self._check(_difference(ran.said) == 0, f"the counters do not add up: {ran.said}")
        rows = asked_by(self.model.rows, self.stage.shape).rows
        self._check(ran.said["rows"] == rows, f"rows {ran.said['rows']} instead of {rows}")
        if not strict or not all(self._certain(key, one) for key, one in due.items()):
            return
        outcomes = Counter(one.outcome for one in due.values())
        not_removed = outcomes.pop("not removed", 0)
        leads = {name: count for name, count in ran.said["leads"].items() if count}
        self._check(leads == outcomes, f"leads {leads} instead of {dict(outcomes)}")
        is_partial = rows["invalid"] + not_removed + outcomes["rejected"] + outcomes["parked"]
        expected = "partial" if is_partial else "succeeded"
        self._check(ran.said["status"] == expected, f"the run {ran.said['status']}, not {expected}")


def _difference(told: dict[str, Any]) -> int:
    rows, leads = told["rows"], {**told["leads"], "removed": 0}
    return int(rows["read"] - rows["invalid"] - rows["duplicate"] - rows["blocked"] - sum(leads.values()))


# --- the campaign


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """A line for each shape of pipeline; they are played side by side, in processes of their own.

    `calls_over_floor` are the calls in runs without faults beyond one per changed lead: reading back what
    an interrupted run left without an outcome.
    """
    with ThreadPoolExecutor(len(SHAPES)) as pool:
        told = pool.map(lambda number: _play_apart(number, size, seed, folder), range(len(SHAPES)))
        return list(told)


def _play_apart(number: int, size: str, seed: int, folder: Path) -> Tally:
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaigns.model", str(number), size, str(seed), str(folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return Tally(str(SHAPES[number]), failures=(f"it broke down: {done.stderr[-2000:]}",))
    told = json.loads(done.stdout)
    return Tally(**{**told, "failures": tuple(told["failures"])})


def play_shape(shape: Shape, size: str, chosen: int, folder: Path) -> Tally:
    """The examples of one shape, in this process. A failure is told as the steps that lead to it."""
    failures: tuple[str, ...] = ()
    with Sandbox(account_of_the_model(), calls_per_second=0) as sandbox:
        stage = Stage(shape, sandbox, folder)
        try:
            run_state_machine_as_test(
                seed(chosen)(lambda: Play(stage)),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=EXAMPLES[size],
                    stateful_step_count=STEPS[size],
                    deadline=None,
                    database=None,
                    phases=[Phase.generate, *([Phase.shrink] if size == "full" else [])],
                    report_multiple_bugs=False,
                    suppress_health_check=list(HealthCheck),
                    verbosity=Verbosity.quiet,
                ),
            )
        except (AssertionError, ExceptionGroup) as error:  # a group: it did not fail twice in the same way
            reasons = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            failures = tuple(f"seed {chosen}: {reason}" for reason in reasons)
        return stage.tally(failures)


def main() -> None:
    number, size, chosen, folder = sys.argv[1:]
    shape = SHAPES[int(number)]
    tally = play_shape(shape, size, int(chosen) * len(SHAPES) + int(number), Path(folder) / f"model-{number}")
    print(json.dumps(asdict(tally)))


if __name__ == "__main__":
    main()
