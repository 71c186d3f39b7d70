"""One change becomes one call, and outlives a crash as JSON."""

from typing import Any

import pytest
from hypothesis import given

from connectors.kartra import commands
from connectors.kartra.commands import Call, CustomFieldValue, Lead
from connectors.kartra.profile import CustomFieldDefinition
from pipelines.changes.compile import change_from_json, change_to_json, compile_change
from pipelines.changes.diff import Change, diff_lead
from pipelines.changes.inventory import Inventory
from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.contacts.wishes import Step
from tests.contacts.strategies import changes, whole_leads, whole_snapshots

INVENTORY = Inventory(
    custom_fields={
        "note": CustomFieldDefinition("note", "input_field", {}),
        "size": CustomFieldDefinition("size", "drop_down", {"small": "610", "large": "612"}),
        "fruits": CustomFieldDefinition("fruits", "checkbox", {"apple": "1", "pear": "2", "plum": "3"}),
    }
)
KNOWN = Snapshot("ann@example.org", "39260")
STEPS = (
    Step("unassign_tag", "Old"),
    Step("assign_tag", "VIP"),
    Step("unsubscribe_lead_from_list", "Offers"),
    Step("subscribe_lead_to_list", "News"),
    Step("unsubscribe_lead_from_sequence", "Course"),
    Step("subscribe_lead_to_sequence_at_step", "Onboarding", "2"),
)
STEP_ACTIONS = (
    commands.unassign_tag("Old"),
    commands.assign_tag("VIP"),
    commands.unsubscribe_lead_from_list("Offers"),
    commands.subscribe_lead_to_list("News"),
    commands.unsubscribe_lead_from_sequence("Course"),
    commands.subscribe_lead_to_sequence_at_step("Onboarding", "2"),
)


def test_a_new_lead_is_one_call() -> None:
    change = Change(
        create=True,
        email="ann@example.org",
        fields={"city": "Lyon"},
        custom_fields={"note": "hi", "size": "small", "fruits": ("plum", "apple")},
        steps=STEPS[3:],
    )
    assert compile_change(change, None, INVENTORY) == Call(
        actions=(commands.create_lead(), *STEP_ACTIONS[3:]),
        lead=Lead(
            email="ann@example.org",
            fields={"city": "Lyon"},
            custom_fields=(
                CustomFieldValue("note", "hi"),
                CustomFieldValue("size", "610"),
                CustomFieldValue("fruits", ("3", "1")),
            ),
        ),
    )


def test_a_known_lead_is_named_by_its_id_alone() -> None:
    change = Change(email="ann@example.net", fields={"city": ""}, steps=STEPS)
    assert compile_change(change, KNOWN, INVENTORY) == Call(
        actions=(commands.edit_lead(), *STEP_ACTIONS),
        lead=Lead(id="39260", new_email="ann@example.net", fields={"city": ""}),
    )


def test_a_lead_whose_id_is_not_known_is_named_by_its_address() -> None:
    change = Change(email="ann@example.net")
    assert compile_change(change, Snapshot("ann@example.org"), INVENTORY) == Call(
        actions=(commands.edit_lead(),),
        lead=Lead(email="ann@example.org", new_email="ann@example.net"),
    )


def test_a_change_of_tags_and_lists_does_not_touch_the_profile() -> None:
    call = compile_change(Change(steps=STEPS), KNOWN, INVENTORY)
    assert call == Call(actions=STEP_ACTIONS, lead=Lead(id="39260"))


def test_a_custom_field_is_cleared_with_an_empty_text_whatever_its_type() -> None:
    change = Change(custom_fields={"note": "", "size": "", "fruits": ()})
    call = compile_change(change, KNOWN, INVENTORY)
    assert call.lead == Lead(
        id="39260",
        custom_fields=(
            CustomFieldValue("note", ""),
            CustomFieldValue("size", ""),
            CustomFieldValue("fruits", ""),
        ),
    )


@pytest.mark.parametrize("custom_fields", [{"nope": "x"}, {"size": "huge"}, {"fruits": ("apple", "kiwi")}])
def test_what_the_account_does_not_have_cannot_be_compiled(custom_fields: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        compile_change(Change(custom_fields=custom_fields), KNOWN, INVENTORY)


def test_only_a_new_lead_may_lack_a_snapshot() -> None:
    with pytest.raises(ValueError, match=r"^only a new lead has no snapshot$"):
        compile_change(Change(fields={"city": "Lyon"}), None, INVENTORY)


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_the_answers_of_a_call_line_up_with_the_commands_of_its_change(
    desired: DesiredLead, snapshot: Snapshot
) -> None:
    account = Inventory(
        custom_fields={
            **INVENTORY.custom_fields,
            "size": CustomFieldDefinition("size", "text_area", {}),
        }
    )
    for known in (None, snapshot):
        change = diff_lead(desired, known)
        if change:
            assert compile_change(change, known, account).commands == change.commands


@given(change=changes)
def test_a_change_comes_back_from_its_json(change: Change) -> None:
    assert change_from_json(change_to_json(change)) == change
