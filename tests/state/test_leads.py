"""What is known of leads, and which records need not be mapped again."""

from dataclasses import replace

from pipelines.contacts.lead import Snapshot, digest
from pipelines.state.leads import Acknowledged, LeadState
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import OpenStore
from tests.state.samples import acknowledge, digest_of, planned, record, snapshot_of, stage, wish


def test_a_lead_is_known_as_it_was_acknowledged(store: Store) -> None:
    acknowledge(store, "ann")
    acknowledge(store, "bob", removed=True)
    ann = Acknowledged(snapshot_of(wish("ann")), "created", digest_of(wish("ann")))
    assert store.leads.get("ann") == ann
    bob = store.leads.get("bob")
    assert bob is not None
    assert bob.removed
    assert store.leads.get("nobody") is None


def test_a_key_is_told_in_every_mode_the_newest_first(store: Store, open_store: OpenStore) -> None:
    acknowledge(store, "ann")
    with open_store(mode="test") as rehearsal:
        rehearsal.runs.begin("run-2", "newsletter")
        rehearsal.staging.begin()
        acknowledge(rehearsal, "ann", "Leeds", origin="adopted")
    states = store.leads.states_of_key("newsletter", "ann")
    live = store.leads.get("ann")
    assert live is not None
    assert [(state.mode, state.origin) for state in states] == [("test", "adopted"), ("live", "created")]
    assert states[1] == LeadState(
        scope_id=store.scope.scope_id,
        mode="live",
        lead_id="1",
        origin="created",
        digest=live.digest,
        snapshot=live.snapshot.to_json(),
        changed_at=states[1].changed_at,
        removed_at=None,
    )


def test_the_time_of_a_lead_is_that_of_the_last_answer_that_changed_it(store: Store) -> None:
    def changed_at() -> str:
        return store.leads.states_of_key("newsletter", "ann")[0].changed_at

    acknowledge(store, "ann")
    first = changed_at()
    (entry,) = planned(store, "ann")
    known = store.leads.get("ann")
    assert known is not None
    store.outbox.intend(entry, "{}", known)
    store.outbox.settle(
        entry, Outcome("rejected", "245", "deleted"), replace(known, digest=b""), run_id="run-1"
    )
    assert changed_at() == first
    for number, changed in enumerate(
        (
            replace(known, snapshot=snapshot_of(wish("ann", "Leeds"))),
            replace(known, snapshot=snapshot_of(wish("ann", "Leeds"), "2")),
            replace(known, snapshot=snapshot_of(wish("ann", "Leeds"), "2"), origin="skipped"),
            replace(known, snapshot=snapshot_of(wish("ann", "Leeds"), "2"), origin="skipped", removed=True),
        )
    ):
        before = changed_at()
        store.leads.acknowledge("ann", changed)
        assert changed_at() > before, number


def test_numbers_and_addresses_of_an_account_come_once_each(store: Store, open_store: OpenStore) -> None:
    for number in ("3", "1"):
        acknowledge(store, f"lead{number}", snapshot=snapshot_of(wish(f"lead{number}"), number))
    acknowledge(store, "unnumbered", snapshot=snapshot_of(wish("unnumbered"), None))
    with open_store(pipeline="shop") as shop:
        shop.runs.begin("run-2", "shop")
        shop.staging.begin()
        acknowledge(shop, "ann", snapshot=snapshot_of(wish("ann"), "1"))
    with open_store(account="other") as other:
        assert list(other.leads.ids("acc")) == list(store.leads.ids("acc")) == ["1", "3"]
        assert list(store.leads.addresses("acc")) == ["unnumbered@example.org"]
        assert (list(other.leads.ids("other")), list(other.leads.addresses("other"))) == ([], [])


def test_a_number_is_learned_once_and_never_that_of_another_lead(store: Store) -> None:
    for key in ("ann", "bob"):
        acknowledge(store, key, snapshot=snapshot_of(wish(key), None))
    store.leads.learn_id("ann", "7")
    store.leads.learn_id("ann", "8")
    store.leads.learn_id("bob", "7")
    assert (store.leads.owner_of("7"), store.leads.owner_of("8")) == ("ann", None)
    assert store.leads.owner_of("9", "bob@example.org") == "bob"


def test_records_that_are_as_acknowledged_are_known_by_their_hash(
    store: Store, open_store: OpenStore
) -> None:
    for key in ("ann", "bob", "owed"):
        acknowledge(store, key, digest=b"" if key == "owed" else digest_of(wish(key)))
    stage(store, record(2, "ann"), record(3, "bob", "Leeds"), record(4, "owed"), record(5, "new"))
    store.leads.keep_raw_hashes()
    raw = digest('{"row": 2}')
    assert bytes(store.leads.raw_hashes()) == raw
    assert list(store.leads.raw_hashes_of_staged()) == [[raw]]
    assert list(store.leads.raw_hashes_of_suppressed()) == []
    store.staging.suppress(["ann"], "unsubscribed")
    assert list(store.leads.raw_hashes_of_suppressed()) == [raw]
    with open_store(mode="test") as rehearsal:
        assert rehearsal.leads.raw_hashes() == b""


def test_who_was_known_and_did_not_come_is_gone_and_who_came_is_not(
    store: Store, open_store: OpenStore
) -> None:
    for row, key in enumerate(("ann", "bob"), start=2):
        acknowledge(store, key, snapshot=Snapshot(f"{key}@example.org", str(row), {"city": "Lyon"}))
    stage(store, record(2, "ann"), record(3, "bob"))
    store.leads.keep_raw_hashes()
    with open_store() as next_run:
        next_run.staging.begin()
        next_run.staging.note_unseen([digest('{"row": 3}')])
        assert [key for key, _ in next_run.staging.removed()] == ["bob"]
