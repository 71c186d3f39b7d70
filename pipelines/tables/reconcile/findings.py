"""The findings of a reconciliation, kept on disk so that memory does not grow with the file."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from pipelines.tables.session import queries


class Kind(StrEnum):
    """The kinds of disagreement."""

    NOT_PULLED = "not_pulled"
    NOT_IN_EXPORT = "not_in_export"
    DISAGREES = "disagrees"
    UNKNOWN_TYPE = "unknown_type"
    BAD_ROW = "bad_row"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. `what` is a column or a reason, without names and addresses."""

    kind: str
    row: int | None = None
    transaction_id: str | None = None
    lead_id: str | None = None
    what: str | None = None
    in_export: str | None = None
    pulled: str | None = None


class Scratch:
    """A temporary SQLite file with the transactions of an export, the findings and the unknown leads."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file that SQLite removes itself
        self._queries: Mapping[str, str] = queries("reconcile")
        self._database.executescript(self._queries["scratch"])

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def see(self, transaction_id: str, digest: bytes) -> bytes | None:
        """Notes a transaction; returns the digest with which it was seen before, or None."""
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
        """The leads that are not on the roster."""
        for (lead_id,) in self._database.execute(self._queries["leads"]):
            yield lead_id
