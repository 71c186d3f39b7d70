"""A database that has tables of others under the names of ours: told before anything is made."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from connectors.databases.tables import Tables, tables_url
from connectors.kartra.sandbox import Account, Sandbox
from pipelines.tables.schema import MIGRATIONS, migrations
from tests.conftest import LOAD, Project, contact
from tests.pull.accounts import write_pull


@pytest.fixture
def account() -> Account:
    account = Account()
    account.add_lead("ann@example.org")
    return account


def execute(database: str, *statements: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def holds(database: str) -> set[str]:
    engine = create_engine(database)
    found = inspect(engine)
    names = {*found.get_table_names(), *found.get_view_names()}
    engine.dispose()
    return names


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("leads", "CREATE TABLE leads (number integer, phone varchar(20))"),
        ("tags", "CREATE VIEW tags AS SELECT 1 AS one"),
        ("report_churn", "CREATE VIEW report_churn AS SELECT 1 AS one"),
        ("warehouse_version", "CREATE TABLE warehouse_version (id integer)"),
    ],
)
def test_tables_of_others_are_told_before_anything_is_made(
    name: str, statement: str, database: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    execute(database, statement)
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}")
    for words in (("check", "p.yaml"), ("plan", "p.yaml"), ("run", "p.yaml")):
        done = project.command(*words)
        assert (words, done.code) == (words, 2), done.stderr
        assert f"holds {name} already, which no pull has made" in done.stdout + done.stderr
    assert holds(database) == {name}


def test_the_state_of_another_pipeline_is_no_place_for_tables(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.tags, account.lists = ["Imported", "VIP", "Blog"], ["News"]
    account.sequences = {"Onboarding": ["1"]}
    project.pipeline("\n".join(line for line in LOAD.splitlines() if "custom_fields" not in line))
    project.contacts([contact(0)])
    assert project.run().code == 0
    with closing(sqlite3.connect(project.state)) as connection:
        before = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    state = project.folder / "old.db"
    project.state.rename(state)
    write_pull(project, account, into="old.db")
    done = project.run()
    assert done.code == 2, done.stderr
    assert "leads" in done.stderr
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == before


def test_tables_beside_ours_do_not_disturb(
    database: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    execute(database, "CREATE TABLE customers (id integer)", "CREATE VIEW mine AS SELECT 1 AS one")
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}")
    for _ in range(2):
        assert project.run().code == 0
    assert {"customers", "mine", "leads"} <= holds(database)


def test_what_a_killed_migration_has_made_is_ours(
    database: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    number, template = migrations(MIGRATIONS)[0]
    with Tables(tables_url(database)) as tables:
        tables.migrate([(number, template)])
    execute(database, "DELETE FROM warehouse_version", "DROP TABLE custom_fields")
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}")
    result: Any = project.run()
    assert result.code == 0, result.stderr
