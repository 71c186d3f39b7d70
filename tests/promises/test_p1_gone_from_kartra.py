"""P1: a lead that is gone from Kartra, merged into another or made anew, and what it was given once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SandboxLead
from connectors.kartra.sandbox.commands import COMMANDS
from tests.conftest import Project, kill
from tests.promises.scenes import Scene, Scenes, Seen, adds_up, run_seen, wait_until
from tests.state.places import beside

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: {column: Id}
fields: {email: Email, city: City}
tags: [Imported]
lists: [News]
sequences: [{name: Onboarding, step: 1}]
points: 10
consent: {attested: "terms of 2025"}
guards: {max_failed: 100%}
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(number: int, **changes: str) -> dict[str, str]:
    return {"Id": str(number), "Email": f"lead{number}@example.org", "City": "Lyon", **changes}


def lead(sandbox: Sandbox, number: int) -> SandboxLead:
    found = sandbox.account.lead(f"lead{number}@example.org")
    assert found is not None
    return found


def gone(sandbox: Sandbox, number: int, *, deleted: bool) -> None:
    """Nobody has its address any more; its number is that of a deleted lead, or of none."""
    old = lead(sandbox, number)
    sandbox.account.change_address(old, f"gone{number}@void.example")
    old.deleted = True
    if not deleted:
        del sandbox.account.leads[old.id]


@dataclass(frozen=True)
class Afterwards:
    before: Any
    refused: Any
    told: Any
    plan: dict[str, int]
    seen: Seen
    again: Seen


@dataclass(frozen=True)
class Night:
    seen: Seen
    again: Seen
    points: int
    starts: int
    reasons: list[str]
    explained: Any = None
    """What `explain` says of the first row afterwards."""


def changed(project: Project, sandbox: Sandbox, count: int) -> Night:
    """Each row has another city; then a night without any change."""
    project.contacts([row(number, City="Oslo") for number in range(count)])
    seen = run_seen(project, sandbox)
    again = run_seen(project, sandbox)
    reasons = [one["reason"] for one in project.command("rejects", "p.yaml", "--json").json["rejects"]]
    with sandbox.lock:
        held = sandbox.account.lead("lead0@example.org")
        points = held.score if held else 0
        starts = len(held.sequence_starts) if held else 0
    explained = project.command("explain", "p.yaml", "0", "--json").json
    return Night(seen, again, points, starts, reasons, explained)


def anew(*, deleted: bool) -> Scene:
    """The lead of the first row was deleted, and its person opted in again, to another list."""

    def scene(project: Project, sandbox: Sandbox) -> Night:
        project.pipeline(LOAD)
        project.contacts([row(0), row(1)])
        assert project.run().code == 0
        with sandbox.lock:
            gone(sandbox, 0, deleted=deleted)
            sandbox.account.add_lead("lead0@example.org").lists["Customers"] = True
        return changed(project, sandbox, 2)

    return scene


def nobody(on_gone: str) -> Scene:
    """Thirty leads are gone, and nobody has their addresses: more than the guard lets fail in a row."""

    def scene(project: Project, sandbox: Sandbox) -> Night:
        project.pipeline(LOAD + (f"on_gone: {on_gone}\n" if on_gone else ""))
        project.contacts([row(number) for number in range(32)])
        assert project.run().code == 0
        with sandbox.lock:
            for number in range(30 if on_gone else 3):
                gone(sandbox, number, deleted=number % 2 == 0)
        return changed(project, sandbox, 32)

    return scene


for _deleted in (True, False):
    SCENES.add(anew(deleted=_deleted), f"anew, deleted {_deleted}")


@SCENES.add
def said_afterwards(project: Project, sandbox: Sandbox) -> Afterwards:
    """The leads are gone and told; then the file says what is to become of them."""
    project.pipeline(LOAD)
    project.contacts([row(0), row(1)])
    assert project.run().code == 0
    before = project.command("explain", "p.yaml", "0", "--json").json["states"][0]
    with sandbox.lock:
        gone(sandbox, 0, deleted=True)
    project.contacts([row(0, City="Oslo"), row(1)])
    assert project.run().json["leads"]["rejected"] == 1
    refused = project.command("explain", "p.yaml", "0", "--json").json["states"][0]
    project.pipeline(LOAD + "on_gone: recreate\n")
    told = project.command("explain", "p.yaml", "0", "--json").json["states"][0]
    plan = project.command("plan", "p.yaml", "--json").json["leads"]
    seen = run_seen(project, sandbox)
    return Afterwards(before, refused, told, plan, seen, run_seen(project, sandbox))


def left_and_gone(project: Project, sandbox: Sandbox) -> None:
    """A person has left the list, which a look has shown; then the lead is gone."""
    project.pipeline(LOAD + "on_gone: recreate\n", kartra="settle_s: 1\ntimeout_s: 2")
    project.contacts([row(0), row(1)])
    assert project.run().code == 0
    beside(project.place)("UPDATE leads SET changed_at = '2026-01-01T00:00:00+00:00'")  # long settled
    with sandbox.lock:
        lead(sandbox, 0).lists["News"] = False
    assert project.command("drift", "p.yaml").code == 0
    with sandbox.lock:
        gone(sandbox, 0, deleted=False)


def nights_of(project: Project, sandbox: Sandbox, *cities: str) -> list[Seen]:
    nights = []
    for city in cities:
        project.contacts([row(0, City=city), row(1)])
        nights.append(run_seen(project, sandbox))
    return nights


@SCENES.add
def left_before_it_was_gone(project: Project, sandbox: Sandbox) -> list[Seen]:
    left_and_gone(project, sandbox)
    return nights_of(project, sandbox, "Oslo", "Rome")


@SCENES.add
def left_and_not_made_at_once(project: Project, sandbox: Sandbox) -> list[Seen]:
    """In the night in which its lead is made anew, the App may not make one."""
    left_and_gone(project, sandbox)
    with sandbox.lock:
        sandbox.account.allowed_commands = {"get_lead", *COMMANDS} - {"create_lead"}
    first = nights_of(project, sandbox, "Oslo")
    with sandbox.lock:
        sandbox.account.allowed_commands = None
    return first + nights_of(project, sandbox, "Rome", "Bern")


def left_and_killed(fate: str) -> Scene:
    """The run is killed once its lead is made anew, or just before Kartra has heard of it."""

    def scene(project: Project, sandbox: Sandbox) -> list[Seen]:
        left_and_gone(project, sandbox)
        with sandbox.lock:
            sandbox.set_faults(Faults(**{fate: 1.0}, commands=frozenset({"create_lead"})))  # type: ignore[arg-type]
        project.contacts([row(0, City="Oslo"), row(1)])
        before = len(sandbox.calls)
        running = project.start("run", "p.yaml", "--json")
        wait_until(
            lambda: any("create_lead" in call.commands for call in sandbox.calls[before:]), "a new lead"
        )
        kill(running)
        sandbox.set_faults(Faults())
        return nights_of(project, sandbox, "Rome", "Bern")

    return scene


for _fate in ("silence", "cut_before"):
    SCENES.add(left_and_killed(_fate), f"left and killed, {_fate}")


for _on_gone in ("", "recreate", "forget"):
    SCENES.add(nobody(_on_gone), f"nobody, {_on_gone or 'report'}")


@SCENES.add
def merged(project: Project, sandbox: Sandbox) -> Night:
    """Two leads of our rows were merged: the number of the first is gone, its address is the second's."""
    project.pipeline(LOAD)
    project.contacts([row(0), row(1)])
    assert project.run().code == 0
    with sandbox.lock:
        gone(sandbox, 0, deleted=False)
        sandbox.account.change_address(lead(sandbox, 1), "lead0@example.org")
    project.contacts([row(0, City="Oslo"), row(1)])
    seen = run_seen(project, sandbox)
    reasons = [one["reason"] for one in project.command("rejects", "p.yaml", "--json").json["rejects"]]
    return Night(seen, run_seen(project, sandbox), 0, 0, reasons)


@pytest.mark.parametrize("deleted", [True, False])
def test_p1_a_lead_whose_number_is_gone_is_found_again_by_its_address(scenes: Scenes, deleted: bool) -> None:
    night: Night = scenes[f"anew, deleted {deleted}"]
    assert (night.seen.result.code, night.seen.leads) == (0, {"edited": 2})
    assert night.seen.held["lead0@example.org"]["fields"] == {"city": "Oslo"}
    assert night.seen.held["lead0@example.org"]["tags"] == {"Imported"}
    assert night.seen.held["lead0@example.org"]["lists"] == {"News": True, "Customers": True}
    assert (night.again.calls, night.again.leads) == ([], {"unchanged": 2})
    assert adds_up(night.seen.result)


@pytest.mark.parametrize("deleted", [True, False])
def test_p1_its_person_is_not_given_a_second_time_what_is_given_once(scenes: Scenes, deleted: bool) -> None:
    night: Night = scenes[f"anew, deleted {deleted}"]
    assert (night.points, night.starts) == (0, 0)


def test_p1_a_lead_that_was_merged_into_that_of_another_row_is_not_taken_from_it(scenes: Scenes) -> None:
    night: Night = scenes["merged"]
    assert night.seen.leads == {"rejected": 1, "unchanged": 1}
    assert night.reasons == ["the address belongs to the lead of another record"]
    assert night.seen.held["lead0@example.org"]["fields"] == {"city": "Lyon"}


def test_p6_leads_that_are_gone_are_told_with_what_can_be_done(scenes: Scenes) -> None:
    night: Night = scenes["nobody, report"]
    assert (night.seen.result.code, night.seen.leads) == (3, {"rejected": 3, "edited": 29})
    assert all("load.on_gone" in reason for reason in night.reasons)
    assert len(night.reasons) == 3
    assert (night.again.calls, night.again.leads) == ([], {"parked": 3, "unchanged": 29})


def test_p1_leads_that_are_gone_are_made_again_where_that_is_wished(scenes: Scenes) -> None:
    night: Night = scenes["nobody, recreate"]
    assert (night.seen.result.code, night.seen.result.json["status"]) == (0, "succeeded")
    assert night.seen.leads["edited"] + night.seen.leads.get("created", 0) == 32
    assert (night.points, night.starts) == (10, 1)
    assert (night.again.calls, night.again.leads) == ([], {"unchanged": 32})
    assert adds_up(night.seen.result)


def test_p1_leads_that_are_gone_are_forgotten_where_that_is_wished(scenes: Scenes) -> None:
    night: Night = scenes["nobody, forget"]
    assert (night.seen.result.code, night.seen.leads) == (0, {"skipped": 30, "edited": 2})
    assert (night.again.calls, night.again.leads) == ([], {"skipped": 30, "unchanged": 2})
    assert adds_up(night.seen.result)


def test_explain_of_a_lead_that_is_gone_keeps_the_time_of_its_last_acknowledgement(scenes: Scenes) -> None:
    after: Afterwards = scenes["said_afterwards"]
    assert after.refused["decision"].startswith(
        "was refused: Lead is deleted: the lead was there and is gone"
    )
    assert after.refused["acknowledged"] == after.before["acknowledged"]
    assert after.refused["changed_at"] == after.before["changed_at"]


def test_p6_a_word_on_leads_that_are_gone_is_heard_without_a_change_of_their_rows(scenes: Scenes) -> None:
    after: Afterwards = scenes["said_afterwards"]
    assert after.told["decision"] == "edit: city"
    assert {name: count for name, count in after.plan.items() if count} == {"edited": 1, "unchanged": 1}
    assert after.seen.result.code == 0
    assert after.seen.held["lead0@example.org"]["fields"] == {"city": "Oslo"}
    assert (after.again.calls, after.again.leads) == ([], {"unchanged": 2})


def test_explain_says_what_became_of_a_lead_that_was_gone(scenes: Scenes) -> None:
    def state(name: str) -> Any:
        (state,) = scenes[name].explained["states"]
        return state

    assert "was refused" in state("nobody, report")["decision"]
    assert state("nobody, recreate")["decision"] == "nothing: as Kartra acknowledged it"
    assert state("nobody, recreate")["acknowledged"]["fields"] == {"city": "O***"}
    assert state("nobody, forget")["decision"] == "left alone: gone from Kartra"
    for deleted in (True, False):
        assert state(f"anew, deleted {deleted}")["decision"] == "nothing: as Kartra acknowledged it"


@pytest.mark.parametrize("fate", ["silence", "cut_before"])
def test_p4_who_had_left_a_list_stays_off_it_when_a_run_dies_as_their_lead_is_made_anew(
    scenes: Scenes, fate: str
) -> None:
    for night, city in zip(scenes[f"left and killed, {fate}"], ("Rome", "Bern"), strict=True):
        assert night.result.code == 0
        assert night.held["lead0@example.org"]["fields"] == {"city": city}
        assert night.held["lead0@example.org"]["lists"] == {}
        assert night.held["lead0@example.org"]["starts"] == [("Onboarding", "1")]


def test_p4_who_had_left_a_list_stays_off_it_when_their_lead_is_made_anew_nights_later(
    scenes: Scenes,
) -> None:
    refused, *later = scenes["left_and_not_made_at_once"]
    assert "lead0@example.org" not in refused.held
    for night, city in zip(later, ("Rome", "Bern"), strict=True):
        assert night.result.code == 0
        assert night.held["lead0@example.org"]["fields"] == {"city": city}
        assert night.held["lead0@example.org"]["lists"] == {}
        assert night.held["lead0@example.org"]["starts"] == [("Onboarding", "1")]


def test_p4_who_had_left_a_list_stays_off_it_when_their_lead_is_made_anew(scenes: Scenes) -> None:
    for night, city in zip(scenes["left_before_it_was_gone"], ("Oslo", "Rome"), strict=True):
        assert night.result.code == 0
        assert night.held["lead0@example.org"]["fields"] == {"city": city}
        assert night.held["lead0@example.org"]["lists"] == {}
