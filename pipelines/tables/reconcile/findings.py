"""What a reconciliation finds, and remembers of a file of any length: on disk, so that memory stays flat."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from pipelines.tables.session import queries


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
        self._queries: Mapping[str, str] = queries("reconcile")
        self._database.executescript(self._queries["scratch"])

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def see(self, transaction_id: str, digest: bytes) -> bytes | None:
        """Remember a transaction; gives the digest under which it was seen before."""
        seen = self._digest_of(transaction_id)
        if seen is None:
            row = {"transaction_id": transaction_id, "digest": digest}
            self._database.execute(self._queries["see"], row)
        return seen

    def has_seen(self, transaction_id: str) -> bool:
        return self._digest_of(transaction_id) is not None

    def _digest_of(self, transaction_id: str) -> bytes | None:
        select = self._queries["digest_seen"]
        seen = self._database.execute(select, {"transaction_id": transaction_id}).fetchone()
        return None if seen is None else bytes(seen[0])

    def add(self, found: Sequence[Finding]) -> None:
        self._database.executemany(self._queries["add_finding"], map(asdict, found))

    def count(self, kind: Kind) -> int:
        return int(self._database.execute(self._queries["count_findings"], {"kind": kind}).fetchone()[0])

    def findings(self, kind: Kind, limit: int = -1) -> Iterator[Finding]:
        """In the order of the export; all of them when `limit` is -1."""
        for row in self._database.execute(self._queries["findings"], {"kind": kind, "limit": limit}):
            yield Finding(*row)

    def add_leads(self, lead_ids: Iterable[str]) -> None:
        self._database.executemany(self._queries["add_lead"], ({"lead_id": one} for one in lead_ids))

    def lead_count(self) -> int:
        return int(self._database.execute(self._queries["count_leads"]).fetchone()[0])

    def leads(self) -> Iterator[str]:
        """Leads that are not on the roster."""
        for (lead_id,) in self._database.execute(self._queries["leads"]):
            yield lead_id
