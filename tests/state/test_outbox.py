"""Entries of the outbox: planned, sent, settled, and what of them is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.state.database import BATCH
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Entry, Outcome
from pipelines.state.runs import OUTCOMES_KEPT
from pipelines.state.store import Store
from tests.state.places import Outside
from tests.state.samples import acknowledge, digest_of, planned, record, snapshot_of, stage, wish


def test_an_entry_goes_from_planned_to_sent_to_settled(store: Store) -> None:
    stage(store, record(2, "ann"))
    (entry,) = planned(store, "ann")
    assert entry == Entry(
        entry_id=1,
        key="ann",
        kind="load",
        row=2,
        digest=digest_of(wish("ann")),
        wish=wish("ann").to_json(),
        desired=wish("ann"),
        change=None,
        attempts=0,
        sent_at=None,
        snapshot=None,
        origin=None,
    )
    earliest = datetime.now(UTC)
    store.outbox.intend(entry, '{"create": true}', None)
    (sent,) = store.outbox.unsettled()
    assert sent.sent_at is not None
    assert earliest <= sent.sent_at <= datetime.now(UTC)
    assert sent == replace(entry, change='{"create": true}', attempts=1, sent_at=sent.sent_at)
    assert store.outbox.planned() == []
    store.outbox.settle(entry, Outcome("created", done="create_lead"), None, run_id="run-1")
    assert (store.outbox.planned(), store.outbox.unsettled()) == ([], [])
    (journal,) = store.outbox.journal("newsletter", "ann")
    assert (journal.run_id, journal.kind, journal.state, journal.attempts) == ("run-1", "load", "settled", 1)
    assert (journal.outcome, journal.type, journal.reason, journal.done) == (
        "created",
        None,
        None,
        "create_lead",
    )


def test_a_settled_entry_keeps_nothing_of_what_was_wished(store: Store, outside: Outside) -> None:
    acknowledge(store, "ann")
    assert outside("SELECT state, wish, change FROM outbox") == [("settled", None, None)]


def test_what_earlier_tries_effected_is_committed_with_the_next_intent(store: Store) -> None:
    (entry,) = planned(store, "ann")
    effected = snapshot_of(wish("ann"), "39260")
    store.outbox.intend(entry, "{}", Acknowledged(effected, "created"))
    (sent,) = store.outbox.unsettled()
    assert (sent.snapshot, sent.origin, store.leads.owner_of("39260")) == (effected, "created", "ann")


def test_a_lead_keeps_its_id_when_an_answer_did_not_name_it(store: Store) -> None:
    acknowledge(store, "ann", snapshot=snapshot_of(wish("ann"), "39260"))
    acknowledge(store, "ann", snapshot=snapshot_of(wish("ann"), None))
    assert store.leads.owner_of("39260") == "ann"


def test_a_call_that_was_never_executed_is_owed_again(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.outbox.withdraw(entry.entry_id)
    assert [(again.key, again.change, again.attempts) for again in store.outbox.planned()] == [
        ("ann", None, 1)
    ]
    assert store.outbox.unsettled() == []


def test_a_settled_entry_is_neither_withdrawn_nor_sent_again(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("created"), None, run_id="run-1")
    store.outbox.withdraw(entry.entry_id)
    store.outbox.intend(entry, "{}", None)
    assert (store.outbox.planned(), store.outbox.unsettled()) == ([], [])


def test_planned_entries_come_in_batches_in_their_order(store: Store) -> None:
    keys = [f"key{number}" for number in range(BATCH + 5)]
    planned(store, *keys)
    first = store.outbox.planned()
    rest = store.outbox.planned(after=first[-1].entry_id)
    assert [entry.key for entry in first + rest] == keys
    assert (len(first), store.outbox.planned(after=rest[-1].entry_id)) == (BATCH, [])


def test_what_a_run_did_not_send_waits_for_the_next(store: Store) -> None:
    (ann, _) = planned(store, "ann", "bob")
    store.outbox.intend(ann, "{}", None)
    store.outbox.defer("run-1")
    assert (store.outbox.planned(), [entry.key for entry in store.outbox.unsettled()]) == ([], ["ann"])
    assert store.outbox.outcomes("run-1") == {("load", "deferred"): 2}


def test_outcomes_are_counted_by_run_and_kind_without_what_was_recovered(store: Store) -> None:
    store.runs.begin("run-2", "newsletter")
    entries = planned(store, "a", "b", "c", "d", run_id="run-2")
    for entry, name in zip(entries, ("created", "created", "recovered", "edited"), strict=True):
        store.outbox.settle(entry, Outcome(name), None, run_id="run-2")
    removal = {"key": "e", "kind": "removal", "row": None, "line": None, "digest": b""}
    store.outbox.enqueue("run-2", [removal])
    (entry,) = store.outbox.planned()
    assert (entry.kind, entry.desired, entry.row) == ("removal", None, None)
    store.outbox.settle(entry, Outcome("removed"), None, run_id="run-2")
    assert store.outbox.outcomes("run-2") == {
        ("load", "created"): 2,
        ("load", "edited"): 1,
        ("removal", "removed"): 1,
    }
    assert store.outbox.outcomes("run-1") == {}


def test_the_journal_is_kept_for_a_while_and_open_entries_for_ever(store: Store, outside: Outside) -> None:
    acknowledge(store, "old")
    acknowledge(store, "young")
    (unknown,) = planned(store, "unknown")
    store.outbox.intend(unknown, "{}", None)
    long_ago = (datetime.now(UTC) - OUTCOMES_KEPT - timedelta(hours=1)).isoformat()
    outside("UPDATE outbox SET settled_at = :at WHERE key = 'old'", at=long_ago)
    outside("UPDATE outbox SET sent_at = :at WHERE key = 'unknown'", at=long_ago)
    store.runs.begin("run-2", "newsletter")
    assert [len(store.outbox.journal("newsletter", key)) for key in ("old", "young", "unknown")] == [0, 1, 1]
    assert store.leads.count() == 2
