"""The source of a run in the staging table, and how it differs from what was acknowledged."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contacts.lead import DesiredLead, Snapshot, shape
from pipelines.contacts.staged import Reject, Staged
from pipelines.state.database import BATCH
from pipelines.state.staging import Difference
from pipelines.state.store import Store
from tests.state.places import NewState
from tests.state.samples import acknowledge, digest_of, keys_of, record, snapshot_of, stage, wish


@pytest.mark.parametrize(
    ("ranks", "winner"),
    [
        ([2.0, 3.0, 4.0], 4),
        ([-2.0, -3.0, -4.0], 2),
        ([7.0, 9.0, 8.0], 3),
        ([5.0, 5.0, 5.0], 4),
        ([float("-inf"), 0.0, float("-inf")], 3),
        ([5.0, float("inf"), 9.0], 3),
    ],
    ids=["last", "first", "newest", "newest of one date", "blank dates", "opted out"],
)
def test_the_highest_rank_speaks_for_a_key_and_of_equals_the_last(
    store: Store, ranks: list[float], winner: int
) -> None:
    store.staging.add(
        [record(row, "ann", rank=rank) for row, rank in zip((2, 3, 4), ranks, strict=True)], [], None
    )
    store.staging.add([record(5, "bob")], [], None)
    assert store.staging.end() == 2
    assert store.staging.settle([], "run-1") == 0
    assert {found.key: found.row for found in store.staging.differences()} == {"ann": winner, "bob": 5}
    assert [
        (reject.row, reject.line, reject.kind, reject.reason) for reject in store.rejects.of_run("run-1")
    ] == [(row, row + 100, "duplicate", f"same key as row {winner}") for row in (2, 3, 4) if row != winner]


def test_records_of_one_key_are_given_together_in_the_order_of_the_source(store: Store) -> None:
    store.staging.add([record(2, "bob"), record(3, "ann"), record(4, "eve")], [], None)
    store.staging.add([record(5, "bob", "Leeds"), record(6, "ann", blocked="no consent")], [], None)
    store.staging.end()
    assert [
        [(found.key, found.row, found.blocked) for found in group]
        for group in store.staging.duplicate_groups()
    ] == [
        [("ann", 3, None), ("ann", 6, "no consent")],
        [("bob", 2, None), ("bob", 5, None)],
    ]


def test_keys_by_the_thousand_are_given_once_while_their_wishes_are_written(store: Store) -> None:
    count = BATCH + 5
    keys = [f"key{number:06}" for number in range(count)]
    records = [record(2 + place, key) for place, key in enumerate(2 * keys)]
    store.staging.add([*records, record(2 * count + 2, "single")], [], None)
    assert store.staging.end() == count
    given = []
    ann = wish("ann")
    written = {"wish": ann.to_json(), "digest": digest_of(ann), "shape": shape(ann), "blocked": None}

    def merged() -> Iterator[dict[str, Any]]:
        for group in store.staging.duplicate_groups():
            given.append([found.row for found in group])
            yield from ({"row": found.row, **written} for found in group)

    store.staging.settle(merged(), None)
    assert given == [[2 + number, 2 + number + count] for number in range(count)]
    assert {found.desired.email for found in store.staging.differences()} == {
        "ann@example.org",
        "single@example.org",
    }


def test_a_merged_wish_replaces_that_of_the_record_that_speaks(store: Store) -> None:
    store.staging.add([record(2, "ann"), record(3, "ann")], [], None)
    store.staging.end()
    merged = wish("ann", "Leeds")
    written = {
        "wish": merged.to_json(),
        "digest": digest_of(merged),
        "shape": shape(merged),
        "blocked": None,
    }
    assert store.staging.settle([{"row": row, **written} for row in (2, 3)], None) == 0
    assert [(found.row, found.desired, found.digest) for found in store.staging.differences()] == [
        (3, merged, digest_of(merged))
    ]


def test_blocked_records_are_counted_rejected_and_never_a_difference(store: Store) -> None:
    store.staging.add([record(2, "ann", blocked="no consent"), record(3, "bob")], [], None)
    store.staging.end()
    assert store.staging.settle([], "run-1") == 1
    assert keys_of(store.staging.differences()) == ["bob"]
    assert list(store.rejects.of_run("run-1")) == [
        Reject(2, 102, "blocked", "no consent", None, '{"row": 2}', key="ann")
    ]


def test_a_lead_whose_record_is_blocked_is_neither_unchanged_nor_gone(store: Store) -> None:
    acknowledge(store, "ann")
    stage(store, record(2, "ann", blocked="opted out"))
    assert (
        store.staging.count_unchanged(),
        list(store.staging.removed()),
        list(store.staging.differences()),
    ) == ((0, 0), [], [])


def test_a_new_record_is_a_difference_without_a_snapshot(store: Store) -> None:
    stage(store, record(2, "ann"))
    assert list(store.staging.differences()) == [
        Difference(2, 102, "ann", digest_of(wish("ann")), wish("ann"), None, None, False, None)
    ]


def test_a_changed_record_is_a_difference_to_what_was_acknowledged(store: Store) -> None:
    acknowledge(store, "ann")
    stage(store, record(2, "ann", "Leeds"))
    changed = wish("ann", "Leeds")
    assert list(store.staging.differences()) == [
        Difference(
            2, 102, "ann", digest_of(changed), changed, snapshot_of(wish("ann")), "created", False, None
        )
    ]


def test_a_record_that_is_as_acknowledged_is_unchanged(store: Store) -> None:
    acknowledge(store, "ann")
    stage(store, record(2, "ann"))
    assert (list(store.staging.differences()), store.staging.count_unchanged()) == ([], (1, 0))


def test_a_lead_of_which_something_is_owed_is_a_difference(store: Store) -> None:
    acknowledge(store, "ann", digest=b"")
    stage(store, record(2, "ann"))
    assert (keys_of(store.staging.differences()), store.staging.count_unchanged()) == (["ann"], (0, 0))


def test_a_lead_that_was_left_alone_is_skipped_until_its_record_changes(store: Store) -> None:
    acknowledge(store, "ann", origin="skipped")
    acknowledge(store, "bob", origin="skipped")
    stage(store, record(2, "ann"), record(3, "bob", "Leeds"))
    assert store.staging.count_unchanged() == (0, 1)
    assert [(found.key, found.origin) for found in store.staging.differences()] == [("bob", "skipped")]
    assert store.leads.count() == 0


def test_a_lead_that_comes_back_after_its_removal_is_a_difference(store: Store) -> None:
    acknowledge(store, "ann", removed=True)
    stage(store, record(2, "ann"))
    assert [(found.key, found.was_removed) for found in store.staging.differences()] == [("ann", True)]
    assert (store.staging.count_unchanged(), store.leads.count()) == ((0, 0), 0)


def test_a_wish_that_asks_for_nothing_new_is_unchanged_from_then_on(store: Store) -> None:
    acknowledge(store, "ann", removed=True)
    acknowledge(store, "bob", digest=b"")
    stage(store, record(2, "ann", "Leeds"), record(3, "bob"))
    forgets = Snapshot("kept@example.org", unwanted=frozenset({("tags", "VIP")}))
    store.leads.mark_same([(found.key, found.digest, forgets) for found in store.staging.differences()])
    assert (list(store.staging.differences()), store.staging.count_unchanged(), store.leads.count()) == (
        [],
        (2, 0),
        2,
    )
    known = store.leads.get("bob")
    assert known is not None
    assert replace(known.snapshot, lead_id=None) == forgets


def test_leads_that_are_gone_from_the_source_are_those_we_still_have(store: Store) -> None:
    for key in ("ann", "bob", "eve"):
        acknowledge(store, key)
    acknowledge(store, "gone before", removed=True)
    acknowledge(store, "never ours", origin="skipped")
    stage(store, record(2, "bob", "Leeds"), record(3, "new"))
    assert list(store.staging.removed()) == [
        ("ann", snapshot_of(wish("ann"))),
        ("eve", snapshot_of(wish("eve"))),
    ]
    assert store.leads.count() == 3


def test_differences_come_in_the_order_of_the_source_beyond_one_batch(store: Store) -> None:
    count = 2 * BATCH + 1
    stage(store, *(record(row, f"key{-row}") for row in range(count + 1, 1, -1)))
    assert [found.row for found in store.staging.differences()] == list(range(2, count + 2))


def test_differences_may_be_settled_while_they_are_read(store: Store) -> None:
    count = BATCH + 10
    for key in (f"key{row}" for row in range(2, 30)):
        acknowledge(store, key, digest=b"")
    stage(store, *(record(row, f"key{row}") for row in range(2, count + 2)))
    seen = []
    for found in store.staging.differences():
        store.leads.mark_same([(found.key, found.digest, found.snapshot or Snapshot(found.key))])
        seen.append(found.row)
    assert seen == list(range(2, count + 2))


cities = st.sampled_from(["Lyon", "Leeds"])
sides = st.dictionaries(st.sampled_from("abcdef"), cities)
examples = count()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=sides, now=sides)
def test_every_lead_is_new_changed_unchanged_or_gone(
    new_state: NewState, before: dict[str, str], now: dict[str, str]
) -> None:
    with new_state(f"example-{next(examples)}")() as store:
        store.runs.begin("run-1", "newsletter")
        store.staging.begin()
        for key, city in before.items():
            acknowledge(store, key, city)
        stage(store, *(record(row, key, city) for row, (key, city) in enumerate(now.items(), start=2)))
        new = {found.key for found in store.staging.differences() if found.snapshot is None}
        changed = {found.key for found in store.staging.differences() if found.snapshot is not None}
        unchanged, skipped = store.staging.count_unchanged()
        gone = {key for key, _ in store.staging.removed()}
    assert new == now.keys() - before.keys()
    assert changed == {key for key in now.keys() & before.keys() if now[key] != before[key]}
    assert gone == before.keys() - now.keys()
    assert (unchanged, skipped) == (len(now) - len(new) - len(changed), 0)


def test_addresses_that_test_mode_would_make_one_are_listed_together(store: Store) -> None:
    def at(row: int, email: str, **changes: Any) -> Staged:
        return record(row, f"key{row}", wish=DesiredLead(email).to_json(), **changes)

    stage(
        store,
        at(2, "ann@example.org"),
        at(3, "bob@example.org"),
        at(4, "ann@example.net"),
        at(5, "eve@example.org"),
        at(6, "eve@example.net", blocked="no consent"),
        at(7, "bob@example.com"),
        at(8, "kim@example.org"),
        at(9, "kim@example.org"),
    )
    assert store.staging.collapsing() == [
        (2, "ann@example.org"),
        (4, "ann@example.net"),
        (3, "bob@example.org"),
        (7, "bob@example.com"),
    ]
