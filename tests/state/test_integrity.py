"""What a person is told of a state that opens and yet cannot be used."""

from dataclasses import replace

import pytest

from pipelines.contacts.staged import Reject
from pipelines.state.integrity import TextKind
from pipelines.state.store import Store
from tests.state.places import Outside
from tests.state.samples import acknowledge, planned


def test_what_runs_leave_behind_is_whole(store: Store) -> None:
    acknowledge(store, "ann")
    (bob,) = planned(store, "bob")
    store.outbox.intend(bob, "{}", None)
    assert store.integrity.damage() == []


def test_what_no_run_leaves_behind_is_counted_without_its_values(store: Store, outside: Outside) -> None:
    for key in ("ann", "bob"):
        acknowledge(store, key)
    outside("UPDATE leads SET digest = x'01'")
    outside("UPDATE outbox SET outcome = NULL WHERE key = 'ann'")
    assert store.integrity.damage() == [
        "2 leads with a digest of a wrong length",
        "1 settled journal entries without an outcome",
    ]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("snapshot", 1),
        ("wish", 1),
        ("change", 1),
        ("summary", 1),
        ("inventory", 1),
        ("record", 1),
        ("drift", 0),
    ],
)
def test_every_text_of_a_kind_is_given(store: Store, kind: TextKind, texts: int) -> None:
    acknowledge(store, "ann")
    store.staging.add([], [Reject(9, 9, "invalid", "no", record='{"a": "b"}')], "run-1")
    store.inventories.keep("acc", "tags", ["VIP"])
    store.runs.finish("run-1", "succeeded", None, {})
    store.runs.begin("run-2", "newsletter")
    (bob,) = planned(store, "bob", run_id="run-2")
    store.outbox.intend(replace(bob, wish="{}"), "{}", None)
    assert len(list(store.integrity.texts(kind))) == texts
