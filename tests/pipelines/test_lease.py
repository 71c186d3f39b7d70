"""Who runs a pipeline now: alive, dead, elsewhere, or a stranger under a recycled process id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from pipelines.lease import DEAD_AFTER, Holder, this_process

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing until it is killed."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield started
    started.kill()
    started.wait()


def holder_of(pid: int) -> Holder:
    created = psutil.Process(pid).create_time()
    return Holder("run", socket.gethostname(), pid, created, taken_at=NOW, heartbeat_at=NOW)


def elsewhere(*, silent_for: timedelta) -> Holder:
    return Holder("run", "another-host.invalid", os.getpid(), 0.0, NOW, heartbeat_at=NOW - silent_for)


def test_this_process_is_alive_however_long_it_is_silent() -> None:
    me = this_process("run", NOW)
    assert me == replace(holder_of(os.getpid()), run_id="run")
    assert me.is_alive(NOW)
    assert me.is_alive(NOW + timedelta(days=30))


def test_another_process_of_this_host_is_alive_until_it_ends(process: subprocess.Popen[bytes]) -> None:
    holder = holder_of(process.pid)
    assert holder.is_alive(NOW)
    process.kill()
    process.wait()
    assert not holder.is_alive(NOW)


def test_a_killed_process_is_dead_before_its_parent_has_noticed(process: subprocess.Popen[bytes]) -> None:
    # In a container nobody may ever notice: the pid stays, as a zombie.
    holder = holder_of(process.pid)
    process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the process does not end"
        time.sleep(0.01)
    assert not holder.is_alive(NOW)


@pytest.mark.parametrize("older_s", [2.0, 3600.0, -2.0])
def test_a_stranger_under_a_recycled_pid_is_not_the_holder(older_s: float) -> None:
    me = this_process("run", NOW)
    assert not replace(me, process_started=me.process_started - older_s).is_alive(NOW)


def test_a_holder_on_another_host_is_alive_while_its_heart_beats() -> None:
    assert elsewhere(silent_for=timedelta(0)).is_alive(NOW)
    assert elsewhere(silent_for=DEAD_AFTER - timedelta(seconds=1)).is_alive(NOW)
    assert not elsewhere(silent_for=DEAD_AFTER).is_alive(NOW)
    assert not elsewhere(silent_for=timedelta(days=1)).is_alive(NOW)
