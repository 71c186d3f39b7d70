"""Loads the values of PostgreSQL for which psycopg would fail or lose digits.

A time that Python cannot represent (infinity, BC, years beyond 9999, 24:00) stays as the server writes it,
because one cell must not stop a source. Decimals in JSON keep their digits, and bits become a number.
"""

import json
from decimal import Decimal
from functools import cache, partial
from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
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
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":  # it holds any bytes as text
        connection.execute("SET client_encoding TO 'SQL_ASCII'")  # psycopg then gives it as bytes
    for name in _RANGES:
        connection.adapters.register_loader(name, _TextLoader)


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
