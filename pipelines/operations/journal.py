"""The journal of operations: one row per key, for good. Each transition is one transaction.

A key with the outcome done or parked, or without an outcome, is not carried out again. Belongs to the thread
of its store.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from connectors.kartra.commands import Lead
from connectors.kartra.money import money_text
from pipelines.contacts.staged import Reject
from pipelines.errors import StateError
from pipelines.operations.operation import Operation, named_lead, place_of
from pipelines.state.store import Store

Outcome = Literal["done", "already done", "refused", "parked"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The journal's record of an operation; without an `outcome` it may have been carried out."""

    digest: bytes
    do: str
    target: str
    outcome: Outcome | None
    type: str | None
    reason: str | None
    amount: Decimal | None
    refund_id: str | None
    settled_at: str | None
    run_id: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An operation without an outcome. `before`, `lead` and `amount` are those of its last try."""

    operation: Operation
    digest: bytes
    row: int | None
    lead: Lead
    before: Mapping[str, Any]
    amount: Decimal | None
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended."""

    outcome: Outcome
    type: str | None = None
    reason: str | None = None
    amount: Decimal | None = None
    refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class ParkedOperation:
    """An operation that waits for a person: it may have landed, or it was refused."""

    key: str
    mode: str
    row: int | None
    operation: str
    target: str
    amount: str | None
    type: str | None
    reason: str | None
    since: str
    kind: Literal["unproven", "refused"]


@dataclass(frozen=True, slots=True)
class Count:
    """How many operations of a kind have an outcome; "unknown" stands for none."""

    do: str
    outcome: str
    operations: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What became of the operation with a key."""

    mode: str
    operation: str
    target: str
    run_id: str
    row: int | None
    state: str
    attempts: int
    sent_at: str | None
    settled_at: str | None
    outcome: str | None
    type: str | None
    reason: str | None
    amount: str | None
    refund_id: str | None


class OperationStore:
    """The operations of one scope: a part of the store that lives in this room."""

    def __init__(self, store: Store) -> None:
        self._database, self._scope, self._rejects = store.database, store.scope, store.rejects
        self._queries = store.database.queries("operations")

    def recorded(self, keys: Iterable[str]) -> dict[str, Recorded]:
        rows = self._queries.recorded(scope_id=self._scope.scope_id, keys=json.dumps(list(keys)))
        return {row["key"]: _recorded(row) for row in rows}

    def recorded_elsewhere(self, asked: Iterable[Operation]) -> dict[str, Recorded]:
        """What other scopes of this state did, or may have done, of these operations, by key.

        Account, name or mode may have changed: the same key for the same thing is one operation.
        """
        # The read is by key; whether it is the same operation shows only beside what is asked for.
        wanted = {one.key: one for one in asked}
        rows = self._queries.recorded_elsewhere(scope_id=self._scope.scope_id, keys=json.dumps(list(wanted)))
        found = {row["key"]: _recorded(row) for row in rows}
        return {key: known for key, known in found.items() if _is_of(known, wanted[key])}

    def unsettled(self) -> list[Unsettled]:
        return [_unsettled(row) for row in self._queries.unsettled(scope_id=self._scope.scope_id)]

    def held_places(self) -> frozenset[str]:
        """The places (`Operation.place`) of parked and unknown operations."""
        rows = self._queries.held(scope_id=self._scope.scope_id)
        # Of the place and not of the key: a second refund of a sale waits as well, whatever its key.
        return frozenset(place_of(row["lead"], row["target"]) for row in rows)

    def claimed(self, refund_ids: Sequence[str]) -> frozenset[str]:
        """The refunds that belong to an operation of any pipeline of the account."""
        rows = self._queries.claimed(scope_id=self._scope.scope_id, refund_ids=json.dumps(list(refund_ids)))
        return frozenset(row["refund_id"] for row in rows)

    def intend(
        self,
        operation: Operation,
        lead: Lead,
        before: Mapping[str, Any],
        amount: Decimal | None,
        *,
        row: int | None,
        run_id: str,
    ) -> None:
        """Commit the intent. Only after this may the call leave. Raises StateError for a key that is done."""
        intent = {
            **operation.to_json(),
            # As the call names its lead: the row may say another address when this is read back.
            "known_as": {"id": lead.id, "email": lead.email},
            "before": dict(before),
            "amount": None if amount is None else money_text(amount),
        }
        with self._database.transaction():
            is_written = self._queries.intend(
                **self._named(operation, row=row, run_id=run_id),
                intent=json.dumps(intent, ensure_ascii=False),
                amount=intent["amount"],
                now=self._database.timestamp(),
            )
            if not is_written:
                raise StateError(
                    "an operation was about to be sent whose key has an outcome: nothing was sent"
                )

    def withdraw(self, key: str) -> None:
        """Takes the intent back: it was proven never to have been carried out."""
        self._queries.withdraw(scope_id=self._scope.scope_id, key=key)

    def keep_barred(self, operation: Operation, barrier: str, run_id: str) -> None:
        """Something in front of Kartra refused every try of it in this run."""
        self._queries.keep_barred(
            scope_id=self._scope.scope_id,
            key=operation.key,
            digest=operation.digest,
            barrier=barrier,
            run_id=run_id,
        )

    def barred_before(self, operation: Operation, run_id: str) -> str | None:
        """What refused every try of it in an earlier run."""
        barrier: str | None = self._queries.barred_before(
            scope_id=self._scope.scope_id, key=operation.key, digest=operation.digest, run_id=run_id
        )
        return barrier

    def settle(
        self,
        operation: Operation,
        ended: Ended,
        *,
        row: int | None,
        run_id: str,
        reject: Reject | None = None,
    ) -> None:
        """Writes the outcome, and the reject if there is one, in one transaction."""
        with self._database.transaction():
            self._queries.settle(
                **self._named(operation, row=row, run_id=run_id),
                outcome=ended.outcome,
                type=ended.type,
                reason=ended.reason,
                amount=None if ended.amount is None else money_text(ended.amount),
                refund_id=ended.refund_id,
                now=self._database.timestamp(),
            )
            self._queries.drop_barred(scope_id=self._scope.scope_id, key=operation.key)
            if reject is not None:
                self._rejects.add(run_id, [reject])

    def reject(self, run_id: str, rejects: Sequence[Reject]) -> None:
        with self._database.transaction():
            self._rejects.add(run_id, rejects)

    # --- what a person asks

    def parked(self, pipeline: str) -> list[ParkedOperation]:
        """The oldest first."""
        return [ParkedOperation(**row) for row in self._queries.parked(pipeline=pipeline)]

    def left_elsewhere(self, key: str) -> Recorded | None:
        """What Test mode or another account of this pipeline has left open or parked under a key: it holds
        the operation back here, too."""
        rows = self._queries.left_elsewhere(scope_id=self._scope.scope_id, key=key)
        return next((_recorded(row) for row in rows), None)

    def resolve(self, key: str, *, landed: bool) -> bool:
        """Take a person's word, also of what Test mode or another account of the pipeline has left. Not
        landed: the next run sends it. False where there is nothing to say."""
        with self._database.transaction():
            if landed:
                return bool(
                    self._queries.resolve(
                        scope_id=self._scope.scope_id, key=key, now=self._database.timestamp()
                    )
                )
            return bool(self._queries.release(scope_id=self._scope.scope_id, key=key))

    def counts(self, pipeline: str) -> list[Count]:
        """Of everything that is known."""
        return [Count(**row) for row in self._queries.counts(pipeline=pipeline)]

    def journal(self, pipeline: str, key: str) -> list[JournalEntry]:
        """In each mode and account of the pipeline."""
        return [JournalEntry(**row) for row in self._queries.journal(pipeline=pipeline, key=key)]

    def _named(self, operation: Operation, *, row: int | None, run_id: str) -> dict[str, Any]:
        return {
            "scope_id": self._scope.scope_id,
            "key": operation.key,
            "digest": operation.digest,
            "run_id": run_id,
            "row": row,
            "do": str(operation.do),
            "target": operation.target,
            "lead": named_lead(operation.lead),
        }


def _recorded(row: Mapping[str, Any]) -> Recorded:
    return Recorded(
        digest=row["digest"],
        do=row["do"],
        target=row["target"],
        outcome=row["outcome"],
        type=row["type"],
        reason=row["reason"],
        amount=None if row["amount"] is None else Decimal(row["amount"]),
        refund_id=row["refund_id"],
        settled_at=row["settled_at"],
        run_id=row["run_id"],
    )


def _unsettled(row: Mapping[str, Any]) -> Unsettled:
    intent = json.loads(row["intent"])
    return Unsettled(
        Operation.from_json(row["key"], intent),
        digest=row["digest"],
        row=row["row"],
        lead=Lead(**intent["known_as"]),
        before=intent["before"],
        amount=None if intent["amount"] is None else Decimal(intent["amount"]),
        sent_at=datetime.fromisoformat(row["sent_at"]),
    )


def _is_of(known: Recorded, asked: Operation) -> bool:
    """Whether the record is of this operation and not of another one with the same key."""
    # A sale or subscription names itself in every account; a tag on an address may be another person's.
    is_same_place = (known.do, known.target) == (asked.do, asked.target)
    return known.digest == asked.digest or (
        is_same_place and (asked.transaction is not None or asked.subscription is not None)
    )
