"""The file that holds a state: whose it is, and what becomes of one that is not ours. Of SQLite alone."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import pytest

from pipelines.cli.exits import LOCKED, code_of
from pipelines.errors import StateBusyError, StateError
from pipelines.shipped import ROOT
from pipelines.state import sqlite
from pipelines.state.sqlite import MIGRATIONS
from pipelines.state.store import Store
from tests.attacks.table import observe
from tests.state.places import beside, opened_at
from tests.state.samples import planned


@pytest.fixture
def place(path: Path) -> Path:
    """What is asked here is asked of a file."""
    return path


def test_an_empty_file_becomes_a_state_of_the_newest_version(path: Path) -> None:
    with Store(path):
        pass
    assert beside(path)("PRAGMA user_version") == [(len(list(MIGRATIONS.glob("*.sql"))),)]
    assert beside(path)("PRAGMA journal_mode") == [("wal",)]
    assert [
        name for (name,) in beside(path)("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY 1")
    ] == [
        "accounts",
        "attempts",
        "barred_operations",
        "breakers",
        "doctor",
        "drift",
        "fences",
        "forgotten",
        "forgotten_salt",
        "generation",
        "given_to_all",
        "health",
        "imports",
        "inventories",
        "leads",
        "leases",
        "modes",
        "operations",
        "outbox",
        "plan_changes",
        "plan_runs",
        "plans",
        "raw_hashes",
        "refusals",
        "rejects",
        "runs",
        "scopes",
        "watermarks",
    ]


def test_every_table_is_strict(path: Path) -> None:
    with Store(path):
        pass
    tables = beside(path)(
        "SELECT name, strict FROM pragma_table_list WHERE schema='main' AND name NOT LIKE 'sql%'"
    )
    assert len(tables) == 28
    assert [name for name, is_strict in tables if not is_strict] == []


def test_a_state_of_a_newer_program_is_refused_and_left_alone(path: Path) -> None:
    with Store(path):
        pass
    beside(path)("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StateError) as refusal:
        Store(path)
    assert str(refusal.value) == (
        f"{path}: written by a newer kartra-sync (schema 99, this one knows"
        f" {len(list(MIGRATIONS.glob('*.sql')))}): upgrade, or use the newer one"
    )
    assert path.read_bytes() == before
    observe("newer-schema", str(refusal.value).partition(", this one")[0], FOLDER=path.parent)


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("Email,City\n" * 1000)
    with pytest.raises(StateError) as refusal:
        Store(path)
    assert str(refusal.value) == f"{path}: cannot be used as state: file is not a database"
    assert path.read_text() == "Email,City\n" * 1000


def test_a_damaged_state_is_refused(path: Path) -> None:
    with opened_at(path)() as store:
        store.runs.begin("run-1", "newsletter")
        planned(store, *(f"lead{number}" for number in range(500)))
    damaged = bytearray(path.read_bytes())
    size = int.from_bytes(damaged[16:18])
    for start in range(2 * size, len(damaged), size):
        damaged[start : start + 64] = os.urandom(64)
    path.write_bytes(damaged)
    with pytest.raises(StateError, match=rf"^{re.escape(str(path))}: "):
        Store(path)


def test_a_folder_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(StateError) as refusal:
        Store(tmp_path)
    assert str(refusal.value) == f"{tmp_path}: cannot be used as state: Is a directory"


def test_the_state_and_its_side_files_are_the_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with opened_at(path)() as store:
            store.runs.begin("run-1", "newsletter")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"kartra.db": 0o600, "kartra.db-shm": 0o600, "kartra.db-wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_state_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    with Store(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "name", ["a b.db", "o'brien.db", "50%20.db", "a#b.db", "a?b.db", "a?mode=memory.db", "ü.db"]
)
def test_the_state_is_the_file_it_is_told_to_be(tmp_path: Path, name: str) -> None:
    with opened_at(tmp_path / name)():
        pass
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert beside(tmp_path / name)("SELECT pipeline FROM scopes") == [("newsletter",)]


def test_a_state_in_memory_leaves_no_file(tmp_path: Path) -> None:
    with Store(None) as store:
        store.scope.enter("newsletter", "acc", "live")
        assert store.leads.count() == 0
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipelines.errors import StateError
from pipelines.state.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        store.inventories.keep("acc", "tags", ["a tag" * 200_000])
    except Exception as error:
        print(isinstance(error, StateError), error)
    print(store.inventories.get("acc", "tags"))
"""


def test_a_full_disk_is_an_error_of_the_state(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    error, kept = done.stdout.splitlines()
    assert (error.partition(":")[0], kept, done.returncode) == (f"True {path}", "None", 0), done.stderr


@pytest.mark.parametrize("is_open", [False, True])
def test_a_state_that_another_process_holds_is_told_as_that_and_no_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, is_open: bool
) -> None:
    """Such as a run that was stopped in the middle of a change."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    with Store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        keep = partial(store.inventories.keep, "acc", "tags", ["a tag"])
        change: Callable[[], object] = keep if is_open else partial(Store, path)
        with pytest.raises(StateBusyError, match="another process is changing the state") as raised:
            change()
        assert (code_of(raised.value), str(path) in str(raised.value)) == (LOCKED, True)
        other.execute("ROLLBACK")
        keep()


ORPHAN = """INSERT INTO outbox (run_id, scope_id, key, kind, digest, state)
VALUES ('no such run', 1, 'eve', 'removal', x'', 'planned')"""


@pytest.mark.parametrize("is_together", [False, True])
def test_what_cannot_be_committed_is_taken_back_and_the_store_goes_on(
    store: Store, *, is_together: bool
) -> None:
    """SQLite leaves a transaction open when its commit fails."""

    def commit() -> None:
        with store.database.together() if is_together else nullcontext(), store.database.transaction():
            store.database.change("PRAGMA defer_foreign_keys = ON")
            store.database.change(ORPHAN)

    with pytest.raises(StateError, match="FOREIGN KEY constraint failed"):
        commit()
    assert store.outbox.planned() == []
    (entry,) = planned(store, "ann")
    assert store.outbox.planned() == [entry]
