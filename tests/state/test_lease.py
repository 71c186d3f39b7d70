"""Who runs a pipeline now: alive, dead, elsewhere, or a stranger under a recycled process id."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from connectors.kartra.sandbox import Faults, Sandbox
from pipelines.state.lease import DEAD_AFTER, Holder, this_process
from tests.attacks.table import observe
from tests.command.several import adds_up, wait_for
from tests.conftest import LOAD, Project, contact, kill
from tests.promises.scenes import all_wished, held

ROOT = Path(__file__).parents[2]
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
    namespace = this_process("run", NOW).namespace
    return Holder("run", socket.gethostname(), pid, created, NOW, NOW, namespace)


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


# --- as the command keeps it


def leave_lease(project: Project, *, silent_for: timedelta) -> str:
    """A run of the pipeline on another host that was last heard of then; gives since when it runs."""
    now = datetime.now(UTC)
    taken_at = now - timedelta(hours=1)
    values = ("20260101T000000-abcdef", "another-host.invalid", 1, 0.0, taken_at, now - silent_for)
    with closing(sqlite3.connect(project.state)) as connection, connection:
        connection.execute(
            "INSERT INTO leases (pipeline, run_id, host, pid, process_started, taken_at, heartbeat_at)"
            " VALUES ('newsletter', ?, ?, ?, ?, ?, ?)",
            [value.isoformat() if isinstance(value, datetime) else value for value in values],
        )
    return f"{taken_at:%Y-%m-%d %H:%M:%S}"


def test_a_run_on_another_host_is_respected_until_it_was_silent_for_two_minutes(
    project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(3)]
    project.contacts(rows[:1])
    project.pipeline(LOAD)
    assert project.run().code == 0
    project.contacts(rows)
    since = leave_lease(project, silent_for=DEAD_AFTER - timedelta(seconds=45))
    sandbox.reset_calls()
    refused = project.command("run", "p.yaml")
    told = (
        f"newsletter has been running since {since} UTC in process 1 on another-host.invalid"
        " (run 20260101T000000-abcdef)"
    )
    assert (refused.code, refused.stderr, sandbox.calls) == (5, f"kartra-sync: {told}\n", [])
    status = project.command("status", "p.yaml", "--json").json["pipelines"][0]["running"]
    assert (status["host"], status["pid"]) == ("another-host.invalid", 1)
    with closing(sqlite3.connect(project.state)) as connection, connection:
        connection.execute("DELETE FROM leases")
    leave_lease(project, silent_for=DEAD_AFTER)
    taken_over = project.run()
    assert (taken_over.code, taken_over.json["leads"]["created"]) == (0, 2)
    assert held(sandbox) == all_wished(rows)


def test_a_run_that_was_killed_with_calls_in_flight_is_taken_over_at_once(
    project: Project, sandbox: Sandbox
) -> None:
    rows = [contact(number) for number in range(6)]
    project.contacts(rows)
    project.pipeline(LOAD, kartra="settle_s: 1\nworkers: 2")
    sandbox.set_faults(Faults(silence=1.0, commands=frozenset({"create_lead"})))  # executed, not answered
    running = project.start("run", "p.yaml")
    wait_for(lambda: len(held(sandbox)) == 1)
    second = project.command("run", "p.yaml")
    told = f" UTC in process {running.pid} on {socket.gethostname()} (run "
    assert (second.code, told in second.stderr, running.poll()) == (5, True, None)
    kill(running)
    sandbox.set_faults(Faults())
    taken_over = project.run()
    assert (taken_over.code, adds_up(taken_over.json)) == (0, True)
    assert held(sandbox) == all_wished(rows)


# --- across namespaces, host names and clocks


def apart(*words: str, host: str = "", pids: bool = False) -> list[str]:
    """The command as another container of this host would start it, over the same folder."""
    kinds = [*(["--uts"] if host else []), *(["--pid", "--fork", "--mount-proc"] if pids else [])]
    named = ["sh", "-c", 'hostname "$0" && exec "$@"', host] if host else []
    return ["unshare", *kinds, *named, sys.executable, "-m", "pipelines", *words]


def started(project: Project, command: list[str], **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **project.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def suspend(process: subprocess.Popen[str], project: Project) -> None:
    """As a laptop or a virtual machine sleeps: at a moment at which the state is not being written."""
    deadline = time.monotonic() + 60
    while True:
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(project.state, timeout=0.1, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            os.killpg(process.pid, signal.SIGCONT)
            assert time.monotonic() < deadline, "the state is always being written"
            time.sleep(0.05)


POINTS = f"{LOAD}\npoints: 10\n"


def points_of(sandbox: Sandbox) -> list[int]:
    with sandbox.lock:
        return [lead.score for lead in sandbox.account.leads.values()]


@pytest.fixture
def forty(project: Project) -> list[dict[str, str]]:
    rows = [contact(number) for number in range(40)]
    project.contacts(rows)
    project.pipeline(POINTS, kartra="workers: 1\ncalls_per_second: 10")
    return rows


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are made by root: run the tests as root")
@pytest.mark.parametrize(
    "kinds", [{"pids": True}, {"host": "elsewhere"}, {"pids": True, "host": "elsewhere"}]
)
def test_a_run_in_another_container_of_this_host_is_respected(
    project: Project, sandbox: Sandbox, forty: list[dict[str, str]], kinds: dict[str, Any]
) -> None:
    first = started(project, apart("run", "p.yaml", pids=True))
    wait_for(lambda: len(held(sandbox)) > 2)
    with closing(sqlite3.connect(project.state)) as connection, connection:
        connection.execute("UPDATE leases SET heartbeat_at = '2020-01-01T00:00:00+00:00'")
    suspend(first, project)
    second = started(project, apart("run", "p.yaml", **kinds))
    _, said = second.communicate(timeout=60)
    os.killpg(first.pid, signal.SIGCONT)
    assert (second.returncode, "has been running since" in said) == (5, True), said
    _, said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert points_of(sandbox) == [10] * len(forty)


def test_a_run_that_was_killed_while_its_clock_was_ahead_is_taken_over_at_once(
    project: Project, sandbox: Sandbox, forty: list[dict[str, str]]
) -> None:
    if not (fake := shutil.which("faketime")):
        pytest.skip("faketime is missing: apt-get install faketime")
    first = started(project, [fake, "-f", "+2h", sys.executable, "-m", "pipelines", "run", "p.yaml"])
    wait_for(lambda: len(held(sandbox)) > 2)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    for left in Path("/dev/shm").glob(f"*faketime*_{first.pid}"):
        left.unlink()
    second = project.run()
    assert second.code == 0, second.stderr
    assert points_of(sandbox) == [10] * len(forty)
    observe("clock-ahead", f"the next run ends with {second.code}; points of each {set(points_of(sandbox))}")


def test_whoever_lost_the_lease_sends_nothing_more(
    project: Project, sandbox: Sandbox, forty: list[dict[str, str]]
) -> None:
    first = project.start("run", "p.yaml")
    wait_for(lambda: len(held(sandbox)) > 2)
    for lock in project.state.parent.glob("*.lock"):
        lock.unlink()  # somebody thought that it was left behind
    suspend(first, project)
    second = project.run()
    assert second.code == 0, second.stderr
    os.killpg(first.pid, signal.SIGCONT)
    _, said = first.communicate(timeout=60)
    assert (first.returncode, "lost its lease" in said) == (5, True), said
    assert "do not add up" not in said
    assert points_of(sandbox) == [10] * len(forty)
    assert project.run().json["leads"]["unchanged"] == len(forty)
