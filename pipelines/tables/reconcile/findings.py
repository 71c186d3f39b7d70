"""What a reconciliation finds, and remembers of a file of any length: on disk, so that memory stays flat."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum

from pipelines.shipped import read_sql


class Kind(StrEnum):
    """What does not agree."""

    NOT_PULLED = "not_pulled"
    NOT_IN_EXPORT = "not_in_export"
    DISAGREES = "disagrees"
    UNKNOWN_TYPE = "unknown_type"
    BAD_ROW = "bad_row"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `what` is a column or a reason; no names, no addresses."""

    kind: str
    row: int | None = None
    transaction_id: str | None = None
    lead_id: str | None = None
    what: str | None = None
    in_export: str | None = None
    pulled: str | None = None


class Scratch:
    """A temporary SQLite file: the transactions of an export, the findings, the leads nobody knows."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file that SQLite removes itself
        self._database.executescript(read_sql("warehouse/reconcile/scratch"))

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def see(self, transaction_id: str, digest: bytes) -> bytes | None:
        """Remember a transaction; gives the digest under which it was seen before."""
        select = "SELECT digest FROM seen WHERE transaction_id = ?"
        seen = self._database.execute(select, (transaction_id,)).fetchone()
        if seen is None:
            self._database.execute("INSERT INTO seen VALUES (?, ?)", (transaction_id, digest))
        return None if seen is None else bytes(seen[0])

    def has_seen(self, transaction_id: str) -> bool:
        select = "SELECT 1 FROM seen WHERE transaction_id = ?"
        return self._database.execute(select, (transaction_id,)).fetchone() is not None

    def add(self, found: Sequence[Finding]) -> None:
        insert = "INSERT INTO findings VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
        self._database.executemany(insert, map(astuple, found))

    def count(self, kind: Kind) -> int:
        select = "SELECT count(*) FROM findings WHERE kind = ?"
        return int(self._database.execute(select, (kind,)).fetchone()[0])

    def findings(self, kind: Kind, limit: int = -1) -> Iterator[Finding]:
        """In the order of the export; all of them when `limit` is -1."""
        names = ", ".join(one.name for one in fields(Finding))
        select = f"SELECT {names} FROM findings WHERE kind = ? ORDER BY place LIMIT ?"  # noqa: S608
        for row in self._database.execute(select, (kind, limit)):
            yield Finding(*row)

    def add_leads(self, lead_ids: Iterable[str]) -> None:
        self._database.executemany("INSERT OR IGNORE INTO leads VALUES (?)", ((one,) for one in lead_ids))

    def lead_count(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM leads").fetchone()[0])

    def leads(self) -> Iterator[str]:
        """Leads that are not on the roster."""
        for (lead_id,) in self._database.execute(
            "SELECT lead_id FROM leads ORDER BY length(lead_id), lead_id"
        ):
            yield lead_id
