"""incremental: only new rows are read, and none is missed: late commits, equal times, kills, what waits."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, text

from connectors.kartra.sandbox import Account, Faults, Sandbox
from connectors.kartra.sandbox.account import Calendar
from tests.command.several import wait_for
from tests.conftest import Project, kill
from tests.servers import FreshDatabase

RUNS = 100 if "KARTRA_SYNC_FULL" in os.environ else 18  # a run takes a fraction of a second, a row up to two
LOAD = """
source:
  sql:
    url: "${DATABASE}"
    query: SELECT email, city, updated_at FROM people
    incremental: {column: updated_at, overlap: 5s%s}
key: email
fields: {email: email, city: city}
consent: {attested: form}
%s
"""
START = datetime(2026, 11, 24, 8)  # noqa: DTZ001 - as a column without a zone has it


@pytest.fixture
def people(fresh_database: FreshDatabase, project: Project, sandbox: Sandbox) -> Iterator[Engine]:
    """An empty table in SQLite and the pipeline that reads it."""
    with table_in(fresh_database("sqlite"), project) as engine:
        yield engine


@pytest.fixture
def people_anywhere(database: str, project: Project, sandbox: Sandbox) -> Iterator[Engine]:
    """The same in each database in turn."""
    with table_in(database, project) as engine:
        yield engine


@contextmanager
def table_in(database: str, project: Project) -> Iterator[Engine]:
    engine = create_engine(database)
    kinds = {"sqlite": "VARCHAR(26)", "postgresql": "TIMESTAMP", "mysql": "TIMESTAMP(6) NULL"}
    kind = kinds[engine.dialect.name]
    with engine.begin() as connection:
        connection.execute(
            text(f"CREATE TABLE people (email VARCHAR(99) PRIMARY KEY, city VARCHAR(99), updated_at {kind})")
        )
    project.environ["DATABASE"] = database
    project.pipeline(LOAD % ("", ""))
    yield engine
    engine.dispose()


def shown(engine: Engine, at: datetime | None) -> object:
    return at.isoformat(" ") if at is not None and engine.dialect.name == "sqlite" else at


def put(engine: Engine, name: str, at: datetime | None, city: str = "Lyon") -> None:
    with engine.begin() as connection:
        write(engine, connection, name, at, city)


def write(engine: Engine, connection: object, name: str, at: datetime | None, city: str = "Lyon") -> None:
    values = {"email": f"{name}@example.org", "city": city, "at": shown(engine, at)}
    connection.execute(text("DELETE FROM people WHERE email = :email"), values)  # type: ignore[attr-defined]
    connection.execute(text("INSERT INTO people VALUES (:email, :city, :at)"), values)  # type: ignore[attr-defined]


def read(project: Project) -> int:
    """How many rows a run read; it has to succeed."""
    done = project.run()
    assert done.code == 0, done.stderr + done.stdout
    return int(done.json["rows"]["read"])


def test_a_run_reads_what_came_since_the_last_and_a_little_before(
    people_anywhere: Engine, project: Project
) -> None:
    for number in range(10):
        put(people_anywhere, f"p{number}", START + timedelta(seconds=10 * number))
    planned = project.command("plan", "p.yaml", "--json").json
    assert planned["rows"]["read"] == 10
    assert read(project) == 10
    assert read(project) == 1  # the last one again, within the overlap
    put(people_anywhere, "p3", START + timedelta(seconds=100), "Rome")
    put(people_anywhere, "late", START + timedelta(seconds=86))  # committed after a later one was read
    put(people_anywhere, "timeless", None)
    assert read(project) == 4
    assert read(project) == 2


def test_equal_times_are_not_lost(people: Engine, project: Project, account: Account) -> None:
    put(people, "first", START)
    assert read(project) == 1
    put(people, "second", START)
    assert read(project) == 2
    assert account.lead("second@example.org") is not None


def test_a_watermark_stays_where_a_run_was_killed(
    people: Engine, project: Project, sandbox: Sandbox, account: Account
) -> None:
    put(people, "first", START)
    assert read(project) == 1
    for number in range(1, 9):
        put(people, f"p{number}", START + timedelta(hours=number))
    before = len(sandbox.calls)
    process = project.start("run", "p.yaml")
    while len(sandbox.calls) < before + 3 and process.poll() is None:
        time.sleep(0.01)
    kill(process)
    assert read(project) == 9
    assert len([lead for lead in account.leads.values() if not lead.deleted]) == 9
    assert read(project) == 1


def test_a_watermark_stays_while_a_lead_is_parked(people: Engine, project: Project, sandbox: Sandbox) -> None:
    sandbox.account.calendars["Webinar"] = Calendar(["Tuesday"])
    project.pipeline(LOAD % ("", "calendars: [{name: Webinar, class: Tuesday}]"), kartra="settle_s: 1")
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
    put(people, "first", START)
    assert project.run().json["leads"]["parked"] == 1
    sandbox.set_faults(Faults())
    put(people, "second", START + timedelta(hours=1))
    assert project.run().json["rows"]["read"] == 2
    resolved = project.command("resolve", "p.yaml", "first@example.org", "--not-landed")
    assert resolved.code == 0
    again = project.run()
    assert (again.json["rows"]["read"], again.json["leads"]["edited"]) == (2, 1)
    assert read(project) == 1


def test_another_query_begins_anew(people: Engine, project: Project) -> None:
    for number in range(3):
        put(people, f"p{number}", START + timedelta(hours=number))
    assert (read(project), read(project)) == (3, 1)
    project.pipeline((LOAD % ("", "")).replace("FROM people", "FROM people WHERE city <> 'Rome'"))
    assert (read(project), read(project)) == (3, 1)


def test_who_is_gone_shows_when_everything_is_read(
    people: Engine, project: Project, account: Account
) -> None:
    put(people, "stays", START)
    put(people, "goes", START)
    tags = "tags: [Imported]\non_removed: [untag]\nguards: {max_removed: 100%}"
    project.pipeline(LOAD % ("", tags))
    refused = project.run()
    assert refused.code == 2
    assert "who is gone shows only when everything is read" in refused.json["message"]
    project.pipeline(LOAD % (", full_every: 1d", tags))
    assert read(project) == 2
    with people.begin() as connection:
        connection.execute(text("DELETE FROM people WHERE email LIKE 'goes%'"))
    done = project.run()
    assert (done.json["rows"]["read"], done.json["leads"]["removed"]) == (1, 0)
    project.pipeline(LOAD % (", full_every: 0s", tags))
    assert project.run().json["leads"]["removed"] == 1
    gone = account.lead("goes@example.org")
    assert gone is not None
    assert gone.tags == set()


def test_a_column_or_an_overlap_that_does_not_fit_is_told_before_anything_is_sent(
    people: Engine, project: Project, sandbox: Sandbox
) -> None:
    put(people, "first", START)
    for wrong, message in (
        ("{column: changed_at}", 'the query gives no column "changed_at"'),
        ("{column: updated_at, overlap: 7}", "write a span of time such as 10m for this column"),
        ("{column: city}", "it holds text that is not an ISO time"),
    ):
        project.pipeline((LOAD % ("", "")).replace("{column: updated_at, overlap: 5s}", wrong))
        done = project.run()
        assert (done.code, message in done.json["message"]) == (2, True), done.stdout
    assert sandbox.calls == []


def test_another_mapping_reads_all_and_says_so(people: Engine, project: Project, account: Account) -> None:
    for number in range(3):
        put(people, f"p{number}", START + timedelta(hours=number))
    assert (read(project), read(project)) == (3, 1)
    project.pipeline(LOAD % ("", "tags: [Imported]"))
    planned = project.command("plan", "p.yaml", "--json").json
    assert (planned["rows"]["read"], planned["leads"]["edited"]) == (3, 3)
    assert planned["notes"] == [
        "the mapping has changed since the last run: all rows are read, not only the new ones"
    ]
    assert project.run().json["notes"] == planned["notes"]
    assert all(lead.tags == {"Imported"} for lead in account.leads.values())
    assert "notes" not in project.run().json
    project.pipeline(LOAD % ("", "tags: [Imported]\nguards: {max_failed: 7%}"))
    assert read(project) == 1  # that stops a run, and maps nothing


def test_all_is_read_where_a_person_asks_for_it(people: Engine, project: Project) -> None:
    for number in range(3):
        put(people, f"p{number}", START + timedelta(hours=number))
    assert (read(project), read(project)) == (3, 1)
    whole = project.run("--full")
    assert (whole.code, whole.json["rows"]["read"], whole.json["leads"]["unchanged"]) == (0, 3, 3)
    assert read(project) == 1


NO_TIMES = {
    "postgresql": ("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"),
    "mariadb": ("'0000-00-00 00:00:00'", "'2026-00-15 00:00:00'"),
    "sqlite": ("'0000-00-00 00:00:00'", "x'ff'"),
}


@pytest.mark.parametrize("dialect", NO_TIMES)
def test_what_is_no_time_is_no_watermark_and_hides_nobody(
    dialect: str, fresh_database: FreshDatabase, project: Project, sandbox: Sandbox, account: Account
) -> None:
    with table_in(fresh_database(dialect), project) as engine:
        with engine.begin() as connection:
            if dialect == "mariadb":
                connection.execute(text("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'"))
                connection.execute(text("ALTER TABLE people MODIFY updated_at DATETIME NULL"))
            for number, value in enumerate((*NO_TIMES[dialect], "'2999-01-01 08:00:00'")):
                connection.execute(
                    text(f"INSERT INTO people VALUES ('odd{number}@example.org', 'Lyon', {value})")
                )
        put(engine, "first", START)
        count = len(NO_TIMES[dialect]) + 2
        assert read(project) == count
        put(engine, "second", START + timedelta(hours=1))
        assert project.run().code == 0
        assert account.lead("second@example.org") is not None
        assert len(account.leads) == count + 1


def test_values_of_several_kinds_are_told_and_no_error_of_ours(people: Engine, project: Project) -> None:
    put(people, "first", START)
    with people.begin() as connection:
        connection.execute(text("CREATE TABLE loose (email, city, updated_at)"))
        connection.execute(
            text("INSERT INTO loose VALUES ('a@example.org', '', 5), ('b@example.org', '', '2026-01-01')")
        )
    project.pipeline((LOAD % ("", "")).replace("FROM people", "FROM loose"))
    done = project.run()
    assert (done.code, "values of several kinds" in done.json["message"]) == (2, True)


@contextmanager
def writing(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    writer = threading.Thread(target=work, args=(stop,))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_every_row_arrives_that_is_written_while_runs_go_on(
    people_anywhere: Engine, project: Project, account: Account
) -> None:
    """Rows are committed up to two seconds after their time, many share one, and the clock steps back."""
    drawn = Random(1)
    written: dict[str, str] = {}

    def work(stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            now = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - a column without a zone
            now -= timedelta(seconds=drawn.choice([0, 0, 1, 2]))
            names = [f"p{number + place}" for place in range(3)]
            with people_anywhere.begin() as connection:
                for name in names:
                    write(people_anywhere, connection, name, now, f"City {number}")
                time.sleep(drawn.uniform(0, 0.3 if people_anywhere.dialect.name == "sqlite" else 1.5))
            written.update(dict.fromkeys(names, f"City {number}"))
            number = max(0, number + drawn.choice([3, 3, 3, -6]))
            time.sleep(0.05)

    with writing(work):
        wait_for(lambda: written)  # a source without a row is refused
        for _ in range(RUNS):
            assert project.run().code == 0
    assert project.run().code == 0
    leads = {lead.email: lead.fields["city"] for lead in account.leads.values()}
    assert leads == {f"{name}@example.org": city for name, city in written.items()}
