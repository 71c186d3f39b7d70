"""Runs that begin, end and die, and the lease that one of them holds."""

import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from pipelines.errors import LeaseLostError
from pipelines.state.clock import new_run_id
from pipelines.state.lease import DEAD_AFTER, Holder, this_process
from pipelines.state.store import Store
from tests.state.places import OpenStore, Outside
from tests.state.samples import planned


def holder(**changes: Any) -> Holder:
    return replace(this_process("run-1", datetime.now(UTC)), **changes)


def leave_lease(outside: Outside, left: Holder) -> None:
    """The row of a version that took no locks."""
    outside(
        "INSERT INTO leases (pipeline, run_id, host, pid, process_started, taken_at, heartbeat_at)"
        " VALUES ('newsletter', :run_id, :host, :pid, :started, :taken_at, :heartbeat_at)",
        run_id=left.run_id,
        host=left.host,
        pid=left.pid,
        started=left.process_started,
        taken_at=left.taken_at.isoformat(),
        heartbeat_at=left.heartbeat_at.isoformat(),
    )


def test_a_new_run_drops_what_was_planned_and_keeps_what_is_unknown(
    store: Store, open_store: OpenStore
) -> None:
    (ann, _) = planned(store, "ann", "bob")
    store.outbox.intend(ann, '{"create": true}', None)
    store.close()
    with open_store() as again:
        again.runs.begin("run-2", "newsletter")
        assert again.outbox.planned() == []
        assert [(entry.key, entry.change) for entry in again.outbox.unsettled()] == [
            ("ann", '{"create": true}')
        ]
        assert again.runs.waiting("newsletter").unknown == 1


def test_a_new_run_leaves_what_another_scope_has_planned(store: Store, open_store: OpenStore) -> None:
    planned(store, "ann")
    with open_store(pipeline="shop") as shop:
        shop.runs.begin("run-2", "shop")
    assert [entry.key for entry in store.outbox.planned()] == ["ann"]


def test_a_run_that_died_is_marked_by_the_next(store: Store, open_store: OpenStore) -> None:
    with open_store(pipeline="shop") as shop:
        shop.runs.begin("shop-1", "shop")
    store.runs.begin("run-2", "newsletter")
    store.runs.finish("run-2", "succeeded", None, {"seconds": 1.5})
    store.runs.begin("run-3", "newsletter")
    assert [
        (run.run_id, run.status, run.message, run.summary) for run in store.runs.last("newsletter", 9)
    ] == [
        ("run-3", "running", None, None),
        ("run-2", "succeeded", None, '{"seconds": 1.5}'),
        ("run-1", "interrupted", "ended without a word (killed?)", None),
    ]
    assert [(run.run_id, run.mode) for run in store.runs.last(None, 2)] == [
        ("run-3", "live"),
        ("run-2", "live"),
    ]
    assert [run.status for run in store.runs.last("shop", 9)] == ["running"]


def test_a_run_id_tells_when_and_is_not_given_twice() -> None:
    ids = {new_run_id(datetime.now(UTC)) for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", run_id) for run_id in ids)


def test_a_free_lease_is_taken(store: Store) -> None:
    assert store.runs.holder("newsletter") is None
    assert store.runs.take_lease("newsletter", holder()) is None
    held = store.runs.holder("newsletter")
    assert held is not None
    assert (held.run_id, held.host, held.pid) == ("run-1", socket.gethostname(), os.getpid())


def test_a_lease_is_held_for_its_pipeline_alone_until_the_run_ends(
    store: Store, open_store: OpenStore
) -> None:
    store.runs.take_lease("newsletter", holder())
    with open_store() as second:
        held = second.runs.take_lease("newsletter", holder(run_id="run-2"))
        assert held is not None
        assert held.run_id == "run-1"
        assert second.runs.take_lease("shop", holder(run_id="shop-1")) is None
        store.runs.finish("run-1", "succeeded", None, {})
        assert second.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_a_lease_that_was_lost_to_another_is_not_released(store: Store) -> None:
    store.runs.take_lease("newsletter", holder(run_id="run-2"))
    store.runs.finish("run-1", "succeeded", None, {})
    held = store.runs.holder("newsletter")
    assert held is not None
    assert held.run_id == "run-2"


def test_the_lease_of_a_dead_process_is_taken_over(store: Store, outside: Outside) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        leave_lease(outside, holder(pid=process.pid, process_started=started))
        held = store.runs.take_lease("newsletter", holder(run_id="run-2"))
        assert held is not None
        assert held.pid == process.pid
        process.kill()
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_the_lease_of_a_recycled_pid_is_taken_over(store: Store, outside: Outside) -> None:
    me = holder()
    leave_lease(outside, replace(me, process_started=me.process_started - 3600))
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_the_lease_of_another_host_is_held_while_its_heart_beats(store: Store, outside: Outside) -> None:
    leave_lease(outside, holder(host="another-host.invalid", process_started=0.0))
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is not None
    silent_since = (datetime.now(UTC) - DEAD_AFTER).isoformat()
    outside("UPDATE leases SET heartbeat_at = :at", at=silent_since)
    assert store.runs.holder("newsletter") is None
    store.runs.beat("run-1")
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is not None
    outside("UPDATE leases SET heartbeat_at = :at", at=silent_since)
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_of_many_that_want_a_lease_one_gets_it(open_store: OpenStore) -> None:
    def take(number: int) -> bool:
        with open_store() as store:
            taken = store.runs.take_lease("newsletter", holder(run_id=f"run-{number}")) is None
            barrier.wait(60)
            return taken

    barrier = threading.Barrier(16)  # a store that is closed keeps no lease
    with open_store(), ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_a_lease_without_its_lock_is_that_of_a_dead_process(open_store: OpenStore, outside: Outside) -> None:
    with open_store() as first:
        assert first.runs.take_lease("newsletter", holder()) is None
        first.runs.beat("run-1")
    outside("UPDATE leases SET heartbeat_at = '2100-01-01T00:00:00+00:00', host = 'another-host.invalid'")
    with open_store() as second:
        assert second.runs.holder("newsletter") is None
        assert second.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_whoever_lost_the_lease_is_told_at_the_next_sign_of_life_and_before_an_intent(
    store: Store, outside: Outside
) -> None:
    store.runs.take_lease("newsletter", holder())
    store.runs.beat("run-1")
    store.runs.check_lease("run-1")
    outside("UPDATE leases SET run_id = 'run-2'")
    with pytest.raises(LeaseLostError):
        store.runs.beat("run-1")
    with pytest.raises(LeaseLostError):
        store.runs.check_lease("run-1")
