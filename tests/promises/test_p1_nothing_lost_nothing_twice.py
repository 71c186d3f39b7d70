"""P1: whatever happens to a run or to its answers, every lead ends as wished and no sequence starts twice."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from connectors.kartra.commands import Action, Call, CustomFieldValue, Lead
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.emulator import ReceivedCall
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from tests.conftest import LOAD, Project, Result, contact, kill
from tests.promises.scenes import (
    Held,
    Scene,
    Scenes,
    Seen,
    about_leads,
    adds_up,
    all_wished,
    held,
    inventories,
    lose_state,
    outbox,
    run_seen,
    said,
    wait_until,
    wished,
)
from tests.state.places import beside

SCENES = Scenes()
WRITES = frozenset({"create_lead", "edit_lead", "assign_tag", "unassign_tag"})
LOADED = 12
INVENTORIES = 4


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


# --- answers that are lost, late, broken or refused


@dataclass(frozen=True)
class Faulted:
    """A load of new leads and a load of changed ones, both under faults, and a third run without."""

    faults: list[str]
    created: Seen
    edited: Seen
    again: Seen


def faulted(faults: Faults, hit: int | None = None, kartra: str = "", **options: object) -> Scene:
    """`hit`: how many calls may be hit, from the first write on; None is all calls to the end."""

    def scene(project: Project, sandbox: Sandbox) -> Faulted:
        project.pipeline(LOAD, kartra=kartra)
        sandbox.set_options(**options)
        seen = []
        for rows, asked in ((NEW, INVENTORIES), (CHANGED, 0)):
            first = len(sandbox.calls) + 1
            last = None if hit is None else first + asked + hit - 1
            sandbox.set_faults(replace(faults, from_call=first, to_call=last))
            project.contacts(rows)
            seen.append(run_seen(project, sandbox))
        sandbox.set_faults(Faults())
        again = run_seen(project, sandbox)
        return Faulted([call.fault for call in sandbox.calls if call.fault], *seen, again)

    return scene


def changed(number: int) -> dict[str, str]:
    """Every contact of NEW moves and changes size; each second one gets another tag."""
    row = contact(number, City="Oslo", Size=["medium", "large", "small"][number % 3])
    return {**row, "Tags": "Customer"} if number % 2 == 0 else row


NEW = [contact(number) for number in range(LOADED)]
CHANGED = [changed(number) for number in range(LOADED)]

BROKEN: dict[str, Scene] = {
    # what did not land has to wait until it is proven: these take longest and start first
    "cut_before": faulted(Faults(cut_before=0.6, commands=WRITES), LOADED),
    "bad_gateway_before": faulted(Faults(bad_gateway_before=0.6, commands=WRITES), LOADED),
    "late effects": faulted(Faults(cut_after=0.6, commands=WRITES), LOADED, effect_delay_s=2.0),
    "mixture": faulted(
        Faults(
            cut_before=0.01,
            bad_gateway_before=0.01,
            cut_after=0.02,
            bad_gateway_after=0.02,
            silence=0.02,
            not_json=0.02,
            throttle=0.02,
            slow=0.02,
            missing_entry=0.03,
            object_actions=0.03,
            slow_s=0.3,
            seed=3,
        ),
        kartra="timeout_s: 1",
        chain_errors="nested",
        wording="older",
    ),
    "reads too": faulted(
        Faults(
            cut_after=0.2,
            cut_before=0.1,
            bad_gateway_after=0.2,
            not_json=0.2,
            commands=frozenset({"create_lead", "edit_lead", "get_lead"}),
        ),
        hit=LOADED + 6,
    ),
    "cut_after": faulted(Faults(cut_after=0.7, commands=WRITES), LOADED),
    "bad_gateway_after": faulted(Faults(bad_gateway_after=0.7, commands=WRITES), LOADED),
    "not_json": faulted(
        Faults(not_json=0.7, commands=WRITES), LOADED, chain_errors="nested", wording="older"
    ),
    "silence": faulted(Faults(silence=0.5, commands=WRITES), LOADED, kartra="timeout_s: 1"),
    "slow": faulted(Faults(slow=0.5, slow_s=0.5, commands=WRITES), LOADED),
    "missing_entry": faulted(
        Faults(missing_entry=0.7, commands=WRITES), LOADED, chain_errors="nested", integer_types=True
    ),
    "object_actions": faulted(
        Faults(object_actions=0.7, commands=WRITES), LOADED, wording="older", integer_types=True
    ),
    "throttle": faulted(Faults(throttle=0.4, commands=WRITES), LOADED),
    "test mode": faulted(Faults(cut_after=0.6, commands=WRITES), LOADED, kartra="mode: test", mode="test"),
}

for _name, _scene in BROKEN.items():
    SCENES.add(_scene, _name)


def as_stored(name: str, leads: Held) -> Held:
    """Test mode stores addresses under a domain of Kartra's."""
    if name != "test mode":
        return leads
    return {email.replace("@example.org", "@kartra.com"): lead for email, lead in leads.items()}


# --- a process that dies


@dataclass(frozen=True)
class Killed:
    """Runs that died, the entries and the calls they left, and the two runs after them."""

    entries: list[tuple[str, str, int]]
    received: list[str]
    after: Seen
    again: Seen


@SCENES.add
def killed_with_calls_in_flight(project: Project, sandbox: Sandbox) -> Killed:
    """Ten creations landed and have no answer; one lead leaves the list meanwhile."""
    project.pipeline(LOAD, kartra="workers: 10")
    project.contacts([contact(number) for number in range(14)])
    sandbox.set_options(effect_delay_s=7.0, faults=Faults(silence=1.0, commands=frozenset({"create_lead"})))
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: landed(sandbox, "create_lead") == 10, "ten creations")
    kill(process)
    entries = outbox(project)
    received = sorted(said(call).lead["email"] for call in sandbox.calls if "create_lead" in call.commands)
    left = sandbox.account.lead(received[0])
    assert left is not None
    left.lists["News"] = False
    sandbox.set_faults(Faults())
    return Killed(entries, received, run_seen(project, sandbox), run_seen(project, sandbox))


@SCENES.add
def renamed_after_a_kill(project: Project, sandbox: Sandbox) -> Seen:
    """A creation landed without an answer; its sequence shows late, and its name is changed by hand."""
    project.pipeline(LOAD)
    project.contacts([contact(0)])
    sandbox.set_options(effect_delay_s=9.5, faults=Faults(silence=1.0, commands=frozenset({"create_lead"})))
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: landed(sandbox, "create_lead") == 1, "the creation")
    kill(process)
    lead = sandbox.account.lead(contact(0)["Email"])
    assert lead is not None
    lead.fields["first_name"] = "Renamed"
    sandbox.set_faults(Faults())
    return run_seen(project, sandbox)


@SCENES.add
def removal_killed(project: Project, sandbox: Sandbox) -> Killed:
    """Five contacts are gone; of the calls that take tag and list from them some landed and some did not."""
    project.pipeline(
        LOAD + "on_removed: [untag, unsubscribe]\nguards: {max_removed: 100%}",
        kartra="workers: 5\ntimeout_s: 5",
    )
    rows = [contact(number) for number in range(10)]
    project.contacts(rows)
    assert project.run().code == 0
    sandbox.reset_calls()
    sandbox.set_faults(Faults(silence=0.5, cut_before=0.5, seed=1, commands=frozenset({"unassign_tag"})))
    project.contacts(rows[:5])
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: sum(call.fault is not None for call in sandbox.calls) == 5, "five removals")
    kill(process)
    assert sum(call.commands == ("get_lead",) for call in sandbox.calls) == 5  # each is looked at before
    faults = sorted(str(call.fault) for call in sandbox.calls if call.commands != ("get_lead",))
    sandbox.set_faults(Faults())
    return Killed(outbox(project), faults, run_seen(project, sandbox), run_seen(project, sandbox))


@SCENES.add
def killed_again_and_again(project: Project, sandbox: Sandbox) -> Killed:
    """Killed among the first questions, early and late; each run goes on where the one before died."""
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(30)])
    sandbox.set_options(latency_s=0.15)
    for calls in (2, 16, 32):
        process = project.start("run", "p.yaml", "--json")
        wait_until(lambda least=calls: len(sandbox.calls) >= least, f"{calls} calls")  # type: ignore[misc]
        kill(process)
    received = [command for call in sandbox.calls for command in call.commands]
    return Killed(outbox(project), received, run_seen(project, sandbox), run_seen(project, sandbox))


def back_on_the_list(*, a_day_later: bool) -> Scene:
    """Contacts that had gone come back, and the calls that put them back on their list never arrive."""

    def scene(project: Project, sandbox: Sandbox) -> Seen:
        project.pipeline(
            LOAD + "on_removed: [unsubscribe]\nguards: {max_removed: 100%}", kartra="settle_s: 2\nworkers: 3"
        )
        rows = [contact(number) for number in range(4)]
        for present in (rows, rows[:1]):
            project.contacts(present)
            assert project.run().code == 0
        commands = frozenset({"edit_lead", "subscribe_lead_to_list"})
        project.contacts([rows[0], *(contact(number, City="Oslo") for number in range(1, 4))])
        first = len(sandbox.calls) + 1
        sandbox.set_faults(Faults(cut_before=1.0, commands=commands, to_call=first + 2))
        if a_day_later:
            process = project.start("run", "p.yaml", "--json")
            wait_until(lambda: sum(call.fault is not None for call in sandbox.calls) == 3, "three calls")
            kill(process)
            a_day_ago = "UPDATE outbox SET sent_at = replace(sent_at, substr(sent_at, 1, 4), '2020')"
            beside(project.place)(a_day_ago)
        return run_seen(project, sandbox)

    return scene


for _later in (False, True):
    SCENES.add(back_on_the_list(a_day_later=_later), f"back on the list, later {_later}")


@SCENES.add
def left_long_after_its_intent(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """A storm of 429 holds a creation back; it lands, its run dies, and its effects show late."""
    project.pipeline(LOAD, kartra="settle_s: 3")
    project.contacts([contact(0)])
    first = INVENTORIES + 1
    sandbox.set_options(
        effect_delay_s=2.0,
        faults=Faults(throttle=1.0, from_call=first, to_call=first + 3, commands=frozenset({"create_lead"})),
    )
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: landed(sandbox, "create_lead") == 1, "the creation")
    kill(process)
    sandbox.set_faults(Faults())
    return run_seen(project, sandbox), run_seen(project, sandbox)


def landed_late(looks: int, then_s: float, **options: float) -> Scene:
    """A creation is cut off and carried out later: so many seconds after so many looks found nothing."""

    def scene(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
        project.pipeline(LOAD, kartra="settle_s: 4")
        project.contacts([contact(0)])
        first = INVENTORIES + 1
        sandbox.set_options(faults=Faults(cut_before=1.0, from_call=first, to_call=first), **options)
        process = project.start("run", "p.yaml", "--json")
        wait_until(lambda: landed(sandbox, "get_lead") == looks, "the looks")
        time.sleep(then_s)
        (cut,) = (call for call in sandbox.calls if call.fault)
        client = Sender(
            sandbox.url,
            Credentials(**asdict(sandbox.credentials)),
            CallLimiter(project.folder / "late.window", calls_per_second=20),
        )
        assert client.send(again(cut)).effect == "done"
        client.close()
        stdout, stderr = process.communicate(timeout=60)
        seen = Seen(Result(process.returncode, stdout, stderr), sandbox.calls, held(sandbox))
        return seen, run_seen(project, sandbox)

    return scene


LANDED_LATE = {
    "just before the last look": landed_late(1, 2.3, effect_delay_s=3.0),
    "just before the second try": landed_late(2, 0.0, latency_s=1.0, effect_delay_s=3.5),
}
for _name, _scene in LANDED_LATE.items():
    SCENES.add(_scene, _name)


def again(call: ReceivedCall) -> Call:
    """The same call once more, as the network may carry it."""
    actions = [dict(action) for action in call.form["actions"].values()]  # type: ignore[union-attr, arg-type]
    lead: Any = dict(call.form["lead"])  # type: ignore[arg-type]
    custom_fields = tuple(
        CustomFieldValue(one["field_identifier"], one["field_value"])
        if isinstance(one["field_value"], str)
        else CustomFieldValue(one["field_identifier"], tuple(one["field_value"].values()))
        for one in lead.pop("custom_fields").values()
    )
    email = lead.pop("email")
    return Call(
        tuple(Action(action.pop("cmd"), action) for action in actions),
        Lead(email=email, fields=lead, custom_fields=custom_fields),
    )


def landed(sandbox: Sandbox, command: str) -> int:
    return sum(call.executed for call in sandbox.calls if command in call.commands)


# --- a process that is asked to stop


@dataclass(frozen=True)
class Interrupted:
    first: Result
    entries: list[tuple[str, str, int]]
    after: Seen
    again: Seen


def interrupted_by(number: signal.Signals) -> Scene:
    def scene(project: Project, sandbox: Sandbox) -> Interrupted:
        project.pipeline(LOAD)
        project.contacts([contact(number) for number in range(24)])
        sandbox.set_options(latency_s=0.1)
        process = project.start("run", "p.yaml", "--json")
        wait_until(lambda: len(sandbox.calls) >= 10, "ten calls")
        os.kill(process.pid, number)
        stdout, stderr = process.communicate(timeout=60)
        first = Result(process.returncode, stdout, stderr)
        return Interrupted(first, outbox(project), run_seen(project, sandbox), run_seen(project, sandbox))

    return scene


SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130}


# --- people meanwhile, and names in other letters


@SCENES.add
def left_meanwhile(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """A lead leaves the list after its creation landed and before its run could look."""
    project.pipeline(LOAD, kartra="timeout_s: 2")
    project.contacts([contact(0)])
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"create_lead"})))
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: landed(sandbox, "create_lead") == 1, "the creation")
    with sandbox.lock:
        (lead,) = sandbox.account.leads.values()
        lead.lists["News"] = False
    stdout, stderr = process.communicate(timeout=60)
    first = Seen(Result(process.returncode, stdout, stderr), sandbox.calls, held(sandbox))
    return first, run_seen(project, sandbox)


@SCENES.add
def options_in_other_letters(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """Kartra shows options in its own letters: for the lost answer of a creation, and without any state."""
    project.pipeline(LOAD)
    project.contacts([contact(0, Size="SMALL", Fruits="Apple;Pear")])
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"}), to_call=INVENTORIES + 1))
    first = run_seen(project, sandbox)
    lose_state(project)
    return first, run_seen(project, sandbox)


for _number in SIGNALS:
    SCENES.add(interrupted_by(_number), _number.name)


# --- the promises


@pytest.mark.parametrize("name", BROKEN)
def test_p1_every_lead_is_as_wished_whatever_becomes_of_the_answers(scenes: Scenes, name: str) -> None:
    seen: Faulted = scenes[name]
    assert seen.created.held == as_stored(name, all_wished(NEW))
    assert seen.edited.held == as_stored(name, all_wished(CHANGED))
    assert seen.again.held == seen.edited.held


@pytest.mark.parametrize("name", BROKEN)
def test_p1_the_counters_tell_what_happened_whatever_becomes_of_the_answers(
    scenes: Scenes, name: str
) -> None:
    seen: Faulted = scenes[name]
    assert len(seen.faults) >= 3
    assert name not in Faults().shares() or set(seen.faults) == {name}
    assert [run.leads for run in (seen.created, seen.edited, seen.again)] == [
        {"created": LOADED},
        {"edited": LOADED},
        {"unchanged": LOADED},
    ]
    for run in (seen.created, seen.edited, seen.again):
        assert (run.result.code, run.result.json["status"]) == (0, "succeeded")
        assert run.result.json["calls"]["sent"] == len(run.calls)
        assert adds_up(run.result)
    assert seen.again.calls == []


def test_p1_killed_again_and_again_a_run_still_ends_with_every_lead_as_wished(scenes: Scenes) -> None:
    seen: Killed = scenes["killed_again_and_again"]
    assert seen.received.count("create_lead") < 30
    assert seen.after.held == all_wished([contact(number) for number in range(30)])
    assert (seen.after.result.code, seen.after.result.json["status"]) == (0, "succeeded")
    assert set(seen.after.leads) == {"unchanged", "created"}
    assert sum(seen.after.leads.values()) == 30
    assert adds_up(seen.after.result)
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": 30})


def test_p1_the_intent_is_in_the_outbox_before_its_call_leaves(scenes: Scenes) -> None:
    seen: Killed = scenes["killed_with_calls_in_flight"]
    everyone = {contact(number)["Email"] for number in range(14)}
    assert len(seen.received) == 10
    assert seen.entries == sorted(
        [(email, "sent", 1) for email in seen.received]
        + [(email, "planned", 0) for email in everyone - set(seen.received)]
    )


def test_p1_effects_that_show_up_late_after_a_kill_are_waited_for(scenes: Scenes) -> None:
    seen: Killed = scenes["killed_with_calls_in_flight"]
    expected = all_wished([contact(number) for number in range(14)])
    expected[seen.received[0]]["lists"] = {"News": False}
    assert seen.after.held == expected
    assert (seen.after.result.code, seen.after.leads) == (0, {"unchanged": 10, "created": 4})
    assert seen.after.result.json["calls"]["read_back"] >= 10
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": 14})


def test_p1_a_lead_renamed_after_a_kill_does_not_get_its_sequence_twice(scenes: Scenes) -> None:
    after: Seen = scenes["renamed_after_a_kill"]
    assert after.held == all_wished([contact(0)])
    assert after.result.code == 0


def test_p1_a_removal_that_was_killed_is_settled_and_finished(scenes: Scenes) -> None:
    seen: Killed = scenes["removal_killed"]
    rows = [contact(number) for number in range(10)]
    gone = [row["Email"] for row in rows[5:]]
    assert set(seen.received) == {"cut_before", "silence"}
    assert [entry for entry in seen.entries if entry[1] == "sent"] == [(email, "sent", 1) for email in gone]
    expected = all_wished(rows)
    for email in gone:
        expected[email] |= {"tags": set(), "lists": {"News": False}}
    assert seen.after.held == expected
    landed_before = seen.received.count("silence")
    assert seen.after.leads == {"unchanged": 5, "removed": 5 - landed_before}
    assert seen.after.result.code == 0
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": 5})


@pytest.mark.parametrize("later", [False, True])
def test_p1_who_comes_back_is_on_the_list_again_though_the_first_call_for_it_was_lost(
    scenes: Scenes, later: bool
) -> None:
    seen: Seen = scenes[f"back on the list, later {later}"]
    moved = [contact(0), *(contact(number, City="Oslo") for number in range(1, 4))]
    assert seen.held == all_wished(moved)
    assert (seen.result.code, seen.leads) == (0, {"unchanged": 1, "edited": 3})


def test_p1_late_effects_are_waited_for_though_the_call_left_long_after_its_intent(scenes: Scenes) -> None:
    after, again = scenes["left_long_after_its_intent"]
    assert after.held == all_wished([contact(0)])
    assert (again.calls, again.leads) == ([], {"unchanged": 1})


@pytest.mark.parametrize("name", LANDED_LATE)
def test_p1_a_creation_that_lands_when_it_was_taken_for_lost_starts_nothing_twice(
    scenes: Scenes, name: str
) -> None:
    first, after = scenes[name]
    assert first.held == after.held == all_wished([contact(0)])
    assert (first.result.code, first.leads) == (0, {"created": 1})
    assert (after.calls, after.leads) == ([], {"unchanged": 1})


@pytest.mark.parametrize("number", SIGNALS)
def test_p1_an_interrupted_run_settles_its_calls_and_the_next_one_finishes(
    scenes: Scenes, number: signal.Signals
) -> None:
    seen: Interrupted = scenes[number.name]
    assert (seen.first.code, seen.first.json["status"]) == (SIGNALS[number], "interrupted")
    assert adds_up(seen.first)
    created = seen.first.json["leads"]["created"]
    assert 0 < created < 24
    assert seen.first.json["leads"]["deferred"] == 24 - created
    assert [entry for entry in seen.entries if entry[1] != "settled"] == []
    assert (seen.after.result.code, seen.after.leads) == (0, {"unchanged": created, "created": 24 - created})
    assert len(about_leads(seen.after.calls)) == 24 - created
    assert inventories(seen.after.calls) == ["retrieve_custom_fields"]  # they are filled: those of now
    assert seen.after.held == all_wished([contact(number) for number in range(24)])
    assert seen.again.calls == []


def test_p1_who_left_while_the_outcome_was_unknown_stays_away(scenes: Scenes) -> None:
    first, again = scenes["left_meanwhile"]
    assert first.held == {"lead0@example.org": {**wished(contact(0)), "lists": {"News": False}}}
    assert (first.result.code, first.leads) == (0, {"created": 1})
    assert (again.calls, again.held) == ([], first.held)


def test_p1_an_option_in_other_letters_is_known_again_after_a_lost_answer(scenes: Scenes) -> None:
    first: Seen = scenes["options_in_other_letters"][0]
    assert first.held == all_wished([contact(0, Size="small", Fruits="apple;pear")])
    assert first.leads == {"created": 1}
    assert [call.commands[0] for call in first.calls[INVENTORIES:]] == ["create_lead", "get_lead"]


def test_p1_an_option_in_other_letters_is_known_again_without_any_state(
    scenes: Scenes,
) -> None:
    first, second = scenes["options_in_other_letters"]
    assert second.leads == {"unchanged": 1}
    assert [call.commands[0] for call in second.calls[INVENTORIES:]] == ["create_lead", "get_lead"]
    assert second.held == first.held
