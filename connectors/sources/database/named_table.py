"""Finds the table or view that a typed name means, and gives the statement that reads it."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect

from connectors.databases.statements import pieces
from connectors.errors import ConfigError
from connectors.sources.database.query import quoted_name
from connectors.sources.database.session import reading, source_url

TIMEOUT_S = 60
SHOWN = 10
_STATEMENT = re.compile(
    r"\s*\(*\s*(?:select|with|values|table|show|call|exec|execute|pragma|explain)\b", re.I
)
_OF_THE_SERVER = frozenset(("information_schema", "mysql", "performance_schema", "sys", "pg_catalog"))

Name = tuple[str, ...]
"""(table,) in the default schema, or (schema, table)."""


def is_statement(text: str) -> bool:
    """Whether the text is a statement and not a table called `select`, say: it has a second word."""
    return bool(_STATEMENT.match(text)) and len(text.split()) > 1


def table_statement(place: str | Path, name: str) -> str:
    """`SELECT *` from the table or view of this name, in the case and the quotes it needs.

    Raises ConfigError for one that is not there, with the nearest; SourceError.
    """
    url = source_url(place)
    with reading(url, TIMEOUT_S) as connection:
        found = _found(connection, name.strip(), url.get_backend_name())
        return f"SELECT * FROM {quoted_name(connection, *found)}"  # noqa: S608 - a name, and read only


def table_names(place: str | Path) -> str:
    """The tables and views of the default schema, in one line. Raises ConfigError, SourceError."""
    with reading(source_url(place), TIMEOUT_S) as connection:
        tables = _tables(connection)
    return _listed(tables) if tables else "none"


def _found(connection: Connection, typed: str, dialect: str) -> Name:
    tables = _tables(connection)
    if not (matching := _matching(typed, tables, dialect)):
        # Only now, because each schema of the server costs queries of its own.
        tables += _tables_of_schemas(connection)
        matching = _matching(typed, tables, dialect)
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise ConfigError(f'"{typed}" may be {_listed(matching)}: write it as the database has it')
    by_name = {".".join(table).casefold(): ".".join(table) for table in tables}
    near = [by_name[one] for one in difflib.get_close_matches(typed.casefold(), by_name, n=3)]
    if near:
        hint = "did you mean " + " or ".join(f'"{one}"' for one in near) + "?"
    else:
        hint = f"the database has {_listed(tables)}" if tables else "the database has no table"
    raise ConfigError(f'no table or view is called "{typed}"; {hint}')


def _matching(typed: str, tables: list[Name], dialect: str) -> list[Name]:
    """The table of exactly this name, or the tables that differ only in case and quotes."""
    bare = tuple(_unquoted(typed, dialect))
    for wanted in ((typed,), bare):
        if wanted in tables:
            return [wanted]
    folded = {typed.casefold(), ".".join(bare).casefold()}
    return [table for table in tables if ".".join(table).casefold() in folded]


def _unquoted(typed: str, dialect: str) -> Iterator[str]:
    """The parts of a name, as `crm."People"` has them."""
    part = ""
    for piece in pieces(typed, dialect):
        if piece.text == ".":
            yield part
            part = ""
        else:
            is_quoted = piece.kind in ("name", "text")
            part += piece.text[1:-1] if is_quoted else piece.text
    yield part


def _tables(connection: Connection) -> list[Name]:
    return [(name,) for name in _names_in(connection, None)]


def _tables_of_schemas(connection: Connection) -> list[Name]:
    if connection.dialect.name == "sqlite":
        return []
    schemas = (name for name in inspect(connection).get_schema_names() if name.lower() not in _OF_THE_SERVER)
    return [(schema, name) for schema in schemas for name in _names_in(connection, schema)]


def _names_in(connection: Connection, schema: str | None) -> Iterator[str]:
    catalogue = inspect(connection)
    yield from catalogue.get_table_names(schema)
    yield from catalogue.get_view_names(schema)
    # Materialized views, which SQLAlchemy counts neither among tables nor among views.
    if connection.dialect.name == "postgresql":
        yield from catalogue.get_materialized_view_names(schema)


def _listed(tables: list[Name]) -> str:
    shown = ", ".join(f'"{".".join(table)}"' for table in sorted(tables)[:SHOWN])
    return shown + (f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else "")
