"""Opening a state, and its transactions: what is committed stays, whole or not at all."""

import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines.contacts.staged import Reject
from pipelines.errors import StateError
from pipelines.shipped import ROOT
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Outcome
from pipelines.state.place import Place
from pipelines.state.sqlite import MIGRATIONS
from pipelines.state.store import Store
from tests.state.places import NewState, OpenStore, address_of
from tests.state.samples import acknowledge, planned, record, snapshot_of, wish


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(migration.name[:4]) for migration in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_opening_a_state_again_keeps_what_is_in_it(open_store: OpenStore) -> None:
    with open_store() as store:
        store.runs.begin("run-1", "newsletter")
        store.staging.begin()
        acknowledge(store, "ann")
    with open_store() as store:
        assert store.leads.count() == 1


def test_many_may_open_a_new_state_at_once(new_state: NewState) -> None:
    def first_scope(open_store: OpenStore) -> int:
        with open_store() as store:
            return store.scope.scope_id

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            same = [new_state(f"state-{number}")] * 8
            assert list(pool.map(first_scope, same)) == [1] * 8


def test_an_outcome_that_cannot_be_kept_changes_nothing(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    (before,) = store.outbox.unsettled()
    impossible: Any = "nobody"
    with pytest.raises(StateError):
        store.outbox.settle(
            entry, Outcome("created"), Acknowledged(snapshot_of(wish("ann")), impossible), run_id="run-1"
        )
    assert store.outbox.unsettled() == [before]
    assert store.leads.states_of_key("newsletter", "ann") == []
    store.outbox.settle(
        entry, Outcome("created"), Acknowledged(snapshot_of(wish("ann")), "created"), run_id="run-1"
    )
    assert store.outbox.unsettled() == []


def test_an_intent_that_cannot_be_kept_leaves_the_entry_planned(store: Store) -> None:
    (entry,) = planned(store, "ann")
    impossible: Any = "nobody"
    with pytest.raises(StateError):
        store.outbox.intend(entry, "{}", Acknowledged(snapshot_of(wish("ann")), impossible))
    assert (store.outbox.planned(), store.outbox.unsettled()) == ([entry], [])


def test_a_chunk_is_staged_whole_or_not_at_all(store: Store) -> None:
    rejects = [Reject(9, 9, "invalid", "no e-mail address")]
    with pytest.raises(StateError):
        store.staging.add([record(2, "ann"), record(2, "bob")], rejects, "run-1")
    with pytest.raises(StateError):
        store.staging.add([record(2, "ann")], [Reject(9, 9, "nonsense", "x")], "run-1")
    assert (list(store.staging.differences()), list(store.rejects.of_run("run-1"))) == ([], [])
    store.staging.add([record(2, "ann")], rejects, "run-1")
    assert [(found.key, found.row) for found in store.staging.differences()] == [("ann", 2)]
    assert [reject.row for reject in store.rejects.of_run("run-1")] == [9]


def test_changes_are_planned_whole_or_not_at_all(store: Store) -> None:
    change = {"key": "ann", "kind": "load", "row": 2, "line": 2, "digest": b"d", "wish": "{}"}
    with pytest.raises(StateError):
        store.outbox.enqueue("run-1", [change, {**change, "kind": "nonsense"}])
    assert store.outbox.planned() == []


def test_a_failed_statement_does_not_tell_what_it_was_to_keep(store: Store) -> None:
    with pytest.raises(StateError) as failure:
        store.staging.add([record(2, "ann"), record(2, "bob")], [], None)
    told = "".join(traceback.format_exception(failure.value))
    assert "example.org" not in told


def test_a_store_that_is_closed_in_the_middle_keeps_nothing_of_a_transaction(
    place: Place, open_store: OpenStore
) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom pipelines.config.server_state import server_state\n"
        "from pipelines.state.store import Store\n"
        "store = Store(server_state(sys.argv[1]) or Path(sys.argv[1]))\n"
        "store.scope.enter('newsletter', 'acc', 'live')\n"
        "store.runs.begin('run-1', 'newsletter'); store.staging.begin()\n"
        "def wishes():\n    yield from ()\n    os._exit(9)\n"
        "store.staging.end(); store.staging.settle(wishes(), 'run-1')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, address_of(place)], cwd=ROOT, check=False)
    assert done.returncode == 9
    with open_store() as store:
        assert [run.status for run in store.runs.last("newsletter", 9)] == ["running"]
        store.runs.begin("run-2", "newsletter")
