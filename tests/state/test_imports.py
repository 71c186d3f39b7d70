"""Leads for Kartra's own import, and taking over what it brought."""

from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import OpenStore
from tests.state.samples import acknowledge, digest_of, planned, record, stage, wish


def decided(store: Store, *, only_imported: bool = False) -> dict[str, int]:
    return dict(store.adoption.decide(by_address=True, only_imported=only_imported))


def test_staged_leads_stand_as_they_are_known(store: Store) -> None:
    for key in ("known", "changed"):
        acknowledge(store, key)
    (unknown,) = planned(store, "unknown")
    store.outbox.intend(unknown, "{}", None)
    stage(
        store,
        record(2, "known"),
        record(3, "changed", "Leeds"),
        record(4, "unknown"),
        record(5, "new"),
        record(6, "blocked", blocked="no consent"),
    )
    assert decided(store) == {"known": 1, "changed": 1, "unknown": 1, "new": 1}


def test_importable_is_what_kartra_does_not_have_and_on_request_the_rest(store: Store) -> None:
    acknowledge(store, "known")
    acknowledge(store, "left alone", origin="skipped")
    (refused,) = planned(store, "refused")
    store.outbox.settle(refused, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    stage(
        store,
        *(record(row, key) for row, key in enumerate(("known", "refused", "new", "left alone"), start=2)),
    )
    decided(store)
    few = [(lead.key, lead.standing, lead.refused) for lead in store.imports.importable(everything=False)]
    assert few == [("refused", "new", "malformed"), ("new", "new", None)]
    everything = {lead.key: lead for lead in store.imports.importable(everything=True)}
    assert list(everything) == ["known", "refused", "new"]
    assert everything["known"].snapshot is not None
    assert everything["new"].desired == wish("new")


def test_of_the_new_ones_only_what_was_written_to_a_file_is_taken_over(
    store: Store, open_store: OpenStore
) -> None:
    store.imports.begin()
    store.imports.add([("ann", digest_of(wish("ann"))), ("bob", digest_of(wish("bob")))])
    store.imports.keep()
    assert store.imports.count() == 2
    with open_store() as adopting:
        adopting.staging.begin()
        stage(adopting, record(2, "ann"), record(3, "bob", "Leeds"), record(4, "new"))
        assert decided(adopting, only_imported=True) == {"new": 1, "not_imported": 2}
        assert list(adopting.adoption.take_over([])) == [1]
        assert (adopting.adoption.count(), list(adopting.adoption.adopted())) == (1, [("ann", 2)])
        adopting.adoption.give_up("bob")
        assert adopting.adoption.count() == 1
        assert (adopting.adoption.give_up_all(), adopting.adoption.count()) == (1, 0)


def test_a_later_file_takes_the_place_of_an_earlier_one(store: Store, open_store: OpenStore) -> None:
    store.imports.begin()
    store.imports.add([("ann", digest_of(wish("ann")))])
    store.imports.keep()
    with open_store() as again:
        again.imports.begin()
        again.imports.add([("bob", digest_of(wish("bob"))), ("cleo", digest_of(wish("cleo")))])
        again.imports.keep()
    assert store.imports.count() == 2
