"""P4: who left is not put back, who did not agree is not sent, and what a person set by hand stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SandboxLead, SequenceEntry
from tests.conftest import LOAD, Project, contact
from tests.promises.scenes import (
    Said,
    Scene,
    Scenes,
    Seen,
    about_leads,
    adds_up,
    all_wished,
    calls_for,
    held,
    lose_state,
    run_seen,
    said,
    wished,
)

SCENES = Scenes()
ATTESTED = LOAD.replace('{column: Consent, accepted: ["yes"]}', '{attested: "sign-up form, 2025"}')
LEFT = SequenceEntry("2", "unsubscribed")
FIELDS_ASKED_FOR = Said({}, {}, [("retrieve_custom_fields",)])
"""A run that fills custom fields asks for them anew."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


def lead_of(sandbox: Sandbox, number: int) -> SandboxLead:
    lead = sandbox.account.lead(contact(number)["Email"])
    assert lead is not None
    return lead


def changes_of(seen: Seen) -> list[tuple[str, ...]]:
    """Every action that Kartra carried out on a lead, over all calls of a run: 244 is a refused creation."""
    carried_out = [call for call in about_leads(seen.calls) if call.error_type != "244"]
    return [action for call in carried_out for action in said(call).actions]


# --- who left, and what was set by hand


@dataclass(frozen=True)
class Nights:
    first: Seen
    second: Seen
    by_hand: dict[str, Any]
    third: Seen


@SCENES.add
def three_nights(project: Project, sandbox: Sandbox) -> Nights:
    """lead0 left before we came, lead1 after our first night; the state is lost before the third."""
    gone_before = sandbox.account.add_lead("lead0@example.org", first_name="First 0", company="Acme")
    gone_before.tags.add("Customer")
    gone_before.lists |= {"News": False, "Old": True}
    gone_before.sequences["Onboarding"] = LEFT
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(3)])
    first = run_seen(project, sandbox)

    gone_after = lead_of(sandbox, 1)
    gone_after.lists["News"] = False
    gone_after.sequences["Onboarding"] = LEFT
    gone_after.tags = {"Imported", "Blog", "Customer"}  # VIP taken away, Customer given
    gone_after.fields["company"] = "By hand"
    gone_after.fields["first_name"] = "By hand"
    gone_after.custom_fields["note"] = "by hand"
    by_hand = held(sandbox)["lead1@example.org"]
    project.contacts([contact(number, City="Oslo") for number in range(3)])
    second = run_seen(project, sandbox)

    lose_state(project)
    project.contacts([contact(number, City="Bergen") for number in range(3)])
    return Nights(first, second, by_hand, run_seen(project, sandbox))


def test_p4_who_left_a_list_before_we_came_is_not_put_back(scenes: Scenes) -> None:
    seen: Nights = scenes["three_nights"]
    lists = [night.held["lead0@example.org"]["lists"] for night in (seen.first, seen.second, seen.third)]
    assert lists == [{"News": False, "Old": True}] * 3
    assert seen.first.held["lead0@example.org"] == {
        "fields": {"first_name": "First 0", "city": "Lyon", "company": "Acme"},
        "custom_fields": {"note": "note, 0", "size": ["610"], "fruits": ["1"]},
        "tags": {"Imported", "VIP", "Customer"},
        "lists": {"News": False, "Old": True},
        "sequences": {"Onboarding": ("2", "unsubscribed")},
        "starts": [],
    }


def test_p4_who_left_a_list_after_our_load_is_not_put_back(scenes: Scenes) -> None:
    seen: Nights = scenes["three_nights"]
    assert seen.second.held["lead1@example.org"]["lists"] == {"News": False}
    assert sorted(changes_of(seen.second)) == [("edit_lead",)] * 3


def test_p4_who_left_a_list_is_not_put_back_when_the_state_is_lost(scenes: Scenes) -> None:
    seen: Nights = scenes["three_nights"]
    assert {email: lead["lists"] for email, lead in seen.third.held.items()} == {
        "lead0@example.org": {"News": False, "Old": True},
        "lead1@example.org": {"News": False},
        "lead2@example.org": {"News": True},
    }
    assert seen.third.leads == {"edited": 3}
    assert [action for action in changes_of(seen.third) if action[0].startswith("subscribe")] == []


def test_p4_a_sequence_somebody_has_left_is_not_started_again(scenes: Scenes) -> None:
    seen: Nights = scenes["three_nights"]
    assert {email: (lead["sequences"], lead["starts"]) for email, lead in seen.third.held.items()} == {
        "lead0@example.org": ({"Onboarding": ("2", "unsubscribed")}, []),
        "lead1@example.org": ({"Onboarding": ("2", "unsubscribed")}, [("Onboarding", "1")]),
        "lead2@example.org": ({"Onboarding": ("1", "active")}, [("Onboarding", "1")]),
    }


def test_p4_what_was_set_by_hand_stays_when_the_row_changes_elsewhere(scenes: Scenes) -> None:
    seen: Nights = scenes["three_nights"]
    expected = {**seen.by_hand, "fields": {**seen.by_hand["fields"], "city": "Oslo"}}
    assert seen.second.held["lead1@example.org"] == expected
    assert expected["fields"] == {"first_name": "By hand", "company": "By hand", "city": "Oslo"}


@SCENES.add
def mapping_grows(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """lead0 was in Kartra and had left a list and a sequence that nothing mapped; then they are mapped."""
    known = sandbox.account.add_lead("lead0@example.org")
    known.lists["Customers"] = False
    known.sequences["Win-back"] = LEFT
    project.pipeline(LOAD)
    project.contacts([contact(0), contact(1)])
    first = run_seen(project, sandbox)
    grown = LOAD.replace("lists: [News]", "lists: [News, Customers]").replace(
        "[{name: Onboarding, step: 1}]", "[{name: Onboarding, step: 1}, {name: Win-back, step: 1}]"
    )
    project.pipeline(grown)
    return first, run_seen(project, sandbox)


def test_p4_a_list_that_was_left_before_we_came_is_not_joined_when_it_is_mapped_later(
    scenes: Scenes,
) -> None:
    first, second = scenes["mapping_grows"]
    assert first.leads == {"edited": 1, "created": 1}
    assert {email: lead["lists"] for email, lead in second.held.items()} == {
        "lead0@example.org": {"News": True, "Customers": False},
        "lead1@example.org": {"News": True, "Customers": True},
    }


def test_p4_a_sequence_that_was_left_before_we_came_is_not_started_when_it_is_mapped_later(
    scenes: Scenes,
) -> None:
    _, second = scenes["mapping_grows"]
    assert {email: lead["starts"] for email, lead in second.held.items()} == {
        "lead0@example.org": [("Onboarding", "1")],
        "lead1@example.org": [("Onboarding", "1"), ("Win-back", "1")],
    }


# --- who agreed


@SCENES.add
def consent_column(project: Project, sandbox: Sandbox) -> tuple[str, Seen, Seen]:
    """Each answer once; then who had agreed says no, with a changed row."""
    answers = ["yes", "no", "", "Unsubscribed", "maybe", " YES "]
    project.pipeline(LOAD)
    project.contacts([contact(number, Consent=answer) for number, answer in enumerate(answers)])
    first = run_seen(project, sandbox)
    project.contacts(
        [contact(0, Consent="no", City="Oslo"), *(contact(number, Consent="no") for number in range(1, 6))]
    )
    return lead_of(sandbox, 0).id, first, run_seen(project, sandbox)


def test_p4_a_row_without_consent_is_never_sent(scenes: Scenes) -> None:
    lead_id, first, second = scenes["consent_column"]
    assert first.held == all_wished([contact(0), contact(5)])
    read_back = [call for call in about_leads(first.calls) if call.commands == ("get_lead",)]
    written = [call for call in about_leads(first.calls) if call.commands != ("get_lead",)]
    assert sorted(said(call).lead["email"] for call in written) == ["lead0@example.org", "lead5@example.org"]
    assert [said(call).lead for call in read_back] == [{"id": lead_id}]  # it shows the mode of the App
    assert (first.result.json["rows"], first.leads) == (
        {"read": 6, "invalid": 0, "duplicate": 0, "blocked": 4},
        {"created": 2},
    )
    assert adds_up(first.result)
    assert (second.calls, second.held) == ([], first.held)
    assert second.result.json["rows"]["blocked"] == 6


MAY_BE_SENT = {"Status": "active", "Email status": "Active", "Opted Out": "false", "UNSUB_TIME": ""}
BY_DESIGN = [
    (column, cell)
    for column in ("Status", "Email status")
    for cell in ("unsubscribed", "Bounced", " complained ")
]
BY_EXPORTS = [
    *(("Status", cell) for cell in ("cleaned", "Cancelled", "removed", "blocked", "archived")),
    *(("Opted Out", cell) for cell in ("true", "TRUE")),
    ("UNSUB_TIME", "2025-03-01 10:00:00"),
]


@SCENES.add
def opted_out(project: Project, sandbox: Sandbox) -> Seen:
    """One export, attested as a whole: each word once, and before them one person who did not opt out."""
    project.pipeline(ATTESTED)
    rows = [
        {**contact(number), **MAY_BE_SENT, column: cell}
        for number, (column, cell) in enumerate(BY_DESIGN + BY_EXPORTS, start=1)
    ]
    project.contacts([{**contact(0), **MAY_BE_SENT}, *rows])
    return run_seen(project, sandbox)


@pytest.mark.parametrize(("column", "cell"), BY_DESIGN)
def test_p4_a_row_that_says_opted_out_is_never_sent_even_where_consent_is_attested(
    scenes: Scenes, column: str, cell: str
) -> None:
    seen: Seen = scenes["opted_out"]
    number = 1 + BY_DESIGN.index((column, cell))
    assert seen.held["lead0@example.org"] == wished(contact(0))
    assert contact(number)["Email"] not in seen.held


@pytest.mark.parametrize(("column", "cell"), BY_EXPORTS)
def test_p4_a_row_that_says_opted_out_in_the_words_of_an_export_is_never_sent(
    scenes: Scenes, column: str, cell: str
) -> None:
    """The words of contact-exports.md: "statuses that mean opted out, everywhere"."""
    seen: Seen = scenes["opted_out"]
    number = 1 + len(BY_DESIGN) + BY_EXPORTS.index((column, cell))
    assert seen.held["lead0@example.org"] == wished(contact(0))
    assert contact(number)["Email"] not in seen.held


def test_p4_who_opted_out_is_counted_as_blocked(scenes: Scenes) -> None:
    seen: Seen = scenes["opted_out"]
    assert seen.result.json["rows"]["blocked"] == len(BY_DESIGN + BY_EXPORTS)
    assert seen.leads == {"created": 1}
    assert adds_up(seen.result)


@SCENES.add
def opted_out_in_one_of_two_rows(project: Project, sandbox: Sandbox) -> Seen:
    project.pipeline(ATTESTED)
    project.contacts(
        [
            {**contact(0), "Status": "unsubscribed"},
            {**contact(0), "Status": "active"},
            {**contact(1), "Status": "active"},
        ]
    )
    return run_seen(project, sandbox)


def test_p4_who_opted_out_in_one_of_two_rows_is_not_sent(scenes: Scenes) -> None:
    seen: Seen = scenes["opted_out_in_one_of_two_rows"]
    assert seen.held == all_wished([contact(1)])
    assert seen.result.json["rows"] == {"read": 3, "invalid": 0, "duplicate": 1, "blocked": 1}
    assert adds_up(seen.result)


# --- blank cells


BLANK = {"City": "", "Note": "", "Size": "", "Fruits": "", "Tags": ""}


def blanked(rule: str) -> Scene:
    def scene(project: Project, sandbox: Sandbox) -> tuple[str, Seen]:
        project.pipeline(LOAD + f"blank: {rule}")
        project.contacts([contact(1)])
        assert project.run().code == 0
        project.contacts([contact(1, First="Anew", **BLANK)])
        return lead_of(sandbox, 1).id, run_seen(project, sandbox)

    return scene


for _name in ("ignore", "clear"):
    SCENES.add(blanked(_name), f"blank {_name}")


def test_p4_a_blank_cell_overwrites_nothing(scenes: Scenes) -> None:
    lead_id, seen = scenes["blank ignore"]
    assert [said(call) for call in seen.calls] == [
        Said({"id": lead_id, "first_name": "Anew"}, {}, [("edit_lead",)])
    ]
    assert seen.held == all_wished([contact(1, First="Anew")])


def test_p4_a_blank_cell_clears_where_it_is_told_to(scenes: Scenes) -> None:
    lead_id, seen = scenes["blank clear"]
    assert [said(call) for call in seen.calls] == [
        FIELDS_ASKED_FOR,
        Said(
            {"id": lead_id, "first_name": "Anew", "city": ""},
            {"note": "", "size": "", "fruits": ""},
            [("edit_lead",), ("unassign_tag", "Blog"), ("unassign_tag", "VIP")],
        ),
    ]
    assert seen.held == all_wished([contact(1, First="Anew", **BLANK)])


# --- contacts that are gone from the source


@SCENES.add
def removed(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """lead0 is ours, with more set by hand; lead1 had one tag and the list before we came. Both are gone."""
    known = sandbox.account.add_lead("lead1@example.org", first_name="First 1")
    known.tags |= {"VIP", "Customer"}
    known.lists |= {"News": True, "Customers": True}
    project.pipeline(LOAD + "on_removed: [untag, unsubscribe]\nguards: {max_removed: 100%}")
    project.contacts([contact(number) for number in range(3)])
    assert project.run().code == 0
    ours = lead_of(sandbox, 0)
    ours.tags.add("Customer")
    ours.lists["Customers"] = True
    ours.fields["company"] = "By hand"
    project.contacts([contact(2)])
    return run_seen(project, sandbox), run_seen(project, sandbox)


def test_p4_who_is_gone_loses_only_what_we_gave(scenes: Scenes) -> None:
    first, again = scenes["removed"]
    assert first.leads == {"unchanged": 1, "removed": 2}
    loaded = wished(contact(0))
    assert first.held["lead0@example.org"] == {
        **loaded,
        "fields": {**loaded["fields"], "company": "By hand"},
        "tags": {"Customer"},
        "lists": {"News": False, "Customers": True},
    }
    assert first.held["lead2@example.org"] == wished(contact(2))
    assert (again.calls, again.leads) == ([], {"unchanged": 1})


def test_p4_who_is_gone_keeps_what_was_there_before_we_came(scenes: Scenes) -> None:
    first, _ = scenes["removed"]
    assert first.held["lead1@example.org"] == {
        **wished(contact(1)),
        "tags": {"VIP", "Customer"},
        "lists": {"News": True, "Customers": True},
    }


# --- sync modes, and leads to be skipped


def in_mode(sync_mode: str) -> Scene:
    """lead0 is in Kartra, lead1 is not; then both rows change."""

    def scene(project: Project, sandbox: Sandbox) -> tuple[str, Seen, Seen]:
        known = sandbox.account.add_lead("lead0@example.org", first_name="By hand", city="Rome")
        project.pipeline(LOAD + f"sync_mode: {sync_mode}")
        project.contacts([contact(0), contact(1)])
        first = run_seen(project, sandbox)
        project.contacts([contact(0, City="Oslo"), contact(1, City="Oslo")])
        return known.id, first, run_seen(project, sandbox)

    return scene


for _name in ("create_only", "update_only"):
    SCENES.add(in_mode(_name), _name)

BY_HAND = {
    "fields": {"first_name": "By hand", "city": "Rome"},
    "custom_fields": {},
    "tags": set(),
    "lists": {},
    "sequences": {},
    "starts": [],
}


def test_p4_create_only_touches_no_lead_that_is_there(scenes: Scenes) -> None:
    _, first, second = scenes["create_only"]
    assert first.leads == {"created": 1, "skipped": 1}
    assert first.held == {"lead0@example.org": BY_HAND, "lead1@example.org": wished(contact(1))}
    assert (second.calls, second.leads, second.held) == ([], {"skipped": 2}, first.held)
    assert [adds_up(seen.result) for seen in (first, second)] == [True, True]


def test_p4_update_only_creates_no_lead(scenes: Scenes) -> None:
    known_id, first, second = scenes["update_only"]
    assert [call.commands for call in first.calls if "create_lead" in call.commands] == []
    assert first.leads == {"edited": 1, "skipped": 1}
    assert first.held == {"lead0@example.org": wished(contact(0))}
    assert second.leads == {"edited": 1, "skipped": 1}
    assert [said(call) for call in second.calls if "get_lead" not in call.commands] == [
        FIELDS_ASKED_FOR,
        Said({"id": known_id, "city": "Oslo"}, {}, [("edit_lead",)]),
    ]
    assert second.held == {"lead0@example.org": wished(contact(0, City="Oslo"))}
    assert [adds_up(seen.result) for seen in (first, second)] == [True, True]


@SCENES.add
def skipped_without_an_answer(project: Project, sandbox: Sandbox) -> tuple[list[tuple[str, ...]], Seen]:
    """Only the address is mapped; lead0 is there, and the answer that says so is lost."""
    known = sandbox.account.add_lead("lead0@example.org", first_name="By hand", city="Rome")
    known.date_joined = "2024-01-01 00:00:00"
    project.pipeline(
        """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
tags: [Imported]
lists: [News]
sequences: [{name: Onboarding, step: 1}]
existing: skip
consent: {attested: "sign-up form, 2025"}
"""
    )
    project.contacts([contact(0)])
    sandbox.set_faults(Faults(bad_gateway_after=1.0, commands=frozenset({"create_lead"}), to_call=4))
    seen = run_seen(project, sandbox)
    return calls_for(seen.calls, known), seen


def test_p4_a_lead_to_be_skipped_is_left_alone_when_the_answer_was_lost(scenes: Scenes) -> None:
    calls, seen = scenes["skipped_without_an_answer"]
    assert seen.held == {"lead0@example.org": BY_HAND}
    assert seen.leads == {"skipped": 1}
    assert calls[0][0] == "create_lead"
    assert set(calls[1:]) == {("get_lead",)}
