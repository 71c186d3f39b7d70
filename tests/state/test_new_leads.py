"""New leads, set apart by what they ask for, and planned many at a time."""

from typing import Any

from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.staged import Staged
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.samples import acknowledge, keys_of, planned, record, stage


def asking(row: int, key: str, **changes: Any) -> Staged:
    return record(row, key, lead=DesiredLead(f"{key}@example.org", **changes))


def test_new_leads_come_by_shape_and_are_no_differences(store: Store) -> None:
    acknowledge(store, "known", "Leeds")
    stage(
        store,
        *(asking(row, f"vip{row}", tags=("VIP",)) for row in (2, 3, 4)),
        asking(5, "plain"),
        record(6, "known", "Lyon"),
    )
    store.new_leads.set_apart()
    shapes = [(leads, found.key, found.desired.tags) for leads, found in store.new_leads.shapes()]
    assert shapes == [(3, "vip2", ("VIP",)), (1, "plain", ())]
    assert keys_of(store.staging.differences()) == ["known"]
    assert sum(store.new_leads.enqueue("run-1")) == 4
    assert [entry.key for entry in store.outbox.planned()] == ["vip2", "vip3", "vip4", "plain"]


def test_a_lead_whose_call_is_unknown_or_whose_wish_was_refused_is_not_new(store: Store) -> None:
    unknown, refused = planned(store, "unknown", "refused")
    store.outbox.intend(unknown, "{}", None)
    store.outbox.settle(refused, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    stage(store, *(record(row, key) for row, key in enumerate(("unknown", "refused", "new"), start=2)))
    store.new_leads.set_apart()
    assert sum(store.new_leads.enqueue("run-1")) == 1
    assert keys_of(store.staging.differences()) == ["unknown", "refused"]


def test_values_of_a_custom_field_are_counted_in_the_order_of_the_source(store: Store) -> None:
    stage(
        store,
        asking(2, "a", custom_fields={"note": "blue", "fruits": ("pear", "plum")}),
        asking(3, "b", custom_fields={"note": "red"}),
        asking(4, "c", custom_fields={"note": "blue"}),
    )
    store.new_leads.set_apart()
    assert list(store.new_leads.values("note")) == [("blue", 2), ("red", 1)]
    assert list(store.new_leads.values("fruits")) == [(("pear", "plum"), 1)]
    assert list(store.new_leads.values("size")) == []


def test_where_every_lead_is_new_nothing_differs(store: Store) -> None:
    stage(store, record(2, "ann"), record(3, "bob", blocked="no consent"))
    assert keys_of(store.staging.differences()) == ["ann"]
    store.new_leads.set_apart()
    assert keys_of(store.staging.differences()) == []
