"""What the tables of a pull are, as the migrations say, and whether others stand under their names."""

import re
from pathlib import Path

from sqlalchemy import inspect

from connectors.databases.tables import Tables
from connectors.errors import ConfigError
from pipelines.shipped import ROOT
from pipelines.tables.reports import report_names

MIGRATIONS = ROOT / "sql" / "warehouse" / "migrations"

_CREATED = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"^    (\w+) \{\{ (\w+) \}\}", re.MULTILINE)
_ADDED = re.compile(r"ALTER TABLE (\w+) ADD COLUMN \{\{ new_column \}\} (\w+) \{\{ (\w+) \}\}")
_VERSIONS = {"version", "applied_at"}


def migrations(folder: Path) -> list[tuple[int, str]]:
    """The numbered files of a folder, in order."""
    found = [(re.match(r"[0-9]+", file.name), file) for file in sorted(folder.glob("*.sql"))]
    return [(int(number[0]), file.read_text(encoding="utf-8")) for number, file in found if number]


def kinds_of_tables() -> dict[str, dict[str, str]]:
    """Every table of the warehouse, in order, and what stands in its columns, as the migrations say."""
    kinds: dict[str, dict[str, str]] = {}
    for _, template in migrations(MIGRATIONS):
        kinds |= _created(template)
        for table, column, kind in _ADDED.findall(template):
            kinds[table][column] = kind
    return kinds


def _created(template: str) -> dict[str, dict[str, str]]:
    return {table: dict(_COLUMN.findall(columns)) for table, columns in _CREATED.findall(template)}


def refuse_foreign_tables(tables: Tables) -> None:
    """Raises ConfigError where the tables that are still to be made would meet others of the same name.

    A table that has our columns is ours: MySQL keeps what a migration that was killed had made.
    """
    with tables.begin() as connection:
        look = inspect(connection)
        there = {name.lower(): name for name in (*look.get_table_names(), *look.get_view_names())}
        columns = {
            name: {found["name"].lower() for found in look.get_columns(there[name])}
            for name in there.keys() & {"warehouse_version", *kinds_of_tables()}
        }
        is_ours = columns.get("warehouse_version", set()) >= _VERSIONS
        version = tables.version(connection) if is_ours else 0
    wanted: dict[str, set[str]] = {"warehouse_version": _VERSIONS}
    for number, template in migrations(MIGRATIONS):
        if number > version:
            wanted |= {table: set(kinds) for table, kinds in _created(template).items()}
    foreign = [there[name] for name, own in wanted.items() if name in columns and not columns[name] >= own]
    if not is_ours:
        foreign += sorted(there[view] for name in report_names() if (view := f"report_{name}") in there)
    if foreign:
        raise ConfigError(
            f"{tables.name}: holds {', '.join(foreign)} already, which no pull has made: nothing is changed."
            " Give pull.into a database or a schema of its own"
        )
