"""An open transaction of the warehouse, and its named queries.

The queries are in `sql/warehouse/<subject>.sql`, in the file format of aiosql. They run through SQLAlchemy
instead of aiosql, because one text serves all databases: Jinja fills in the differences, `IN :ids` takes a
list, and values are adapted to each. Comments are removed, because SQLAlchemy would bind parameters in them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row

from connectors.databases.dialects import render
from connectors.databases.tables import Tables
from pipelines.shipped import read_sql

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction; queries are named `subject/name`. Raises TablesError through `opened`."""

    tables: Tables
    connection: Connection

    def read(
        self, query: str, *, template: Mapping[str, Any] | None = None, **values: Any
    ) -> Sequence[Row[Any]]:
        """The rows of a query. `template` has names of tables and columns, never data."""
        return self.tables.read(self.connection, self.statement(query, template), **values)

    def run(
        self, query: str, rows: Sequence[Mapping[str, Any]], *, template: Mapping[str, Any] | None = None
    ) -> None:
        """The query once for each row of values."""
        self.tables.run(self.connection, self.statement(query, template), rows)

    def upsert(
        self, into: str, rows: Sequence[Mapping[str, Any]], *, keep: frozenset[str] = frozenset()
    ) -> None:
        """Like `Tables.upsert`: columns in `keep` stay unchanged in existing rows."""
        self.tables.upsert(self.connection, into, rows, keep=keep)

    def delete(self, of: str, keys: Sequence[Mapping[str, Any]]) -> None:
        self.tables.delete(self.connection, of, keys)

    def statement(self, query: str, template: Mapping[str, Any] | None = None) -> str:
        """The text of a query for this database."""
        return _rendered(query, self.tables.dialect, tuple((template or {}).items()))


@contextmanager
def opened(tables: Tables) -> Iterator[Session]:
    """A transaction, committed at the end and rolled back by an exception. Raises TablesError."""
    with tables.begin() as connection:
        yield Session(tables, connection)


@cache
def queries(subject: str) -> Mapping[str, str]:
    """The named queries of a file, without their comments."""
    _, *parts = _NAME.split(read_sql(f"warehouse/{subject}"))
    return {name: _COMMENT.sub("", text).strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@cache
def _rendered(query: str, dialect: str, template: tuple[tuple[str, Any], ...]) -> str:
    subject, _, name = query.partition("/")
    return render(queries(subject)[name], dialect, **dict(template))
