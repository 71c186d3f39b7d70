"""Whether the state can be used: what no run leaves behind, and texts that cannot be read."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pipelines.state.database import Database
from pipelines.state.scope import Scope

TextKind = Literal["snapshot", "wish", "change", "summary", "inventory", "record", "drift"]


_TEXTS: Mapping[TextKind, str] = {
    "snapshot": "SELECT snapshot FROM leads",
    "wish": "SELECT wish FROM outbox WHERE wish IS NOT NULL",
    "change": "SELECT change FROM outbox WHERE change IS NOT NULL",
    "summary": "SELECT summary FROM runs WHERE summary IS NOT NULL",
    "inventory": "SELECT content FROM inventories",
    "record": "SELECT record FROM rejects WHERE record <> ''",
    "drift": "SELECT found FROM drift",
}


class Integrity:
    """What can be wrong with a state that opens."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file, and what no run leaves behind. Tells no values."""
        found = [row[0] for row in self._database.run_line("PRAGMA integrity_check") if row[0] != "ok"]
        orphans = self._database.run_line(
            'SELECT "table", count(*) AS found FROM pragma_foreign_key_check GROUP BY 1'
        )
        found += [f"{row.found:,} rows of {row.table} belong to nothing" for row in orphans]
        return found + [f"{row.found:,} {row.what}" for row in self._database.run("misfits")]

    def texts(self, kind: TextKind) -> Iterator[str]:
        """Every JSON text of a kind that the file holds."""
        yield from (row[0] for row in self._database.stream(_TEXTS[kind]))
