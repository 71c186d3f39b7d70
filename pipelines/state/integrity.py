"""Checks whether a state makes sense: rows that no run leaves behind, and texts that cannot be read."""

from collections.abc import Iterator
from typing import Literal

from pipelines.state.database import Database

TextKind = Literal["snapshot", "wish", "change", "summary", "inventory", "record", "drift"]


class Integrity:
    """The checks of a state that opens."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("integrity")

    def damage(self) -> list[str]:
        """Damage of the file, and rows that no run leaves behind, without values."""
        misfits = self._queries.misfits()
        return self._database.damage() + [f"{row['found']:,} {row['what']}" for row in misfits]

    def texts(self, kind: TextKind) -> Iterator[str]:
        """Every JSON text of a kind in the file."""
        texts = {
            "snapshot": self._queries.snapshots_cursor,
            "wish": self._queries.wishes_cursor,
            "change": self._queries.changes_cursor,
            "summary": self._queries.summaries_cursor,
            "inventory": self._queries.inventories_cursor,
            "record": self._queries.records_cursor,
            "drift": self._queries.drifts_cursor,
        }
        for part in texts[kind]():
            yield from (row[0] for row in part)
