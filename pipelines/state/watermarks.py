"""Watermarks: how far incremental sources were read."""

from dataclasses import dataclass
from datetime import datetime

from pipelines.state.clock import instant
from pipelines.state.database import Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a query was read; `highest` is JSON, `full_at` when it was last read completely."""

    source: bytes
    highest: str
    full_at: datetime


class Watermarks:
    """The watermark of a scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("watermarks")

    def get(self) -> Watermark | None:
        row = self._queries.get(scope_id=self._scope.scope_id)
        return None if row is None else Watermark(row["source"], row["highest"], instant(row["full_at"]))

    def move(self, source: bytes, highest: str, *, is_full: bool) -> None:
        self._queries.move(
            scope_id=self._scope.scope_id,
            source=source,
            highest=highest,
            is_full=is_full,
            now=self._database.timestamp(),
        )
