"""The tables of a pull as files: whole, exact, the same from every database."""

import csv
import stat
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from connectors.kartra.sandbox import Sandbox
from pipelines.tables.schema import kinds_of_tables
from tests.conftest import Project
from tests.pull.accounts import COLUMNS, busy_account, read, write_pull

LEADS, TRANSACTIONS, SUBSCRIPTIONS = 40, 60, 10


@pytest.fixture
def pulled(project: Project) -> Project:
    """A busy account, pulled into a SQLite file."""
    account = busy_account(LEADS, TRANSACTIONS, SUBSCRIPTIONS)
    write_pull(project, account)
    with Sandbox(account) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 0
    return project


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def url_of(project: Project) -> str:
    return f"sqlite:///{project.folder / 'tables.db'}"


def test_every_table_is_a_file_with_all_its_rows_in_both_formats(pulled: Project) -> None:
    rows = {table: sum(found.values()) for table, found in read(url_of(pulled)).items()}
    for kind in ("csv", "parquet"):
        done = pulled.command("export", "p.yaml", "--to", kind, "--format", kind, "--json")
        assert done.code == 0, done.stderr
        told = {one["table"]: one for one in done.json["files"]}
        assert set(told) == set(kinds_of_tables())
        assert {table: told[table]["rows"] for table in rows} == rows
        names = {path.name for path in (pulled.folder / kind).iterdir()}
        assert names == {f"{table}.{kind}" for table in told}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (pulled.folder / kind).iterdir()} == {0o600}


def test_csv_holds_what_the_tables_hold_to_the_cent(pulled: Project) -> None:
    pulled.command("export", "p.yaml", "--to", "out")
    stands = read(url_of(pulled))
    for table, columns in COLUMNS.items():
        written = Counter(
            tuple(sorted((name, row[name]) for name in columns if row[name]))
            for row in cells(pulled.folder / "out" / f"{table}.csv")
        )
        wanted = Counter()
        for row, count in stands[table].items():
            wanted[tuple(sorted((name, shown(value)) for name, value in row if value != ""))] += count
        assert written == wanted, table


def shown(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return f"{value:%Y-%m-%dT%H:%M:%S}Z" if isinstance(value, datetime) else str(value)


def test_parquet_holds_decimals_and_instants(pulled: Project) -> None:
    pulled.command("export", "p.yaml", "--to", "out", "--format", "parquet")
    table = parquet.read_table(pulled.folder / "out" / "transactions.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["transaction_full_amount"] == "decimal128(19, 4)"
    assert types["transaction_date_utc"] == "timestamp[us, tz=UTC]"
    assert types["transaction_quantity"] == "int64"
    wanted = Counter(
        (dict(row)["transaction_id"], dict(row)["net_amount"], dict(row).get("transaction_date_utc"))
        for row in read(url_of(pulled))["transactions"]
    )
    columns = ("transaction_id", "net_amount", "transaction_date_utc")
    assert Counter(zip(*(table[name].to_pylist() for name in columns), strict=True)) == wanted


def test_every_database_gives_the_same_files(database: str, pulled: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.folder.mkdir()
    account = busy_account(LEADS, TRANSACTIONS, SUBSCRIPTIONS)
    other.environ["TABLES_URL"] = database
    write_pull(other, account, into="${TABLES_URL}")
    with Sandbox(account) as sandbox:
        other.aim(sandbox)
        assert other.run().code == 0
    for kind in ("csv", "parquet"):
        for each in (pulled, other):
            assert each.command("export", "p.yaml", "--to", kind, "--format", kind).code == 0
    for table in COLUMNS:
        here, there = (each.folder / "csv" / f"{table}.csv" for each in (pulled, other))
        assert without_our_times(here) == without_our_times(there), table
        here, there = (each.folder / "parquet" / f"{table}.parquet" for each in (pulled, other))
        assert parquet.read_schema(here) == parquet.read_schema(there)
        names = [name for name in parquet.read_schema(here).names if not name.endswith("_at")]
        assert parquet.read_table(here, columns=names) == parquet.read_table(there, columns=names)


def without_our_times(path: Path) -> list[list[str]]:
    return [[cell for name, cell in row.items() if not name.endswith("_at")] for row in cells(path)]


def test_only_the_tables_that_were_named_are_written(pulled: Project) -> None:
    done = pulled.command("export", "p.yaml", "--to", "out", "--table", "leads", "--table", "tags")
    assert done.code == 0
    assert {path.name for path in (pulled.folder / "out").iterdir()} == {"leads.csv", "tags.csv"}


def test_an_unknown_table_is_named_with_the_nearest(pulled: Project) -> None:
    done = pulled.command("export", "p.yaml", "--to", "out", "--table", "transaction")
    assert done.code == 2
    assert 'there is no table "transaction"; did you mean "transactions"?' in done.stderr
    assert not (pulled.folder / "out").exists()


def test_files_that_are_there_are_replaced_only_when_asked(pulled: Project) -> None:
    out = pulled.folder / "out"
    out.mkdir()
    (out / "tags.csv").write_text("mine", encoding="utf-8")
    refused = pulled.command("export", "p.yaml", "--to", "out")
    assert refused.code == 2
    assert "tags.csv: is there already; --replace replaces it" in refused.stderr
    assert [path.name for path in out.iterdir()] == ["tags.csv"]
    assert (out / "tags.csv").read_text(encoding="utf-8") == "mine"
    assert pulled.command("export", "p.yaml", "--to", "out", "--replace").code == 0
    assert (out / "tags.csv").read_text(encoding="utf-8").startswith("name,")


def test_before_the_first_pull_it_says_what_fills_the_tables(project: Project, sandbox: Sandbox) -> None:
    write_pull(project, busy_account(1, 0, 0))
    done = project.command("export", "p.yaml", "--to", "out")
    assert done.code in (1, 2)
    assert "does not exist yet; kartra-sync run creates it" in done.stderr
    assert not (project.folder / "out").exists()
