"""Records that did not become leads, with their reason and their text."""

from datetime import timedelta

from pipelines.contacts.staged import Reject
from pipelines.state.database import BATCH
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from tests.state.places import OpenStore, Outside
from tests.state.samples import planned, record


def test_rejects_by_the_thousand_are_given_once_in_the_order_of_the_source(store: Store) -> None:
    rows = [2, *([3] * (BATCH + 5)), *range(4, BATCH)]
    rejects = [Reject(row, None, "invalid", str(place)) for place, row in enumerate(rows)]
    store.staging.add([], rejects, "run-1")
    assert [int(reject.reason) for reject in store.rejects.of_run("run-1")] == list(range(len(rows)))


def test_a_refused_record_is_rejected_with_its_text(store: Store) -> None:
    store.staging.add([record(2, "ann"), record(3, "bob")], [], None)
    (ann, bob) = planned(store, "ann", "bob")
    store.outbox.settle(ann, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    store.outbox.settle(bob, Outcome("parked", None, "unproven"), None, run_id="run-1")
    assert list(store.rejects.of_run("run-1")) == [
        Reject(2, 102, "rejected", "malformed", "271", '{"row": 2}', "ann"),
        Reject(3, 103, "parked", "unproven", None, '{"row": 3}', "bob"),
    ]


def test_originals_are_unpacked_once_however_many_of_them_are_rejected(open_store: OpenStore) -> None:
    """Of three chunks, in which every key comes again in the next."""
    unpacked: list[bytes] = []

    def unpack(packed: bytes) -> dict[int, str]:
        unpacked.append(packed)
        first = int(packed)
        return {row: f'{{"row": {row}}}' for row in range(first, first + 10)}

    with open_store() as store:
        store.runs.begin("run-1", "newsletter")
        store.staging.begin(unpack)
        for first in (2, 12, 22):
            rows = range(first, first + 10)
            chunk = [record(row, f"key {9 - (row - 2) % 10}", record=None) for row in rows]
            store.staging.add(chunk, [], "run-1", (first, str(first).encode()))
        assert store.staging.end() == 20
        store.staging.settle([], "run-1")
        assert unpacked == [b"2", b"12"]
        assert {reject.record for reject in store.rejects.of_run("run-1")} == {
            f'{{"row": {row}}}' for row in range(2, 22)
        }


def test_a_record_that_is_not_sent_again_is_rejected_as_parked(store: Store) -> None:
    store.staging.add([record(2, "ann")], [], None)
    store.rejects.add_parked("run-1", 2, "271", "malformed")
    assert list(store.rejects.of_run("run-1")) == [
        Reject(2, 102, "parked", "malformed", "271", '{"row": 2}', "ann")
    ]


def test_rejects_are_kept_for_the_last_runs_of_a_pipeline(
    store: Store, open_store: OpenStore, outside: Outside
) -> None:
    outside("UPDATE runs SET started_at = '2026-01-01' WHERE run_id = 'run-1'")
    reject = Reject(2, 2, "invalid", "no e-mail address", record="{}")
    store.staging.add([], [reject], "run-1")
    with open_store(pipeline="shop") as shop:
        shop.runs.begin("shop-1", "shop")
        shop.staging.begin()
        shop.staging.add([], [reject], "shop-1")
    for number in range(2, 7):
        store.runs.begin(f"run-{number}", "newsletter")
        store.staging.add([], [reject], f"run-{number}")
    kept = [run_id for (run_id,) in outside("SELECT run_id FROM rejects ORDER BY run_id")]
    assert kept == ["run-2", "run-3", "run-4", "run-5", "run-6", "shop-1"]


def test_who_was_a_reject_is_known_for_longer_than_the_text(
    store: Store, open_store: OpenStore, outside: Outside
) -> None:
    outside("UPDATE runs SET started_at = '2026-01-01' WHERE run_id = 'run-1'")
    invalid = Reject(2, 2, "invalid", "no country", record="{}", key="ann")
    blocked = Reject(3, 3, "blocked", "no consent", record="{}", key="bob")
    store.staging.add([], [invalid, blocked], "run-1")
    long = timedelta(days=10_000)
    for number in range(2, 7):
        store.runs.begin(f"run-{number}", "newsletter", keep=long)
    assert outside("SELECT key, record FROM rejects") == [("ann", None)]
    store.runs.begin("run-7", "newsletter")
    assert outside("SELECT key FROM rejects") == []
