"""What surrounds a statement is no part of it, tables have the names they have, and messages show nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from connectors.databases.messages import masked_message
from connectors.databases.statements import pieces, single_statement
from connectors.errors import ConfigError
from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project
from tests.servers import FreshDatabase
from tests.sources.test_databases import execute

DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
LOAD = """
source: {{sql: {{url: "${{DATABASE}}", query: p.sql{more}}}}}
key: email
fields: {{email: email, first_name: name}}
consent: {{attested: form}}
"""


@pytest.mark.parametrize(
    ("dialects", "written", "alone"),
    [
        (DIALECTS, " select 1 ; ", "select 1"),
        (DIALECTS, "select 1; -- the end", "select 1"),
        (DIALECTS, "-- first\nselect 1 -- why\n;\n\n/* last; */;; --", "select 1"),
        (DIALECTS, "select ';', '-- no', '/* no' -- yes", "select ';', '-- no', '/* no'"),
        (DIALECTS, "select 'it''s; --' ;", "select 'it''s; --'"),
        (DIALECTS, 'select 1 as "a;b--";--', 'select 1 as "a;b--"'),
        (DIALECTS, "select 2-1;", "select 2-1"),
        (DIALECTS, "(select 1);", "(select 1)"),
        (("mysql", "mariadb"), r"select 'a\';' ; # the end", r"select 'a\';'"),
        (("mysql", "mariadb"), "select 1--1;", "select 1--1"),
        (("mysql", "mariadb"), "select `a;` from t /*! limit 1 */;", "select `a;` from t /*! limit 1 */"),
        (("postgresql",), "select $$a;b$$, $x$;$$;$x$; /* a /* b */ ; */", "select $$a;b$$, $x$;$$;$x$"),
        (("postgresql",), r"select E'\';', '\' ; --", r"select E'\';', '\'"),
        (("sqlite",), "select [a;b], `c;` from t; --", "select [a;b], `c;` from t"),
    ],
)
def test_comments_and_semicolons_around_a_statement_are_no_part_of_it(
    dialects: tuple[str, ...], written: str, alone: str
) -> None:
    for dialect in dialects:
        assert single_statement(written, dialect) == alone


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_statement_and_two_are_refused(dialect: str) -> None:
    for nothing in ("", " ; ", "-- nothing", "/* nothing */;"):
        with pytest.raises(ConfigError, match="the query is empty"):
            single_statement(nothing, dialect)
    with pytest.raises(ConfigError, match="more than one statement"):
        single_statement("select 1; -- and\nselect 2", dialect)


@given(st.text("'\"`$;-/*#\\[]Ee aλ\n"), st.sampled_from(DIALECTS))
def test_the_pieces_of_a_statement_are_all_of_it(statement: str, dialect: str) -> None:
    assert "".join(piece.text for piece in pieces(statement, dialect)) == statement


@pytest.mark.parametrize("more", ["", ", incremental: {column: at, overlap: 1h}", ', parameters: {a: "x"}'])
def test_what_check_accepts_is_read_by_every_run(
    more: str, database: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    """A query is also a part of another: it is counted, copied, and filtered by the watermark."""
    execute(
        database,
        "CREATE TABLE people (email VARCHAR(99), at TIMESTAMP)",
        "INSERT INTO people VALUES ('ann@example.org', '2026-01-01 08:00:00')",
    )
    asked = "WHERE 'x' = :a" if "parameters" in more else ""
    (project.folder / "p.sql").write_text(
        f"-- who: all; since 10:30 :b\nSELECT email, 'at :c, 100%;' AS name, at FROM people {asked}\n"
        "ORDER BY email -- by name :d\n; /* the end; */ -- really ;",
        encoding="utf-8-sig",
    )
    project.environ["DATABASE"] = database
    project.pipeline(LOAD.format(more=more))
    assert project.command("check", "p.yaml").code == 0
    for _ in range(3):
        done = project.run()
        assert (done.code, done.json["rows"]["read"]) == (0, 1), done.stdout + done.stderr
    (lead,) = account.leads.values()
    assert lead.fields["first_name"] == "at :c, 100%;"


def test_a_query_that_cannot_be_filtered_is_told_before_the_first_run(
    fresh_database: FreshDatabase, project: Project, sandbox: Sandbox
) -> None:
    database = fresh_database("mariadb")
    execute(
        database,
        "CREATE TABLE people (email VARCHAR(99), at TIMESTAMP)",
        "INSERT INTO people VALUES ('ann@example.org', '2026-01-01 08:00:00')",
        "CREATE PROCEDURE everybody() SELECT email, 'x' AS name, at FROM people",
    )
    (project.folder / "p.sql").write_text("CALL everybody()", encoding="utf-8")
    project.environ["DATABASE"] = database
    project.pipeline(LOAD.format(more=""))
    assert project.run().code == 0
    project.pipeline(LOAD.format(more=", incremental: {column: at}"))
    calls = len(sandbox.calls)
    refused = project.run()
    assert (refused.code, len(sandbox.calls)) == (1, calls)
    assert "the query cannot be read" in refused.json["message"]


# Names of tables

TABLES = ("people", "Contacts", "my-contacts", "people 2024", "Kunden (alt)", "select", "100%", "naïve")


def quoted(name: str, database: str) -> str:
    return f"`{name}`" if "mysql" in database or "maria" in database else f'"{name}"'


@pytest.fixture
def tables(database: str, project: Project, sandbox: Sandbox) -> str:
    """A database with a table of each name, of one person each."""
    engine = create_engine(database)
    with engine.begin() as connection:
        plain = connection.execution_options(no_parameters=True)
        for number, name in enumerate(TABLES):
            table = quoted(name, database)
            plain.exec_driver_sql(f"CREATE TABLE {table} (email VARCHAR(99))")
            plain.exec_driver_sql(f"INSERT INTO {table} VALUES ('p{number}@example.org')")
    engine.dispose()
    project.environ["DATABASE"] = database
    return database


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_a_table_of_any_name_becomes_a_pipeline(
    number: int, tables: str, project: Project, account: Account
) -> None:
    begun = project.command(
        "init", "${DATABASE}", "--query", TABLES[number], "--attested", "x", "--to", "t.yaml"
    )
    assert begun.code == 0, begun.stderr
    assert project.command("run", "t.yaml").code == 0
    assert [lead.email for lead in account.leads.values()] == [f"p{number}@example.org"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [("contacts", "Contacts"), ("MY-CONTACTS", "my-contacts"), ('"Contacts"', "Contacts")],
)
def test_case_and_quotes_of_a_table_are_found(typed: str, found: str, tables: str, project: Project) -> None:
    begun = project.command("init", "${DATABASE}", "--query", typed, "--attested", "x", "--to", "t.yaml")
    assert begun.code == 0, begun.stderr
    assert found in (project.folder / "t.yaml").read_text(encoding="utf-8")


def test_a_table_that_is_not_there_is_told_with_the_nearest(tables: str, project: Project) -> None:
    told = project.command("init", "${DATABASE}", "--query", "my_contact", "--attested", "x")
    assert (told.code, 'did you mean "my-contacts"' in told.stderr) == (2, True), told.stderr
    told = project.command("init", "${DATABASE}", "--query", "xyz", "--attested", "x")
    assert 'no table or view is called "xyz"; the database has "100%", "Contacts"' in told.stderr


def test_a_table_of_another_schema_and_a_view_are_found(
    fresh_database: FreshDatabase, project: Project, sandbox: Sandbox, account: Account
) -> None:
    database = fresh_database("postgresql")
    execute(
        database,
        'CREATE SCHEMA "Sales"',
        'CREATE TABLE "Sales"."People" (email text)',
        'INSERT INTO "Sales"."People" VALUES (\'ann@example.org\')',
        'CREATE MATERIALIZED VIEW everybody AS SELECT * FROM "Sales"."People"',
    )
    project.environ["DATABASE"] = database
    for typed in ("sales.people", '"Sales"."People"', "everybody", "public.everybody"):
        begun = project.command(
            "init", "${DATABASE}", "--query", typed, "--attested", "x", "--to", "t.yaml", "--replace"
        )
        assert begun.code == 0, begun.stderr
        assert project.command("plan", "t.yaml").code == 0


# What a database says

SECRETS = ("+49 170 1234567", "ann@example.org", 'Ann "the" Lee', "O'Brien", "Ann Lee")


@pytest.mark.parametrize("value", SECRETS)
@pytest.mark.parametrize(
    "expression", ["email::bigint", "email::uuid", "email::date", "email::json", "email::inet", "email::mood"]
)
def test_a_value_that_postgresql_cannot_use_is_not_shown(
    expression: str, value: str, fresh_database: FreshDatabase, project: Project, sandbox: Sandbox
) -> None:
    database = fresh_database("postgresql")
    execute(database, "CREATE TYPE mood AS ENUM ('happy')", "CREATE TABLE t (email text)")
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (:value)"), {"value": value})
    engine.dispose()
    project.environ["DATABASE"] = database
    (project.folder / "p.sql").write_text(f"SELECT email, {expression} AS name FROM t", encoding="utf-8")
    project.pipeline(LOAD.format(more=""))
    done = project.run()
    assert done.code == 1
    said = done.stdout + done.stderr
    assert "the database says: " in said
    assert not [part for part in ("170", "ann@", "Ann", "Lee", "Brien") if part in said]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ('relation "contacts" does not exist', 'relation "contacts" does not exist'),
        ('column "emial" does not exist', 'column "emial" does not exist'),
        ("Table 'crm.contacts' doesn't exist", "Table 'crm.contacts' doesn't exist"),
        ('syntax error at or near ";"', 'syntax error at or near ";"'),
        ("Duplicate entry 'Ann' for key 'x'", "Duplicate entry '***'"),
        ('invalid: "contacts" Ann "x"', 'invalid: "contacts" Ann "***"'),
        ('value "email"Ann Lee" bad', 'value "***" bad'),
        ("Truncated value: 'O'Brien'", "Truncated value: '***'"),
        ("unclosed 'Ann Lee", "unclosed '***'"),
        ("no such row: ann@example.org", "no such row: a***@e***.org"),
        ("out of range: 491701234567", "out of range: ***"),
    ],
)
def test_a_message_keeps_the_names_of_the_statement_and_nothing_else_in_quotes(
    error: str, shown: str
) -> None:
    statement = "select emial from contacts -- Ann\nwhere name <> 'Lee'"
    assert masked_message(Exception(error), statement, "postgresql", ("crm",)) == shown


def test_what_a_function_of_the_database_says_itself_is_not_shown(
    fresh_database: FreshDatabase, project: Project, sandbox: Sandbox
) -> None:
    database = fresh_database("postgresql")
    execute(
        database,
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no Ann Lee'; END $$",
    )
    project.environ["DATABASE"] = database
    (project.folder / "p.sql").write_text("SELECT f() AS email, '' AS name", encoding="utf-8")
    project.pipeline(LOAD.format(more=""))
    done = project.run()
    assert (done.code, "Ann" in done.stdout + done.stderr) == (1, False)
    assert "raised an error of its own" in done.stdout
