"""Reports against numbers worked out by hand, the same on every database; the commands that show them."""

import csv
import io
import stat
from collections import Counter

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from pipelines.tables.reports import read_report, report_names
from pipelines.tables.warehouse import open_warehouse
from tests.conftest import LOAD, Project
from tests.pull.accounts import write_pull
from tests.tables.shop import EXPECTED, QUOTED, fill


def test_every_report_is_as_worked_out_by_hand_and_its_view_as_well(database: str) -> None:
    with open_warehouse(database) as tables:
        fill(tables)
        assert set(report_names()) == set(EXPECTED)
        for name, rows in EXPECTED.items():
            found = read_report(tables, name)
            assert Counter(found.rows) == Counter(rows), name
            with tables.begin() as connection:
                view = tables.read(connection, f"SELECT * FROM report_{name}")
            assert len(view) == len(rows)


def test_reports_have_the_order_that_people_read_them_in(database: str) -> None:
    with open_warehouse(database) as tables:
        fill(tables)
        for name, rows in EXPECTED.items():
            keyed = [row for row in rows if None not in row]
            assert [row for row in read_report(tables, name).rows if None not in row] == keyed, name


def test_empty_tables_give_no_rows_or_zeros(database: str) -> None:
    with open_warehouse(database) as tables:
        found = {name: read_report(tables, name).rows for name in report_names()}
    assert {name for name, rows in found.items() if rows} == {"freshness", "recurring_revenue"}
    assert found["recurring_revenue"] == ((0, 0, "0.00", "0.00", 0, None),)
    assert found["freshness"] == ((None, 0, 0, 0, 0, 0, None, 0, 0, 0),)


def test_views_are_made_anew_only_when_their_text_changed(database: str) -> None:
    select = "SELECT name, created_at FROM report_views ORDER BY name"
    with open_warehouse(database) as tables, tables.begin() as connection:
        first = tables.read(connection, select)
    with open_warehouse(database) as tables, tables.begin() as connection:
        assert tables.read(connection, select) == first
        tables.run(
            connection,
            "UPDATE report_views SET digest = 'old' WHERE name = :name",
            [{"name": "report_churn"}],
        )
        tables.upsert(
            connection,
            "report_views",
            [{"name": "report_of_old", "digest": "x", "created_at": first[0].created_at}],
        )
        connection.exec_driver_sql("CREATE VIEW report_of_old AS SELECT 1 AS one")
    with open_warehouse(database) as tables:
        with tables.begin() as connection:
            assert [row.name for row in tables.read(connection, select)] == [row.name for row in first]
            assert not tables.has(connection, "report_of_old")
        assert read_report(tables, "churn").rows == ()


# --- the commands


@pytest.fixture
def shop(project: Project, sandbox: Sandbox) -> Project:
    """A pipeline whose tables hold the shop."""
    write_pull(project, Account())
    with open_warehouse(project.folder / "tables.db") as tables:
        fill(tables)
    return project


def test_reports_lists_them_with_what_they_tell(shop: Project) -> None:
    listed = shop.command("reports")
    assert listed.code == 0
    assert "revenue-by-month" in listed.stdout
    assert "Income per month" in listed.stdout
    found = shop.command("reports", "--json").json["reports"]
    assert [one["name"] for one in found] == sorted(EXPECTED)
    assert all(one["tells"].endswith(".") for one in found)


@pytest.mark.parametrize("name", ["revenue_by_product", "revenue-by-product", "report_revenue_by_product"])
def test_a_report_is_shown_as_a_table_as_json_and_as_csv(name: str, shop: Project) -> None:
    table = shop.command("report", "p.yaml", name)
    assert table.code == 0
    assert "197.105" in table.stdout
    found = shop.command("report", "p.yaml", name, "--json").json
    assert (found["report"], found["columns"][:3]) == (
        "revenue_by_product",
        ["product_id", "product_name", "gross"],
    )
    assert [tuple(row) for row in found["rows"]] == EXPECTED["revenue_by_product"]
    text = shop.command("report", "p.yaml", name, "--csv").stdout
    assert list(csv.reader(io.StringIO(text)))[3] == [
        "8",
        QUOTED,
        "49.90",
        "0.00",
        "0.00",
        "49.90",
        "1",
        "EUR",
        "0",
    ]
    written = shop.command("report", "p.yaml", name, "--csv", "out.csv")
    path = shop.folder / "out.csv"
    assert (written.code, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    assert path.read_text(encoding="utf-8") == text


def test_an_unknown_report_names_the_nearest(shop: Project) -> None:
    done = shop.command("report", "p.yaml", "revenue-by-monht")
    assert done.code == 2
    assert 'there is no report "revenue-by-monht"; did you mean "revenue_by_month"?' in done.stderr


def test_without_tables_it_says_what_makes_them(project: Project, sandbox: Sandbox) -> None:
    write_pull(project, Account())
    done = project.command("report", "p.yaml", "churn")
    assert done.code == 1
    assert "does not exist yet; kartra-sync run creates it" in done.stderr
    assert not (project.folder / "tables.db").exists()


def test_a_pipeline_that_pulls_nothing_has_no_reports(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    done = project.command("report", "p.yaml", "churn")
    assert done.code == 2
    assert "pull" in done.stderr
