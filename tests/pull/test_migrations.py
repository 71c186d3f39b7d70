"""The tables change with the program: what stands in them stays, on every database."""

import shutil
from pathlib import Path

import pytest

from connectors.databases.tables import Tables, tables_url
from connectors.errors import TablesError
from pipelines.tables.warehouse import MIGRATIONS, migrations, open_warehouse

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
