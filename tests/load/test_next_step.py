"""What comes next for an entry of the outbox: a table of stages and answers, and what holds in any order."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import AccessRefusedError, ConfigError, RetryableApiError
from connectors.kartra.answers import ActionAnswer, Answer, Effect
from pipelines.calls.patience import FIRST_READ_S, MAX_TRIES, UNREACHABLE_IN_A_ROW
from pipelines.changes.compile import change_to_json
from pipelines.changes.diff import Change, diff_lead
from pipelines.contacts.lead import CalendarClass, DesiredLead, Snapshot
from pipelines.contacts.wishes import Cause
from pipelines.load.addresses import address_cause
from pipelines.load.after_read import asks_owner
from pipelines.load.next_step import next_call, next_step, not_sent
from pipelines.load.steps import (
    BeginAnew,
    NextStep,
    ReadBack,
    Send,
    Settle,
    Stop,
    Withdraw,
)
from pipelines.load.task import Now, Rules, Stage, Task, begin, begin_recovery, owing
from pipelines.state.outbox import Entry
from tests.load.answers import (
    AT,
    RULES,
    SETTLE_S,
    WISH,
    entry,
    everywhere,
    no_lead,
    now,
    profile,
    silent,
    stored,
    wish,
    wrote,
)
from tests.load.driver import Driver, Journal
from tests.load.kartra_model import KartraModel, KilledError

CREATED = stored(WISH)
"""Ann as Kartra has her once everything was carried out."""
MOVED = replace(CREATED, fields={"city": "Leeds"}, tags=frozenset())
"""Ann as she was acknowledged, of whom a city and a tag are owed."""
TAKEN_OVER = replace(MOVED, lead_id=None)
BOOKING = CalendarClass("Yoga", "Morning")
MOVE = Change(email=WISH.email)
CREATE, EDIT = diff_lead(WISH, None), diff_lead(WISH, MOVED)
LATE = now(SETTLE_S + 1)


def task(known: Snapshot | None = None, **more: Any) -> Task:
    """Ann's entry: planned, and sent once where its stage is one of reading back."""
    origin = "created" if known else None
    plain = replace(begin(entry(snapshot=known, origin=origin), RULES), **more)
    if plain.stage in (Stage.UNKNOWN, Stage.SHOWN) and not plain.tries:
        plain = replace(plain, tries=1, open_until=now(SETTLE_S).monotonic_s, intended_at=AT)
    return plain


def left(known: Snapshot | None = None, change: Change = CREATE) -> Task:
    """Ann's entry, which an earlier run sent just now and of which it had no answer."""
    plain = begin_recovery(
        entry(snapshot=known, origin="created" if known else None, sent_at=AT), now(), RULES
    )
    return replace(plain, change=change)


def points_owed(**more: Any) -> Task:
    desired = wish(points=10)
    known = replace(stored(desired), points=0)
    return replace(begin(entry(desired, snapshot=known, origin="created"), RULES), tries=1, **more)


def named(step: NextStep) -> tuple[str, ...]:
    """A step in words: what is done, then the stage it leads to or the outcome."""
    match step:
        case Send(of) | ReadBack(of) | BeginAnew(of):
            return (type(step).__name__, of.stage.name)
        case Settle(_, outcome):
            return ("Settle", outcome.name)
        case Withdraw(_, then):
            return ("Withdraw", *(named(then) if then else ()))
        case Stop(error, then):
            return ("Stop", type(error).__name__, *named(then))
        case _:
            return (type(step).__name__,)


# --- before a call


@dataclass(frozen=True)
class Before:
    task: Task
    held: Mapping[Cause, str]
    is_last_pass: bool
    then: tuple[str, ...]


VIP_HELD = {("assign_tag", "VIP"): "262"}
ONLY_VIP = replace(CREATED, tags=frozenset())
BEFORE = {
    "what it owes is sent": Before(task(), {}, False, ("Send", "DUE")),
    "what is to be read is read": Before(task(stage=Stage.ADOPTING), {}, False, ("ReadBack", "ADOPTING")),
    "nothing is owed": Before(task(CREATED), {}, False, ("Settle", "unchanged")),
    "a new lead's points need no score": Before(
        begin(entry(wish(points=10)), RULES), {}, False, ("Send", "DUE")
    ),
    "the score before points": Before(points_owed(), {}, False, ("ReadBack", "PREPARING")),
    "points once the score is known": Before(points_owed(stage=Stage.FRESH), {}, False, ("Send", "FRESH")),
    "all that it owes is held back": Before(task(ONLY_VIP), VIP_HELD, False, ("PutBy",)),
    "held back to the end": Before(task(ONLY_VIP), VIP_HELD, True, ("Settle", "parked")),
    "a part of it is held back": Before(task(MOVED), VIP_HELD, False, ("Send", "DUE")),
}


@pytest.mark.parametrize("name", BEFORE)
def test_before_a_call(name: str) -> None:
    case = BEFORE[name]
    assert named(next_call(case.task, case.held, is_last_pass=case.is_last_pass)) == case.then


def test_what_is_held_back_does_not_leave_and_the_rest_does() -> None:
    step = next_call(task(MOVED), VIP_HELD, is_last_pass=False)
    assert isinstance(step, Send)
    assert step.task.change.commands == ("edit_lead",)
    assert step.task.held == VIP_HELD


def test_where_a_chain_failed_without_a_word_on_where_each_action_leaves_alone() -> None:
    step = next_call(task(MOVED, one_by_one=True), {}, is_last_pass=False)
    assert isinstance(step, Send)
    assert step.task.change.commands == ("edit_lead",)


def test_points_leave_with_the_score_they_are_proven_by() -> None:
    step = next_call(points_owed(stage=Stage.FRESH, score=7), {}, is_last_pass=False)
    assert isinstance(step, Send)
    assert step.task.change.score == 7


# --- after an answer


NOW = now()


@dataclass(frozen=True)
class After:
    task: Task
    answer: Answer
    then: tuple[str, ...]
    at: Now = NOW
    rules: Rules = RULES


def sent(change: Change) -> Task:
    """The first try of a change of Ann."""
    known = None if change.create else MOVED
    if change is MOVE or change.email:
        known = known and replace(CREATED, email="old@example.org")
    return replace(task(known), change=change, tries=1, intended_at=AT)


D, U = Effect.DONE, Effect.UNKNOWN
ALL_DONE = (D,) * 4
GONE = entry(None, snapshot=CREATED, origin="created")
REMOVAL = Rules("update", "upsert", ("untag", "unsubscribe"), "report", "live", SETTLE_S)
REMOVING = replace(
    owing(Task(GONE, CREATED, "created", Change()), REMOVAL),
    stage=Stage.UNKNOWN,
    tries=1,
    open_until=now(SETTLE_S).monotonic_s,
    intended_at=AT,
)
AFTER_WRITES = {
    "done": After(sent(CREATE), wrote(CREATE, *ALL_DONE, lead_id="1"), ("Settle", "created")),
    "an edit is done": After(sent(EDIT), wrote(EDIT, D, D), ("Settle", "edited")),
    "refused for good": After(sent(EDIT), wrote(EDIT, "271", "271"), ("Settle", "rejected")),
    "one action refused for good": After(sent(EDIT), wrote(EDIT, D, "271"), ("Settle", "rejected")),
    "a name that the account lacks": After(
        sent(EDIT), wrote(EDIT, D, "212"), ("Stop", "ConfigError", "Settle", "deferred")
    ),
    "a name that it lacks, and no word on the rest": After(
        sent(EDIT), wrote(EDIT, U, "212"), ("Stop", "ConfigError", "ReadBack", "UNKNOWN")
    ),
    "no word on some of it": After(sent(EDIT), wrote(EDIT, D, U), ("ReadBack", "UNKNOWN")),
    "no answer": After(sent(CREATE), everywhere(CREATE, U), ("ReadBack", "UNKNOWN")),
    "one step of several": After(
        replace(sent(EDIT), change=replace(EDIT, steps=())),
        wrote(replace(EDIT, steps=()), D),
        ("Send", "DUE"),
    ),
    "one step of several, and a stop": After(
        replace(sent(EDIT), change=replace(EDIT, steps=())),
        wrote(replace(EDIT, steps=()), D),
        ("Settle", "deferred"),
        now(is_halted=True),
    ),
    "not carried out": After(
        sent(CREATE), everywhere(CREATE, Effect.RETRY_LATER), ("Withdraw", "Send", "DUE"), now(unreached=1)
    ),
    "points not carried out": After(
        points_owed(stage=Stage.FRESH),
        everywhere(points_owed().change, Effect.RETRY_LATER),
        ("Withdraw", "Send", "DUE"),
        now(unreached=1),
    ),
    "not carried out, and a stop": After(
        sent(CREATE), everywhere(CREATE, Effect.RETRY_LATER), ("Withdraw",), now(is_halted=True)
    ),
    "nothing arrives any more": After(
        sent(CREATE),
        everywhere(CREATE, Effect.RETRY_LATER),
        ("Stop", "RetryableApiError", "Withdraw"),
        now(unreached=UNREACHABLE_IN_A_ROW),
    ),
    "the address is taken": After(
        sent(CREATE), wrote(CREATE, *["244"] * 4), ("Withdraw", "ReadBack", "ADOPTING")
    ),
    "the address is taken by an earlier try": After(
        replace(sent(CREATE), tries=2), wrote(CREATE, *["244"] * 4), ("ReadBack", "UNKNOWN")
    ),
    "the address is taken by a run that died": After(
        sent(CREATE), wrote(CREATE, *["244"] * 4), ("ReadBack", "UNKNOWN"), now(earlier_try_at=AT)
    ),
    "a new address that is taken": After(sent(MOVE), wrote(MOVE, "244"), ("ReadBack", "TAKEN")),
    "a new address that is taken, and a tag that is not": After(
        sent(replace(MOVE, steps=EDIT.steps)),
        wrote(replace(MOVE, steps=EDIT.steps), "244", D),
        ("ReadBack", "TAKEN"),
    ),
    "no lead of its number": After(
        sent(EDIT), wrote(EDIT, "243", "243"), ("Withdraw", "ReadBack", "SEARCHING")
    ),
    "the lead of its number was deleted": After(
        sent(EDIT), wrote(EDIT, "245", "245"), ("Withdraw", "ReadBack", "SEARCHING")
    ),
    "a removal of a lead that is gone": After(
        replace(REMOVING, stage=Stage.DUE), wrote(REMOVING.change, "243", "243"), ("Settle", "rejected")
    ),
    "no such lead, taken over by a person's word": After(
        replace(task(TAKEN_OVER, origin="adopted"), tries=1),
        wrote(EDIT, "243", "243"),
        ("BeginAnew", "DUE"),
    ),
    "no such lead, and only known ones are edited": After(
        replace(task(TAKEN_OVER, origin="adopted"), tries=1),
        wrote(EDIT, "243", "243"),
        ("Settle", "rejected"),
        rules=replace(RULES, sync_mode="update_only"),
    ),
    "done, and nobody knows yet in which mode the App is": After(
        sent(CREATE), wrote(CREATE, *ALL_DONE, lead_id="1"), ("ReadBack", "STORED"), now(is_mode_open=True)
    ),
    "an edit is done, and nobody knows yet in which mode the App is": After(
        sent(EDIT), wrote(EDIT, D, D), ("Settle", "edited"), now(is_mode_open=True)
    ),
    "credentials are refused": After(
        sent(CREATE), everywhere(CREATE, Effect.FATAL), ("Stop", "AccessRefusedError", "Withdraw")
    ),
}


@pytest.mark.parametrize("name", AFTER_WRITES)
def test_after_a_write(name: str) -> None:
    case = AFTER_WRITES[name]
    assert named(next_step(case.task, case.answer, case.at, case.rules)) == case.then


def unknown(change: Change, **more: Any) -> Task:
    """A try of Ann without an answer."""
    known = None if change.create else MOVED
    return task(known, **{"stage": Stage.UNKNOWN, "change": change, **more})


CREATED_ONLY = replace(CREATED, tags=frozenset(), lists=frozenset(), sequences=frozenset())
OTHERS = AT - timedelta(days=9)
"""When somebody joined who was there before us."""
ADOPTING = task(stage=Stage.ADOPTING)
OTHER_LEAD = replace(MOVED, lead_id="50000")
SKIPPED = begin(entry(origin="skipped", snapshot=MOVED), RULES)


def taken() -> Task:
    """Ann's new address is another lead's."""
    known = replace(CREATED, email="old@example.org")
    return task(known, stage=Stage.TAKEN, tries=1, refused={("edit_lead", ""): "244"})


def searching() -> Task:
    """Ann's number is gone."""
    return task(MOVED, stage=Stage.SEARCHING, gone="243", tries=1)


TAKEN_BACK = replace(CREATED, tags=frozenset(), lists=frozenset())
AS_TEST = replace(CREATED, email="ann@kartra.com")
STORED = replace(
    task(), snapshot=CREATED, origin="created", stage=Stage.STORED, change=Change(), done=("create_lead",)
)
IN_TEST = replace(RULES, mode="test")
A_MINUTE_AGO = AT - timedelta(minutes=1)
ENDS = ("Stop", "WrongModeError")
AFTER_READS = {
    "stored as it was sent": After(STORED, profile(CREATED), ("Settle", "created")),
    "stored as Test mode does": After(STORED, profile(AS_TEST), (*ENDS, "Settle", "created")),
    "stored as Test mode does, as the file says": After(
        STORED, profile(AS_TEST), ("Settle", "created"), rules=IN_TEST
    ),
    "stored as it was sent, and the file says Test mode": After(
        STORED, profile(CREATED), (*ENDS, "Settle", "created"), rules=IN_TEST
    ),
    "stored under another address": After(
        STORED, profile(replace(CREATED, email="other@example.org")), ("Settle", "created")
    ),
    "stored, and not to be seen yet": After(
        replace(STORED, open_until=LATE.monotonic_s), no_lead(), ("ReadBack", "STORED")
    ),
    "stored, and never to be seen": After(STORED, no_lead(), ("Settle", "created"), LATE),
    "stored, and no answer": After(replace(STORED, reads=MAX_TRIES - 1), silent(), ("Settle", "created")),
    "a known lead is stored as Test mode does": After(
        points_owed(stage=Stage.PREPARING), profile(replace(MOVED, email="ann@kartra.com")), (*ENDS, "Leave")
    ),
    "a creation landed as Test mode stores it": After(
        unknown(CREATE), profile(AS_TEST), (*ENDS, "Settle", "deferred")
    ),
    "an earlier run's creation landed as Test mode stores it": After(
        left(), profile(AS_TEST), (*ENDS, "Settle", "recovered")
    ),
    "a lead that Test mode left behind, and the creation may show yet": After(
        unknown(CREATE), profile(AS_TEST, joined=A_MINUTE_AGO), ("ReadBack", "UNKNOWN")
    ),
    "a lead that Test mode left behind, and no creation": After(
        unknown(CREATE), profile(AS_TEST, joined=A_MINUTE_AGO), ("Send", "FRESH"), LATE
    ),
    "a lead that Test mode left behind, and an earlier run's creation may show yet": After(
        left(), profile(AS_TEST, joined=A_MINUTE_AGO), ("ReadBack", "LEFT")
    ),
    "a lead that Test mode left behind, and no creation of an earlier run": After(
        left(), profile(AS_TEST, joined=A_MINUTE_AGO), ("Settle", "recovered"), LATE
    ),
    "a lead of Test mode stands under an address that is taken": After(
        ADOPTING, profile(AS_TEST, joined=OTHERS), (*ENDS, "Leave")
    ),
    "no answer": After(unknown(CREATE), silent(), ("ReadBack", "UNKNOWN")),
    "the new address is another record's lead's": After(
        taken(), profile(OTHER_LEAD), ("Settle", "rejected"), now(owner="bob")
    ),
    "the new address is that of a lead from before": After(
        taken(), profile(OTHER_LEAD, joined=OTHERS), ("Settle", "rejected")
    ),
    "the new address was given up meanwhile": After(taken(), no_lead(), ("Send", "DUE")),
    "the new address is that of a deleted lead": After(taken(), no_lead("245"), ("Settle", "rejected")),
    "no answer, again and again": After(unknown(CREATE, reads=MAX_TRIES - 1), silent(), ("Leave",)),
    "no answer, and a stop": After(unknown(CREATE), silent(), ("Leave",), now(is_halted=True)),
    "the score": After(points_owed(stage=Stage.PREPARING), profile(MOVED, score=7), ("Send", "FRESH")),
    "the score of a lead that was deleted": After(
        points_owed(stage=Stage.PREPARING), no_lead("245"), ("ReadBack", "SEARCHING")
    ),
    "another lead has the address of one that is gone": After(
        searching(), profile(OTHER_LEAD, joined=OTHERS), ("Send", "FRESH")
    ),
    "another record's lead has the address of one that is gone": After(
        searching(), profile(OTHER_LEAD), ("Settle", "rejected"), now(owner="bob")
    ),
    "the lead that is gone is there by its address": After(
        searching(), profile(MOVED), ("Settle", "rejected")
    ),
    "nobody has the address of one that is gone": After(searching(), no_lead(), ("Settle", "rejected")),
    "nobody has its address, and it is made again": After(
        searching(), no_lead(), ("BeginAnew", "DUE"), rules=replace(RULES, on_gone="recreate")
    ),
    "nobody has its address, and only known ones are edited": After(
        searching(),
        no_lead(),
        ("Settle", "rejected"),
        rules=replace(RULES, on_gone="recreate", sync_mode="update_only"),
    ),
    "nobody has its address, and it is forgotten": After(
        searching(), no_lead(), ("Settle", "skipped"), rules=replace(RULES, on_gone="forget")
    ),
    "a lead that was left alone is gone": After(SKIPPED, no_lead(), ("Settle", "rejected")),
    "a lead that was left alone is gone, and is made again": After(
        SKIPPED, no_lead(), ("BeginAnew", "DUE"), rules=replace(RULES, on_gone="recreate")
    ),
    "a lead that was left alone is gone, and is forgotten": After(
        SKIPPED, no_lead(), ("Settle", "skipped"), rules=replace(RULES, on_gone="forget")
    ),
    "it was there before us": After(ADOPTING, profile(MOVED, joined=OTHERS), ("Send", "FRESH")),
    "it was there before us, and is left alone": After(
        ADOPTING, profile(MOVED, joined=OTHERS), ("Settle", "skipped"), rules=replace(RULES, existing="skip")
    ),
    "it was there before us, and only new ones are made": After(
        ADOPTING,
        profile(MOVED, joined=OTHERS),
        ("Settle", "skipped"),
        rules=replace(RULES, sync_mode="create_only"),
    ),
    "it is the lead of another record": After(
        ADOPTING, profile(MOVED), ("Settle", "rejected"), now(owner="bob")
    ),
    "its address is taken and cannot be read": After(ADOPTING, no_lead(), ("Settle", "rejected")),
    "only known ones are edited, and it is not there": After(
        ADOPTING, no_lead(), ("Settle", "skipped"), rules=replace(RULES, sync_mode="update_only")
    ),
    "the creation landed": After(unknown(CREATE), profile(CREATED), ("Settle", "created")),
    "the creation landed, its list is on its way": After(
        unknown(CREATE), profile(CREATED_ONLY), ("ReadBack", "SHOWN")
    ),
    "the creation landed, the rest did not": After(
        unknown(CREATE, stage=Stage.SHOWN), profile(CREATED_ONLY), ("Send", "FRESH"), LATE
    ),
    "the creation may land yet": After(unknown(CREATE), no_lead(), ("ReadBack", "UNKNOWN")),
    "the creation did not land": After(unknown(CREATE), no_lead(), ("Send", "FRESH"), LATE),
    "it did not land in all its tries": After(
        unknown(CREATE, tries=MAX_TRIES), no_lead(), ("Settle", "deferred"), LATE
    ),
    "the address was somebody's before us": After(
        unknown(CREATE), profile(MOVED, joined=OTHERS), ("Send", "FRESH")
    ),
    "the edit landed": After(unknown(EDIT), profile(CREATED), ("Settle", "edited")),
    "the edit may land yet": After(unknown(EDIT), profile(MOVED), ("ReadBack", "UNKNOWN")),
    "the edit did not land": After(unknown(EDIT), profile(MOVED), ("Send", "FRESH"), LATE),
    "the creation is refused on its way, once more": After(
        unknown(CREATE, barriers=("HTTP 403",) * 2), no_lead(), ("Send", "FRESH"), LATE
    ),
    "the creation is refused on its way in a second run": After(
        unknown(CREATE, barriers=("HTTP 403",) * 2),
        no_lead(),
        ("Settle", "rejected"),
        replace(LATE, barred_before="HTTP 403", others_pass=True),
    ),
    "all creations are refused on their way in a second run": After(
        unknown(CREATE, barriers=("HTTP 403",) * 2),
        no_lead(),
        ("Send", "FRESH"),
        replace(LATE, barred_before="HTTP 403"),
    ),
    "the creation is refused on its way in another way": After(
        unknown(CREATE, barriers=("HTTP 413",) * 2),
        no_lead(),
        ("Send", "FRESH"),
        replace(LATE, barred_before="HTTP 403", others_pass=True),
    ),
    "the creation got no answer once": After(
        unknown(CREATE, barriers=("HTTP 403", "")),
        no_lead(),
        ("Send", "FRESH"),
        replace(LATE, barred_before="HTTP 403", others_pass=True),
    ),
    "its lead was deleted meanwhile": After(unknown(EDIT), no_lead("245"), ("ReadBack", "SEARCHING")),
    "a removal landed": After(REMOVING, profile(TAKEN_BACK), ("Settle", "removed"), rules=REMOVAL),
    "a removal may land yet": After(REMOVING, profile(CREATED), ("ReadBack", "UNKNOWN"), rules=REMOVAL),
    "a removal did not land": After(REMOVING, profile(CREATED), ("Send", "FRESH"), LATE, REMOVAL),
    "an earlier run's creation landed": After(left(), profile(CREATED), ("Settle", "recovered")),
    "an earlier run's creation landed, its list is on its way": After(
        left(), profile(CREATED_ONLY), ("ReadBack", "LEFT_SHOWN")
    ),
    "an earlier run's creation may land yet": After(left(), no_lead(), ("ReadBack", "LEFT")),
    "an earlier run's creation did not land": After(left(), no_lead(), ("Settle", "recovered"), LATE),
    "an earlier run's lead is that of another record": After(
        left(), profile(MOVED), ("Settle", "recovered"), now(owner="bob")
    ),
    "an earlier run's creation was refused, it was there before us": After(
        left(), profile(MOVED, joined=OTHERS), ("Settle", "recovered")
    ),
    "credentials are refused": After(
        unknown(CREATE),
        Answer(Effect.FATAL, (ActionAnswer(Effect.FATAL, "201"),), "201", {}),
        ("Stop", "AccessRefusedError", "Leave"),
    ),
}


@pytest.mark.parametrize("name", AFTER_READS)
def test_after_a_read(name: str) -> None:
    case = AFTER_READS[name]
    assert named(next_step(case.task, case.answer, case.at, case.rules)) == case.then


def test_the_tables_reach_every_stage_and_every_kind_of_step() -> None:
    tables = [*BEFORE.values(), *AFTER_WRITES.values(), *AFTER_READS.values()]
    stages = {case.task.stage for case in tables} | {
        Stage[word] for case in tables for word in case.then if word in Stage.__members__
    }
    kinds = {word for case in tables for word in case.then if word[0].isupper() and not word.isupper()}
    assert stages == set(Stage)
    assert kinds >= {kind.__name__ for kind in get_args(NextStep)}


# --- what a step carries


def test_what_was_not_carried_out_is_sent_again_after_a_pause_that_grows() -> None:
    pauses = []
    for count in (1, 2, 3, 4, 5, 9):
        step = next_step(sent(CREATE), everywhere(CREATE, Effect.RETRY_LATER), now(unreached=count), RULES)
        assert isinstance(step, Withdraw)
        assert isinstance(step.then, Send)
        assert step.then.task.tries == 0  # it was none
        pauses.append(step.then.delay_s)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_the_first_look_comes_soon_and_the_next_one_once_every_effect_has_to_show() -> None:
    first = next_step(sent(CREATE), everywhere(CREATE, Effect.UNKNOWN), now(), RULES)
    assert isinstance(first, ReadBack)
    assert first.delay_s == FIRST_READ_S
    second = next_step(first.task, no_lead(), now(FIRST_READ_S), RULES)
    assert isinstance(second, ReadBack)
    assert second.delay_s == SETTLE_S - FIRST_READ_S


def test_a_chain_that_is_known_to_stop_is_not_waited_for_where_sending_again_does_no_harm() -> None:
    """What a doctor found may be out of date: what counts each time still waits until it had to show."""
    known = replace(RULES, is_chain_known=True)
    for tags, sequences, waits in ((("VIP", "Blog"), (), False), (("VIP",), (("Onboarding", "1"),), True)):
        wish = replace(WISH, fields={}, lists=(), tags=tags, sequences=sequences)
        change = diff_lead(wish, replace(CREATED, tags=frozenset(), lists=frozenset(), sequences=frozenset()))
        task = sent(change)
        failed = replace(wrote(change, "271", Effect.UNKNOWN), type="271")
        assert len(change.commands) == 2
        step = next_step(task, failed, now(), known)
        assert isinstance(step, ReadBack)
        assert step.task.is_window_open(now(FIRST_READ_S)) is waits
        usual = next_step(task, failed, now(), RULES)
        assert isinstance(usual, ReadBack)
        assert usual.task.is_window_open(now(FIRST_READ_S))


def test_a_creation_that_shows_only_now_gets_the_whole_time_for_its_other_effects() -> None:
    step = next_step(unknown(CREATE), profile(CREATED_ONLY), now(SETTLE_S - 1), RULES)
    assert isinstance(step, ReadBack)
    assert step.delay_s == SETTLE_S


def test_a_creation_that_an_earlier_run_gave_up_is_remembered_by_its_intent() -> None:
    step = next_step(left(), no_lead(), LATE, RULES)
    assert isinstance(step, Settle)
    assert step.given_up_at == AT
    edited = next_step(left(MOVED, EDIT), no_lead(), LATE, RULES)
    assert isinstance(edited, Settle)
    assert edited.given_up_at is None


def test_what_was_answered_is_kept_with_the_number_that_kartra_gave_the_lead() -> None:
    step = next_step(sent(CREATE), wrote(CREATE, *ALL_DONE, lead_id="39260"), now(), RULES)
    assert isinstance(step, Settle)
    assert step.task.snapshot == CREATED
    assert step.task.done == CREATE.commands
    assert step.complete


def test_a_refusal_names_what_was_refused_and_stays_open() -> None:
    step = next_step(sent(EDIT), wrote(EDIT, D, "271"), now(), RULES)
    assert isinstance(step, Settle)
    assert (step.outcome.type, step.outcome.cause, step.complete) == ("271", "assign_tag VIP", False)
    assert step.task.snapshot == replace(CREATED, tags=frozenset())


def test_a_missing_name_stops_the_run_and_says_that_the_lists_of_names_are_wrong() -> None:
    step = next_step(sent(EDIT), wrote(EDIT, D, "212"), now(), RULES)
    assert isinstance(step, Stop)
    assert isinstance(step.error, ConfigError)
    assert step.are_names_wrong
    fatal = next_step(sent(CREATE), everywhere(CREATE, Effect.FATAL), now(), RULES)
    assert isinstance(fatal, Stop)
    assert isinstance(fatal.error, AccessRefusedError)
    assert not fatal.are_names_wrong


def test_a_call_that_never_left_takes_its_intent_back_and_a_read_has_none() -> None:
    error = RetryableApiError("no")
    assert named(not_sent(sent(CREATE), error)) == ("Stop", "RetryableApiError", "Withdraw")
    assert named(not_sent(unknown(CREATE), error)) == ("Stop", "RetryableApiError", "Leave")


def test_whose_lead_it_is_matters_only_where_nobody_knows_it_yet() -> None:
    assert asks_owner(ADOPTING, profile(CREATED)) == ("39260", WISH.email)
    assert asks_owner(unknown(CREATE), profile(CREATED)) == ("39260", WISH.email)
    assert asks_owner(unknown(EDIT), profile(CREATED)) is None
    assert asks_owner(ADOPTING, no_lead()) is None
    assert asks_owner(points_owed(stage=Stage.PREPARING), profile(CREATED)) is None


def test_taking_away_what_the_account_does_not_have_has_reached_its_goal() -> None:
    due = replace(REMOVING, stage=Stage.DUE, tries=1)
    step = next_step(due, wrote(due.change, "214", "209"), now(), REMOVAL)
    assert named(step) == ("Settle", "removed")


def test_a_lead_that_stands_in_place_of_one_that_is_gone_is_given_nothing_a_second_time() -> None:
    desired = wish(points=10, calendars=[BOOKING], lists=("News", "Offers"))
    known = stored(
        desired,
        fields={"city": "Leeds"},
        kept=frozenset({("lists", "Old")}),
        calendars=frozenset({"Yoga: Morning"}),
    )
    gone = task(known, entry=entry(desired, snapshot=known, origin="created"), stage=Stage.SEARCHING)
    there = Snapshot(desired.email, "50000", tags=frozenset({"VIP", "Theirs"}))
    step = next_step(gone, profile(there, lists={"News": False}, joined=OTHERS), now(), RULES)
    assert isinstance(step, Send)
    snapshot = step.task.snapshot
    assert snapshot is not None
    assert snapshot.lead_id == "50000"
    assert step.task.change.commands == ("edit_lead", "subscribe_lead_to_list")
    assert [one.name for one in step.task.change.steps] == ["Offers"]
    assert snapshot.tags == {"VIP"}
    assert {("lists", "News"), ("lists", "Old"), ("tags", "Theirs")} <= snapshot.kept


def test_a_refusal_of_an_address_holds_as_long_as_the_lead_of_another_record_has_it() -> None:
    step = next_step(taken(), profile(OTHER_LEAD), now(owner="bob"), RULES)
    assert isinstance(step, Settle)
    assert (
        step.outcome.reason
        == "the new address a***@e***.org belongs to the lead of another record (number 50000)"
    )
    assert step.outcome.cause == address_cause(WISH.email)
    theirs = next_step(taken(), profile(OTHER_LEAD, joined=OTHERS), now(), RULES)
    assert isinstance(theirs, Settle)
    assert theirs.outcome.cause is None
    assert (
        theirs.outcome.reason
        == "the new address a***@e***.org belongs to a lead that Kartra had before (number 50000)"
    )


def test_what_an_open_try_gave_a_lead_that_is_gone_is_not_given_again_by_itself() -> None:
    once = diff_lead(WISH, replace(MOVED, sequences=frozenset()))
    step = next_step(unknown(once), no_lead("245"), now(), RULES)
    assert isinstance(step, ReadBack)
    assert step.task.snapshot is not None
    assert step.task.snapshot.unproven == {("sequences", "Onboarding")}


def test_who_left_a_list_before_we_take_it_back_stays_off_it() -> None:
    for removing, rules in ((replace(REMOVING, stage=Stage.PREPARING), REMOVAL), (list_owed_back(), RULES)):
        step = next_step(removing, profile(CREATED, lists={"News": False}), now(), rules)
        assert isinstance(step, Send)
        assert step.task.snapshot is not None
        assert ("lists", "News") in step.task.snapshot.kept
        assert "unsubscribe_lead_from_list" not in step.task.change.commands
        back = diff_lead(WISH, step.task.snapshot)
        assert "subscribe_lead_to_list" not in back.commands


def test_a_list_that_we_took_back_ourselves_says_nothing_of_its_person() -> None:
    taken = replace(CREATED, taken=frozenset({"News"}))
    removing = replace(REMOVING, stage=Stage.PREPARING, snapshot=taken)
    step = next_step(removing, profile(CREATED, lists={"News": False}), now(), REMOVAL)
    assert isinstance(step, Send)
    assert "unsubscribe_lead_from_list" in step.task.change.commands


def list_owed_back() -> Task:
    desired = replace(WISH, lists=())
    owed = begin(entry(desired, snapshot=CREATED, origin="created"), RULES)
    return replace(owed, stage=Stage.PREPARING)


# --- in every order of answers


effects = st.sampled_from([Effect.DONE, Effect.DONE, Effect.UNKNOWN, "243", "244", "271", "212"])
seconds = st.sampled_from([0.0, 1.0, SETTLE_S, 3600.0])
found = st.sampled_from([CREATED, CREATED_ONLY, MOVED, TAKEN_BACK, AS_TEST])
reads = st.one_of(
    st.just(silent()),
    st.builds(no_lead, st.sampled_from(["234", "243", "245"])),
    st.builds(profile, found, score=st.integers(0, 20), joined=st.sampled_from([AT, OTHERS, None])),
)
rules = st.builds(
    Rules,
    st.sampled_from(["update", "fill_blanks", "skip"]),
    st.sampled_from(["upsert", "create_only", "update_only"]),
    st.sampled_from([(), ("untag", "unsubscribe")]),
    st.sampled_from(["report", "recreate", "forget"]),
    st.sampled_from(["live", "test"]),
    st.sampled_from([0.0, SETTLE_S]),
)
begun = st.sampled_from(
    [
        lambda rules: begin(entry(), rules),
        lambda rules: begin(entry(origin="skipped", snapshot=MOVED), rules),
        lambda rules: begin(entry(wish(points=10), snapshot=MOVED, origin="created"), rules),
        lambda rules: begin(entry(snapshot=TAKEN_OVER, origin="adopted"), rules),
        lambda rules: begin(GONE, rules),
        lambda rules: replace(begin_recovery(entry(sent_at=AT), NOW, rules), change=CREATE),
        lambda rules: replace(
            begin_recovery(entry(snapshot=MOVED, origin="created", sent_at=AT), NOW, rules), change=EDIT
        ),
    ]
)


def written(data: st.DataObject, change: Change) -> Answer:
    whole = data.draw(st.sampled_from([None, None, None, Effect.RETRY_LATER, Effect.UNKNOWN, Effect.FATAL]))
    if whole is not None:
        return everywhere(change, whole)
    drawn = data.draw(st.lists(effects, min_size=len(change.commands), max_size=len(change.commands)))
    for number in ("243", "244") if change.create else ("243",):
        if number in drawn:  # without its lead a chain is refused as a whole
            drawn = [number] * len(change.commands)
    return wrote(change, *drawn, lead_id=data.draw(st.sampled_from([None, "39260"])))


@settings(max_examples=300, deadline=None)
@given(start=begun, rules=rules, data=st.data())
def test_in_every_order_of_answers_an_entry_ends_once_and_nothing_is_sent_again_unread(
    start: Callable[[Rules], Task], rules: Rules, data: st.DataObject
) -> None:
    """It is settled once, or left to the next run; `Driver` checks what leads there."""

    def later(answer: Answer) -> Answer:
        driver.pass_time(data.draw(seconds))
        return answer

    driver = Driver(
        lambda change, _: later(written(data, change)),
        lambda *_: later(data.draw(reads)),
        rules,
        replace(NOW, is_mode_open=data.draw(st.booleans())),
    )
    task = start(rules)
    if task.stage is Stage.LEFT:
        driver.journal.change, driver.journal.unread = "{}", True
    driver.play(task)
    journal = driver.journal
    assert len(journal.outcomes) <= 1
    assert journal.outcomes or journal.is_left or journal.change is None
    assert not (journal.outcomes and journal.change)


fates = st.lists(
    st.sampled_from(["answered", "lost", "head", "tail", "dropped", "throttled", "killed"]), max_size=12
)
wishes = st.builds(
    wish,
    points=st.sampled_from([None, 10]),
    calendars=st.sampled_from([(), (BOOKING,)]),
    sequences=st.sampled_from([(), (("Onboarding", "1"),)]),
)


@settings(max_examples=400, deadline=None)
@given(
    desired=wishes,
    fates=fates,
    shows_after_s=st.sampled_from([0.0, 3.0, SETTLE_S - 0.5]),
    starts_after_s=st.sampled_from([0.0, 5.0, 60.0, 90_000.0]),
    known=st.booleans(),
)
def test_whatever_becomes_of_its_calls_nothing_happens_twice_and_nothing_is_lost(
    desired: DesiredLead, fates: list[str], shows_after_s: float, starts_after_s: float, known: bool
) -> None:
    """Kills included: each next run settles what the one before left, and plans the rest anew."""
    kartra = KartraModel(fates, shows_after_s)
    driver = Driver(kartra.write, kartra.read, RULES, NOW)
    journal = driver.journal
    if known:
        there = Snapshot(desired.email, "39260", fields={"city": "Leeds"})
        kartra.put(there, OTHERS, driver.at)
        journal.snapshot, journal.origin = there, "created"
    for _ in range(len(fates) + 2):
        try:
            if journal.change is not None:
                driver.play(begin_recovery(as_left(desired, journal), driver.at, RULES))
            if journal.change is None:
                driver.at = replace(driver.at, earlier_try_at=journal.given_up_at)
                driver.play(begin(entry(desired, snapshot=journal.snapshot, origin=journal.origin), RULES))
            if journal.outcomes[-1:] not in (["recovered"], ["deferred"]) and not journal.is_left:
                break
        except KilledError:
            pass
        journal.is_left = False
        driver.pass_time(starts_after_s)
        driver.at = replace(driver.at, unreached=0, earlier_try_at=None)
    assert all(count <= 1 for name, count in kartra.given.items() if name != "points")
    assert kartra.given["points"] <= 10
    ending = journal.outcomes[-1]
    assert ending in ("created", "edited", "unchanged", "parked")
    assert kartra.lead is not None
    assert kartra.lead.fields["city"] == "Lyon"
    assert kartra.lead.tags >= {"VIP"}
    assert kartra.lead.lists >= {"News"}
    if ending != "parked":
        assert kartra.lead == stored(desired, calendars=kartra.lead.calendars)
        assert kartra.given == once_each(desired)


def as_left(desired: DesiredLead, journal: Journal) -> Entry:
    return entry(
        desired,
        change=journal.change,
        sent_at=journal.sent_at,
        snapshot=journal.snapshot,
        origin=journal.origin,
    )


def once_each(desired: DesiredLead) -> Counter[str]:
    given = Counter(f"subscribe_lead_to_sequence_at_step {name}" for name, _ in desired.sequences)
    given.update(f"calendar_subscribe {one.calendar}: {one.name}" for one in desired.calendars)
    given.update({"points": desired.points.amount} if desired.points else {})
    return given


@pytest.mark.parametrize("change", [points_owed().change, EDIT, REMOVING.change])
def test_whatever_a_process_that_died_has_sent_is_waited_for_until_it_must_have_arrived(
    change: Change,
) -> None:
    rules = replace(RULES, on_its_way_s=30.0)
    known, sent = stored(WISH), change_to_json(change)
    of_a_week_ago = replace(NOW, at=AT + timedelta(days=7))
    for at in (NOW, of_a_week_ago):  # a clock may have been set meanwhile
        given = begin_recovery(entry(snapshot=known, origin="created", sent_at=AT, change=sent), at, rules)
        assert given.open_until - at.monotonic_s == SETTLE_S + 30.0
    created = begin_recovery(entry(sent_at=AT, change=change_to_json(CREATE)), NOW, rules)
    assert created.open_until - NOW.monotonic_s == SETTLE_S


def test_what_an_earlier_run_takes_may_land_yet_though_nobody_wishes_it_any_more() -> None:
    # As where an undo finds it, or the file no longer says on_removed.
    rules = replace(REMOVAL, on_removed=())
    left_open = replace(left(CREATED, REMOVING.change), entry=REMOVING.entry)
    assert named(next_step(left_open, profile(CREATED), now(), rules)) == ("ReadBack", "LEFT")
    step = next_step(left_open, profile(TAKEN_BACK), now(), rules)
    assert named(step) == ("Settle", "recovered")
    assert isinstance(step, Settle)
    assert step.task.snapshot is not None
    assert (step.task.snapshot.tags, step.task.snapshot.lists) == (frozenset(), frozenset())
    assert named(next_step(left_open, profile(CREATED), now(3600.0), rules)) == ("Settle", "recovered")


def test_a_lead_that_joined_hours_after_the_last_intent_of_a_dead_process_is_somebody_elses() -> None:
    """Somebody made it by hand: what it has is theirs, and is not taken from it later."""
    later = now(26 * 3600.0)
    for hours, origin in ((0.5, "created"), (1.9, "created"), (25.0, None)):
        joined = AT + timedelta(hours=hours)
        step = next_step(left(), profile(CREATED, joined=joined), later, RULES)
        assert isinstance(step, Settle)
        assert (step.outcome.name, step.task.origin) == ("recovered", origin)
