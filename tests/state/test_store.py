"""The state store: what is committed stays, whole or not at all, and each scope sees its own."""

import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosql
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contacts.lead import DesiredLead, Snapshot, digest, shape
from pipelines.contacts.staged import Reject, Staged
from pipelines.errors import StateError
from pipelines.shipped import ROOT
from pipelines.state.clock import new_run_id
from pipelines.state.database import BATCH, FOLDER, MIGRATIONS
from pipelines.state.leads import Acknowledged
from pipelines.state.lease import DEAD_AFTER, Holder, this_process
from pipelines.state.outbox import JOURNAL_KEPT, Entry, Outcome
from pipelines.state.staging import Difference
from pipelines.state.store import Store

SQL = ROOT / "sql"

SUBJECTS = sorted(file.stem for file in FOLDER.glob("*.sql"))
ALL_SQL = sorted(file for file in SQL.rglob("*.sql") if file.parent.name != "macros")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kartra.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store in the scope of a live pipeline, with its first run begun and an empty staging table."""
    with opened(path) as fresh:
        fresh.runs.begin("run-1", "newsletter")
        fresh.staging.begin()
        yield fresh


def opened(path: Path, *, pipeline: str = "newsletter", account: str = "acc", mode: str = "live") -> Store:
    fresh = Store(path)
    fresh.scope.enter(pipeline, account, mode)
    return fresh


def raw(path: Path, statement: str, *values: object) -> list[Any]:
    """What another program would do to the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def wish(key: str, city: str = "Lyon") -> DesiredLead:
    return DesiredLead(f"{key}@example.org", {"city": city})


def digest_of(lead: DesiredLead) -> bytes:
    return digest(lead.to_json())


def snapshot_of(lead: DesiredLead, lead_id: str | None = "1") -> Snapshot:
    return Snapshot(lead.email, lead_id, lead.fields)


def record(row: int, key: str, city: str = "Lyon", **changes: Any) -> Staged:
    lead = wish(key, city)
    text = f'{{"row": {row}}}'
    values = {"rank": float(row), "wish": lead.to_json(), "blocked": None, "record": text}
    return Staged(
        row=row,
        line=row + 100,
        key=key,
        digest=digest_of(lead),
        raw=digest(text),
        shape=shape(lead),
        **{**values, **changes},
    )


def stage(store: Store, *records: Staged) -> None:
    """As a run does it, without merging."""
    store.staging.add(records, [], None)
    store.staging.end()
    store.staging.settle([], None)


def planned(store: Store, *keys: str, run_id: str = "run-1") -> list[Entry]:
    """Enqueue a change for each key; gives the entries."""
    store.outbox.enqueue(
        run_id,
        [
            {
                "key": key,
                "kind": "load",
                "row": row,
                "line": row,
                "digest": digest_of(wish(key)),
            }
            for row, key in enumerate(keys, start=2)
        ],
    )
    return [entry for entry in store.outbox.planned() if entry.key in keys]


def acknowledge(store: Store, key: str, city: str = "Lyon", **changes: Any) -> None:
    """Let Kartra have the lead just as wished."""
    lead = wish(key, city)
    known = {"snapshot": snapshot_of(lead), "origin": "created", "digest": digest_of(lead), **changes}
    (entry,) = planned(store, key)
    store.outbox.intend(entry, "{}", None)
    store.outbox.settle(entry, Outcome("created"), Acknowledged(**known), run_id="run-1")


def holder(**changes: Any) -> Holder:
    return replace(this_process("run-1", datetime.now(UTC)), **changes)


def keys_of(differences: Iterator[Difference]) -> list[str]:
    return [difference.key for difference in differences]


# --- the file


def test_an_empty_file_becomes_a_state_of_the_newest_version(path: Path) -> None:
    with Store(path):
        pass
    assert raw(path, "PRAGMA user_version") == [(len(list(MIGRATIONS.glob("*.sql"))),)]
    assert raw(path, "PRAGMA journal_mode") == [("wal",)]
    assert [
        name for (name,) in raw(path, "SELECT name FROM sqlite_schema WHERE type='table' ORDER BY 1")
    ] == [
        "breakers",
        "drift",
        "forgotten",
        "forgotten_salt",
        "imports",
        "inventories",
        "leads",
        "leases",
        "operations",
        "outbox",
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
    tables = raw(
        path, "SELECT name, strict FROM pragma_table_list WHERE schema='main' AND name NOT LIKE 'sql%'"
    )
    assert len(tables) == 16
    assert [name for name, is_strict in tables if not is_strict] == []


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(migration.name[:4]) for migration in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_opening_a_state_again_keeps_what_is_in_it(path: Path) -> None:
    with opened(path) as store:
        store.runs.begin("run-1", "newsletter")
        store.staging.begin()
        acknowledge(store, "ann")
    with opened(path) as store:
        assert store.leads.count() == 1


def test_a_state_of_a_newer_program_is_refused_and_left_alone(path: Path) -> None:
    with Store(path):
        pass
    raw(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StateError) as refusal:
        Store(path)
    assert str(refusal.value) == (
        f"{path}: written by a newer kartra-sync (schema 99, this one knows"
        f" {len(list(MIGRATIONS.glob('*.sql')))}): upgrade, or use the newer one"
    )
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("Email,City\n" * 1000)
    with pytest.raises(StateError) as refusal:
        Store(path)
    assert str(refusal.value) == f"{path}: cannot be used as state: file is not a database"
    assert path.read_text() == "Email,City\n" * 1000


def test_a_damaged_state_is_refused(path: Path) -> None:
    with opened(path) as store:
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
        with opened(path) as store:
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
    with opened(tmp_path / name):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert raw(tmp_path / name, "SELECT pipeline FROM scopes") == [("newsletter",)]


def test_a_state_in_memory_leaves_no_file(tmp_path: Path) -> None:
    with Store(None) as store:
        store.scope.enter("newsletter", "acc", "live")
        assert store.leads.count() == 0
    assert list(tmp_path.iterdir()) == []


def test_many_may_open_a_new_state_at_once(tmp_path: Path) -> None:
    def first_scope(path: Path) -> int:
        with opened(path) as store:
            return store.scope.scope_id

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            paths = [tmp_path / f"{number}.db"] * 8
            assert list(pool.map(first_scope, paths)) == [1] * 8


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipelines.state.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        store.inventories.keep("acc", "tags", ["a tag" * 200_000])
    except Exception as error:
        print(type(error).__name__)
    print(store.inventories.get("acc", "tags"))
"""


def test_a_full_disk_is_an_error_of_the_state(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("StateError\nNone\n", 0), done.stderr


# --- transactions


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


def test_a_store_that_is_closed_in_the_middle_keeps_nothing_of_a_transaction(path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom pipelines.state.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.scope.enter('newsletter', 'acc', 'live')\n"
        "store.runs.begin('run-1', 'newsletter'); store.staging.begin()\n"
        "def wishes():\n    yield from ()\n    os._exit(9)\n"
        "store.staging.end(); store.staging.settle(wishes(), 'run-1')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, check=False)
    assert done.returncode == 9
    with opened(path) as store:
        assert [run.status for run in store.runs.last("newsletter", 9)] == ["running"]
        store.runs.begin("run-2", "newsletter")


# --- staging


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


def test_rejects_by_the_thousand_are_given_once_in_the_order_of_the_source(store: Store) -> None:
    rows = [2, *([3] * (BATCH + 5)), *range(4, BATCH)]
    rejects = [Reject(row, None, "invalid", str(place)) for place, row in enumerate(rows)]
    store.staging.add([], rejects, "run-1")
    assert [int(reject.reason) for reject in store.rejects.of_run("run-1")] == list(range(len(rows)))


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
        Reject(2, 102, "blocked", "no consent", None, '{"row": 2}')
    ]


def test_a_lead_whose_record_is_blocked_is_neither_unchanged_nor_gone(store: Store) -> None:
    acknowledge(store, "ann")
    stage(store, record(2, "ann", blocked="opted out"))
    assert (
        store.staging.count_unchanged(),
        list(store.staging.removed()),
        list(store.staging.differences()),
    ) == ((0, 0), [], [])


# --- the diff


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


@settings(max_examples=40)
@given(before=sides, now=sides)
def test_every_lead_is_new_changed_unchanged_or_gone(before: dict[str, str], now: dict[str, str]) -> None:
    with Store(None) as store:
        store.scope.enter("newsletter", "acc", "live")
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


# --- scopes


@pytest.mark.parametrize(
    "other",
    [{"account": "other"}, {"mode": "test"}, {"pipeline": "shop"}],
    ids=["account", "mode", "pipeline"],
)
def test_a_scope_does_not_see_the_leads_of_another(store: Store, path: Path, other: dict[str, str]) -> None:
    acknowledge(store, "ann")
    (refused,) = planned(store, "bob")
    store.outbox.settle(refused, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    planned(store, "eve")
    with opened(path, **other) as beside:
        beside.staging.begin()
        stage(beside, record(2, "ann"), record(3, "bob"))
        assert [(found.key, found.snapshot, found.refused) for found in beside.staging.differences()] == [
            ("ann", None, None),
            ("bob", None, None),
        ]
        assert (beside.outbox.planned(), beside.leads.count(), list(beside.staging.removed())) == ([], 0, [])
        assert beside.leads.owner_of("1") is None
    assert store.leads.owner_of("1") == "ann"


def test_a_scope_is_found_again(path: Path) -> None:
    with opened(path) as one, opened(path, mode="test") as other, opened(path) as again:
        assert one.scope.scope_id == again.scope.scope_id != other.scope.scope_id
        assert one.runs.pipelines() == ["newsletter"]


def test_a_plan_finds_its_scope_and_makes_none(store: Store, path: Path) -> None:
    acknowledge(store, "ann")
    with Store(path) as looking:
        looking.scope.find("newsletter", "acc", "live")
        assert (looking.scope.scope_id, looking.leads.count()) == (store.scope.scope_id, 1)
        looking.scope.find("newsletter", "acc", "test")
        looking.staging.begin()
        stage(looking, record(2, "ann"))
        assert (looking.leads.count(), keys_of(looking.staging.differences())) == (0, ["ann"])
    assert raw(path, "SELECT count(*) FROM scopes") == [(1,)]


# --- refusals


def test_a_refused_wish_is_known_by_its_digest(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.outbox.settle(entry, Outcome("rejected", "271", "custom fields malformed"), None, run_id="run-1")
    stage(store, record(2, "ann"), record(3, "bob"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [
        ("ann", ("271", "custom fields malformed")),
        ("bob", None),
    ]


def test_a_refused_wish_is_tried_again_once_it_changed(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("parked", None, "unproven"), None, run_id="run-1")
    stage(store, record(2, "ann", "Leeds"))
    assert [(found.key, found.refused) for found in store.staging.differences()] == [("ann", None)]


def test_a_refusal_is_forgotten_when_the_lead_is_acknowledged_in_full(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 1, 0)
    acknowledge(store, "ann", digest=b"")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 1, 1)
    acknowledge(store, "ann")
    assert astuple(store.runs.waiting("newsletter")) == (0, 0, 0, 1)


def test_the_refusals_of_a_key_are_told_by_digest(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    assert [astuple(refusal) for refusal in store.refusals.of_key("newsletter", "ann")] == [
        (digest_of(wish("ann")), "malformed")
    ]
    assert store.refusals.of_key("newsletter", "bob") == store.refusals.of_key("shop", "ann") == []


def test_a_removal_that_was_refused_is_not_tried_again(store: Store) -> None:
    acknowledge(store, "ann")
    acknowledge(store, "bob")
    removal = {"key": "ann", "kind": "removal", "row": None, "line": None, "digest": b""}
    store.outbox.enqueue("run-1", [removal])
    (entry,) = store.outbox.planned()
    store.outbox.settle(entry, Outcome("rejected", "243", "no such lead"), None, run_id="run-1")
    assert [key for key, _ in store.staging.removed()] == ["bob"]


def test_a_refused_record_is_rejected_with_its_text(store: Store) -> None:
    store.staging.add([record(2, "ann"), record(3, "bob")], [], None)
    (ann, bob) = planned(store, "ann", "bob")
    store.outbox.settle(ann, Outcome("rejected", "271", "malformed"), None, run_id="run-1")
    store.outbox.settle(bob, Outcome("parked", None, "unproven"), None, run_id="run-1")
    assert list(store.rejects.of_run("run-1")) == [
        Reject(2, 102, "rejected", "malformed", "271", '{"row": 2}'),
        Reject(3, 103, "parked", "unproven", None, '{"row": 3}'),
    ]


def test_originals_are_unpacked_once_however_many_of_them_are_rejected(path: Path) -> None:
    """Of three chunks, in which every key comes again in the next."""
    unpacked: list[bytes] = []

    def unpack(packed: bytes) -> dict[int, str]:
        unpacked.append(packed)
        first = int(packed)
        return {row: f'{{"row": {row}}}' for row in range(first, first + 10)}

    with opened(path) as store:
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
    assert list(store.rejects.of_run("run-1")) == [Reject(2, 102, "parked", "malformed", "271", '{"row": 2}')]


# --- outbox and runs


def test_an_entry_goes_from_planned_to_sent_to_settled(store: Store) -> None:
    stage(store, record(2, "ann"))
    (entry,) = planned(store, "ann")
    assert entry == Entry(
        entry_id=1,
        key="ann",
        kind="load",
        row=2,
        digest=digest_of(wish("ann")),
        wish=wish("ann").to_json(),
        desired=wish("ann"),
        change=None,
        attempts=0,
        sent_at=None,
        snapshot=None,
        origin=None,
    )
    earliest = datetime.now(UTC)
    store.outbox.intend(entry, '{"create": true}', None)
    (sent,) = store.outbox.unsettled()
    assert sent.sent_at is not None
    assert earliest <= sent.sent_at <= datetime.now(UTC)
    assert sent == replace(entry, change='{"create": true}', attempts=1, sent_at=sent.sent_at)
    assert store.outbox.planned() == []
    store.outbox.settle(entry, Outcome("created", done="create_lead"), None, run_id="run-1")
    assert (store.outbox.planned(), store.outbox.unsettled()) == ([], [])
    (journal,) = store.outbox.journal("newsletter", "ann")
    assert (journal.run_id, journal.kind, journal.state, journal.attempts) == ("run-1", "load", "settled", 1)
    assert (journal.outcome, journal.type, journal.reason, journal.done) == (
        "created",
        None,
        None,
        "create_lead",
    )


def test_a_settled_entry_keeps_nothing_of_what_was_wished(store: Store, path: Path) -> None:
    acknowledge(store, "ann")
    assert raw(path, "SELECT state, wish, change FROM outbox") == [("settled", None, None)]


def test_what_earlier_tries_effected_is_committed_with_the_next_intent(store: Store) -> None:
    (entry,) = planned(store, "ann")
    effected = snapshot_of(wish("ann"), "39260")
    store.outbox.intend(entry, "{}", Acknowledged(effected, "created"))
    (sent,) = store.outbox.unsettled()
    assert (sent.snapshot, sent.origin, store.leads.owner_of("39260")) == (effected, "created", "ann")


def test_a_lead_keeps_its_id_when_an_answer_did_not_name_it(store: Store) -> None:
    acknowledge(store, "ann", snapshot=snapshot_of(wish("ann"), "39260"))
    acknowledge(store, "ann", snapshot=snapshot_of(wish("ann"), None))
    assert store.leads.owner_of("39260") == "ann"


def test_a_call_that_was_never_executed_is_owed_again(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    store.outbox.withdraw(entry.entry_id)
    assert [(again.key, again.change, again.attempts) for again in store.outbox.planned()] == [
        ("ann", None, 1)
    ]
    assert store.outbox.unsettled() == []


def test_a_settled_entry_is_neither_withdrawn_nor_sent_again(store: Store) -> None:
    (entry,) = planned(store, "ann")
    store.outbox.settle(entry, Outcome("created"), None, run_id="run-1")
    store.outbox.withdraw(entry.entry_id)
    store.outbox.intend(entry, "{}", None)
    assert (store.outbox.planned(), store.outbox.unsettled()) == ([], [])


def test_planned_entries_come_in_batches_in_their_order(store: Store) -> None:
    keys = [f"key{number}" for number in range(BATCH + 5)]
    planned(store, *keys)
    first = store.outbox.planned()
    rest = store.outbox.planned(after=first[-1].entry_id)
    assert [entry.key for entry in first + rest] == keys
    assert (len(first), store.outbox.planned(after=rest[-1].entry_id)) == (BATCH, [])


def test_a_new_run_drops_what_was_planned_and_keeps_what_is_unknown(store: Store, path: Path) -> None:
    (ann, _) = planned(store, "ann", "bob")
    store.outbox.intend(ann, '{"create": true}', None)
    store.close()
    with opened(path) as again:
        again.runs.begin("run-2", "newsletter")
        assert again.outbox.planned() == []
        assert [(entry.key, entry.change) for entry in again.outbox.unsettled()] == [
            ("ann", '{"create": true}')
        ]
        assert again.runs.waiting("newsletter").unknown == 1


def test_a_new_run_leaves_what_another_scope_has_planned(store: Store, path: Path) -> None:
    planned(store, "ann")
    with opened(path, pipeline="shop") as shop:
        shop.runs.begin("run-2", "shop")
    assert [entry.key for entry in store.outbox.planned()] == ["ann"]


def test_a_run_that_died_is_marked_by_the_next(store: Store, path: Path) -> None:
    with opened(path, pipeline="shop") as shop:
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


def test_what_a_run_did_not_send_waits_for_the_next(store: Store) -> None:
    (ann, _) = planned(store, "ann", "bob")
    store.outbox.intend(ann, "{}", None)
    store.outbox.defer("run-1")
    assert (store.outbox.planned(), [entry.key for entry in store.outbox.unsettled()]) == ([], ["ann"])
    assert store.outbox.outcomes("run-1") == {("load", "deferred"): 2}


def test_outcomes_are_counted_by_run_and_kind_without_what_was_recovered(store: Store) -> None:
    store.runs.begin("run-2", "newsletter")
    entries = planned(store, "a", "b", "c", "d", run_id="run-2")
    for entry, name in zip(entries, ("created", "created", "recovered", "edited"), strict=True):
        store.outbox.settle(entry, Outcome(name), None, run_id="run-2")
    removal = {"key": "e", "kind": "removal", "row": None, "line": None, "digest": b""}
    store.outbox.enqueue("run-2", [removal])
    (entry,) = store.outbox.planned()
    assert (entry.kind, entry.desired, entry.row) == ("removal", None, None)
    store.outbox.settle(entry, Outcome("removed"), None, run_id="run-2")
    assert store.outbox.outcomes("run-2") == {
        ("load", "created"): 2,
        ("load", "edited"): 1,
        ("removal", "removed"): 1,
    }
    assert store.outbox.outcomes("run-1") == {}


def test_the_journal_is_kept_for_a_while_and_open_entries_for_ever(store: Store, path: Path) -> None:
    acknowledge(store, "old")
    acknowledge(store, "young")
    (unknown,) = planned(store, "unknown")
    store.outbox.intend(unknown, "{}", None)
    long_ago = (datetime.now(UTC) - JOURNAL_KEPT - timedelta(hours=1)).isoformat()
    raw(path, "UPDATE outbox SET settled_at = ? WHERE key = 'old'", long_ago)
    raw(path, "UPDATE outbox SET sent_at = ? WHERE key = 'unknown'", long_ago)
    store.runs.begin("run-2", "newsletter")
    assert [len(store.outbox.journal("newsletter", key)) for key in ("old", "young", "unknown")] == [0, 1, 1]
    assert store.leads.count() == 2


def test_rejects_are_kept_for_the_last_runs_of_a_pipeline(store: Store, path: Path) -> None:
    raw(path, "UPDATE runs SET started_at = '2026-01-01' WHERE run_id = 'run-1'")
    reject = Reject(2, 2, "invalid", "no e-mail address", record="{}")
    store.staging.add([], [reject], "run-1")
    with opened(path, pipeline="shop") as shop:
        shop.runs.begin("shop-1", "shop")
        shop.staging.begin()
        shop.staging.add([], [reject], "shop-1")
    for number in range(2, 7):
        store.runs.begin(f"run-{number}", "newsletter")
        store.staging.add([], [reject], f"run-{number}")
    kept = [run_id for (run_id,) in raw(path, "SELECT run_id FROM rejects ORDER BY run_id")]
    assert kept == ["run-2", "run-3", "run-4", "run-5", "run-6", "shop-1"]


def test_a_run_id_tells_when_and_is_not_given_twice() -> None:
    ids = {new_run_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", run_id) for run_id in ids)


def test_inventories_are_kept_by_account_and_kind(store: Store) -> None:
    earliest = datetime.now(UTC)
    store.inventories.keep("acc", "tags", ["VIP", "Été"])
    store.inventories.keep("acc", "tags", ["VIP"])
    store.inventories.keep("other", "tags", ["Theirs"])
    stored = store.inventories.get("acc", "tags")
    assert stored is not None
    assert stored[1] == ["VIP"]
    assert earliest <= stored[0] <= datetime.now(UTC)
    assert store.inventories.get("acc", "lists") is None
    store.inventories.forget("acc")
    assert store.inventories.get("acc", "tags") is None
    assert store.inventories.get("other", "tags") is not None


# --- lease


def test_a_free_lease_is_taken(store: Store) -> None:
    assert store.runs.holder("newsletter") is None
    assert store.runs.take_lease("newsletter", holder()) is None
    held = store.runs.holder("newsletter")
    assert held is not None
    assert (held.run_id, held.host, held.pid) == ("run-1", socket.gethostname(), os.getpid())


def test_a_lease_is_held_for_its_pipeline_alone_until_the_run_ends(store: Store, path: Path) -> None:
    store.runs.take_lease("newsletter", holder())
    with opened(path) as second:
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


def test_the_lease_of_a_dead_process_is_taken_over(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        assert store.runs.take_lease("newsletter", holder(pid=process.pid, process_started=started)) is None
        held = store.runs.take_lease("newsletter", holder(run_id="run-2"))
        assert held is not None
        assert held.pid == process.pid
        process.kill()
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_the_lease_of_a_recycled_pid_is_taken_over(store: Store) -> None:
    me = holder()
    store.runs.take_lease("newsletter", replace(me, process_started=me.process_started - 3600))
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_the_lease_of_another_host_is_held_while_its_heart_beats(store: Store, path: Path) -> None:
    store.runs.take_lease("newsletter", holder(host="another-host.invalid", process_started=0.0))
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is not None
    silent_since = (datetime.now(UTC) - DEAD_AFTER).isoformat()
    raw(path, "UPDATE leases SET heartbeat_at = ?", silent_since)
    assert store.runs.holder("newsletter") is None
    store.runs.beat("run-1")
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is not None
    raw(path, "UPDATE leases SET heartbeat_at = ?", silent_since)
    assert store.runs.take_lease("newsletter", holder(run_id="run-2")) is None


def test_of_many_that_want_a_lease_one_gets_it(path: Path) -> None:
    def take(number: int) -> bool:
        with opened(path) as store:
            return store.runs.take_lease("newsletter", holder(run_id=f"run-{number}")) is None

    with opened(path), ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1


# --- the statements


def test_every_statement_opens_with_a_comment_and_binds_nothing_in_it() -> None:
    assert len(ALL_SQL) > 25
    for file in ALL_SQL:
        text = file.read_text(encoding="utf-8")
        comments = "\n".join(re.findall(r"--.*", text))
        assert re.match(r"-- \S.*\n", text), file.name
        assert re.findall(r"(?<!:):\w+", comments) == [], file.name


def test_every_query_says_what_it_gives() -> None:
    for subject in SUBJECTS:
        queries = queries_of(subject)
        assert [name for name in names_of(subject) if not getattr(queries, name).__doc__] == [], subject


def test_every_query_is_called_and_every_call_has_a_query() -> None:
    called: dict[str, set[str]] = {}
    for file in (ROOT / "pipelines").rglob("*.py"):
        code = file.read_text(encoding="utf-8")
        for subject in re.findall(r"\.queries\(\"(\w+)\"\)", code):
            names = re.findall(r"\bself\._queries\.(\w+)", code)
            called.setdefault(subject, set()).update(name.removesuffix("_cursor") for name in names)
    assert called == {subject: names_of(subject) for subject in SUBJECTS}


def queries_of(subject: str) -> Any:
    return aiosql.from_path(FOLDER / f"{subject}.sql", "sqlite3")


def names_of(subject: str) -> set[str]:
    return {name for name in queries_of(subject).available_queries if not name.endswith("_cursor")}


def query_plan(path: Path, subject: str, name: str) -> list[str]:
    """How SQLite carries out a query, with the staging table as a run has it. Older ones say less."""
    staging, query = queries_of("staging"), getattr(queries_of(subject), name)
    values = dict.fromkeys(query.parameters, 1)
    with closing(sqlite3.connect(path)) as connection:
        for table in ("staged", "new_leads", "present", "unseen"):
            getattr(staging, f"create_{table}")(connection)
        staging.index_keys(connection)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", values)]
    return [step.replace("temp.", "").removesuffix(" LEFT-JOIN") for step in plan]


@pytest.mark.usefixtures("store")
def test_the_diff_looks_each_lead_up_by_its_primary_key(path: Path) -> None:
    assert query_plan(path, "staging", "differences") == [
        "SEARCH staged USING INTEGER PRIMARY KEY (rowid>?)",
        "USING ROWID SEARCH ON TABLE new_leads FOR IN-OPERATOR",
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)",
        "SEARCH refusals USING PRIMARY KEY (scope_id=? AND key=?)",
    ]


@pytest.mark.usefixtures("store")
def test_a_lead_that_a_pull_has_seen_is_found_by_its_number(path: Path) -> None:
    plan = query_plan(path, "drift", "comparable_lead")
    assert plan[0] == "SEARCH leads USING INDEX leads_by_id (scope_id=? AND lead_id=?)"
    assert not [step for step in plan if step.startswith("SCAN")]


@pytest.mark.usefixtures("store")
def test_what_is_unchanged_or_gone_is_found_without_a_scan_per_row(path: Path) -> None:
    assert query_plan(path, "staging", "count_unchanged") == [
        "SCAN staged",
        "SCALAR SUBQUERY 1",
        "SEARCH leads USING COVERING INDEX leads_by_id (scope_id=?)",
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)",
    ]
    assert query_plan(path, "staging", "removed") == [
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key>?)",
        "CORRELATED SCALAR SUBQUERY 2",
        "SEARCH raw_hashes USING PRIMARY KEY (scope_id=? AND key=?)",
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH unseen USING PRIMARY KEY (raw=?)",
        "CORRELATED SCALAR SUBQUERY 3",
        "SEARCH staged USING COVERING INDEX staged_by_key (key=?)",
        "CORRELATED SCALAR SUBQUERY 4",
        "SEARCH present USING PRIMARY KEY (key=?)",
        "CORRELATED SCALAR SUBQUERY 5",
        "SEARCH refusals USING PRIMARY KEY (scope_id=? AND key=?)",
    ]


@pytest.mark.usefixtures("store")
def test_open_entries_are_found_without_reading_the_journal(path: Path) -> None:
    leads = "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)"
    assert query_plan(path, "outbox", "unsettled") == [
        "SEARCH outbox USING INDEX outbox_open (scope_id=?)",
        leads,
    ]
    assert query_plan(path, "outbox", "planned") == [
        "SEARCH outbox USING INDEX outbox_open (scope_id=? AND entry_id>?)",
        "SEARCH staged USING INTEGER PRIMARY KEY (rowid=?)",
        leads,
    ]


@pytest.mark.usefixtures("store")
def test_what_was_done_with_a_lead_is_found_by_its_key(path: Path) -> None:
    by_key = "SEARCH outbox USING INDEX outbox_by_key (scope_id=? AND key=?)"
    for subject, name in (("outbox", "journal"), ("drift", "comparable"), ("drift", "comparable_lead")):
        assert by_key in query_plan(path, subject, name), name
