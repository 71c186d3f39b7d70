"""What a record wants gone goes once, whoever gave it: untag, unsubscribe, unsubscribe_from_sequences."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SequenceEntry
from tests.command.several import writes
from tests.conftest import Project, Result, kill
from tests.promises.scenes import Scenes, Seen, adds_up, calls_for, run_seen, said, wait_until

SCENES = Scenes()
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
tags: [{column: Tags, split: ";"}]
lists: [{column: Lists, split: ";"}]
sequences: [{name: {column: Course}, step: {column: Step}}]
untag: [{column: Untag, split: ";"}]
unsubscribe: [{column: Leave, split: ";"}, "{List} list"]
unsubscribe_from_sequences: [{column: Stop}]
consent: {attested: "terms of 2025"}
"""
BY_HAND = "2019-01-16 19:30:00"
OFF = {"Untag": "VIP;Blog", "Leave": "News", "Stop": "Win-back"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def row(number: int, **changes: str) -> dict[str, str]:
    blank = ("City", "Tags", "Lists", "Course", "Step", "Untag", "Leave", "List", "Stop")
    return {"Email": f"lead{number}@example.org", **dict.fromkeys(blank, ""), **changes}


def by_hand(sandbox: Sandbox, number: int) -> Any:
    """A lead that Kartra had before us, with everything that OFF wants gone."""
    sandbox.account.lists = [*sandbox.account.lists, "Old list"]
    lead = sandbox.account.add_lead(f"lead{number}@example.org")
    lead.date_joined = BY_HAND
    lead.tags |= {"VIP", "Blog", "Customer"}
    lead.lists |= {"News": True, "Customers": True}
    lead.sequences["Win-back"] = SequenceEntry("2")
    return lead


def actions(seen: Seen) -> list[tuple[str, ...]]:
    return [action for call in seen.calls for action in said(call).actions]


@dataclass(frozen=True)
class Nights:
    first: Seen
    asked: list[tuple[str, ...]]
    idle: Seen
    edited: Seen
    dropped: Seen
    again: Seen
    wished: Seen


@SCENES.add
def nights(project: Project, sandbox: Sandbox) -> Nights:
    """lead0 was there with it all, lead1 was there with nothing of it, lead2 is ours."""
    known = by_hand(sandbox, 0)
    other = sandbox.account.add_lead("lead1@example.org")
    other.date_joined = BY_HAND
    other.lists["News"] = False
    other.sequences["Win-back"] = SequenceEntry("3", "unsubscribed")
    project.pipeline(LOAD)
    project.contacts([row(number, **OFF) for number in range(3)])
    first = run_seen(project, sandbox)
    asked = calls_for(first.calls, known)
    idle = run_seen(project, sandbox)
    known.tags.add("VIP")  # somebody gives it back by hand, and its person joins the list again
    known.lists["News"] = True
    project.contacts([row(number, City="Oslo", **OFF) for number in range(3)])
    edited = run_seen(project, sandbox)
    project.contacts([row(number, City="Oslo") for number in range(3)])
    dropped = run_seen(project, sandbox)
    project.contacts([row(number, City="Oslo", **OFF) for number in range(3)])
    again = run_seen(project, sandbox)
    project.contacts([row(number, City="Oslo", Tags="VIP", Lists="News") for number in range(3)])
    return Nights(first, asked, idle, edited, dropped, again, run_seen(project, sandbox))


def test_p4_what_a_record_wants_gone_goes_whoever_gave_it_and_nothing_else(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    lead = seen.first.held["lead0@example.org"]
    assert (lead["tags"], lead["lists"]) == ({"Customer"}, {"News": False, "Customers": True})
    assert lead["sequences"] == {"Win-back": ("2", "unsubscribed")}
    assert seen.asked[-1] == (
        *("unassign_tag", "unassign_tag"),
        *("unsubscribe_lead_from_list", "unsubscribe_lead_from_sequence"),
    )
    assert (seen.first.leads, adds_up(seen.first.result)) == (
        {"created": 1, "edited": 1, "unchanged": 1},
        True,
    )


def test_p3_a_lead_that_has_nothing_of_it_costs_no_call_but_the_look(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    about = [call for call in seen.first.calls if said(call).lead.get("email") == "lead1@example.org"]
    assert [call.commands[0] for call in about] == ["create_lead", "get_lead"]
    assert seen.first.held["lead1@example.org"]["lists"] == {"News": False}


def test_p3_nothing_is_taken_off_a_new_lead(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    about = [call for call in seen.first.calls if said(call).lead.get("email") == "lead2@example.org"]
    assert [call.commands for call in about] == [("create_lead",)]


def test_p3_the_same_wish_is_sent_once(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    assert (seen.idle.calls, seen.idle.leads) == ([], {"unchanged": 3})
    assert actions(seen.edited) == [("edit_lead",)] * 3


def test_p4_who_came_back_by_themselves_is_left_alone_while_the_wish_stays_the_same(scenes: Scenes) -> None:
    lead = scenes["nights"].edited.held["lead0@example.org"]
    assert (lead["tags"], lead["lists"]["News"]) == ({"VIP", "Customer"}, True)


def test_p4_a_wish_that_is_dropped_gives_nothing_back_and_comes_anew(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    assert (seen.dropped.calls, seen.dropped.leads) == ([], {"unchanged": 3})
    lead = seen.again.held["lead0@example.org"]
    assert (lead["tags"], lead["lists"]["News"], seen.again.leads) == ({"Customer"}, False, {"edited": 3})


def test_p4_what_was_taken_off_by_wish_can_be_wished_for_again(scenes: Scenes) -> None:
    seen: Nights = scenes["nights"]
    lists = [seen.wished.held[f"lead{number}@example.org"]["lists"].get("News") for number in range(3)]
    assert lists == [True, False, True]  # lead1 had left it itself
    tags = [seen.wished.held[f"lead{number}@example.org"]["tags"] for number in range(3)]
    assert tags == [{"VIP", "Customer"}, {"VIP"}, {"VIP"}]


@SCENES.add
def ours(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen, Seen]:
    """We gave it; then the row wants it gone; then the contact is gone itself, and comes back."""
    project.pipeline(LOAD + "on_removed: [untag, unsubscribe]\nguards: {min_rows: 0, max_removed: 100%}")
    given = row(0, Tags="VIP;Blog", Lists="News;Customers", Course="Win-back", Step="2")
    project.contacts([given, row(1)])
    assert project.run().code == 0
    project.contacts(
        [{**given, "Tags": "Blog", "Lists": "Customers", "Course": "", **OFF, "Untag": "VIP"}, row(1)]
    )
    gone = run_seen(project, sandbox)
    project.contacts([row(1)])
    removed = run_seen(project, sandbox)
    project.contacts([given, row(1)])
    return gone, removed, run_seen(project, sandbox)


def test_p4_what_we_gave_and_the_record_wants_gone_is_taken_once(scenes: Scenes) -> None:
    gone, _, _ = scenes["ours"]
    assert actions(gone) == [
        ("unassign_tag", "VIP"),
        ("unsubscribe_lead_from_list", "News"),
        ("unsubscribe_lead_from_sequence", "Win-back"),
    ]
    lead = gone.held["lead0@example.org"]
    assert (lead["tags"], lead["lists"]) == ({"Blog"}, {"News": False, "Customers": True})
    assert lead["sequences"] == {"Win-back": ("2", "unsubscribed")}


def test_p4_a_removal_gives_nothing_back_and_a_sequence_that_was_left_is_not_started_again(
    scenes: Scenes,
) -> None:
    _, removed, back = scenes["ours"]
    assert actions(removed) == [("unassign_tag", "Blog"), ("unsubscribe_lead_from_list", "Customers")]
    lead = back.held["lead0@example.org"]
    assert (lead["tags"], lead["lists"]) == ({"VIP", "Blog"}, {"News": True, "Customers": True})
    assert lead["starts"] == [("Win-back", "2")]


@SCENES.add
def bad_rows(project: Project, sandbox: Sandbox) -> tuple[Result, Seen, list[Any]]:
    project.pipeline(LOAD)
    project.contacts(
        [
            row(0, Tags="VIP", Untag="Blog;VIP"),
            row(1, Lists="News", Leave="News"),
            row(2, Course="Onboarding", Step="1", Stop="Onboarding"),
            row(3, Course="Onboarding", Step="first box"),
            row(4, Course="Onboarding"),
            row(5, Step="2"),
            row(6, Course="Onboarding", Step="3", Untag="VIP"),
        ]
    )
    checked = project.command("check", "p.yaml")
    seen = run_seen(project, sandbox)
    return checked, seen, project.command("rejects", "p.yaml", "--json").json["rejects"]


def test_p9_what_a_record_asks_for_and_wants_gone_is_not_given_and_nobody_becomes_invalid(
    scenes: Scenes,
) -> None:
    checked, seen, rejects = scenes["bad_rows"]
    reason = 'the sequence step in the column "Step" is not a number'
    assert [(one["row"], one["kind"], one["reason"]) for one in rejects] == [(5, "invalid", reason)]
    assert f"  1 invalid: {reason}\n" in checked.stdout
    assert (seen.result.code, seen.leads) == (3, {"created": 6})
    held = [seen.held[f"lead{number}@example.org"] for number in range(3)]
    assert [(lead["tags"], lead["lists"], lead["starts"]) for lead in held] == [(set(), {}, [])] * 3
    notes = "\n".join(seen.result.json["notes"])
    for name in ('the tag "VIP", and untag', 'the list "News", and unsubscribe', 'the sequence "Onboarding"'):
        assert f"1 record asks for {name}" in notes
    starts = {address: lead["starts"] for address, lead in seen.held.items()}
    del starts["lead0@example.org"], starts["lead1@example.org"], starts["lead2@example.org"]
    assert starts == {
        "lead4@example.org": [],
        "lead5@example.org": [],
        "lead6@example.org": [("Onboarding", "3")],
    }


@SCENES.add
def misspelt(project: Project, sandbox: Sandbox) -> tuple[list[Result], int, list[Seen]]:
    project.pipeline(LOAD)
    project.contacts(
        [row(0, Untag="VPI"), row(1, Leave="Nws", List="Ol"), row(2, Stop="Winback", Untag="VPI")]
    )
    told = [project.command(verb, "p.yaml") for verb in ("check", "plan", "run")]
    sent = len(writes(sandbox))
    project.contacts([row(0, Tags="VIP;Blog")])
    given = run_seen(project, sandbox)
    sandbox.account.tags.remove("VIP")
    project.contacts([row(0, Tags="Blog", Untag="VIP")])
    return told, sent, [given, run_seen(project, sandbox), run_seen(project, sandbox)]


def test_p5_a_name_to_be_gone_that_the_account_lacks_is_named_before_the_first_write(scenes: Scenes) -> None:
    told, sent, _ = scenes["misspelt"]
    for result in told:
        assert result.code == 2
        for line in (
            'list "Nws"; did you mean "News"? (1 lead)',
            'list "Ol list" (1 lead)',
            'sequence "Winback"; did you mean "Win-back"? (1 lead)',
            'tag "VPI"; did you mean "VIP"? (2 leads)',
        ):
            assert f"  {line}\n" in result.stdout + result.stderr
    assert sent == 0


def test_p5_a_tag_of_ours_that_the_account_lost_is_gone_already(scenes: Scenes) -> None:
    _, _, (given, gone, idle) = scenes["misspelt"]
    assert (given.leads, gone.leads, idle.leads) == ({"created": 1}, {"edited": 1}, {"unchanged": 1})
    assert (gone.result.code, idle.calls) == (0, [])


@SCENES.add
def killed(project: Project, sandbox: Sandbox) -> Seen:
    """Four calls have no answer when the process dies: every second one has landed. Then the rows change."""
    for number in range(4):
        by_hand(sandbox, number)
    project.pipeline(LOAD, kartra="settle_s: 1\nworkers: 4\ntimeout_s: 5")
    project.contacts([row(number) for number in range(4)])
    assert project.run().code == 0
    project.contacts([row(number, **OFF) for number in range(4)])
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"unassign_tag"})))
    process = project.start("run", "p.yaml", "--json")
    wait_until(lambda: sum(call.executed for call in sandbox.calls if call.fault) == 4, "four calls")
    kill(process)
    for number in (0, 2):
        lead = sandbox.account.lead(f"lead{number}@example.org")
        assert lead is not None
        lead.tags |= {"VIP", "Blog"}
        lead.lists["News"] = True
        lead.sequences["Win-back"] = SequenceEntry("2")
    sandbox.set_faults(Faults())
    project.contacts([row(number, City="Oslo", **OFF) for number in range(4)])
    return run_seen(project, sandbox)


def test_p1_after_a_kill_only_what_is_not_gone_yet_is_taken_off(scenes: Scenes) -> None:
    seen: Seen = scenes["killed"]
    assert (seen.leads, seen.result.code) == ({"edited": 4}, 0)
    for lead in seen.held.values():
        assert (lead["tags"], lead["lists"]) == ({"Customer"}, {"News": False, "Customers": True})
        assert lead["sequences"] == {"Win-back": ("2", "unsubscribed")}
    writes = sorted(call.commands for call in seen.calls if call.commands != ("get_lead",))
    taking = ("unassign_tag", "unassign_tag", "unsubscribe_lead_from_list", "unsubscribe_lead_from_sequence")
    assert writes == [("edit_lead",), ("edit_lead",), ("edit_lead", *taking), ("edit_lead", *taking)]


FAULTS = {
    "lost": Faults(cut_before=0.2, cut_after=0.2, seed=3),
    "spoiled": Faults(missing_entry=0.2, bad_gateway_before=0.1, bad_gateway_after=0.1, seed=4),
}


def under(faults: Faults) -> Any:
    def scene(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
        for number in range(8):
            by_hand(sandbox, number)
        project.pipeline(LOAD, kartra="settle_s: 1\ntimeout_s: 2")
        project.contacts([row(number, City="Lyon", **OFF) for number in range(8)])
        sandbox.set_options(effect_delay_s=0.3)
        sandbox.set_faults(faults)
        first = run_seen(project, sandbox)
        sandbox.set_faults(Faults())
        return first, run_seen(project, sandbox)

    return scene


for _name, _faults in FAULTS.items():
    SCENES.add(under(_faults), _name)


@pytest.mark.parametrize("name", FAULTS)
def test_p1_what_is_to_be_gone_is_gone_whatever_answers_are_lost(scenes: Scenes, name: str) -> None:
    first, second = scenes[name]
    assert sum(call.fault is not None for call in first.calls) >= 4
    assert (first.leads, second.leads, second.calls) == ({"edited": 8}, {"unchanged": 8}, [])
    for lead in second.held.values():
        assert (lead["tags"], lead["lists"]) == ({"Customer"}, {"News": False, "Customers": True})
        assert lead["sequences"] == {"Win-back": ("2", "unsubscribed")}
