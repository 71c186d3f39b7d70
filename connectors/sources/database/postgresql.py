"""Loads the values of PostgreSQL for which psycopg would fail or lose digits.

A time that Python cannot represent (infinity, BC, years beyond 9999, 24:00) stays as the server writes it,
because one cell must not stop a source. Decimals in JSON keep their digits, and bits become a number.
"""

import json
from contextlib import suppress
from decimal import Decimal
from functools import cache, partial
from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.json import set_json_loads

from connectors.sources.values import ServersText

_MAY_FAIL = ("date", "timestamp", "timestamptz", "time", "timetz", "interval", "json", "jsonb")


def load_every_value(connection: psycopg.Connection[Any]) -> None:
    """Set this connection up so that each value can be loaded."""
    set_json_loads(partial(json.loads, parse_float=Decimal), connection)
    for name in _MAY_FAIL:
        kind = psycopg.adapters.types[name].oid
        loader = connection.adapters.get_loader(kind, Format.TEXT)
        if loader is not None:
            connection.adapters.register_loader(kind, _forgiving(loader))
    connection.adapters.register_loader("bit", _BitLoader)
    # Before a word that begins the transaction: this query would otherwise be the first of the snapshot.
    _load_arrays_of_own_kinds(connection)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":  # it holds any bytes as text
        connection.execute("SET client_encoding TO 'SQL_ASCII'")  # psycopg then gives it as bytes
    for name in _RANGES:
        connection.adapters.register_loader(name, _TextLoader)


_OWN_KINDS = """
    SELECT typname, oid, typarray FROM pg_catalog.pg_type
    WHERE oid >= 16384 AND typarray <> 0 AND typtype IN ('b', 'd', 'e')
"""
"""Kinds that an extension or a person made: citext, enumerations, domains."""


def _load_arrays_of_own_kinds(connection: psycopg.Connection[Any]) -> None:
    """Their arrays are lists, too. A server that only speaks PostgreSQL's protocol may know no such table."""
    with suppress(psycopg.Error), connection.transaction():
        for name, oid, array_oid in connection.execute(_OWN_KINDS).fetchall():
            TypeInfo(name, oid, array_oid).register(connection)


_RANGES = ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "replace")


class _BitLoader(Loader):
    def load(self, data: Buffer) -> int | None:
        return int(bytes(data), 2) if data else None


@cache
def _forgiving(inner: type[Any]) -> type[Loader]:
    """A loader like `inner` that falls back to the server's text."""

    class Forgiving(Loader):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._inner = inner(oid, context)

        def load(self, data: Buffer) -> Any:
            try:
                return self._inner.load(data)
            except (psycopg.DataError, ValueError, OverflowError, RecursionError):
                return ServersText(bytes(data).decode("utf-8", "replace"))

    return Forgiving
