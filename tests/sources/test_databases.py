"""SQL as a source, on real servers: the records of a CSV of the same data, read only, in flat memory."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, create_engine, text

from connectors.errors import ConfigError, SourceError
from connectors.kartra.sandbox import Account, Sandbox
from connectors.sources import Source
from connectors.sources.database.query import open_sql
from connectors.sources.faults import without_faults
from connectors.sources.files.csv_file import open_csv
from tests.conftest import Project
from tests.servers import FreshDatabase

ROWS = 200_000 if "KARTRA_SYNC_FULL" in os.environ else 8_000
COLUMNS = [f"c{number}" for number in range(20)]


@pytest.fixture
def place(database: str) -> str | Path:
    """The database as a source takes it: a SQLite file by its path."""
    return Path(database.removeprefix("sqlite:///")) if database.startswith("sqlite") else database


@pytest.fixture(params=["postgresql", "mariadb"])
def on_a_server(request: pytest.FixtureRequest, fresh_database: FreshDatabase) -> str:
    return fresh_database(request.param)


def execute(database: str, *statements: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def cell(row: int, column: int) -> str:
    return f'Zoë {row}, "{column}"\n' if (row + column) % 7 == 0 else f"value {row} {column}"


def fill(database: str, rows: int, csv_file: Path | None = None) -> None:
    """A table `contacts` of text, and the same as a CSV."""
    engine = create_engine(database)
    columns = ", ".join(f"{name} VARCHAR(100) NOT NULL" for name in COLUMNS)
    marks = ", ".join(f":{name}" for name in COLUMNS)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE contacts (id INTEGER PRIMARY KEY, {columns})"))
        for start in range(0, rows, 2_000):
            connection.execute(
                text(f"INSERT INTO contacts VALUES (:id, {marks})"),
                [
                    {"id": row, **{name: cell(row, place) for place, name in enumerate(COLUMNS)}}
                    for row in range(start, min(start + 2_000, rows))
                ],
            )
    engine.dispose()
    if csv_file is not None:
        with csv_file.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(COLUMNS)
            writer.writerows([cell(row, place) for place in range(len(COLUMNS))] for row in range(rows))


def records(source: Source) -> Iterator[tuple[object, ...]]:
    """With the faults of their cells behind them, where there are any."""
    for chunk in source.chunks():
        assert chunk.bad_rows == ()
        faults = {fault.row: (fault.column, fault.reason) for fault in chunk.faults}
        for record in chunk.frame.itertuples(name=None):
            yield (*record, *faults.get(record[0], ()))


def test_it_gives_the_records_of_a_csv_of_the_same_data(
    database: str, place: str | Path, tmp_path: Path
) -> None:
    fill(database, ROWS, tmp_path / "same.csv")
    source = open_sql(place, f"SELECT {', '.join(COLUMNS)} FROM contacts ORDER BY id")
    same = open_csv(tmp_path / "same.csv")
    assert source.columns == same.columns
    count = 0
    for here, there in zip(records(source), records(same), strict=True):
        assert here == there
        count += 1
    assert count == ROWS


def test_memory_stays_flat_however_many_rows_there_are(database: str, place: str | Path) -> None:
    """In a process of its own; what ten times the rows add is less than a chunk."""
    fill(database, ROWS)
    peaks = []
    for rows in (ROWS // 10, ROWS):
        done = subprocess.run(
            [sys.executable, "-c", _READ, json.dumps(str(place)), str(rows), str(isinstance(place, Path))],
            capture_output=True,
            text=True,
            check=True,
        )
        read, peak_kib = map(int, done.stdout.split())
        assert read == rows
        peaks.append(peak_kib / 1024)
    assert peaks[1] < 350
    assert peaks[1] - peaks[0] < 60


_READ = """
import json, sys
from pathlib import Path
from connectors.sources.database.query import open_sql
place, rows, is_file = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
query = f"SELECT * FROM contacts WHERE id < {rows}"
source = open_sql(Path(place) if is_file else place, query, chunk_rows=1000)
count = sum(len(chunk.frame) for chunk in source.chunks())
print(count, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def test_memory_stays_flat_with_a_photo_in_each_record(tmp_path: Path) -> None:
    """Also of databases that give row by row: 3,000 photos of a megabyte are not held at once."""
    place = tmp_path / "crm.db"
    execute(f"sqlite:///{place}", "CREATE TABLE there (a)")
    done = subprocess.run(
        [sys.executable, "-c", _READ_PHOTOS, str(place)], capture_output=True, text=True, check=True
    )
    read, peak_kib = map(int, done.stdout.split())
    assert read == 3_000
    assert peak_kib / 1024 < 700


_READ_PHOTOS = """
import sys
from pathlib import Path
from connectors.sources.database.query import open_sql
every = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
source = open_sql(Path(sys.argv[1]), every + " SELECT i, zeroblob(1000000) AS photo FROM n")
count = sum(len(chunk.frame) for chunk in source.chunks())
print(count, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""

VALUES = {
    "postgresql": (
        """SELECT NULL AS a, 42 AS b, 49.90::numeric(10, 2) AS c, 0.1::float8 AS d, true AS e,
           date '2026-11-24' AS f, timestamp '2026-11-24 08:00:00' AS g,
           timestamptz '2026-11-24 08:00:00.5+00' AS h,
           time '08:00:00' AS i, interval '90 minutes' AS j, 'Zoë'::bytea AS k, ARRAY['a', 'b'] AS l,
           '{"n": 1.10, "x": null}'::jsonb AS m, 'a1a9b2f0-0000-4000-8000-000000000000'::uuid AS n,
           ' x ' AS o""",
        {
            "a": "",
            "b": "42",
            "c": "49.90",
            "d": "0.1",
            "e": "true",
            "f": "2026-11-24",
            "g": "2026-11-24 08:00:00",
            "i": "08:00:00",
            "j": "1:30:00",
            "k": "Zoë",
            "l": '["a", "b"]',
            "n": "a1a9b2f0-0000-4000-8000-000000000000",
            "o": " x ",
        },
    ),
    "mysql": (
        """SELECT NULL AS a, 42 AS b, CAST(49.90 AS decimal(10, 2)) AS c, 0.1e0 AS d, true AS e,
           date '2026-11-24' AS f, timestamp '2026-11-24 08:00:00' AS g, time '01:30:00' AS j,
           CAST('Zoë' AS binary) AS k, ' x ' AS o""",
        {
            "a": "",
            "b": "42",
            "c": "49.90",
            "d": "0.1",
            "e": "1",
            "f": "2026-11-24",
            "g": "2026-11-24 08:00:00",
            "j": "1:30:00",
            "k": "Zoë",
            "o": " x ",
        },
    ),
    "sqlite": (
        "SELECT NULL AS a, 42 AS b, 0.1 AS d, CAST('Zoë' AS blob) AS k, ' x ' AS o, 1e20 AS p",
        {"a": "", "b": "42", "d": "0.1", "k": "Zoë", "o": " x ", "p": "1e+20"},
    ),
}


def kind_of(database: str) -> str:
    return next(
        name for name in VALUES if database.startswith((name, "mariadb" if name == "mysql" else name))
    )


def test_values_become_text_by_the_stated_rules(database: str, place: str | Path) -> None:
    if isinstance(place, Path):
        execute(database, "CREATE TABLE there (a)")
    query, expected = VALUES[kind_of(database)]
    (chunk,) = open_sql(place, query).chunks()
    found = chunk.frame.iloc[0].to_dict()
    assert {name: found[name] for name in expected} == expected
    assert {type(value) for value in found.values()} == {str}


ODD_VALUES: dict[str, tuple[str | None, ...]] = {
    "text": (
        *(
            "",
            None,
            "\\.",
            "\ufeffEmail",
            'a "b"',
            "two\nlines",
            "a\rb",
            "a\r\n",
            ",",
            ";",
            '"',
            '""',
            "NULL",
        ),
        *(" x ", "\\N", "\n", "é🎉", "\t", "\x1f", "\u2028"),
    ),
    "boolean": ("true", "false", None),
    "char(5)": ("ab", "", None),
    "smallint": ("-1", "0", None),
    "numeric": ("0.10", "-0.0", "1e20", "1e-7", "NaN", "Infinity", None),
    "numeric(10, 2)": ("5", None),
    "float8": ("1", "0.1", "1e20", "-0.0", "NaN", "Infinity", "1e-7", None),
    "float4": ("0.1", "16777216", None),
    "date": ("0001-01-01", "2026-02-28", "infinity", "0044-03-15 BC", "20000-01-01", None),
    "timestamp": (
        *("2026-11-24 08:00", "2026-11-24 08:00:00.5", "2026-11-24 08:00:00.000001", "infinity", None),
        *("0044-03-15 08:00 BC", "20000-01-01 08:00"),
    ),
    "timestamptz": ("2026-07-01 08:00+00", "2026-11-24 08:00:00.5+05:45", "1850-01-01 00:00+00", None),
    "time": ("08:00", "08:00:00.25", "24:00", None),
    "bit(1)": ("1", "0", None),
    "bit(4)": ("0101", None),
    "varbit": ("0101", "", None),
    "bit(1)[]": ("{1,0}", None),
    "date[]": ("{infinity,2026-01-01}", None),
    "bytea[]": ('{"x"}', None),
    "timetz": ("08:00+02", None),
    "interval": ("90 minutes", "1 day 8 hours", "-1 day", "1 mon", None),
    "bytea": ("Zoë", "", "\\xffd8", None),
    "text[]": ("{}", '{"a,b",NULL,"\\""}', None),
    "int[]": ("{1,2}", "{{1},{2}}", None),
    "json": ('{"n": 1.10, "é": [null, true]}', "null", '""', '"\\ud83d"', "1e400", None),
    "jsonb": ("1.10", "{}", None),
    "uuid": ("A1A9B2F0-0000-4000-8000-000000000000", None),
    "inet": ("10.0.0.1", "10.0.0.0/8", None),
    "int4range": ("[1,5)", "empty", None),
    "tstzrange": ("[2026-01-01 00:00+00,infinity)", "(,)", None),
    "datemultirange": ("{[2026-01-01,2026-02-01)}", None),
    "money": ("12.50", None),
    "mood": ("happy", None),
    "pair": ('(1,"a,\\"b")', None),
}


@pytest.mark.parametrize("settings", [(), ("timezone = 'Asia/Kathmandu'",)])
def test_what_is_copied_from_postgresql_is_what_its_driver_gives(
    fresh_database: FreshDatabase, settings: tuple[str, ...]
) -> None:
    """A statement without parameters is copied; one with them is read row by row."""
    database = fresh_database("postgresql")
    url = database.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('happy')")
        connection.execute("CREATE TYPE pair AS (number int, word text)")
        columns = ", ".join(f"v{number} {kind}" for number, kind in enumerate(ODD_VALUES))
        connection.execute(f"CREATE TABLE odd (place int, {columns})")
        marks = ", ".join(f"%s::text::{kind}" for kind in ODD_VALUES)
        rows = [(place, *values) for place, values in enumerate(zip_longest(*ODD_VALUES.values()))]
        connection.cursor().executemany(f"INSERT INTO odd VALUES (%s, {marks})", rows)
        for setting in settings:
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {setting}")
    for query in ("SELECT * FROM odd ORDER BY place", "SELECT v0 FROM odd ORDER BY place"):
        copied = list(records(open_sql(database, query, chunk_rows=3)))
        one_by_one = f"SELECT * FROM ({query}) AS every WHERE 'x' = :x"
        assert copied == list(records(open_sql(database, one_by_one, parameters={"x": "x"}, chunk_rows=3)))
        assert len(copied) == len(rows)


def test_text_of_a_database_without_an_encoding_is_utf_8_or_a_fault(postgresql_server: URL) -> None:
    name = f"ascii{uuid.uuid4().hex}"
    server = postgresql_server.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    url = postgresql_server.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int, v text)")
        connection.execute(b"INSERT INTO t VALUES (1, convert_from('\\x5a6fc3ab', 'SQL_ASCII'))")
        connection.execute(b"INSERT INTO t VALUES (2, convert_from('\\x4afc7267', 'SQL_ASCII'))")
    (chunk,) = open_sql(url, "SELECT * FROM t ORDER BY id").chunks()
    assert chunk.frame["v"].to_list() == ["Zoë", "4afc7267"]
    assert [(fault.row, fault.reason) for fault in chunk.faults] == [(3, "holds bytes that are not text")]


def test_text_of_a_database_in_another_encoding_arrives_as_it_is(postgresql_server: URL) -> None:
    name = f"latin{uuid.uuid4().hex}"
    server = postgresql_server.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    place = postgresql_server.set(database=name).render_as_string(hide_password=False)
    (chunk,) = open_sql(place, "SELECT 'Zo\u00eb' AS name, 1 AS number").chunks()
    assert chunk.frame.iloc[0].to_list() == ["Zo\u00eb", "1"]


def test_bytes_that_are_no_text_make_a_bad_row_and_stop_no_other(database: str, place: str | Path) -> None:
    kind, bad, good = ("bytea", r"'\xff'", "'ok'") if "postgres" in database else ("blob", "x'ff'", "'ok'")
    execute(
        database,
        f"CREATE TABLE pictures (id INTEGER, picture {kind})",
        f"INSERT INTO pictures VALUES (1, {good}), (2, {bad}), (3, {good})",
    )
    (chunk,) = open_sql(place, "SELECT * FROM pictures ORDER BY id").chunks()
    assert chunk.frame["picture"].to_list() == ["ok", "ff", "ok"]
    (read,) = without_faults([chunk], {"picture"})
    assert list(read.frame.index) == [2, 4]
    assert [(bad.row, bad.reason) for bad in read.bad_rows] == [
        (3, 'the column "picture" holds bytes that are not text')
    ]
    (unread,) = without_faults([chunk], {"id"})
    assert (len(unread.frame), unread.bad_rows) == (3, ())


def test_nothing_can_be_written(database: str, place: str | Path) -> None:
    fill(database, 5)
    for statement in ("DELETE FROM contacts", "UPDATE contacts SET c0 = 'x'", "DROP TABLE contacts"):
        with pytest.raises(ConfigError, match="a source only reads"):
            open_sql(place, statement)
    if "postgres" in database:
        wipe = "CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM contacts'"
        execute(database, wipe)
        with pytest.raises(SourceError, match="read-only transaction"):
            list(open_sql(place, "SELECT wipe()").chunks())
    assert len(list(records(open_sql(place, "SELECT * FROM contacts")))) == 5


def test_parameters_are_bound_and_a_statement_without_them_is_taken_as_it_is(
    database: str, place: str | Path
) -> None:
    fill(database, 5)
    evil = "'; DELETE FROM contacts; --"
    query = "SELECT id FROM contacts WHERE c1 = :wanted OR c1 LIKE 'value%'"
    assert len(list(records(open_sql(place, query, parameters={"wanted": evil})))) == 5
    plain = "SELECT '10:30, 100%' AS told, ':name' AS name"
    (chunk,) = open_sql(place, plain).chunks()
    assert chunk.frame.iloc[0].to_list() == ["10:30, 100%", ":name"]
    with pytest.raises(ConfigError, match=r"the query has :wanted, and `parameters:` no value for it"):
        open_sql(place, query, parameters={"other": "x"})
    with pytest.raises(ConfigError, match=r"`parameters:` has other, and the query no :other"):
        open_sql(place, query, parameters={"wanted": "x", "other": "x"})


def test_a_query_without_rows_has_columns(database: str, place: str | Path) -> None:
    fill(database, 1)
    source = open_sql(
        place,
        'SELECT id, c0 AS "E-Mail" FROM contacts WHERE id > 5;'
        if "my" not in database and "maria" not in database
        else "SELECT id, c0 AS `E-Mail` FROM contacts WHERE id > 5;",
    )
    assert source.columns == ("id", "E-Mail")
    assert list(records(source)) == []


def test_columns_of_one_name_are_refused(database: str, place: str | Path) -> None:
    fill(database, 1)
    with pytest.raises(SourceError, match="more than one column of the name c0; name one with AS"):
        open_sql(place, "SELECT c0, c1, c0 FROM contacts")


def test_what_the_database_refuses_is_told_in_its_words(database: str, place: str | Path) -> None:
    fill(database, 1)
    with pytest.raises(SourceError, match=r"the query cannot be read: the database says: .*customers"):
        open_sql(place, "SELECT * FROM customers")


def test_a_connection_that_is_lost_on_the_way_is_an_error_and_no_end(on_a_server: str) -> None:
    database = place = on_a_server
    fill(database, ROWS)
    chunks = open_sql(place, "SELECT * FROM contacts", chunk_rows=500).chunks()
    next(chunks)
    _kill_others(database)
    with pytest.raises(SourceError):
        list(chunks)


def test_a_server_that_goes_in_mid_extract_leaves_nothing_half_planned(
    on_a_server: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    fill(on_a_server, 30)
    project.environ["DATABASE"] = on_a_server
    slow = "pg_sleep(0.5)" if "postgres" in on_a_server else "sleep(0.5)"
    query = "SELECT concat('p', id, '@example.org') AS email, {} AS waited FROM contacts"
    load = (
        'source: {{sql: {{url: "${{DATABASE}}", query: "{}"}}}}\nkey: email\nfields: {{email: email}}\n'
        "consent: {{attested: form}}"
    )
    project.pipeline(load.format(query.format(slow)))
    process = project.start("run", "p.yaml", "--json")
    while not project.state.exists() and process.poll() is None:
        time.sleep(0.05)
    while process.poll() is None:  # each row takes its time, and all are awaited in one chunk
        time.sleep(0.5)
        _kill_others(on_a_server)
    told, _ = process.communicate()
    done = json.loads(told)
    assert (process.returncode, done["status"], done["rows"]["read"]) == (1, "failed", 0)
    assert "the connection to the database was lost" in done["message"]
    assert account.leads == {}
    waiting = project.command("status", "p.yaml", "--json").json["pipelines"][0]["waiting"]
    assert not any(waiting.values())
    project.pipeline(load.format(query.format("1")))
    assert project.run().json["leads"]["created"] == 30
    assert len(account.leads) == 30


def _kill_others(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        if "postgres" in database:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        else:
            found = connection.execute(
                text(
                    "SELECT id FROM information_schema.processlist"
                    " WHERE db = database() AND id <> connection_id()"
                )
            )
            for (number,) in found.all():
                connection.execute(text(f"KILL {number}"))
    engine.dispose()


def test_a_statement_that_takes_too_long_is_given_up(on_a_server: str) -> None:
    database = place = on_a_server
    slow = "pg_sleep(30)" if "postgres" in database else "sleep(30)"
    wait = f"SELECT {slow} AS slept FROM information_schema.tables"
    ended: list[Exception] = []

    def read() -> None:
        try:
            list(open_sql(place, wait, timeout_s=1).chunks())
        except SourceError as error:
            ended.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(20)
    assert len(ended) == 1


def test_no_password_is_shown() -> None:
    url = "postgresql://ann:s3cret@127.0.0.1:1/db"
    with pytest.raises(SourceError) as caught:
        open_sql(url, "SELECT 1")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match="no database is known by the name nothere"):
        open_sql("nothere://host/db", "SELECT 1")
    with pytest.raises(ConfigError, match="the URL of the source is not a URL that SQLAlchemy reads"):
        open_sql("postgresql//x", "SELECT 1")
    with pytest.raises(SourceError, match=r"missing\.db was not found"):
        open_sql(Path("/tmp/missing.db"), "SELECT 1")
