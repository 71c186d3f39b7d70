"""Snapshots: what Kartra acknowledged, by key, and the hashes of the records that ask for just that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from pipelines.contacts.lead import Origin, Snapshot
from pipelines.state.clock import timestamp
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is known of a lead once an answer came. An empty digest: something is still owed."""

    snapshot: Snapshot
    origin: Origin
    digest: bytes = b""
    removed: bool = False


class Leads:
    """The leads of a scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def get(self, key: str) -> Acknowledged | None:
        """What is known of one lead of this scope."""
        rows = self._database.run_line(
            "SELECT lead_id, origin, digest, snapshot, removed_at FROM leads"
            " WHERE scope_id = :scope_id AND key = :key",
            scope_id=self._scope.scope_id,
            key=key,
        )
        if not rows:
            return None
        snapshot = Snapshot.from_json(rows[0].snapshot, lead_id=rows[0].lead_id)
        return Acknowledged(snapshot, rows[0].origin, rows[0].digest, rows[0].removed_at is not None)

    def acknowledge(self, key: str, acknowledged: Acknowledged) -> None:
        """Inside a transaction."""
        self._database.run(
            "acknowledge",
            scope_id=self._scope.scope_id,
            key=key,
            lead_id=acknowledged.snapshot.lead_id,
            origin=acknowledged.origin,
            digest=acknowledged.digest,
            snapshot=acknowledged.snapshot.to_json(),
            unproven=len(acknowledged.snapshot.unproven),
            now=timestamp(),
            removed_at=timestamp() if acknowledged.removed else None,
        )

    def mark_same(self, wishes: Sequence[tuple[str, bytes, Snapshot]]) -> None:
        """(key, digest, snapshot) of wishes that ask for nothing new."""
        with self._database.transaction():
            self._database.run_many(
                "same",
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
        known = (
            "SELECT count(*) FROM leads WHERE scope_id=:scope_id AND removed_at IS NULL AND origin<>'skipped'"
        )
        return int(self._database.run_line(known, scope_id=self._scope.scope_id)[0][0])

    def owner_of(self, lead_id: str, email: str = "") -> str | None:
        """The key whose lead has this id in Kartra, or this address while nobody knows its id."""
        rows = self._database.run("owner_of", scope_id=self._scope.scope_id, lead_id=lead_id, email=email)
        return rows[0].key if rows else None

    def drop_without_id(self, key: str) -> None:
        """A lead that was taken over and that Kartra does not know is new again."""
        self._database.run_line(
            "DELETE FROM leads WHERE scope_id=:scope_id AND key=:key AND lead_id IS NULL",
            scope_id=self._scope.scope_id,
            key=key,
        )

    def learn_id(self, key: str, lead_id: str) -> None:
        """Kartra's number of a lead, unless it is that of another one."""
        self._database.run("learn_id", scope_id=self._scope.scope_id, key=key, lead_id=lead_id)

    def states_of_key(self, pipeline: str, key: str) -> list[Row[Any]]:
        return self._database.run("known", pipeline=pipeline, key=key)

    def ids(self, account: str) -> Iterator[str]:
        """Kartra's numbers of the leads of an account, whichever pipeline knows them. Read in batches."""
        after = ""
        while rows := self._database.run("lead_ids", account=account, after=after, count=BATCH):
            yield from (row.lead_id for row in rows)
            after = rows[-1].lead_id

    def addresses(self, account: str) -> Iterator[str]:
        """The addresses of those whose number is not known yet. Read in batches."""
        after = ""
        while rows := self._database.run("lead_addresses", account=account, after=after, count=BATCH):
            yield from (row.email for row in rows)
            after = rows[-1].email

    def raw_hashes(self) -> bytearray:
        """The hashes of all records that are just as Kartra acknowledged them, one behind the other."""
        hashes = bytearray()
        with self._database.driver() as driver:
            rows = driver.execute("SELECT raw FROM raw_hashes WHERE scope_id = ?", (self._scope.scope_id,))
            while part := rows.fetchmany(20 * BATCH):
                hashes += b"".join(row[0] for row in part)
        return hashes

    def raw_hashes_of_staged(self) -> Iterator[list[bytes]]:
        """Those of keys that are staged, some at a time."""
        statement = self._database.statement("raw_hashes_of_staged").text
        with self._database.driver() as driver:
            rows = driver.execute(statement, {"scope_id": self._scope.scope_id})
            while part := rows.fetchmany(20 * BATCH):
                yield [row[0] for row in part]

    def raw_hashes_of_suppressed(self) -> Iterator[bytes]:
        """Those of keys that are suppressed addresses."""
        return (
            row.raw for row in self._database.run("raw_hashes_of_suppressed", scope_id=self._scope.scope_id)
        )

    def keep_raw_hashes(self) -> None:
        """Staged records that are just as acknowledged are known to the next run."""
        with self._database.transaction():
            self._database.run("keep_raw_hashes", scope_id=self._scope.scope_id)


def snapshot_of(row: Row[Any]) -> Snapshot | None:
    return Snapshot.from_json(row.snapshot, lead_id=row.lead_id) if row.snapshot else None
