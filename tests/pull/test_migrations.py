"""The tables change with the program: what stands in them stays, on every database."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.databases.tables import Tables, json_value, tables_url
from connectors.errors import TablesError
from pipelines.tables.schema import MIGRATIONS, migrations
from pipelines.tables.warehouse import open_warehouse

NEW = """-- Kartra tells a lead's favourite colour since 2027.
ALTER TABLE tags ADD COLUMN {{ new_column }} colour {{ text }};
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a later version: one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    number = max(number for number, _ in migrations(folder)) + 1
    (folder / f"{number:04}_colour.sql").write_text(NEW, encoding="utf-8")
    return folder


def test_a_new_column_comes_and_the_rows_stay(database: str, newer: Path) -> None:
    row = {"name": "VIP", "first_seen_at": None, "last_seen_at": None}
    with open_warehouse(database) as tables, tables.begin() as connection:
        statement = (
            "INSERT INTO tags (name, first_seen_at, last_seen_at)"
            " VALUES (:name, '2026-11-24 08:00:00', '2026-11-24 08:00:00')"
        )
        tables.run(connection, statement, [{"name": row["name"]}])
    for _ in range(2):  # the second time there is nothing to do
        tables = Tables(tables_url(database))
        tables.migrate(migrations(newer))
        with tables.begin() as connection:
            assert [(one.name, one.colour) for one in tables.read(connection, "SELECT * FROM tags")] == [
                ("VIP", None)
            ]
            tables.run(connection, "UPDATE tags SET colour = :colour", [{"colour": None}])
        tables.close()


def test_tables_of_a_later_version_are_refused(database: str, newer: Path) -> None:
    tables = Tables(tables_url(database))
    tables.migrate(migrations(newer))
    tables.close()
    with pytest.raises(TablesError, match="was written by a newer version of kartra-sync"):
        open_warehouse(database)


def test_names_differ_by_case_accents_and_blanks_and_hold_any_character(database: str) -> None:
    names = ["vip", "VIP", "VIP ", "Émile", "Emile", "🙂", "a'b\"c\\d", "two\nlines"]
    now = "2026-11-24 08:00:00"
    with open_warehouse(database) as tables:
        with tables.begin() as connection:
            rows = [{"name": name, "first_seen_at": now, "last_seen_at": now} for name in names]
            tables.upsert(connection, "tags", rows)
        with tables.begin() as connection:
            assert {row.name for row in tables.read(connection, "SELECT name FROM tags")} == set(names)


# --- words of an earlier version: types and statuses stood as Kartra had written them


@pytest.fixture
def earlier(database: str) -> str:
    """Tables before their words were Kartra's own, and a view of the owner's on one of theirs."""
    with Tables(tables_url(database)) as tables:
        tables.migrate([(number, text) for number, text in migrations(MIGRATIONS) if number < 7])
        now = "2026-11-24 08:00:00"
        sale: dict[str, Any] = {"net_amount": None, "origin": "api", "listed_at": now, "pulled_at": now}
        held = {"listed_at": now, "status_seen_at": now, "is_owed": 0}
        kinds = (("1", "Partial Refund", Decimal("-12.50")), ("2", "SALE", Decimal("100.00")))
        odd = (("3", "gift", Decimal("5.00")), ("4", "Request Can.", None), ("5", "sale", None))
        with tables.begin() as connection:
            tables.upsert(
                connection,
                "transactions",
                [
                    {
                        **sale,
                        "transaction_id": number,
                        "transaction_type": kind,
                        "transaction_full_amount": amount,
                        "extra": {"note": "kept"} if number == "1" else None,
                    }
                    for number, kind, amount in (*kinds, *odd)
                ],
            )
            rows = [
                {**held, "subscription_id": number, "subscription_status": status}
                for number, status in (("1", "canceled"), ("2", "Active"), ("3", "Past due"))
            ]
            tables.upsert(connection, "subscriptions", rows)
            connection.exec_driver_sql(
                "CREATE VIEW report_recurring_revenue AS SELECT count(*) AS active FROM subscriptions"
            )
            connection.exec_driver_sql("CREATE VIEW mine AS SELECT active FROM report_recurring_revenue")
            tables.upsert(
                connection,
                "report_views",
                [{"name": "report_recurring_revenue", "digest": "of before", "created_at": now}],
            )
    return database


def test_words_become_kartras_own_and_what_was_written_stays(earlier: str) -> None:
    for _ in range(2):
        with open_warehouse(earlier) as tables, tables.begin() as connection:
            sales = tables.read(connection, "SELECT * FROM transactions ORDER BY transaction_id")
            held = tables.read(connection, "SELECT * FROM subscriptions ORDER BY subscription_id")
        assert [
            (row.transaction_type, None if row.net_amount is None else Decimal(row.net_amount))
            for row in sales
        ] == [
            ("partial_refund", Decimal("-12.5")),
            ("sale", Decimal("100")),
            ("gift", None),
            ("request_cancellation", Decimal(0)),
            ("sale", None),
        ]
        assert [json_value(row.extra) for row in sales] == [
            {"note": "kept", "transaction_type": "Partial Refund"},
            {"transaction_type": "SALE"},
            None,
            {"transaction_type": "Request Can."},
            None,
        ]
        assert [row.subscription_status for row in held] == ["Cancelled", "Active", "Past due"]
        assert json_value(held[0].extra) == {"subscription_status": "canceled"}


def test_a_view_of_the_owners_goes_on_while_ours_get_new_columns(earlier: str) -> None:
    with open_warehouse(earlier) as tables, tables.begin() as connection:
        assert [row.active for row in tables.read(connection, "SELECT active FROM mine")] == [1]
        (row,) = tables.read(connection, "SELECT currency, unvalued FROM report_recurring_revenue")
        assert (row.currency, row.unvalued) == (None, 2)  # an amount that is not known, a status
