"""What a state on a PostgreSQL server has of its own: its schema, its lease, its losses, its copies."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from pipelines.config.server_state import ServerState, server_state
from pipelines.errors import LeaseLostError, LockedError, StateError, StateOutOfReachError
from pipelines.state.copying import BORN_WITH, TABLES, copy_between
from pipelines.state.database import FOLDER, Database, load_queries
from pipelines.state.lease import DEAD_AFTER, Holder, this_process
from pipelines.state.outbox import Outcome
from pipelines.state.place import is_there, open_database
from pipelines.state.store import Store
from tests.state.places import beside, new_schema, opened_at
from tests.state.samples import acknowledge, planned, record, stage

SUBJECTS = sorted(file.stem for file in FOLDER.glob("*.sql"))
SERVER_ALONE = {"schema_version"}


@pytest.fixture
def server(postgresql_server: URL) -> ServerState:
    return new_schema(postgresql_server)


@pytest.fixture
def store(server: ServerState) -> Iterator[Store]:
    with opened_at(server)() as fresh:
        yield fresh


def elsewhere(run_id: str) -> Holder:
    """A process of another host, that nobody here can look up."""
    here = this_process(run_id, datetime.now(UTC))
    return replace(here, host="another-host.invalid", namespace="another")


def cut(server: ServerState) -> None:
    """What a restart of the server, or of something on the way to it, does to every connection."""
    beside(server)("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


def test_both_databases_have_the_same_tables_and_columns(server: ServerState, tmp_path: Path) -> None:
    with Store(tmp_path / "kartra.db"), Store(server):
        pass
    with closing(open_database(tmp_path / "kartra.db")) as file, closing(open_database(server)) as on_server:
        found = beside(server)("SELECT tablename FROM pg_tables WHERE schemaname = :its", its=server.schema)
        assert {name for (name,) in found} - SERVER_ALONE == set(TABLES)
        names = beside(tmp_path / "kartra.db")("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert {name for (name,) in names} == set(TABLES)
        for table in TABLES:
            assert set(file.columns(table)) == set(on_server.columns(table)), table
    with Store(server) as store:
        assert store.database.is_of_this_version


def test_the_server_understands_every_query(store: Store) -> None:
    """Also those that no other test runs there. What makes and drops tables is run by those that use them."""
    store.staging.begin()
    store.staging.end()
    store.adoption.decide(by_address=False, only_imported=False)
    store.keys.pair(is_address=True)
    store.imports.begin()
    store.staging.leave([])
    refused = {}
    for subject in SUBJECTS:
        for name, statement in statements_of(subject).items():
            try:
                store.database.rows(f"EXPLAIN {statement}")
            except StateError as error:
                refused[subject, name] = str(error)
    assert refused == {}


def statements_of(subject: str) -> dict[str, str]:
    """As they are sent to the server, with nothing for each value; by name."""
    found: dict[str, str] = {}
    for folder in ("", "postgresql"):
        if (queries := load_queries(subject, folder, "postgresql")) is not None:
            found |= {name: getattr(queries, name).sql for name in queries.available_queries}
    return {
        name: re.sub(r"%s|%\(\w+\)s", "NULL", statement)
        for name, statement in found.items()
        if not name.endswith("_cursor") and not statement.startswith(("CREATE", "DROP", "ALTER", "SET"))
    }


def test_a_state_that_only_looks_is_not_there_and_makes_nothing(server: ServerState) -> None:
    assert not is_there(server)
    assert beside(server)("SELECT 1 FROM pg_namespace WHERE nspname = :its", its=server.schema) == []


def test_a_state_of_a_newer_program_is_refused(server: ServerState, store: Store) -> None:
    beside(server)("UPDATE schema_version SET number = number + 1")
    with pytest.raises(StateError, match="written by a newer kartra-sync"):
        Store(server)


def test_neither_user_nor_password_is_shown() -> None:
    place = server_state("postgresql://somebody:s3cret%40@db.invalid:5433/crm?schema=mine&sslmode=require")
    assert place is not None
    assert (place.schema, place.password) == ("mine", "s3cret@")
    assert str(place) == "postgresql://db.invalid:5433/crm?schema=mine"
    assert "s3cret" not in repr(place)
    with pytest.raises(StateOutOfReachError) as failure:
        open_database(replace(place, dsn=place.dsn.replace("db.invalid:5433", "127.0.0.1:1")))
    assert "s3cret" not in str(failure.value)
    assert "somebody" not in str(failure.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://db/crm?schema=public",
        "postgresql://db/crm?schema=pg_x",
        "postgresql://db/crm?schema=a-b",
        "postgresql://db:port/crm",
        "postgresql://db/crm?role=a;b",
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_values(address: str) -> None:
    with pytest.raises(ValueError, match=r"expected|schema") as refusal:
        server_state(address)
    assert "crm" not in str(refusal.value)


# --- the lease


def test_whoever_takes_over_gets_a_higher_number_and_the_old_one_is_refused(
    server: ServerState, store: Store
) -> None:
    assert store.runs.take_lease("newsletter", elsewhere("run-1")) is None
    store.runs.begin("run-1", "newsletter")
    entry, other = planned_in(store, "ann", "bob")
    store.outbox.intend(entry, "{}", None)
    silent = (store.database.now() - 2 * DEAD_AFTER).isoformat()
    beside(server)("UPDATE leases SET heartbeat_at = :silent", silent=silent)
    with opened_at(server)() as successor:
        assert successor.runs.take_lease("newsletter", elsewhere("run-2")) is None
        successor.runs.begin("run-2", "newsletter")
        for refused in (
            lambda: store.outbox.intend(other, "{}", None),
            lambda: store.outbox.settle(entry, Outcome("created"), None, run_id="run-1"),
            lambda: store.outbox.defer("run-1"),
            lambda: store.runs.finish("run-1", "succeeded", None, {}),
            lambda: store.inventories.keep("acc", "tags", []),
        ):
            with pytest.raises(LeaseLostError):
                refused()
        assert [one.key for one in successor.outbox.unsettled()] == ["ann"]
        assert beside(server)("SELECT fence FROM leases") == [(2,)]
        store.runs.release_lease("run-1")
        assert [name for name, _ in successor.runs.running()] == ["newsletter"]
        successor.runs.finish("run-2", "succeeded", None, {})
    with opened_at(server)() as third:
        assert third.runs.take_lease("newsletter", elsewhere("run-3")) is None
        assert beside(server)("SELECT fence FROM leases") == [(3,)]


def planned_in(store: Store, *keys: str) -> "list[object]":
    store.staging.begin()
    return list(planned(store, *keys))


def test_a_lease_cannot_be_taken_over_between_a_check_and_its_commit(
    server: ServerState, store: Store
) -> None:
    """The row is locked by the transaction that has compared it."""
    assert store.runs.take_lease("newsletter", elsewhere("run-1")) is None
    silent = (store.database.now() - 2 * DEAD_AFTER).isoformat()
    beside(server)("UPDATE leases SET heartbeat_at = :silent", silent=silent)
    order: list[str] = []

    def take_over() -> Holder | None:
        with opened_at(server)(pipeline="other") as successor:
            before = successor.runs.take_lease("newsletter", elsewhere("run-2"))
            order.append("taken over")
            return before

    with ThreadPoolExecutor(1) as pool:
        with store.database.transaction():
            taken = pool.submit(take_over)
            wait_until_blocked(server)
            store.runs.begin("run-1", "newsletter")
            order.append("about to commit")
        assert taken.result() is None
    assert order == ["about to commit", "taken over"]


def wait_until_blocked(server: ServerState) -> None:
    """Over one connection: a server ends those that were closed later, and has a hundred at most."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        while connection.execute(blocked).fetchone() == (0,):
            time.sleep(0.01)


def test_times_of_a_lease_are_by_the_clock_of_the_server(server: ServerState, store: Store) -> None:
    wrong = replace(elsewhere("run-1"), taken_at=elsewhere("x").taken_at.replace(year=2001))
    assert store.runs.take_lease("newsletter", wrong) is None
    store.runs.beat("run-1")
    ((taken, beaten),) = beside(server)("SELECT taken_at, heartbeat_at FROM leases")
    ((now,),) = beside(server)("SELECT clock_timestamp()")
    assert taken[:4] == beaten[:4] == str(now.year)
    assert taken <= beaten


# --- lost connections


def test_a_connection_that_nothing_depended_on_is_opened_anew(server: ServerState, store: Store) -> None:
    cut(server)
    assert store.runs.pipelines() == ["newsletter"]
    cut(server)
    store.inventories.keep("acc", "tags", ["a tag"])
    cut(server)
    with store.database.transaction():
        store.inventories.keep("acc", "lists", ["a list"])
    assert store.inventories.get("acc", "tags") is not None
    assert store.inventories.get("acc", "lists") is not None


def test_within_a_transaction_the_work_stops_and_nothing_of_it_stays(
    server: ServerState, store: Store
) -> None:
    def keep_two() -> None:
        with store.database.transaction():
            store.inventories.keep("acc", "tags", ["a tag"])
            cut(server)
            store.inventories.keep("acc", "lists", ["a list"])

    with pytest.raises(StateOutOfReachError):
        keep_two()
    assert store.inventories.get("acc", "tags") is None


def test_with_a_staged_source_the_work_stops_and_the_end_of_it_can_be_written(
    server: ServerState, store: Store
) -> None:
    store.runs.begin("run-1", "newsletter")
    store.staging.begin()
    stage(store, record(2, "ann"), record(3, "bob"))
    cut(server)
    with pytest.raises(StateOutOfReachError):
        list(store.staging.differences())
    store.runs.finish("run-1", "failed", "the server was gone", {})
    assert [run.status for run in store.runs.last("newsletter", 1)] == ["failed"]


def test_an_intent_that_was_committed_is_there_after_the_connection(
    server: ServerState, store: Store
) -> None:
    store.runs.begin("run-1", "newsletter")
    store.staging.begin()
    (entry,) = planned(store, "ann")
    store.outbox.intend(entry, "{}", None)
    cut(server)
    with pytest.raises(StateOutOfReachError):
        store.outbox.settle(entry, Outcome("created"), None, run_id="run-1")
    with opened_at(server)() as again:
        assert [one.key for one in again.outbox.unsettled()] == ["ann"]


# --- copies


def fill(store: Store) -> None:
    store.runs.begin("run-1", "newsletter")
    store.staging.begin()
    for number in range(5):
        acknowledge(store, f"lead-ä-{number}")
    store.forgetting.forget(frozenset({"gone@example.org"}))
    store.given.keep([("tags", "Imported")])
    store.watermarks.move(b"q", "7", is_full=True)
    store.accounts.keep("cred", "acc", "Acme")
    store.runs.finish("run-1", "succeeded", None, {"leads": {}})


def everything(place: "Path | ServerState") -> dict[str, list[tuple[object, ...]]]:
    with closing(open_database(place)) as database:
        return {table: rows_of(database, table) for table in TABLES if table not in BORN_WITH}


def rows_of(database: Database, table: str) -> list[tuple[object, ...]]:
    columns = ", ".join(f'"{one}"' for one in sorted(database.columns(table)))
    parts = database.stream(f"SELECT {columns} FROM {table}")
    return sorted((tuple(map(plain, row)) for part in parts for row in part), key=repr)


def plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def test_a_state_moves_to_a_server_and_back_and_loses_nothing(
    server: ServerState, postgresql_server: URL, tmp_path: Path
) -> None:
    file, back, second = tmp_path / "kartra.db", tmp_path / "back.db", new_schema(postgresql_server)
    with opened_at(file)() as store:
        fill(store)
    before = everything(file)
    copied = copy_between(file, server)
    assert copied.rows["leads"] == 5
    assert everything(server) == before
    assert copy_between(server, second).rows == copied.rows
    assert copy_between(second, back).rows == copied.rows
    assert everything(back) == before
    with opened_at(second)() as store:
        acknowledge_more(store)
    with opened_at(server)() as store:
        restored = store.generation.restored()
        assert restored is not None, "what was left behind is known to be"


def acknowledge_more(store: Store) -> None:
    store.runs.begin("run-2", "newsletter")
    store.staging.begin()
    acknowledge(store, "one more")


def test_numbers_go_on_where_they_were(server: ServerState, tmp_path: Path) -> None:
    file = tmp_path / "kartra.db"
    with opened_at(file)() as store:
        fill(store)
    copy_between(file, server)
    with opened_at(server)() as store:
        acknowledge_more(store)
        ((lowest, count),) = beside(server)("SELECT min(entry_id), count(*) FROM outbox")
        assert beside(server)("SELECT max(entry_id) FROM outbox") == [(lowest + count - 1,)]


def test_a_state_that_has_something_in_it_is_not_written_over(server: ServerState, tmp_path: Path) -> None:
    file = tmp_path / "kartra.db"
    for place in (file, server):
        with opened_at(place)() as store:
            fill(store)
    before = everything(server)
    with pytest.raises(StateError, match="nothing is written over it"):
        copy_between(file, server)
    assert everything(server) == before
    with opened_at(file)() as store:
        assert store.generation.restored() is None


def test_a_state_in_use_is_not_copied(server: ServerState, tmp_path: Path) -> None:
    with opened_at(server)() as store:
        store.runs.take_lease("newsletter", elsewhere("run-1"))
        with pytest.raises(LockedError):
            copy_between(server, tmp_path / "copy.db")


def test_a_copy_that_breaks_off_leaves_the_target_empty(server: ServerState, tmp_path: Path) -> None:
    """A text that PostgreSQL cannot hold."""
    file = tmp_path / "kartra.db"
    with opened_at(file)() as store:
        fill(store)
    beside(file)("UPDATE runs SET message = 'a' || char(0) || 'b'")
    with pytest.raises(StateError) as failure:
        copy_between(file, server)
    assert not isinstance(failure.value, psycopg.Error)
    assert beside(server)("SELECT count(*) FROM leads") == [(0,)]
    with opened_at(file)() as store:
        assert store.generation.restored() is None
