"""Snapshots of what Kartra acknowledged, by key, and the hashes of records that ask for just that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.contacts.lead import Origin, Snapshot
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The state of a lead after an answer. An empty digest means that something is still owed."""

    snapshot: Snapshot
    origin: Origin
    digest: bytes = b""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class LeadState:
    """The state of a key in one account and mode; `snapshot` is JSON."""

    scope_id: int
    mode: str
    lead_id: str | None
    origin: Origin
    digest: bytes
    snapshot: str
    changed_at: str
    removed_at: str | None


class Leads:
    """The leads of a scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("leads")

    def get(self, key: str) -> Acknowledged | None:
        """The state of one lead of this scope."""
        row = self._queries.get(scope_id=self._scope.scope_id, key=key)
        if row is None:
            return None
        snapshot = Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"])
        return Acknowledged(snapshot, row["origin"], row["digest"], row["removed_at"] is not None)

    def acknowledge(self, key: str, acknowledged: Acknowledged) -> None:
        """Writes the state of a lead; inside a transaction."""
        self._queries.acknowledge(
            scope_id=self._scope.scope_id,
            key=key,
            lead_id=acknowledged.snapshot.lead_id,
            origin=acknowledged.origin,
            digest=acknowledged.digest,
            snapshot=acknowledged.snapshot.to_json(),
            unproven=len(acknowledged.snapshot.unproven),
            now=self._database.timestamp(),
            removed_at=self._database.timestamp() if acknowledged.removed else None,
        )

    def mark_same(self, wishes: Sequence[tuple[str, bytes, Snapshot]]) -> None:
        """Notes wishes, as (key, digest, snapshot), that ask for nothing new."""
        with self._database.transaction():
            self._queries.mark_same(
                [
                    {
                        "scope_id": self._scope.scope_id,
                        "key": key,
                        "digest": digest,
                        "snapshot": snapshot.to_json(),
                    }
                    for key, digest, snapshot in wishes
                ],
            )

    def count(self) -> int:
        """Leads we created or adopted and that are still wished for."""
        return int(self._queries.count(scope_id=self._scope.scope_id))

    def owner_of(self, lead_id: str, email: str = "") -> str | None:
        """The key whose lead has this id, or this address as long as its id is unknown."""
        owner: str | None = self._queries.owner_of(
            scope_id=self._scope.scope_id, lead_id=lead_id, email=email
        )
        return owner

    def drop(self, key: str, lead_id: str | None) -> None:
        """Drops a lead that Kartra does not have; one that was taken over may have no number."""
        self._queries.drop(scope_id=self._scope.scope_id, key=key, lead_id=lead_id)

    def learn_id(self, key: str, lead_id: str) -> None:
        """Notes Kartra's number of a lead, unless another lead has it."""
        self._queries.learn_id(scope_id=self._scope.scope_id, key=key, lead_id=lead_id)

    def states_of_key(self, pipeline: str, key: str) -> list[LeadState]:
        """One for each account and mode of a pipeline."""
        return [LeadState(**row) for row in self._queries.states_of_key(pipeline=pipeline, key=key)]

    def ids(self, account: str) -> Iterator[str]:
        """Kartra's numbers of the leads of an account, whichever pipeline knows them. Read in batches."""
        after = ""
        while rows := self._queries.ids(account=account, after=after, count=BATCH):
            yield from (row["lead_id"] for row in rows)
            after = rows[-1]["lead_id"]

    def addresses(self, account: str) -> Iterator[str]:
        """The addresses of those whose number is not known yet. Read in batches."""
        after = ""
        while rows := self._queries.addresses(account=account, after=after, count=BATCH):
            yield from (row["email"] for row in rows)
            after = rows[-1]["email"]

    # --- records that are known from the run before, and need not be mapped

    def raw_hashes(self) -> bytearray:
        """The hashes of all records that are as Kartra acknowledged them, concatenated."""
        hashes = bytearray()
        for part in self._queries.raw_hashes_cursor(scope_id=self._scope.scope_id):
            hashes += b"".join(row[0] for row in part)
        return hashes

    def raw_hashes_of_staged(self) -> Iterator[list[bytes]]:
        """The hashes of staged keys, in parts."""
        for part in self._queries.raw_hashes_of_staged_cursor(scope_id=self._scope.scope_id):
            yield [row[0] for row in part]

    def raw_hashes_of_suppressed(self) -> Iterator[bytes]:
        """The hashes of keys that are suppressed addresses."""
        rows = self._queries.raw_hashes_of_suppressed(scope_id=self._scope.scope_id)
        return (row["raw"] for row in rows)

    def keep_raw_hashes(self) -> None:
        """Keeps the hashes of staged records that are as acknowledged, for the next run."""
        with self._database.transaction():
            self._queries.keep_raw_hashes(scope_id=self._scope.scope_id)


def snapshot_of(row: Mapping[str, Any]) -> Snapshot | None:
    """The snapshot in a row that may have a lead joined to it."""
    return Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"]) if row["snapshot"] else None
