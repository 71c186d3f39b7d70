"""The outbox: changes that are planned, sent and settled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pipelines.contacts.lead import DesiredLead, Origin, Snapshot
from pipelines.state.clock import instant
from pipelines.state.database import BATCH, Database
from pipelines.state.given import WITHDRAWN
from pipelines.state.leads import Acknowledged, Leads, snapshot_of
from pipelines.state.refusals import Refusals
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """An open entry of the outbox with the snapshot of its lead.

    `wish` is `desired` as it is stored, `change` the JSON of the open try. `undoes` is the run that it takes
    back; `digest` then is of the wish that is held back once it is taken back.
    """

    entry_id: int
    key: str
    kind: Literal["load", "removal"]
    row: int | None
    digest: bytes
    wish: str | None = field(repr=False)
    desired: DesiredLead | None
    change: str | None
    attempts: int
    sent_at: datetime | None
    snapshot: Snapshot | None
    origin: Origin | None
    undoes: str | None = None
    was_removed: bool = False
    by_own_clock: bool = False
    """Whether `sent_at` is by the clock of the machine that sent it, which may have been wrong."""

    @property
    def is_withdrawal(self) -> bool:
        """Whether it takes back what has left the file alone, from a lead without a record."""
        return self.kind == "removal" and self.digest == WITHDRAWN


@dataclass(frozen=True, slots=True)
class Before:
    """How a lead was before the first call of an entry; `adopted`: that call met it in Kartra."""

    snapshot: Snapshot
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an entry ended. `done` lists the commands that took effect, `cause` the one that was refused."""

    name: str
    type: str | None = None
    reason: str | None = None
    done: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What was done with a key, and when. `done` lists the commands that took effect."""

    mode: str
    run_id: str
    kind: str
    state: str
    attempts: int
    sent_at: str | None
    settled_at: str | None
    outcome: str | None
    type: str | None
    reason: str | None
    done: str | None


class Outbox:
    """The outbox of a scope, and the journal of its entries."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("outbox")
        self._leads = Leads(database, scope)
        self._refusals = Refusals(database, scope)
        self._rejects = Rejects(database)

    def enqueue(self, run_id: str, changes: Sequence[Mapping[str, Any]]) -> None:
        """Adds planned changes: (key, kind, row, line, digest) each."""
        with self._database.transaction():
            fixed = {"run_id": run_id, "scope_id": self._scope.scope_id}
            self._queries.enqueue([{**fixed, **change} for change in changes])

    def planned(self, *, after: int = 0) -> list[Entry]:
        """The next planned entries of this run, at most `BATCH`."""
        if not self._queries.has_staging():
            return []
        rows = self._queries.planned(scope_id=self._scope.scope_id, after=after, count=BATCH)
        return [_entry(row) for row in rows]

    def planned_of(self, keys: Sequence[str]) -> list[Entry]:
        """The planned entries of these leads, in their order."""
        rows = self._queries.planned_of(scope_id=self._scope.scope_id, keys=json.dumps(keys))
        return [_entry(row) for row in rows]

    def first_new(self, *, after: int = 0) -> Entry | None:
        """The next planned entry of this run whose lead Kartra does not have from us."""
        if not self._queries.has_staging():
            return None
        row = self._queries.first_new(scope_id=self._scope.scope_id, after=after)
        return None if row is None else _entry(row)

    def unsettled(self) -> list[Entry]:
        """Entries that may have been executed and have no outcome, at most `BATCH`."""
        rows = self._queries.unsettled(scope_id=self._scope.scope_id, count=BATCH)
        return [_entry(row) for row in rows]

    def intend(
        self,
        entry: Entry,
        change: str,
        acknowledged: Acknowledged | None,
        *,
        at: datetime | None = None,
        by_own_clock: bool = False,
        before: Before | None = None,
    ) -> None:
        """Commit the intent, and with it what earlier tries effected. Only after this may the call leave.

        `at` is the time by Kartra's clock, or `by_own_clock` by this machine's, as when left out. `before`:
        how the lead was, None for one that Kartra did not have.
        """
        now = (at or self._database.clock.now()).isoformat()
        with self._database.transaction():
            self._queries.intend(
                entry_id=entry.entry_id,
                wish=entry.wish,
                change=change,
                now=now,
                own_clock=by_own_clock,
                was=before.snapshot.to_json() if before else None,
                was_id=before.snapshot.lead_id if before else None,
                made="adopted" if before and before.adopted else None,
            )
            # In the same transaction, because the next run would send at once what this one takes back.
            if entry.undoes is not None:
                self._refusals.hold_taken_back(entry.key, entry.digest, entry.undoes)
            if acknowledged is not None:
                self._leads.acknowledge(entry.key, acknowledged)

    def withdraw(self, entry_id: int) -> None:
        """Takes the intent back: its call was proven never to have been executed."""
        with self._database.transaction():
            self._queries.withdraw(entry_id=entry_id)

    def disprove(self, entry: Entry, gone_id: str | None = None, remains: Acknowledged | None = None) -> None:
        """Makes a lead new again that Kartra does not have; its entry is owed again.

        `gone_id` is the number it was known by; a lead that was taken over may have none. `remains` is kept
        of it, as of one that was taken over: Kartra's answer will disprove it once more.
        """
        with self._database.transaction():
            self._queries.withdraw(entry_id=entry.entry_id)
            # An undo must not give back to the new lead what the one had that is gone.
            self._queries.forget_was(entry_id=entry.entry_id)
            self._leads.drop(entry.key, gone_id)
            if remains is not None:
                self._leads.acknowledge(entry.key, remains)

    def barred_before(self, entry: Entry, barrier: str) -> str | None:
        """The barrier, if the same wish was deferred because of it in an earlier run."""
        scope_id = self._scope.scope_id
        found = self._queries.barred_before(
            scope_id=scope_id, key=entry.key, digest=entry.digest, entry_id=entry.entry_id, barrier=barrier
        )
        return barrier if found else None

    def settle(
        self,
        entry: Entry,
        outcome: Outcome,
        acknowledged: Acknowledged | None,
        *,
        run_id: str,
    ) -> None:
        """Writes outcome, snapshot and reject of an entry, in one transaction."""
        with self._database.transaction():
            if acknowledged is not None:
                self._leads.acknowledge(entry.key, acknowledged)
            self._queries.settle(
                entry_id=entry.entry_id,
                outcome=outcome.name,
                type=outcome.type,
                reason=outcome.reason,
                done=outcome.done,
                now=self._database.timestamp(),
            )
            # What an undo could not take back is told by the undo, and is no reject of the source.
            if entry.undoes is not None:
                return
            if outcome.name in ("rejected", "parked") and entry.row is not None:
                self._rejects.add_staged(run_id, entry.row, outcome.name, outcome.type, outcome.reason or "")
            if outcome.name == "rejected":
                self._refusals.keep(
                    entry.key, entry.digest, outcome.type, outcome.reason or "", cause=outcome.cause
                )
            # Only a wish that is met in full clears it: a part may be what was refused.
            elif acknowledged is not None and acknowledged.digest:
                self._refusals.drop(entry.key)

    def drop_planned(self) -> None:
        """Drops what a run that died had planned and never sent."""
        self._queries.drop_planned(scope_id=self._scope.scope_id)

    def prune(self, pipeline: str, before: str) -> None:
        """Drops journal entries of a pipeline from before a time."""
        self._queries.prune(pipeline=pipeline, before=before)

    def defer(self, run_id: str) -> None:
        """Defers to the next run what this one planned and did not send."""
        self._queries.defer(scope_id=self._scope.scope_id, run_id=run_id, now=self._database.timestamp())

    def outcomes(self, run_id: str) -> dict[tuple[str, str], int]:
        """The entries of a run by (kind, outcome), after `defer`. Those without an outcome count as
        deferred."""
        rows = self._queries.outcomes(run_id=run_id)
        return {(row["kind"], row["outcome"]): row["entries"] for row in rows}

    def is_unknown(self, key: str) -> bool:
        """Whether a call for this lead has no outcome yet."""
        return self._queries.is_unknown(scope_id=self._scope.scope_id, key=key) is not None

    def journal(self, pipeline: str, key: str) -> list[JournalEntry]:
        """The recent journal of a key, newest first."""
        return [JournalEntry(**row) for row in self._queries.journal(pipeline=pipeline, key=key)]


def _entry(row: Mapping[str, Any]) -> Entry:
    wish, sent_at = row["wish"], row["sent_at"]
    return Entry(
        entry_id=row["entry_id"],
        key=row["key"],
        kind=row["kind"],
        row=row["row"],
        digest=row["digest"],
        wish=wish,
        desired=DesiredLead.from_json(wish) if wish else None,
        change=row["change"],
        attempts=row["attempts"],
        sent_at=instant(sent_at) if sent_at else None,
        snapshot=snapshot_of(row),
        origin=row["origin"],
        undoes=row["undoes"],
        was_removed=bool(row["was_removed"]),
        by_own_clock=bool(row["own_clock"]),
    )
