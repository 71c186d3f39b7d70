"""Each pipeline, account and mode sees its own."""

import pytest

from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import OpenStore, Outside
from tests.state.samples import acknowledge, keys_of, planned, record, stage


@pytest.mark.parametrize(
    "other",
    [{"account": "other"}, {"mode": "test"}, {"pipeline": "shop"}],
    ids=["account", "mode", "pipeline"],
)
def test_a_scope_does_not_see_the_leads_of_another(
    store: Store, open_store: OpenStore, other: dict[str, str]
) -> None:
    acknowledge(store, "ann")
    (refused,) = planned(store, "bob")
    store.outbox.settle(refused, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    planned(store, "eve")
    with open_store(**other) as beside:
        beside.staging.begin()
        stage(beside, record(2, "ann"), record(3, "bob"))
        assert [(found.key, found.snapshot, found.refused) for found in beside.staging.differences()] == [
            ("ann", None, None),
            ("bob", None, None),
        ]
        assert (beside.outbox.planned(), beside.leads.count(), list(beside.staging.removed())) == ([], 0, [])
        assert beside.leads.owner_of("1") is None
    assert store.leads.owner_of("1") == "ann"


def test_a_scope_is_found_again(open_store: OpenStore) -> None:
    with open_store() as one, open_store(mode="test") as other, open_store() as again:
        assert one.scope.scope_id == again.scope.scope_id != other.scope.scope_id
        assert one.runs.pipelines() == ["newsletter"]


def test_a_plan_finds_its_scope_and_makes_none(store: Store, open_store: OpenStore, outside: Outside) -> None:
    acknowledge(store, "ann")
    with open_store() as looking:
        looking.scope.find("newsletter", "acc", "live")
        assert (looking.scope.scope_id, looking.leads.count()) == (store.scope.scope_id, 1)
        looking.scope.find("newsletter", "acc", "test")
        looking.staging.begin()
        stage(looking, record(2, "ann"))
        assert (looking.leads.count(), keys_of(looking.staging.differences())) == (0, ["ann"])
    assert outside("SELECT count(*) FROM scopes") == [(1,)]
