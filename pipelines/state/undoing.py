"""What a run changed, as the journal has it, and what else is known of those leads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.contacts.lead import Origin, Snapshot
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class RunToUndo:
    """A run as it was noted. `journaled`: how its leads were before it was kept."""

    run_id: str
    scope_id: int
    started_at: str
    status: str
    verb: str
    undoes: str | None
    journaled: bool
    summary: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """What another entry of the journal made of a lead; `undoes` is the run that it took back."""

    run_id: str
    undoes: str | None
    is_later: bool
    was: Snapshot | None
    became: Snapshot


@dataclass(frozen=True, slots=True)
class ChangedLead:
    """A lead that a run changed: as it was (None: created), as it became, as it is known to be now.

    `met`: the run found it in Kartra. `held` is the digest of the wish that is not to be sent again once this
    is taken back. `others`: what else the journal has of it, in its order.
    """

    key: str
    was: Snapshot | None
    became: Snapshot
    now: Snapshot
    origin: Origin
    met: bool
    settled_at: str
    held: bytes
    others: Sequence[Past] = field(default=())


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another pipeline with leads in the same account and mode."""

    scope_id: int
    pipeline: str


class Undoing:
    """The journal of a scope, read to take a run back."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("undoing")

    def runs(self, pipeline: str, prefix: str) -> list[RunToUndo]:
        """Those whose number begins like this, the newest first; at most two."""
        # The second one is there to say that the beginning of a number fits several.
        return [_run(row) for row in self._queries.runs(pipeline=pipeline, prefix=prefix)]

    def last(self, pipeline: str) -> tuple[str, str] | None:
        """(number, beginning) of the last run or attempt, in any account and mode, whatever it sent."""
        row = self._queries.last(pipeline=pipeline, scope_id=self._scope.scope_id)
        return None if row is None else (row["run_id"], row["started_at"])

    def last_that_sent(self) -> RunToUndo | None:
        """The last one that changed a lead, or may have."""
        rows = self._queries.last_that_sent(scope_id=self._scope.scope_id)
        return next((_run(row) for row in rows), None)

    def taken_back_by(self, run_id: str) -> list[RunToUndo]:
        """The newest first."""
        return [_run(row) for row in self._queries.takes_back(run_id=run_id)]

    def open_entries(self, run_id: str) -> int:
        """How many calls of a run have no outcome yet."""
        return int(self._queries.open_entries(run_id=run_id))

    def gone(self, run_id: str) -> int:
        """How many leads it changed that are not known any more."""
        return int(self._queries.gone(run_id=run_id, scope_id=self._scope.scope_id))

    def fills_custom_fields(self, run_id: str) -> bool:
        return self._queries.fills_custom_fields(run_id=run_id) is not None

    def begins_sequences(self, run_id: str) -> bool:
        return self._queries.begins_sequences(run_id=run_id) is not None

    def changed(self, run_id: str) -> Iterator[ChangedLead]:
        """The leads that a run changed, in the order in which it planned them. Read in batches."""
        after = 0
        while rows := self._queries.changed(
            run_id=run_id, scope_id=self._scope.scope_id, after=after, count=BATCH
        ):
            yield from (self._changed(row) for row in rows)
            after = rows[-1]["entry_id"]

    def _changed(self, row: Mapping[str, Any]) -> ChangedLead:
        # Nearly every lead has this entry alone, and asking for others costs a query each.
        others = row["entries"] > 1
        return ChangedLead(
            key=row["key"],
            was=_snapshot(row["was"], row["was_id"]),
            became=Snapshot.from_json(row["became"], lead_id=row["lead_id"]),
            now=Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"]),
            origin=row["origin"],
            met=row["made"] == "adopted",
            settled_at=row["settled_at"],
            held=row["digest"] or row["last_digest"] or b"",
            others=self._others(row["key"], row["entry_id"]) if others else (),
        )

    def _others(self, key: str, entry_id: int) -> tuple[Past, ...]:
        rows = self._queries.others(scope_id=self._scope.scope_id, key=key, entry_id=entry_id)
        return tuple(
            Past(
                row["run_id"],
                row["undoes"],
                bool(row["is_later"]),
                _snapshot(row["was"], None),
                Snapshot.from_json(row["became"], lead_id=None),
            )
            for row in rows
        )

    def blocked_since(self, run_id: str) -> set[str]:
        """The keys of those who were blocked in a run after this one."""
        return {row["key"] for row in self._queries.blocked_since(run_id=run_id)}

    def neighbours(self) -> list[Neighbour]:
        return [Neighbour(**row) for row in self._queries.neighbours(scope_id=self._scope.scope_id)]

    def known_to(self, neighbour: Neighbour, lead_id: str) -> Snapshot | None:
        """What another pipeline gave a lead."""
        row = self._queries.snapshot_of(scope_id=neighbour.scope_id, lead_id=lead_id)
        return None if row is None else Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"])

    def enqueue(self, run_id: str, undoes: str, wishes: Sequence[tuple[str, bytes, str]]) -> None:
        """(key, digest of the wish that is held back, what the lead is to be) each."""
        fixed = {"run_id": run_id, "undoes": undoes, "scope_id": self._scope.scope_id}
        with self._database.transaction():
            self._queries.enqueue(
                [{**fixed, "key": key, "digest": held, "wish": wish} for key, held, wish in wishes]
            )


def _run(row: Mapping[str, Any]) -> RunToUndo:
    return RunToUndo(**{**row, "journaled": bool(row["journaled"])})


def _snapshot(stored: str | None, lead_id: str | None) -> Snapshot | None:
    return Snapshot.from_json(stored, lead_id=lead_id) if stored else None
