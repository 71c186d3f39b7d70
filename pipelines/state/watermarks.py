"""Up to where an incremental source was read."""

from dataclasses import dataclass
from datetime import datetime

from pipelines.state.clock import instant, timestamp
from pipelines.state.database import Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to where a query was read; `highest` is JSON, `full_at` when it was last read as a whole."""

    source: bytes
    highest: str
    full_at: datetime


class Watermarks:
    """The watermark of a scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def get(self) -> Watermark | None:
        rows = self._database.run_line(
            "SELECT source, highest, full_at FROM watermarks WHERE scope_id = :scope_id",
            scope_id=self._scope.scope_id,
        )
        return Watermark(rows[0].source, rows[0].highest, instant(rows[0].full_at)) if rows else None

    def move(self, source: bytes, highest: str, *, is_full: bool) -> None:
        self._database.run(
            "move_watermark",
            scope_id=self._scope.scope_id,
            source=source,
            highest=highest,
            is_full=is_full,
            now=timestamp(),
        )
