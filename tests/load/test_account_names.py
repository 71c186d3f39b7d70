"""What does not exist in the account is named before the first write: once per name, with near matches."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.clock import utc_now
from connectors.errors import FatalApiError
from connectors.kartra.profile import CustomFieldDefinition
from connectors.kartra.sandbox import Account, Sandbox
from connectors.kartra.sender import Sender
from pipelines.calls.inventories import read_inventory
from pipelines.changes.diff import Change
from pipelines.changes.inventory import Inventory, Missing, missing_in, needs_inventory
from pipelines.contacts.wishes import Step
from pipelines.load.account_names import FRESH_FOR, AccountInventory, KeptLists, Shortfall, kinds_used
from pipelines.state.store import Store
from tests.contacts.strategies import load_config

SIZE = CustomFieldDefinition("size", "drop_down", {"small": "610", "Large": "612", "LARGE": "613"})
FRUITS = CustomFieldDefinition("fruits", "checkbox", {"apple": "1", "pear": "2", "plum": "3"})
NOTE = CustomFieldDefinition("note", "input_field", {})
INVENTORY = Inventory(
    tags=frozenset({"Imported", "VIP"}),
    lists=frozenset({"News"}),
    sequences=frozenset({"Onboarding"}),
    custom_fields={"size": SIZE, "fruits": FRUITS, "note": NOTE},
)
CONTENTS: dict[str, Any] = {
    "tags": ["Imported", "VIP", "Blog", "Customer"],
    "lists": ["News", "Customers"],
    "sequences": ["Onboarding"],
    "custom_fields": [
        {"identifier": "note", "type": "input_field", "options": {}},
        {
            "identifier": "size",
            "type": "drop_down",
            "options": {"small": "610", "medium": "611", "large": "612"},
        },
        {"identifier": "fruits", "type": "checkbox", "options": {"apple": "1", "pear": "2", "plum": "3"}},
    ],
}
ALL_KINDS = load_config(
    tags=["VIP"], lists=["News"], sequences=[{"name": "Onboarding"}], custom_fields={"note": "Note"}
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "kartra.db") as opened:
        yield opened


def wishes(*steps: Step, **custom_fields: str | tuple[str, ...]) -> Change:
    return Change(steps=steps, custom_fields=custom_fields)


def asked(sandbox: Sandbox) -> list[str]:
    return sorted(call.commands[0] for call in sandbox.calls)


def missing(change: Change, inventory: Inventory = INVENTORY) -> list[str]:
    return [str(thing) for thing in missing_in(change, inventory)]


def test_what_the_account_has_is_not_missing() -> None:
    change = wishes(
        Step("assign_tag", "VIP"),
        Step("subscribe_lead_to_list", "News"),
        Step("subscribe_lead_to_sequence_at_step", "Onboarding", "1"),
        note="anything",
        size="small",
        fruits=("plum", "apple"),
    )
    assert missing(change) == []


def test_each_thing_that_is_missing_is_named_with_what_is_near() -> None:
    change = wishes(
        Step("assign_tag", "Importd"),
        Step("assign_tag", "vip"),
        Step("assign_tag", "xyz"),
        Step("subscribe_lead_to_list", "new"),
        Step("subscribe_lead_to_sequence_at_step", "Onbording", "1"),
        notes="hi",
        size="smal",
        fruits=("apple", "kiwi"),
    )
    assert missing(change) == [
        'tag "Importd"; did you mean "Imported"?',
        'tag "vip"; did you mean "VIP"?',
        'tag "xyz"',
        'list "new"; did you mean "News"?',
        'sequence "Onbording"; did you mean "Onboarding"?',
        'custom field "notes"; did you mean "note"?',
        'option "smal" of custom field "size"; did you mean "small"?',
        'option "kiwi" of custom field "fruits"',
    ]


def test_what_is_taken_away_need_not_exist() -> None:
    assert missing(wishes(Step("unassign_tag", "Gone"), Step("unsubscribe_lead_from_list", "Gone"))) == []


def test_what_is_taken_away_has_to_exist_where_only_the_record_tells_its_name() -> None:
    change = wishes(Step("unassign_tag", "VPI"), Step("unsubscribe_lead_from_sequence", "Gone"))
    theirs = {("tags", "VPI"), ("sequences", "Gone")}
    assert [str(thing) for thing in missing_in(change, INVENTORY, theirs)] == [
        'sequence "Gone"',
        'tag "VPI"; did you mean "VIP"?',
    ]


def test_a_choice_takes_one_option_and_a_checkbox_several() -> None:
    assert missing(wishes(size=("small", "Large"), fruits=("apple", "pear"))) == [
        'custom field "size" takes one option, several are given'
    ]


def test_an_option_may_differ_in_case_where_only_one_does() -> None:
    assert missing(wishes(size="SMALL", fruits=("Apple",))) == []
    assert missing(wishes(size="large")) == ['option "large" of custom field "size"; did you mean "LARGE"?']
    assert INVENTORY.wire_value("size", "SMALL") == "610"
    assert INVENTORY.wire_value("size", "Large") == "612"
    assert INVENTORY.wire_value("size", "LARGE") == "613"


def test_a_blank_value_needs_no_option() -> None:
    assert missing(wishes(size="", fruits="")) == []
    assert missing(wishes(fruits=())) == []


def test_values_are_sent_as_kartra_takes_them() -> None:
    assert INVENTORY.wire_value("note", "small") == "small"
    assert INVENTORY.wire_value("note", ("a", "b")) == "a; b"
    assert INVENTORY.wire_value("size", "small") == "610"
    assert INVENTORY.wire_value("size", ("small",)) == "610"
    assert INVENTORY.wire_value("fruits", "plum") == ("3",)
    assert INVENTORY.wire_value("fruits", ("plum", "apple")) == ("3", "1")
    assert [INVENTORY.wire_value(field, "") for field in ("note", "size", "fruits")] == ["", "", ""]
    assert INVENTORY.wire_value("fruits", ()) == ""


def test_only_names_and_custom_fields_need_the_inventory() -> None:
    assert not needs_inventory(Change(create=True, email="ann@example.org", fields={"city": "Lyon"}))
    assert needs_inventory(wishes(Step("assign_tag", "VIP")))
    assert needs_inventory(wishes(note="hi"))


def test_only_the_kinds_a_mapping_can_need_are_asked_for() -> None:
    assert list(kinds_used(load_config())) == []
    assert list(kinds_used(load_config(lists=["News"], custom_fields={"note": "Note"}))) == [
        "lists",
        "custom_fields",
    ]
    leaving = {"untag": ["VIP"], "unsubscribe": ["News"], "unsubscribe_from_sequences": ["Onboarding"]}
    assert list(kinds_used(load_config(**leaving))) == ["tags", "lists", "sequences"]
    assert list(kinds_used(ALL_KINDS)) == ["tags", "lists", "sequences", "custom_fields"]


def test_a_wish_is_counted_by_leads_and_named_once() -> None:
    shortfall = Shortfall(lambda: INVENTORY, lambda: INVENTORY)
    for _ in range(3):
        shortfall.check(wishes(Step("assign_tag", "Importd"), Step("assign_tag", "VIP")))
    shortfall.check(wishes(Step("subscribe_lead_to_list", "Gone"), Step("assign_tag", "Importd")))
    shortfall.check(Change(fields={"city": "Lyon"}))
    assert shortfall.leads == Counter({Missing('tag "Importd"', "Imported"): 4, Missing('list "Gone"'): 1})


def test_a_name_that_an_old_list_lacks_is_asked_for_before_it_counts_as_missing(
    client: Sender, store: Store, account: Account, sandbox: Sandbox
) -> None:
    AccountInventory(KeptLists(store, "account"), client, load_config(tags=["VIP"])).asked()
    account.tags.append("Brand new")
    sandbox.reset_calls()
    inventory = AccountInventory(KeptLists(store, "account"), client, load_config(tags=["VIP"]))
    shortfall = Shortfall(inventory.current, inventory.asked)
    for name in ("Brand new", "VIP", "Brand new", "Brand old", "Brand old"):
        shortfall.check(wishes(Step("assign_tag", name)))
    assert shortfall.leads == Counter({Missing('tag "Brand old"', "Brand new"): 2})
    assert asked(sandbox) == ["retrieve_account_tags"]


@pytest.mark.parametrize("kind", CONTENTS)
def test_an_inventory_is_read_as_kartra_lists_it(client: Sender, kind: str) -> None:
    assert read_inventory(client, kind) == CONTENTS[kind]


def test_all_lists_are_asked_for_once_and_then_kept(client: Sender, store: Store, sandbox: Sandbox) -> None:
    inventory = AccountInventory(KeptLists(store, "account"), client, ALL_KINDS)
    assert inventory.calls_needed() == 4
    assert inventory.current() == Inventory.of(CONTENTS, fresh=True)
    assert inventory.current() == Inventory.of(CONTENTS, fresh=True)
    assert inventory.calls_needed() == 0
    next_run = AccountInventory(KeptLists(store, "account"), client, ALL_KINDS)
    assert next_run.calls_needed() == 0
    assert next_run.current() == Inventory.of(CONTENTS, fresh=False)
    assert asked(sandbox) == [
        "retrieve_account_lists",
        "retrieve_account_sequences",
        "retrieve_account_tags",
        "retrieve_custom_fields",
    ]


def test_lists_are_asked_for_again_after_a_while(client: Sender, store: Store, sandbox: Sandbox) -> None:
    load = load_config(tags=["VIP"])
    AccountInventory(KeptLists(store, "account"), client, load).asked()
    with sqlite3.connect(store.database.path or "") as state:
        long_ago = utc_now() - FRESH_FOR - timedelta(seconds=1)
        state.execute("UPDATE inventories SET read_at = ?", (long_ago.isoformat(),))
    state.close()
    again = AccountInventory(KeptLists(store, "account"), client, load)
    assert again.calls_needed() == 1
    assert again.current().fresh
    assert asked(sandbox) == ["retrieve_account_tags"] * 2


def test_lists_of_another_account_are_not_taken(client: Sender, store: Store, sandbox: Sandbox) -> None:
    load = load_config(tags=["VIP"])
    AccountInventory(KeptLists(store, "account"), client, load).asked()
    assert AccountInventory(KeptLists(store, "another"), client, load).calls_needed() == 1


def test_lists_that_proved_wrong_are_forgotten(client: Sender, store: Store) -> None:
    inventory = AccountInventory(KeptLists(store, "account"), client, ALL_KINDS)
    inventory.asked()
    inventory.forget()
    assert AccountInventory(KeptLists(store, "account"), client, ALL_KINDS).calls_needed() == 4


def test_a_plan_leaves_no_list_behind(client: Sender, store: Store) -> None:
    plan = AccountInventory(KeptLists(store, "account", keep=False), client, ALL_KINDS)
    assert plan.current() == Inventory.of(CONTENTS, fresh=True)
    assert AccountInventory(KeptLists(store, "account"), client, ALL_KINDS).calls_needed() == 4


def test_a_mapping_without_names_asks_for_nothing(client: Sender, store: Store, sandbox: Sandbox) -> None:
    inventory = AccountInventory(KeptLists(store, "account"), client, load_config())
    assert (inventory.calls_needed(), inventory.current()) == (0, Inventory(fresh=False))
    assert sandbox.calls == []


def test_an_account_that_refuses_its_lists_stops_with_kartras_reason(
    client: Sender, store: Store, account: Account
) -> None:
    account.allowed_commands = {"retrieve_account_lists", "retrieve_account_sequences", "create_lead"}
    with pytest.raises(FatalApiError) as refusal:
        AccountInventory(KeptLists(store, "account"), client, ALL_KINDS).current()
    assert refusal.value.type == "262"
    assert AccountInventory(KeptLists(store, "account"), client, ALL_KINDS).calls_needed() == 4
