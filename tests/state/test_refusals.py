"""What Kartra refused is known, and not sent again until something changes."""

from dataclasses import astuple, replace

from pipelines.state.outbox import Outcome
from pipelines.state.refusals import OpenBreaker, ParkedLead, Refusal
from pipelines.state.store import Store
from tests.state.samples import acknowledge, digest_of, planned, record, snapshot_of, stage, wish


def test_a_refused_wish_is_known_by_its_digest(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.outbox.settle(entry, Outcome("rejected", "271", "custom fields malformed"), None, run_id="run-1")
    stage(store, record(2, "ann"), record(3, "bob"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [
        ("ann", Refusal(digest_of(wish("ann")), "271", "custom fields malformed")),
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
        (digest_of(wish("ann")), "271", "malformed")
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


def test_what_waits_for_a_person_is_told_the_oldest_first(store: Store) -> None:
    unproven = replace(snapshot_of(wish("ann"), "7"), unproven=frozenset({("calendars", "Webinar: Tuesday")}))
    acknowledge(store, "ann", snapshot=unproven, digest=b"")
    (bob,) = planned(store, "bob")
    store.outbox.settle(bob, Outcome("rejected", "245", "deleted"), None, run_id="run-1")
    ann, refused = store.refusals.parked("newsletter")
    assert ann == ParkedLead(
        "ann", "live", "7", "unproven", None, "calendars Webinar: Tuesday", None, ann.since
    )
    assert refused == ParkedLead("bob", "live", None, "refused", "245", None, "deleted", refused.since)
    assert ann.since < refused.since
    assert store.refusals.parked("shop") == []


def test_a_word_about_a_lead_lets_its_wish_be_sent_again(store: Store) -> None:
    acknowledge(store, "ann")
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("rejected", "245", "deleted"), None, run_id="run-1")
    known = store.leads.get("ann")
    assert (store.refusals.resolve("ann", known), store.refusals.resolve("ann", known)) == (True, False)
    stage(store, record(2, "ann"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [("ann", None)]


def test_what_works_again_takes_the_refusals_it_caused_with_it(store: Store) -> None:
    store.refusals.keep_breaker("assign_tag", "VIP", "204")
    store.refusals.keep_breaker("assign_tag", "Été", "219")
    for key, cause in (("ann", "assign_tag VIP"), ("bob", None)):
        (entry,) = planned(store, key)
        store.outbox.settle(entry, Outcome("rejected", "204", "no", cause=cause), None, run_id="run-1")
    assert store.refusals.breakers() == {("assign_tag", "VIP"): "204", ("assign_tag", "Été"): "219"}
    held = store.refusals.held_back("newsletter")
    assert held == [
        OpenBreaker("live", "assign_tag", "VIP", "204", held[0].opened_at),
        OpenBreaker("live", "assign_tag", "Été", "219", held[1].opened_at),
    ]
    store.refusals.drop_breaker("assign_tag", "VIP")
    assert store.refusals.breakers() == {("assign_tag", "Été"): "219"}
    assert [parked.key for parked in store.refusals.parked("newsletter")] == ["bob"]
