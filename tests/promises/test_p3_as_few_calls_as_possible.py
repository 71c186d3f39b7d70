"""P3: a changed lead costs one call with what changed and nothing else, an unchanged lead costs none."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import SequenceEntry
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
    inventories,
    lose_state,
    run_seen,
    said,
    wished,
)

SCENES = Scenes()
ALL_INVENTORIES = [
    "retrieve_account_lists",
    "retrieve_account_sequences",
    "retrieve_account_tags",
    "retrieve_custom_fields",
]
NEWS = ("subscribe_lead_to_list", "News")
ONBOARDING = ("subscribe_lead_to_sequence_at_step", "Onboarding", "1")


def tag(name: str) -> tuple[str, str]:
    return ("assign_tag", name)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    yield from SCENES.play(tmp_path_factory.mktemp("scenes"))


# --- a chain that failed in the middle


@dataclass(frozen=True)
class Completed:
    failed: Seen
    completed: Seen
    again: Seen


def tag_deleted(chain_errors: str) -> Scene:
    """A tag is deleted in Kartra although the list of tags still has it; later it is there again."""

    def scene(project: Project, sandbox: Sandbox) -> Completed:
        sandbox.set_options(chain_errors=chain_errors)
        project.pipeline(LOAD)
        project.contacts([contact(0)])
        assert project.run().code == 0
        sandbox.account.tags.remove("Blog")
        project.contacts([contact(0), contact(1)])
        failed = run_seen(project, sandbox)
        sandbox.account.tags.append("Blog")
        return Completed(failed, run_seen(project, sandbox), run_seen(project, sandbox))

    return scene


for _name in ("flat", "nested"):
    SCENES.add(tag_deleted(_name), _name)


# flat: the chain stops at its first tag, and Kartra does not say at which; nested: the rest was carried out
BLOG_MISSING = {
    "flat": {**wished(contact(1)), "tags": set(), "lists": {}, "sequences": {}, "starts": []},
    "nested": {**wished(contact(1)), "tags": {"Imported", "VIP"}},
}
MISSING = {
    "flat": [tag("Blog"), tag("Imported"), tag("VIP"), NEWS, ONBOARDING],
    "nested": [tag("Blog")],
}


@pytest.mark.parametrize("chain_errors", ["flat", "nested"])
def test_p3_a_chain_that_failed_in_the_middle_is_completed_by_what_is_missing(
    scenes: Scenes, chain_errors: str
) -> None:
    seen: Completed = scenes[chain_errors]
    assert (seen.failed.result.code, seen.failed.leads) == (2, {"unchanged": 1, "deferred": 1})
    assert 'tag does not exist (212): "blog"' in seen.failed.result.stderr.lower()
    assert seen.failed.held[contact(1)["Email"]] == BLOG_MISSING[chain_errors]
    writes = [call for call in about_leads(seen.completed.calls) if call.commands != ("get_lead",)]
    assert [said(call).actions for call in writes] == [MISSING[chain_errors]]
    assert seen.completed.leads == {"unchanged": 1, "edited": 1}
    assert seen.completed.held == all_wished([contact(0), contact(1)])
    assert seen.again.calls == []


@pytest.mark.parametrize("chain_errors", ["flat", "nested"])
def test_p3_a_chain_whose_failure_was_answered_is_not_read_back_by_the_next_run(
    scenes: Scenes, chain_errors: str
) -> None:
    calls = scenes[chain_errors].completed.calls
    assert inventories(calls) == ALL_INVENTORIES
    assert [call.commands[0] for call in about_leads(calls)] == ["assign_tag"]


@SCENES.add
def answer_without_its_last_entry(project: Project, sandbox: Sandbox) -> Seen:
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(3)])
    sandbox.set_faults(Faults(missing_entry=1.0))
    return run_seen(project, sandbox)


def test_p3_a_chain_whose_answer_lacks_an_entry_is_read_once_and_not_repeated(scenes: Scenes) -> None:
    seen: Seen = scenes["answer_without_its_last_entry"]
    commands = sorted(call.commands[0] for call in about_leads(seen.calls))
    assert commands == ["create_lead"] * 3 + ["get_lead"] * 3
    assert seen.result.json["calls"]["read_back"] == 3
    assert seen.leads == {"created": 3}
    assert seen.held == all_wished([contact(number) for number in range(3)])


# --- new, changed, unchanged


@dataclass(frozen=True)
class Story:
    """One source over five nights."""

    ids: dict[str, str]  # address: id
    loaded: Seen
    again: Seen
    changed: Seen
    column: Seen
    mapping: Seen


CHANGES: dict[int, dict[str, str]] = {
    **{number: {"City": "Oslo"} for number in range(5)},
    **{number: {"Note": f"new note, {number}"} for number in range(5, 8)},
    **{number: {"Fruits": "pear"} for number in (8, 9)},
    10: {"Tags": "Blog;VIP;Customer"},
    11: {"Tags": "Customer"},
    12: {"Tags": "VIP;Customer"},
    13: {"Tags": "Blog"},
    14: {"First": "Anew", "Size": "small"},
}


@SCENES.add
def story(project: Project, sandbox: Sandbox) -> Story:
    rows = [contact(number) for number in range(30)]
    project.pipeline(LOAD)
    project.contacts(rows)
    loaded, again = run_seen(project, sandbox), run_seen(project, sandbox)
    rows = [contact(number, **CHANGES.get(number, {})) for number in range(30)]
    project.contacts(rows)
    changed = run_seen(project, sandbox)
    rows = [{**row, "Phone": f"+33 {number}" if number < 5 else ""} for number, row in enumerate(rows)]
    project.contacts(rows)
    column = run_seen(project, sandbox)
    project.pipeline(LOAD.replace("city: City", "city: City, phone: Phone"))
    mapping = run_seen(project, sandbox)
    ids = {lead.email: lead.id for lead in sandbox.account.leads.values()}
    return Story(ids, loaded, again, changed, column, mapping)


def test_p3_a_new_lead_is_one_call_with_everything_in_the_right_order(scenes: Scenes) -> None:
    seen: Seen = scenes["story"].loaded
    assert inventories(seen.calls) == ALL_INVENTORIES
    assert len(seen.calls) == 4 + 30 + 1  # the first lead of an account is read back, for its mode
    writes = [call for call in about_leads(seen.calls) if call.commands != ("get_lead",)]
    sent = {said(call).lead["email"]: said(call) for call in writes}
    assert len(sent) == 30
    assert sent["lead1@example.org"] == Said(
        {"email": "lead1@example.org", "first_name": "First 1", "city": "Kraków"},
        {"note": "note, 1", "size": "611", "fruits": ["1", "2"]},
        [("create_lead",), tag("Blog"), tag("Imported"), tag("VIP"), NEWS, ONBOARDING],
    )
    assert sent["lead2@example.org"] == Said(
        {"email": "lead2@example.org", "first_name": "First 2", "city": "Leeds"},
        {"note": "note, 2", "size": "612", "fruits": ["3"]},
        [("create_lead",), tag("Imported"), NEWS, ONBOARDING],
    )
    assert seen.leads == {"created": 30}
    assert adds_up(seen.result)


def test_p3_a_second_run_right_after_makes_no_call_at_all(scenes: Scenes) -> None:
    seen: Seen = scenes["story"].again
    assert (seen.calls, seen.leads, seen.result.code) == ([], {"unchanged": 30}, 0)
    assert seen.result.json["calls"] == {"sent": 0, "throttled": 0, "retried": 0, "read_back": 0}


def test_p3_fifteen_changed_leads_are_fifteen_calls_with_only_what_changed(scenes: Scenes) -> None:
    told: Story = scenes["story"]
    ids = [told.ids[contact(number)["Email"]] for number in range(30)]
    edit = [("edit_lead",)]
    expected = [
        *(Said({"id": ids[number], "city": "Oslo"}, {}, edit) for number in range(5)),
        *(Said({"id": ids[number]}, {"note": f"new note, {number}"}, edit) for number in range(5, 8)),
        *(Said({"id": ids[number]}, {"fruits": ["2"]}, edit) for number in (8, 9)),
        *(Said({"id": ids[number]}, {}, [tag("Customer")]) for number in (10, 11, 12)),
        Said({"id": ids[13]}, {}, [("unassign_tag", "VIP")]),
        Said({"id": ids[14], "first_name": "Anew"}, {"size": "610"}, edit),
    ]
    by_id = {said(call).lead["id"]: said(call) for call in about_leads(told.changed.calls)}
    assert by_id == {one.lead["id"]: one for one in expected}
    assert len(about_leads(told.changed.calls)) == 15
    assert inventories(told.changed.calls) == ["retrieve_custom_fields"]  # they are filled: those of now
    assert told.changed.leads == {"edited": 15, "unchanged": 15}
    assert told.changed.result.json["actions"] == {"assign_tag": 3, "edit_lead": 11, "unassign_tag": 1}
    assert told.changed.held == all_wished(
        [contact(number, **CHANGES.get(number, {})) for number in range(30)]
    )


def test_p3_a_new_column_that_nothing_uses_changes_nothing(scenes: Scenes) -> None:
    seen: Seen = scenes["story"].column
    assert (seen.calls, seen.leads) == ([], {"unchanged": 30})


def test_p3_a_new_mapping_sends_just_that_field(scenes: Scenes) -> None:
    told: Story = scenes["story"]
    assert sorted((said(call) for call in told.mapping.calls), key=lambda one: one.lead["phone"]) == [
        Said({"id": told.ids[contact(number)["Email"]], "phone": f"+33 {number}"}, {}, [("edit_lead",)])
        for number in range(5)
    ]
    assert told.mapping.leads == {"edited": 5, "unchanged": 25}


# --- leads that Kartra had before us


@dataclass(frozen=True)
class Adopted:
    same_calls: list[tuple[str, ...]]
    other_calls: list[tuple[str, ...]]
    other_said: list[Said]
    other_id: str
    first: Seen
    again: Seen


def existing(rule: str) -> Scene:
    """lead0 is in Kartra just as wished; lead1 has another city and half of the rest; lead2 is not there."""

    def scene(project: Project, sandbox: Sandbox) -> Adopted:
        account = sandbox.account
        same = account.add_lead("lead0@example.org", first_name="First 0", city="Lyon")
        same.tags |= {"Imported", "VIP", "Customer"}
        same.lists |= {"News": True, "Old": False}
        same.sequences["Onboarding"] = SequenceEntry("3")
        same.custom_fields |= {"note": "note, 0", "size": ["610"], "fruits": ["1"]}
        other = account.add_lead("lead1@example.org", first_name="First 1", city="Rome", company="Acme")
        other.tags |= {"VIP", "Customer"}
        other.custom_fields["size"] = ["611"]
        project.pipeline(LOAD + f"existing: {rule}")
        project.contacts([contact(number) for number in range(3)])
        first = run_seen(project, sandbox)
        return Adopted(
            calls_for(first.calls, same),
            calls_for(first.calls, other),
            [said(call) for call in first.calls if said(call).lead.get("id") == other.id],
            other.id,
            first,
            run_seen(project, sandbox),
        )

    return scene


for _name in ("update", "fill_blanks", "skip"):
    SCENES.add(existing(_name), _name)

SAME = {
    "fields": {"first_name": "First 0", "city": "Lyon"},
    "custom_fields": {"note": "note, 0", "size": ["610"], "fruits": ["1"]},
    "tags": {"Imported", "VIP", "Customer"},
    "lists": {"News": True, "Old": False},
    "sequences": {"Onboarding": ("3", "active")},
    "starts": [],
}
OTHER = {
    "fields": {"first_name": "First 1", "city": "Rome", "company": "Acme"},
    "custom_fields": {"size": ["611"]},
    "tags": {"VIP", "Customer"},
    "lists": {},
    "sequences": {},
    "starts": [],
}
MENDED = {
    "fields": {"first_name": "First 1", "city": "Kraków", "company": "Acme"},
    "custom_fields": {"note": "note, 1", "size": ["611"], "fruits": ["1", "2"]},
    "tags": {"Imported", "Blog", "VIP", "Customer"},
    "lists": {"News": True},
    "sequences": {"Onboarding": ("1", "active")},
    "starts": [("Onboarding", "1")],
}


@pytest.mark.parametrize("rule", ["update", "fill_blanks"])
def test_p3_a_lead_that_exists_already_is_read_and_only_differences_are_sent(
    scenes: Scenes, rule: str
) -> None:
    seen: Adopted = scenes[rule]
    city = {"city": "Kraków"} if rule == "update" else {}
    mended = {**MENDED, "fields": {**MENDED["fields"], "city": "Rome", **city}}  # type: ignore[dict-item]
    commands = ("edit_lead", "assign_tag", "assign_tag", NEWS[0], ONBOARDING[0])
    assert [names[0] for names in seen.same_calls] == ["create_lead", "get_lead"]
    assert [names[0] for names in seen.other_calls] == ["create_lead", "get_lead", "edit_lead"]
    assert seen.other_calls[2] == commands
    assert seen.other_said == [
        Said(
            {"id": seen.other_id, **city},
            {"note": "note, 1", "fruits": ["1", "2"]},
            [("edit_lead",), tag("Blog"), tag("Imported"), NEWS, ONBOARDING],
        )
    ]
    assert seen.first.leads == {"unchanged": 1, "edited": 1, "created": 1}
    assert seen.first.held == {
        "lead0@example.org": SAME,
        "lead1@example.org": mended,
        "lead2@example.org": wished(contact(2)),
    }
    assert adds_up(seen.first.result)
    assert (seen.again.calls, seen.again.leads) == ([], {"unchanged": 3})


def test_p3_a_lead_that_exists_already_and_is_to_be_skipped_stays_as_it_is(scenes: Scenes) -> None:
    seen: Adopted = scenes["skip"]
    assert seen.first.leads == {"skipped": 2, "created": 1}
    assert seen.first.held == {
        "lead0@example.org": SAME,
        "lead1@example.org": OTHER,
        "lead2@example.org": wished(contact(2)),
    }
    assert adds_up(seen.first.result)
    assert (seen.again.calls, seen.again.leads) == ([], {"skipped": 2, "unchanged": 1})


@SCENES.add
def without_state(project: Project, sandbox: Sandbox) -> tuple[Seen, list[tuple[str, ...]]]:
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(4)])
    assert project.run().code == 0
    lose_state(project)
    seen = run_seen(project, sandbox)
    return seen, [call.commands[:1] for call in about_leads(seen.calls)]


def test_p3_without_its_state_a_run_reads_each_lead_once_and_writes_nothing(scenes: Scenes) -> None:
    seen, commands = scenes["without_state"]
    assert sorted(commands) == [("create_lead",)] * 4 + [("get_lead",)] * 4
    assert seen.leads == {"unchanged": 4}
    assert seen.held == all_wished([contact(number) for number in range(4)])


# --- what was refused


@SCENES.add
def refused(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen, Seen]:
    """lead0 was deleted in Kartra. The third run has a changed row for it."""
    sandbox.account.add_lead("lead0@example.org").deleted = True
    project.pipeline(LOAD)
    project.contacts([contact(0), contact(1)])
    first, second = run_seen(project, sandbox), run_seen(project, sandbox)
    project.contacts([contact(0, City="Oslo"), contact(1)])
    return first, second, run_seen(project, sandbox)


def test_p3_what_kartra_refused_is_sent_again_only_when_its_row_changed(scenes: Scenes) -> None:
    first, second, third = scenes["refused"]
    assert (first.result.code, first.leads) == (3, {"rejected": 1, "created": 1})
    assert (second.calls, second.leads) == ([], {"parked": 1, "unchanged": 1})
    assert [said(call).lead["email"] for call in about_leads(third.calls)] == ["lead0@example.org"]
    assert third.leads == {"rejected": 1, "unchanged": 1}
    assert [adds_up(seen.result) for seen in (first, second, third)] == [True, True, True]


@SCENES.add
def removal_refused(project: Project, sandbox: Sandbox) -> tuple[Seen, Seen]:
    """A contact is gone from the source, and its lead was deleted in Kartra."""
    project.pipeline(LOAD + "on_removed: [untag]\nguards: {max_removed: 100%}")
    project.contacts([contact(0), contact(1)])
    assert project.run().code == 0
    lead = sandbox.account.lead("lead0@example.org")
    assert lead is not None
    lead.deleted = True
    project.contacts([contact(1)])
    return run_seen(project, sandbox), run_seen(project, sandbox)


def test_p3_a_removal_that_kartra_refused_is_not_sent_every_night(scenes: Scenes) -> None:
    first, second = scenes["removal_refused"]
    assert [call.commands[0] for call in first.calls] == ["unassign_tag"]
    assert second.calls == []
