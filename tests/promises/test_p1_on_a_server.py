"""P1 with the state on a PostgreSQL server: containers without a disk, other hosts, lost leases."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import URL

from connectors.kartra.sandbox import Sandbox
from pipelines.config.server_state import ServerState
from tests.command.several import wait_for
from tests.conftest import LOAD, Project, contact, kill
from tests.promises.scenes import all_wished, held
from tests.server_state import environ_of
from tests.state.places import beside, new_schema

ROWS = [contact(number) for number in range(12)]


@pytest.fixture
def place(postgresql_server: URL, project: Project) -> ServerState:
    """The state of the project is on a server, which nobody has used yet."""
    place = new_schema(postgresql_server)
    project.environ |= environ_of(place)
    return place


def points_of(sandbox: Sandbox) -> list[int]:
    with sandbox.lock:
        return [lead.score for lead in sandbox.account.leads.values()]


def test_what_changed_is_sent_and_nothing_else_from_whatever_folder(
    place: ServerState, project: Project, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As two containers without a disk: nothing of the first is there for the second."""
    project.pipeline(LOAD)
    project.contacts(ROWS)
    planned = project.command("plan", "p.yaml", "--json").json
    assert planned["leads"]["created"] == len(ROWS)
    first = project.run()
    assert (first.code, first.json["leads"]["created"]) == (0, len(ROWS)), first.stderr
    assert held(sandbox) == all_wished(ROWS)
    fresh = Project(tmp_path_factory.mktemp("container"), dict(project.environ))
    fresh.pipeline(LOAD)
    fresh.contacts([contact(0, City="Oslo"), *ROWS[1:]])
    second = fresh.run()
    assert (second.json["leads"]["edited"], second.json["calls"]["sent"]) == (1, 1), second.stderr
    assert not list(fresh.folder.rglob("*.db"))
    assert fresh.command("state", "verify", "p.yaml", "--json").json["problems"] == []
    forgotten = fresh.command("state", "forget", "p.yaml", "lead3@example.org", "--yes", "--json").json
    assert forgotten["erased"]["leads"] == 1
    assert "user" not in forgotten["state"]
    backup = fresh.command("state", "backup", "p.yaml", "--json").json["backup"]
    assert beside(Path(backup))("SELECT count(*) FROM leads") == [(len(ROWS) - 1,)]


def test_a_plan_that_looks_leaves_nothing_on_the_server(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts(ROWS)
    assert project.command("plan", "p.yaml").code == 0
    assert project.command("status", "p.yaml").code == 0
    assert beside(place)("SELECT 1 FROM pg_namespace WHERE nspname = :its", its=place.schema) == []


def test_a_plan_is_saved_before_the_first_run_and_applied(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    """Its changes are kept as they are read, by one connection."""
    project.pipeline(LOAD)
    project.contacts(ROWS)
    saved = project.command("plan", "p.yaml", "--save", "--json")
    assert (saved.code, saved.json["leads"]["created"]) == (0, len(ROWS)), saved.stderr
    applied = project.command("apply", "p.yaml", saved.json["plan_id"], "--yes", "--json")
    assert applied.code == 0, applied.stderr
    assert held(sandbox) == all_wished(ROWS)


def test_a_run_that_nothing_disturbs_says_nothing_of_its_connections(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts(ROWS)
    for verb in ("run", "plan"):
        done = project.command(verb, "p.yaml")
        assert (done.code, done.stderr) == (0, "")


def test_a_server_that_is_not_there_is_exit_1_and_says_so_without_the_password(
    project: Project, sandbox: Sandbox
) -> None:
    project.environ["KARTRA_STATE"] = "postgresql://me:s3cret@127.0.0.1:1/crm"
    project.pipeline(LOAD)
    project.contacts(ROWS)
    ran = project.run()
    assert (ran.code, sandbox.calls) == (1, [])
    assert "127.0.0.1:1" in ran.stdout + ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr


def test_a_run_that_was_killed_is_taken_over_and_nothing_is_done_twice(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(f"{LOAD}\npoints: 10\n", kartra="workers: 4\nsettle_s: 1")
    project.contacts(ROWS)
    for more in (2, 3, 3):
        process, before = project.start("run", "p.yaml"), len(held(sandbox))
        wait_for(lambda goal=before + more: len(held(sandbox)) >= goal)
        kill(process)
    again = project.run()
    assert again.code == 0, again.stderr
    assert points_of(sandbox) == [10] * len(ROWS)
    assert held(sandbox) == all_wished(ROWS)
    assert project.run().json["calls"]["sent"] == 0


def freeze(pid: int, place: ServerState) -> None:
    """At a moment at which the state is not being written: else the server ends its transaction by itself."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state LIKE :open"

    def is_frozen() -> bool:
        os.killpg(pid, signal.SIGSTOP)
        if beside(place)(busy, open="%transaction%") == [(0,)]:
            return True
        os.killpg(pid, signal.SIGCONT)
        return False

    wait_for(is_frozen)


def test_whoever_was_taken_over_from_sends_nothing_more(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    """It was frozen as a machine sleeps; another host has taken its run over meanwhile."""
    rows = [contact(number) for number in range(30)]
    project.pipeline(f"{LOAD}\npoints: 10\n", kartra="workers: 1\ncalls_per_second: 10")
    project.contacts(rows)
    first = project.start("run", "p.yaml")
    wait_for(lambda: len(held(sandbox)) > 2)
    freeze(first.pid, place)
    beside(place)(
        "UPDATE leases SET heartbeat_at = '2020-01-01T00:00:00+00:00', host = 'another', namespace = 'x'"
    )
    second = project.run()
    assert second.code == 0, second.stderr
    sent = len(sandbox.calls)
    os.killpg(first.pid, signal.SIGCONT)
    _, said = first.communicate(timeout=120)
    assert (first.returncode, "lost its lease" in said) == (5, True), said
    assert points_of(sandbox) == [10] * len(rows)
    assert len(sandbox.calls) <= sent + 1, "the call that was on its way when it was frozen"
    assert project.run().json["leads"]["unchanged"] == len(rows)


def test_another_host_is_respected_while_it_lives(
    place: ServerState, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD, kartra="workers: 1\ncalls_per_second: 5")
    project.contacts(ROWS)
    first = project.start("run", "p.yaml")
    wait_for(lambda: len(held(sandbox)) > 1)
    beside(place)("UPDATE leases SET host = 'another', namespace = 'x'")
    second = project.run()
    assert second.code == 5, second.stderr
    assert first.wait(timeout=60) == 0
    first.communicate()
