"""A person is erased in every pipeline, under every name, and known again."""

import json
from datetime import UTC, datetime

import pytest

from pipelines.contacts.staged import Reject
from pipelines.errors import LockedError
from pipelines.state.lease import this_process
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import OpenStore, Outside
from tests.state.samples import acknowledge, planned, record, stage

ANN = "ann@example.org"


def test_nobody_was_forgotten_at_first(store: Store) -> None:
    assert store.forgetting.forgotten() is None


def test_a_person_goes_from_every_table_under_key_and_address(
    store: Store, open_store: OpenStore, outside: Outside
) -> None:
    acknowledge(store, "ann")
    acknowledge(store, "bob")
    (refused,) = planned(store, "ann")
    store.outbox.settle(refused, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    texts = [
        json.dumps({"Email": "Ann@Example.org", "City": "Lyon"}),
        json.dumps({"Email": "bob@example.org"}),
    ]
    rejects = [Reject(row, row, "invalid", "no", record=text) for row, text in enumerate(texts, start=8)]
    store.staging.add([], rejects, "run-1")
    with open_store(pipeline="shop") as shop:
        shop.runs.begin("run-2", "shop")
        shop.staging.begin()
        acknowledge(shop, "ann")
        stage(shop, record(2, "ann"))
        shop.adoption.decide(by_address=True, only_imported=False)
        shop.imports.begin()
        shop.imports.add([("ann", b"0123456789abcdef")])
        shop.imports.keep()
    erased = store.forgetting.forget(frozenset({ANN}))
    assert erased.names == {ANN, "ann"}
    assert erased.rows == {
        "leads": 2,
        "outbox": 3,
        "refusals": 1,
        "rejects": 1,
        "plans": 0,
        "imports": 1,
        "operations": 0,
    }
    for table in ("leads", "outbox", "refusals", "imports"):
        assert outside(f"SELECT count(*) FROM {table} WHERE key = 'ann'") == [(0,)], table
    assert [reject.row for reject in store.rejects.of_run("run-1")] == [9]
    assert store.leads.get("bob") is not None


def test_who_was_forgotten_is_known_again_and_nobody_else_is(store: Store, open_store: OpenStore) -> None:
    store.forgetting.forget(frozenset({ANN}))
    store.forgetting.forget(frozenset({ANN, "C-3"}))
    with open_store(pipeline="shop", account="other") as shop:
        forgotten = shop.forgetting.forgotten()
        assert forgotten is not None
        assert forgotten.holds(ANN)
        assert forgotten.holds("C-3")
        assert not forgotten.holds("bob@example.org")


def test_nobody_is_forgotten_while_a_pipeline_is_being_run(store: Store) -> None:
    acknowledge(store, "ann")
    store.runs.take_lease("newsletter", this_process("run-1", datetime.now(UTC)))
    with pytest.raises(LockedError, match="nobody was forgotten"):
        store.forgetting.forget(frozenset({ANN}))
    assert store.leads.get("ann") is not None
    assert store.forgetting.forgotten() is None
