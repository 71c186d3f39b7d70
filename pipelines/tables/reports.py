"""Reports over the tables of a pull: a query each in `sql/reports`, also created as a view.

The queries are Jinja templates with macros for each database, so that all databases give the same numbers.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from sqlalchemy.exc import DBAPIError

from connectors.databases.dialects import TYPES
from connectors.databases.tables import Tables
from connectors.errors import ConfigError
from connectors.kartra.money import money_text
from pipelines.shipped import ROOT, read_sql
from pipelines.tables.session import Session, opened
from pipelines.tables.zone_shifts import shifts_of
from pipelines.words.nearest import nearest

FOLDER = ROOT / "sql" / "reports"
_MACROS = {"mariadb": "mysql"}


@dataclass(frozen=True, slots=True)
class ReportRows:
    """The rows of a report. Amounts are texts, equal from every database; numbers are int."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | None, ...], ...]


def report_names() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.sql"))


def describe(name: str) -> str:
    """What a report shows: the first sentence of its opening comment."""
    comment = " ".join(re.findall(r"^-- (.*)$", read_sql(f"reports/{name}"), re.MULTILINE))
    return re.split(r"(?<=\.) (?=[A-Z`])", comment)[0]


def report_named(name: str) -> str:
    """The name of a report, given with dashes or underscores. Raises ConfigError."""
    plain = name.lower().replace("-", "_").removeprefix("report_")
    if plain not in report_names():
        near = nearest(plain, report_names())
        hint = f'; did you mean "{near}"?' if near else "; kartra-sync reports lists them"
        raise ConfigError(f'there is no report "{name}"{hint}')
    return plain


def read_report(tables: Tables, name: str, zone: tzinfo = UTC) -> ReportRows:
    """The rows of a report, from the tables. Months and weeks are those of `zone`. Raises TablesError."""
    with tables.begin() as connection:
        result = connection.execution_options(no_parameters=True).exec_driver_sql(_query(tables, name, zone))
        return ReportRows(
            name, tuple(result.keys()), tuple(tuple(_plain(value) for value in row) for row in result)
        )


def create_views(tables: Tables, now: datetime, zone: tzinfo) -> None:
    """Creates the views `report_<name>`, or replaces those whose text or zone changed."""
    reports = {f"report_{name}": name for name in report_names()}
    digests = {view: _digest(tables, name, zone) for view, name in reports.items()}
    with opened(tables) as session:
        known = {row.name: row.digest for row in session.read("pulls/report_views")}
    for view in sorted({*reports, *known}):
        if digests.get(view) == known.get(view):
            continue
        name = reports.get(view)
        with opened(tables) as session:
            _replace(session, view, None if name is None else _query(tables, name, zone))
            if name is None:
                session.delete("report_views", [{"name": view}])
                continue
            session.upsert("report_views", [{"name": view, "digest": digests[view], "created_at": now}])


def _replace(session: Session, name: str, query: str | None) -> None:
    """Replaces a view, or drops it if its report is gone."""
    if session.tables.dialect == "sqlite":
        # Python's driver for SQLite would otherwise commit between DROP and CREATE.
        session.connection.exec_driver_sql("BEGIN IMMEDIATE")
    plain = session.connection.execution_options(no_parameters=True)
    if query is not None and session.tables.dialect == "postgresql" and _replaced(session, name, query):
        return
    plain.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    if query is not None:
        plain.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def _replaced(session: Session, name: str, query: str) -> bool:
    """Replaces a view in PostgreSQL, which drops none that others use but accepts new columns at the end."""
    try:
        with session.connection.begin_nested():
            plain = session.connection.execution_options(no_parameters=True)
            plain.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {query}")
    except DBAPIError:  # its columns have changed otherwise
        return False
    return True


def _query(tables: Tables, name: str, zone: tzinfo) -> str:
    text = tables.render(_template(name), macros=_macros(tables), shifts=_shifts(tables, zone))
    return re.sub(r"^-- .*\n", "", text.strip(), flags=re.MULTILINE).strip()


def _digest(tables: Tables, name: str, zone: tzinfo) -> str:
    """Of all that the text of a view is made of: making the texts themselves takes longer."""
    made_of = (_macros(tables), _template(name), tables.dialect, TYPES[tables.dialect], _shifts(tables, zone))
    return blake2b(repr(made_of).encode(), digest_size=16).hexdigest()


def _macros(tables: Tables) -> str:
    own = _MACROS.get(tables.dialect, tables.dialect)
    return "\n".join(read_sql(f"reports/macros/{part}") for part in ("zone", own, "common"))


def _template(name: str) -> str:
    return read_sql(f"reports/{name}")


def _shifts(tables: Tables, zone: tzinfo) -> list[tuple[str, int]]:
    form = f"'%Y-%m-%d %H:%M:%S{'+00' if tables.dialect == 'postgresql' else ''}'"
    return [(begins.strftime(form), seconds) for begins, seconds in shifts_of(zone)]


def _plain(value: Any) -> str | int | None:
    if isinstance(value, Decimal):
        return money_text(value)
    return value if value is None or isinstance(value, int) else str(value)
