"""What Kartra refused is known, and not sent again until something changes."""

from dataclasses import astuple

from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.samples import acknowledge, digest_of, planned, record, stage, wish


def test_a_refused_wish_is_known_by_its_digest(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.outbox.settle(entry, Outcome("rejected", "271", "custom fields malformed"), None, run_id="run-1")
    stage(store, record(2, "ann"), record(3, "bob"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [
        ("ann", ("271", "custom fields malformed")),
        ("bob", None),
    ]


def test_a_refused_wish_is_tried_again_once_it_changed(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("parked", None, "unproven"), None, run_id="run-1")
    stage(store, record(2, "ann", "Leeds"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [("ann", None)]


def test_a_refusal_is_forgotten_when_the_lead_is_acknowledged_in_full(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 1, 0)
    acknowledge(store, "ann", digest=b"")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 1, 1)
    acknowledge(store, "ann")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 0, 1)


def test_the_refusals_of_a_key_are_told_by_digest(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    assert [astuple(refusal) for refusal in store.refusals.of_key("newsletter", "ann")] == [
        (digest_of(wish("ann")), "malformed")
    ]
    assert store.refusals.of_key("newsletter", "bob") == store.refusals.of_key("shop", "ann") == []


def test_a_removal_that_was_refused_is_not_tried_again(store: Store) -> None:
    acknowledge(store, "ann")
    acknowledge(store, "bob")
    removal = {"key": "ann", "kind": "removal", "row": None, "line": None, "digest": b""}
    store.outbox.enqueue("run-1", [removal])
    (entry,) = store.outbox.planned()
    store.outbox.settle(entry, Outcome("rejected", "243", "no such lead"), None, run_id="run-1")
    assert [key for key, _ in store.staging.removed()] == ["bob"]
