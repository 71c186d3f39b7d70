"""What looks at leads in Kartra found, kept beside what was acknowledged."""

from datetime import UTC, datetime, timedelta

from pipelines.contacts.lead import Snapshot
from pipelines.state.drift import Drifted
from pipelines.state.store import Store
from tests.state.samples import acknowledge, planned, record, snapshot_of, stage, wish

LATER = datetime.now(UTC) + timedelta(days=1)


def test_only_leads_of_ours_with_nothing_under_way_are_looked_at(store: Store) -> None:
    for key in ("ann", "bob", "dan"):
        acknowledge(store, key)
    acknowledge(store, "left alone", origin="skipped")
    acknowledge(store, "removed", removed=True)
    (again,) = planned(store, "bob")
    store.outbox.intend(again, "{}", None)
    assert [lead.key for lead in store.drift.comparable(LATER, LATER)] == ["ann", "dan"]
    assert [lead.key for lead in store.drift.comparable(LATER, LATER, after="ann")] == ["dan"]
    assert store.drift.comparable(LATER - timedelta(days=2), LATER) == []


def test_who_was_looked_at_is_not_looked_at_again_for_a_while(store: Store) -> None:
    acknowledge(store, "ann")
    (ann,) = store.drift.comparable(LATER, LATER)
    store.drift.keep(ann, ann.snapshot, "[]")
    assert store.drift.comparable(LATER, LATER - timedelta(days=2)) == []
    assert [(lead.key, lead.found) for lead in store.drift.comparable(LATER, LATER)] == [("ann", "[]")]
    assert store.drift.found() == []


def test_a_difference_is_told_until_it_is_gone(store: Store) -> None:
    acknowledge(store, "ann", snapshot=snapshot_of(wish("ann"), "7"))
    (ann,) = store.drift.comparable_lead("7", LATER)
    store.drift.keep(ann, ann.snapshot, '["moved"]')
    (found,) = store.drift.found()
    assert found == Drifted("ann", "7", found.looked_at, '["moved"]')
    store.drift.keep(ann, ann.snapshot, "[]")
    assert store.drift.found() == []


def test_a_snapshot_after_a_look_makes_its_wish_owed(store: Store) -> None:
    acknowledge(store, "ann")
    (ann,) = store.drift.comparable(LATER, LATER)
    store.drift.keep(ann, Snapshot(ann.snapshot.email, "1", {"city": "Oslo"}), "[]")
    stage(store, record(2, "ann"))
    (difference,) = store.staging.differences()
    assert difference.snapshot == Snapshot("ann@example.org", "1", {"city": "Oslo"})


def test_a_look_at_a_lead_that_was_changed_meanwhile_says_nothing(store: Store) -> None:
    acknowledge(store, "ann")
    (ann,) = store.drift.comparable(LATER, LATER)
    acknowledge(store, "ann", "Leeds")
    store.drift.keep(ann, Snapshot(ann.snapshot.email, "1", {"city": "Oslo"}), '["moved"]')
    known = store.leads.get("ann")
    assert known is not None
    assert known.snapshot == snapshot_of(wish("ann", "Leeds"))
    assert store.drift.found() == []
