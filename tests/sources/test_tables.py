"""Tables as databases really have them: what of each is sent, what is refused, and what is said.

A `Table` is made in a real server and loaded by the command: `email` is the address, `v` becomes the custom
field Note unless `mapped` says otherwise. Every table has a good record beside what is odd in it.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project
from tests.servers import FreshDatabase

MYSQL, POSTGRESQL, SQLITE = "mariadb", "postgresql", "sqlite"


@dataclass(frozen=True)
class Table:
    """`sent`: by the name before @example.org what Note holds, None where it has nothing.

    `refused`: (row, reason).
    """

    name: str
    dialect: str
    made_by: tuple[str, ...]
    sent: Mapping[str, str | None]
    refused: tuple[tuple[int, str], ...] = ()
    query: str = "SELECT * FROM t ORDER BY id"
    mapped: bool = True
    blocked: int = 0


def column(
    name: str, dialect: str, kind: str, *values: str, sent: Mapping[str, str | None], **more: object
) -> Table:
    """A table with a column `v` of this kind; the values are SQL, of ann, bob, cem …"""
    people = ("ann", "bob", "cem", "dan", "eve", "fay", "gus")
    rows = ", ".join(
        f"({number}, '{person}@example.org', {value})"
        for number, (person, value) in enumerate(zip(people, values, strict=False))
    )
    made_by = (f"CREATE TABLE t (id int, email varchar(99), v {kind})", f"INSERT INTO t VALUES {rows}")
    return Table(name, dialect, made_by, sent, **more)  # type: ignore[arg-type]


NOT_TEXT = 'the column "v" holds bytes that are not text'
NO_DATE = 'the column "v" holds a date that does not exist'
LOOSE = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'"

TABLES = (
    # MariaDB
    Table(
        "a bit says who opted out",
        MYSQL,
        (
            "CREATE TABLE t (id int, email varchar(50), Unsubscribed bit(1), v varchar(9))",
            "INSERT INTO t VALUES (1, 'left@example.org', b'1', 'x'), (2, 'stays@example.org', b'0', 'y')",
        ),
        {"stays": "y"},
        blocked=1,
    ),
    column("bit(1)", MYSQL, "bit(1)", "b'1'", "b'0'", "NULL", sent={"ann": "1", "bob": "0", "cem": ""}),
    column("bit(8)", MYSQL, "bit(8)", "b'101'", "b'11111111'", sent={"ann": "5", "bob": "255"}),
    column("bit(64)", MYSQL, "bit(64)", "~0", sent={"ann": "18446744073709551615"}),
    column(
        "an id of bytes that nobody maps",
        MYSQL,
        "binary(16)",
        "unhex(repeat('ff', 16))",
        "NULL",
        sent={"ann": None, "bob": None},
        mapped=False,
    ),
    column(
        "an id of bytes that is mapped",
        MYSQL,
        "binary(2)",
        "x'ffd8'",
        "'ok'",
        sent={"bob": "ok"},
        refused=((2, NOT_TEXT),),
    ),
    column(
        "bytes that end in zeros",
        MYSQL,
        "binary(4)",
        "'ok'",
        "'good'",
        sent={"bob": "good"},
        refused=((2, NOT_TEXT),),
    ),
    column("text in a blob", MYSQL, "blob", "'Zoë'", "NULL", sent={"ann": "Zoë", "bob": ""}),
    column("a photo", MYSQL, "longblob", "repeat(x'ff', 100000)", sent={"ann": None}, mapped=False),
    column("a shape", MYSQL, "geometry", "point(1, 2)", sent={"ann": None}, mapped=False),
    column(
        "a date of zeros",
        MYSQL,
        "date",
        "'0000-00-00'",
        "'2026-02-28'",
        sent={"ann": "", "bob": "2026-02-28"},
    ),
    column(
        "a time of zeros",
        MYSQL,
        "datetime(3)",
        "'0000-00-00'",
        "'2026-02-28 08:00:00.5'",
        sent={"ann": "", "bob": "2026-02-28 08:00:00.500000"},
    ),
    column(
        "dates of no calendar",
        MYSQL,
        "date",
        "'2026-02-28'",
        "'2026-00-15'",
        "'0000-05-01'",
        sent={"ann": "2026-02-28"},
        refused=((3, NO_DATE), (4, NO_DATE)),
    ),
    Table(
        "a date of no calendar",
        MYSQL,
        (
            LOOSE,
            "CREATE TABLE t (id int, email varchar(50), v datetime)",
            "INSERT INTO t VALUES (1, 'ann@example.org', '2026-02-31 08:00:00'),"
            " (2, 'bob@example.org', NULL)",
        ),
        {"bob": ""},
        refused=((2, NO_DATE),),
    ),
    Table(
        "a date of no calendar that nobody maps",
        MYSQL,
        (
            LOOSE,
            "CREATE TABLE t (id int, email varchar(50), v date)",
            "INSERT INTO t VALUES (1, 'ann@example.org', '2026-02-31')",
        ),
        {"ann": None},
        mapped=False,
    ),
    column("a time stamp", MYSQL, "timestamp", "'2026-02-28 08:00:00'", sent={"ann": "2026-02-28 08:00:00"}),
    column(
        "a span of time",
        MYSQL,
        "time",
        "'-01:30:00'",
        "'100:00:00'",
        sent={"ann": "-1 day, 22:30:00", "bob": "4 days, 4:00:00"},
    ),
    column("a year", MYSQL, "year", "2026", sent={"ann": "2026"}),
    column("an enum", MYSQL, "enum('a', 'b c')", "'b c'", "NULL", sent={"ann": "b c", "bob": ""}),
    column("a set", MYSQL, "set('VIP', 'Blog')", "'VIP,Blog'", "''", sent={"ann": "VIP,Blog", "bob": ""}),
    column("JSON", MYSQL, "json", "'{\"n\": 1.10}'", sent={"ann": '{"n": 1.10}'}),
    column(
        "whole doubles",
        MYSQL,
        "double",
        "80331",
        "491701234567",
        "0.1",
        "-0e0",
        "1e20",
        sent={"ann": "80331", "bob": "491701234567", "cem": "0.1", "dan": "0"},
        refused=(
            (
                6,
                'the column "v" holds a rounded number, such as 4.9E+11, whose digits are gone:'
                " export the column as text",
            ),
        ),
    ),
    column("decimals", MYSQL, "decimal(20, 4)", "49.90", sent={"ann": "49.9000"}),
    column(
        "big numbers", MYSQL, "bigint unsigned", "18446744073709551615", sent={"ann": "18446744073709551615"}
    ),
    column("MySQL's boolean", MYSQL, "bool", "true", "false", sent={"ann": "1", "bob": "0"}),
    column(
        "a UUID",
        MYSQL,
        "uuid",
        "'a1a9b2f0-0000-4000-8000-000000000000'",
        sent={"ann": "a1a9b2f0-0000-4000-8000-000000000000"},
    ),
    column("an address of the net", MYSQL, "inet6", "'2001:db8::1'", sent={"ann": "2001:db8::1"}),
    column("text in Latin-1", MYSQL, "varchar(20) character set latin1", "'Zoë'", sent={"ann": "Zoë"}),
    column(
        "text with an emoji", MYSQL, "varchar(20) character set utf8mb4", "'Zoë 🎉'", sent={"ann": "Zoë 🎉"}
    ),
    column(
        "text with a NUL",
        MYSQL,
        "varchar(20)",
        "'a\\0b'",
        "'c'",
        sent={"bob": "c"},
        refused=((2, 'the column "v" holds a NUL character'),),
    ),
    column(
        "a generated column", MYSQL, "varchar(99) as (concat('x', id)) virtual", "DEFAULT", sent={"ann": "x0"}
    ),
    Table(
        "names of columns that are words of SQL",
        MYSQL,
        (
            "CREATE TABLE t (id int, `email` varchar(50), `select` int, `group by` int, `v` int, `100%` int)",
            "INSERT INTO t VALUES (1, 'ann@example.org', 1, 2, 3, 4)",
        ),
        {"ann": "3"},
    ),
    # PostgreSQL
    column("bits", POSTGRESQL, "bit(1)", "B'1'", "B'0'", "NULL", sent={"ann": "1", "bob": "0", "cem": ""}),
    column("bits of eight", POSTGRESQL, "bit(8)", "B'00000101'", sent={"ann": "5"}),
    column(
        "infinity",
        POSTGRESQL,
        "timestamptz",
        "'infinity'",
        "'-infinity'",
        "'2026-02-28 08:00+00'",
        sent={"ann": "infinity", "bob": "-infinity", "cem": "2026-02-28 08:00:00+00:00"},
    ),
    column("infinity that nobody maps", POSTGRESQL, "date", "'infinity'", sent={"ann": None}, mapped=False),
    column("years beyond 9999", POSTGRESQL, "date", "'20000-01-01'", sent={"ann": "20000-01-01"}),
    column("years before Christ", POSTGRESQL, "date", "'0044-03-15 BC'", sent={"ann": "0044-03-15 BC"}),
    column(
        "the end of a day",
        POSTGRESQL,
        "time",
        "'24:00'",
        "'08:00'",
        sent={"ann": "24:00:00", "bob": "08:00:00"},
    ),
    column(
        "spans of time",
        POSTGRESQL,
        "interval",
        "'90 minutes'",
        "'1 mon'",
        sent={"ann": "1:30:00", "bob": "30 days, 0:00:00"},
    ),
    column(
        "bytes that nobody maps",
        POSTGRESQL,
        "bytea",
        r"'\xffd8ff'",
        "NULL",
        sent={"ann": None, "bob": None},
        mapped=False,
    ),
    column(
        "bytes that are mapped",
        POSTGRESQL,
        "bytea",
        r"'\xffd8ff'",
        "'Zoë'::bytea",
        sent={"bob": "Zoë"},
        refused=((2, NOT_TEXT),),
    ),
    column(
        "lists of bytes",
        POSTGRESQL,
        "bytea[]",
        "ARRAY['\\xff'::bytea]",
        "NULL",
        sent={"bob": ""},
        refused=((2, NOT_TEXT),),
    ),
    column(
        "a UUID of PostgreSQL",
        POSTGRESQL,
        "uuid",
        "'A1A9B2F0-0000-4000-8000-000000000000'",
        sent={"ann": "a1a9b2f0-0000-4000-8000-000000000000"},
    ),
    column(
        "arrays",
        POSTGRESQL,
        "text[]",
        "ARRAY['VIP', 'A, \"B\"']",
        "'{}'",
        "NULL",
        sent={"ann": '["VIP", "A, \\"B\\""]', "bob": "[]", "cem": ""},
    ),
    Table(
        "arrays of a kind of its own",
        POSTGRESQL,
        (
            "CREATE TYPE temper AS ENUM ('sad', 'so, so')",
            "CREATE TABLE t (id int, email text, v temper[])",
            "INSERT INTO t VALUES (1, 'ann@example.org', '{sad,\"so, so\"}'), (2, 'bob@example.org', NULL)",
        ),
        {"ann": '["sad", "so, so"]', "bob": ""},
    ),
    column(
        "arrays of dates without an end",
        POSTGRESQL,
        "date[]",
        "ARRAY['infinity'::date, '2026-01-01']",
        sent={"ann": '["infinity", "2026-01-01"]'},
    ),
    column(
        "ranges",
        POSTGRESQL,
        "daterange",
        "'[2026-01-01,infinity)'",
        "'[2026-01-01,)'",
        "'empty'",
        sent={"ann": "[2026-01-01,infinity)", "bob": "[2026-01-01,)", "cem": "empty"},
    ),
    column("an enum of PostgreSQL", POSTGRESQL, "mood", "'so so'", sent={"ann": "so so"}),
    column("a domain", POSTGRESQL, "plz", "'00123'", sent={"ann": "00123"}),
    column("a domain over a list", POSTGRESQL, "words", "ARRAY['a']", sent={"ann": '["a"]'}),
    column("a composite", POSTGRESQL, "pair", "ROW(1, 'x')", sent={"ann": "(1,x)"}),
    column("money", POSTGRESQL, "money", "12.50", sent={"ann": "$12.50"}),
    column(
        "numbers that are none",
        POSTGRESQL,
        "numeric",
        "'NaN'",
        "49.90",
        "1e20",
        sent={"ann": "", "bob": "49.90", "cem": "100000000000000000000"},
    ),
    column(
        "doubles of PostgreSQL",
        POSTGRESQL,
        "float8",
        "'NaN'",
        "80331",
        "0.1",
        "1e15",
        sent={"ann": "", "bob": "80331", "cem": "0.1", "dan": "1000000000000000"},
    ),
    column("small doubles", POSTGRESQL, "float4", "0.1", "80331", sent={"ann": "0.1", "bob": "80331"}),
    column(
        "JSON of PostgreSQL",
        POSTGRESQL,
        "jsonb",
        '\'{"n": 1.10, "x": [null, true]}\'',
        "'\"VIP\"'",
        "'null'",
        sent={"ann": '{"n": 1.10, "x": [null, true]}', "bob": "VIP", "cem": ""},
    ),
    column(
        "half of a character in JSON",
        POSTGRESQL,
        "json",
        "'\"\\ud83d\"'",
        "'\"x\"'",
        sent={"bob": "x"},
        refused=((2, 'the column "v" holds half of a character'),),
    ),
    column(
        "a number of 5,000 digits in JSON",
        POSTGRESQL,
        "json",
        "('[' || repeat('1', 5000) || ']')::json",
        sent={"ann": None},
        mapped=False,
    ),
    column(
        "JSON that is nested deeply",
        POSTGRESQL,
        "json",
        "(repeat('[', 5000) || repeat(']', 5000))::json",
        sent={"ann": None},
        mapped=False,
    ),
    column(
        "a generated column of PostgreSQL",
        POSTGRESQL,
        "text generated always as ('x' || id) stored",
        "DEFAULT",
        sent={"ann": "x0"},
    ),
    column("padded text", POSTGRESQL, "char(5)", "'ab'", sent={"ann": "ab"}),
    column("addresses of the net", POSTGRESQL, "inet", "'10.0.0.1/8'", sent={"ann": "10.0.0.1/8"}),
    column("words to search", POSTGRESQL, "tsvector", "'ann lee'", sent={"ann": "'ann' 'lee'"}),
    column("XML and points", POSTGRESQL, "point", "point(1, 2)", sent={"ann": "(1,2)"}),
    Table(
        "columns in mixed case",
        POSTGRESQL,
        (
            'CREATE TABLE t (id int, "Email" text, "V" text)',
            "INSERT INTO t VALUES (1, 'ann@example.org', 'x')",
        ),
        {"ann": "x"},
        query='SELECT id, "Email" AS email, "V" AS v FROM t',
    ),
    # SQLite
    column(
        "text that is not UTF-8",
        SQLITE,
        "text",
        "cast(x'4afc7267656e' as text)",
        "'Jürgen'",
        sent={"bob": "Jürgen"},
        refused=((2, NOT_TEXT),),
    ),
    column(
        "text that is not UTF-8 and nobody maps",
        SQLITE,
        "text",
        "cast(x'4afc7267656e' as text)",
        sent={"ann": None},
        mapped=False,
    ),
    column(
        "a photo in SQLite",
        SQLITE,
        "blob",
        "x'ffd8ff'",
        "NULL",
        sent={"ann": None, "bob": None},
        mapped=False,
    ),
    column(
        "a photo in SQLite that is mapped",
        SQLITE,
        "blob",
        "x'ffd8ff'",
        "x'6f6b'",
        sent={"bob": "ok"},
        refused=((2, NOT_TEXT),),
    ),
    column(
        "real numbers",
        SQLITE,
        "real",
        "80331",
        "0.1",
        "4.9e11",
        "-0.0",
        sent={"ann": "80331", "bob": "0.1", "cem": "490000000000", "dan": "0"},
    ),
    column(
        "any kind in a column",
        SQLITE,
        "",
        "1",
        "'x'",
        "2.5",
        "x'79'",
        "NULL",
        sent={"ann": "1", "bob": "x", "cem": "2.5", "dan": "y", "eve": ""},
    ),
    column(
        "text in a column of numbers",
        SQLITE,
        "integer",
        "'00123'",
        "'abc'",
        sent={"ann": "123", "bob": "abc"},
    ),
    column(
        "text with a NUL in SQLite",
        SQLITE,
        "text",
        "'a' || char(0) || 'b'",
        "'c'",
        sent={"bob": "c"},
        refused=((2, NOT_TEXT),),
    ),
    column("a boolean of SQLite", SQLITE, "boolean", "true", "false", sent={"ann": "1", "bob": "0"}),
    Table(
        "a generated column of SQLite",
        SQLITE,
        (
            "CREATE TABLE t (id int, email text, v text as ('x' || id))",
            "INSERT INTO t VALUES (1, 'ann@example.org')",
        ),
        {"ann": "x1"},
    ),
    Table(
        "full-text search",
        SQLITE,
        (
            "CREATE VIRTUAL TABLE t USING fts5(id, email, v)",
            "INSERT INTO t VALUES (1, 'ann@example.org', 'x')",
        ),
        {"ann": "x"},
    ),
    Table(
        "a view without rowids",
        SQLITE,
        (
            "CREATE TABLE w (id int, email text PRIMARY KEY, v text) WITHOUT ROWID",
            "INSERT INTO w VALUES (1, 'ann@example.org', 'x')",
            "CREATE VIEW t AS SELECT * FROM w",
        ),
        {"ann": "x"},
    ),
)

BEFORE = {
    POSTGRESQL: (
        "CREATE TYPE mood AS ENUM ('so so')",
        "CREATE DOMAIN plz AS text CHECK (value ~ '^[0-9]{5}$')",
        "CREATE DOMAIN words AS text[]",
        "CREATE TYPE pair AS (n int, w text)",
        "SET lc_monetary = 'C'",
    ),
    MYSQL: ("SET SESSION sql_mode = ''",),
    SQLITE: (),
}


def make(table: Table, database: str) -> None:
    statements = (*BEFORE[table.dialect], *table.made_by)
    if table.dialect == SQLITE:
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as file, file:
            for statement in statements:
                file.execute(statement)
        return
    engine = create_engine(database)
    with engine.begin() as connection:
        plain = connection.execution_options(no_parameters=True)
        for statement in statements:
            plain.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name.replace(" ", "-"))
def test_a_table_is_read_as_what_it_holds(
    table: Table,
    fresh_database: FreshDatabase,
    project: Project,
    sandbox: Sandbox,
    account: Account,
) -> None:
    database = fresh_database(table.dialect)
    make(table, database)
    project.environ["DATABASE"] = database
    note = "custom_fields: {note: v}\n" if table.mapped else ""
    rest = "consent: {attested: form}\nguards: {max_failed: 100%}"
    project.pipeline(
        f'source: {{sql: {{url: "${{DATABASE}}", query: {json.dumps(table.query)}}}}}\n'
        f"key: email\nfields: {{email: email}}\n{note}{rest}"
    )
    done = project.run()
    assert done.code == (3 if table.refused else 0), done.stdout + done.stderr
    rows = done.json["rows"]
    assert (rows["invalid"], rows["blocked"]) == (len(table.refused), table.blocked)
    if table.refused:
        rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
        assert [(one["row"], one["reason"]) for one in rejects] == list(table.refused)
    sent = {lead.email.partition("@")[0]: lead.custom_fields.get("note") for lead in account.leads.values()}
    assert sent == {name: value or None for name, value in table.sent.items()}


@pytest.mark.parametrize(
    ("dialect", "kind", "values"),
    [
        (POSTGRESQL, "text[]", ("ARRAY['apple', 'plum']", "'{}'", "NULL")),
        (POSTGRESQL, "jsonb", ('\'["apple", "plum"]\'', "'[]'", "'null'")),
        (MYSQL, "json", ('\'["apple", "plum"]\'', "'[]'", "NULL")),
        (MYSQL, "set('apple', 'plum')", ("'plum,apple'", "''", "NULL")),
        (SQLITE, "text", ('\'["apple", "plum"]\'', "'[]'", "NULL")),
    ],
)
def test_the_values_of_an_array_are_options_of_a_custom_field(
    dialect: str,
    kind: str,
    values: tuple[str, ...],
    fresh_database: FreshDatabase,
    project: Project,
    sandbox: Sandbox,
    account: Account,
) -> None:
    database = fresh_database(dialect)
    make(column("an array", dialect, kind, *values, sent={}), database)
    project.environ["DATABASE"] = database
    project.pipeline(
        'source: {sql: {url: "${DATABASE}", query: "SELECT * FROM t ORDER BY id"}}\nkey: email\n'
        'fields: {email: email}\ncustom_fields: {fruits: {column: v, split: ","}}\n'
        "tags: [VIP]\nconsent: {attested: form}"
    )
    done = project.run()
    assert done.code == 0, done.stdout + done.stderr
    sent = {lead.email.partition("@")[0]: lead.custom_fields.get("fruits") for lead in account.leads.values()}
    assert {name: sorted(chosen or []) for name, chosen in sent.items()} == {
        "ann": ["1", "3"],
        "bob": [],
        "cem": [],
    }
