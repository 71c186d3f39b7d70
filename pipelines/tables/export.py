"""Writes the tables of a pull to files, one each, for programs that cannot read a database.

Every database gives the same files: rows in the order of their keys, money and times in one form, JSON with
sorted names. Reading and CSV are here, Parquet is in `export_parquet`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import inspect, text

from connectors.databases.tables import as_utc
from connectors.errors import ConfigError
from connectors.kartra.money import money_text
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.used_files import refuse_used
from pipelines.private_file import create_private, refuse_existing, written_aside
from pipelines.tables.export_parquet import ParquetTable
from pipelines.tables.schema import kinds_of_tables
from pipelines.tables.session import Session, opened
from pipelines.tables.spreadsheets import CsvForPeople
from pipelines.tables.warehouse import open_warehouse
from pipelines.words.nearest import nearest

CHUNK_ROWS = 5_000

_REPORT = re.compile(r"report_[a-z0-9_]+")
_SNAPSHOT = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "mariadb": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
}
"""Statements that give all tables as of one moment, even during a pull."""

Kinds = Mapping[str, str]
"""The columns in order, and the kind of each: money, utc, integer, json, or some text."""
Values = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Written:
    """A complete file."""

    table: str
    path: Path
    rows: int


class TableFile(Protocol):
    """A file of rows, open for writing."""

    def write(self, rows: Values) -> None:
        """Values: Decimal for money, aware datetime for utc, int for integer, else str; None for NULL."""

    def close(self) -> None: ...


OpenFile = Callable[[Path, Kinds], TableFile]


def export_tables(
    config: PipelineConfig,
    folder: Path,
    form: str,
    *,
    names: Sequence[str] = (),
    reports: bool = False,
    replace: bool = False,
    exact: bool = False,
) -> list[Written]:
    """Writes all tables, or those named, to `folder/<table>.<form>`; `form` is csv or parquet.

    Unless `exact`, CSV is made safe for spreadsheets, where a cell could be a formula. The files appear only
    when all of them are complete. Raises ConfigError, TablesError.
    """
    if config.pull is None:
        raise ConfigError(f"{config.path.name}: without `pull:` there are no tables")
    with open_warehouse(config.pull.into, read_only=True) as tables, opened(tables) as session:
        session.connection.exec_driver_sql(_SNAPSHOT[tables.dialect])
        chosen = _chosen(session, names, reports=reports)
        paths = {name: folder / f"{name}.{form}" for name in chosen}
        refuse_used(paths.values(), config)
        refuse_existing([] if replace else list(paths.values()))
        opener = _opener(form, exact=exact)
        with written_aside(folder) as aside:
            counts = {
                name: _write(session, name, kinds, partial(opener, aside / paths[name].name))
                for name, kinds in chosen.items()
            }
            for path in paths.values():
                (aside / path.name).replace(path)
    return [Written(name, paths[name], counts[name]) for name in chosen]


def _chosen(session: Session, names: Sequence[str], *, reports: bool) -> dict[str, Kinds | None]:
    """The tables asked for and what stands in their columns, which of a report is not known."""
    tables: dict[str, Kinds | None] = {**kinds_of_tables()}
    views = sorted(name for name in inspect(session.connection).get_view_names() if _REPORT.fullmatch(name))
    known = tables | dict.fromkeys(views)
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise ConfigError(f'there is no table "{name}"' + (f'; did you mean "{near}"?' if near else ""))
    asked = {*(names or tables), *(views if reports else ())}
    return {name: kinds for name, kinds in known.items() if name in asked}


def _write(
    session: Session, name: str, kinds: Kinds | None, opened_with: Callable[[Kinds], TableFile]
) -> int:
    """One table to one file; gives its rows."""
    if kinds is None:
        columns = session.tables.columns(session.connection, name)
        places = tuple(range(1, len(columns) + 1))
        chunks = _chunks(session, "export/report", {"view": name, "places": places})
        first = next(chunks, [])
        kinds = {column: _kind_seen(row[place] for row in first) for place, column in enumerate(columns)}
        chunks = chain([first] if first else [], chunks)
    else:
        keys = tuple(inspect(session.connection).get_pk_constraint(name)["constrained_columns"])
        chunks = _chunks(session, "export/table", {"table": name, "columns": tuple(kinds), "keys": keys})
    count = 0
    file = opened_with(kinds)
    try:
        for rows in chunks:
            file.write(_canonical(rows, kinds))
            count += len(rows)
    finally:
        file.close()
    return count


def _opener(form: str, *, exact: bool) -> OpenFile:
    if form == "csv":
        return partial(CsvTable, exact=exact)

    return ParquetTable


def _chunks(session: Session, query: str, template: Mapping[str, Any]) -> Iterator[Values]:
    options = {"stream_results": True, "yield_per": CHUNK_ROWS}
    statement = text(session.statement(query, template))
    with session.connection.execute(statement, execution_options=options) as result:
        yield from result.partitions(CHUNK_ROWS)  # without it a row at a time on some drivers


def _kind_seen(values: Iterable[object]) -> str:
    """What stands in a column of a report: views have no types that all databases share."""
    found = [value for value in values if value is not None]
    return "integer" if found and all(isinstance(value, int) for value in found) else "text"


def _canonical(rows: Values, kinds: Kinds) -> list[list[Any]]:
    changed = [(place, _CANONICAL[kind]) for place, kind in enumerate(kinds.values()) if kind in _CANONICAL]
    written = [list(row) for row in rows]
    for row in written:
        for place, change in changed:
            if row[place] is not None:
                row[place] = change(row[place])
    return written


def _json_text(value: Any) -> str:
    """PostgreSQL gives values and keeps no order of names, the others give the text that was written."""
    value = json.loads(value) if isinstance(value, str) else value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return money_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "money": Decimal,
    "utc": as_utc,
    "json": _json_text,
    "text": _plain_text,
}


class CsvTable:
    """UTF-8 with a header; NULL is an empty cell, times are ISO 8601 in UTC."""

    def __init__(self, path: Path, kinds: Kinds, *, exact: bool = False) -> None:
        self._handle = create_private(path)
        self._writer = CsvForPeople(self._handle, exact=exact)
        self._writer.writerow(tuple(kinds))
        self._texts = [
            (place, _CSV_TEXTS[kind]) for place, kind in enumerate(kinds.values()) if kind in _CSV_TEXTS
        ]

    def write(self, rows: Values) -> None:
        for row in rows:
            cells = list(row)
            for place, as_text in self._texts:
                if cells[place] is not None:
                    cells[place] = as_text(cells[place])
            self._writer.writerow(cells)

    def close(self) -> None:
        self._handle.close()


def _utc_text(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


_CSV_TEXTS: dict[str, Callable[[Any], str]] = {"money": money_text, "utc": _utc_text}
