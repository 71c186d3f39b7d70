"""A pooler between this program and the server: sessions have to be kept."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
from sqlalchemy import URL

from pipelines.config.server_state import ServerState
from pipelines.errors import StateError
from tests.state.places import new_schema, opened_at
from tests.state.samples import acknowledge

STARTED_WITHIN_S = 60
Pooled = Callable[[str], ServerState]


@pytest.fixture
def pooled(postgresql_server: URL) -> Iterator[Pooled]:
    """The state of a server, reached through PgBouncer in a mode."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    with ExitStack() as ended:

        def start(mode: str) -> ServerState:
            folder = Path(mkdtemp(prefix="kb-"))
            ended.callback(shutil.rmtree, folder, ignore_errors=True)
            settings = {
                "listen_port": 6432,
                "unix_socket_dir": folder,
                "auth_type": "any",
                "pool_mode": mode,
                "logfile": folder / "log",
                "pidfile": folder / "pid",
            }
            lines = [f"{name} = {value}" for name, value in settings.items()]
            server = f"* = host={postgresql_server.query['host']} user={postgresql_server.username}"
            ini = folder / "pgbouncer.ini"
            ini.write_text("\n".join(["[databases]", server, "[pgbouncer]", *lines, ""]))
            for path in (folder, ini):
                path.chmod(0o777)
            owner = Path(str(postgresql_server.query["host"])).stat().st_uid
            user = owner if os.geteuid() == 0 else None
            process = subprocess.Popen([program, "-q", str(ini)], user=user)
            ended.callback(process.wait, 30)
            ended.callback(process.terminate)
            direct = new_schema(postgresql_server)
            address = f"postgresql://{postgresql_server.username}@/postgres?host={folder}&port=6432"
            place = replace(direct, dsn=address, options={})
            wait_for(place, process)
            return place

        yield start


def wait_for(place: ServerState, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            psycopg.connect(place.dsn).close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_a_pooler_that_keeps_sessions_is_one(pooled: Pooled) -> None:
    place = pooled("session")
    with opened_at(place)() as store, opened_at(place)(pipeline="other"):
        store.runs.begin("run-1", "newsletter")
        store.staging.begin()
        acknowledge(store, "ann")
        assert store.leads.count() == 1


def test_a_pooler_that_changes_sessions_is_refused(pooled: Pooled) -> None:
    place = pooled("transaction")
    with pytest.raises(StateError, match="session mode"):
        opened_at(place)()
