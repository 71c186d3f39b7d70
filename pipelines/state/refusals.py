"""What is not sent until somebody acts: refused wishes, and what Kartra refuses whoever it is for."""

from dataclasses import dataclass, replace
from typing import Literal

from pipelines.state.database import Database
from pipelines.state.leads import Acknowledged, Leads
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish that is not sent again, by its digest, and the error type if Kartra named one."""

    digest: bytes
    type: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ParkedLead:
    """What is not sent until somebody acts: an effect that may have landed (`what`), or a refused wish."""

    key: str
    mode: str
    lead_id: str | None
    kind: Literal["unproven", "refused", "taken_back"]
    type: str | None
    what: str | None
    reason: str | None
    since: str


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """What Kartra refuses whoever it is for, and the error type."""

    mode: str
    cmd: str
    label: str
    type: str
    opened_at: str


class Refusals:
    """The refusals and open circuit breakers of a scope; a person asks for those of a pipeline."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("refusals")
        self._leads = Leads(database, scope)

    def keep(self, key: str, digest: bytes, type: str | None, reason: str, *, cause: str | None) -> None:  # noqa: A002
        """A wish that Kartra refused for good; inside a transaction."""
        self._queries.keep(
            scope_id=self._scope.scope_id,
            key=key,
            digest=digest,
            kind="rejected",
            type=type,
            reason=reason,
            cause=cause,
            now=self._database.timestamp(),
        )

    def hold_taken_back(self, key: str, digest: bytes, run_id: str) -> None:
        """The wish of a lead that a run is taken back from; inside a transaction."""
        reason = (
            f"taken back by undo of the run {run_id}: sent again when its row or the mapping changes, or"
            f" after kartra-sync undo FILE {run_id} --send-again"
        )
        self._queries.hold_taken_back(
            scope_id=self._scope.scope_id,
            key=key,
            digest=digest,
            reason=reason,
            cause=taken_back_cause(run_id),
            now=self._database.timestamp(),
        )

    def let_go(self, run_id: str) -> int:
        """What was taken back of a run may be sent again; gives how many leads."""
        cause = taken_back_cause(run_id)
        with self._database.transaction():
            count = int(self._queries.count_by_cause(scope_id=self._scope.scope_id, cause=cause))
            self.drop_by_cause(cause)
        return count

    def drop(self, key: str) -> bool:
        """The wish of a key may be sent again; inside a transaction. Whether it was refused."""
        return bool(self._queries.drop(scope_id=self._scope.scope_id, key=key))

    def drop_by_cause(self, cause: str) -> None:
        """What was refused because of it may be sent again; inside a transaction."""
        self._queries.drop_by_cause(scope_id=self._scope.scope_id, cause=cause)

    def of_key(self, pipeline: str, key: str) -> list[Refusal]:
        return [Refusal(**row) for row in self._queries.of_key(pipeline=pipeline, key=key)]

    def parked(self, pipeline: str) -> list[ParkedLead]:
        """The refused wishes and unproven effects, oldest first."""
        return [ParkedLead(**row) for row in self._queries.parked(pipeline=pipeline)]

    def resolve(self, key: str, known: Acknowledged | None) -> bool:
        """Keep what a person found out about a lead, and let its wish be sent again if it was refused.

        Tells whether it was refused. The next run decides what is still owed.
        """
        with self._database.transaction():
            if known is not None:
                self._leads.acknowledge(key, replace(known, digest=b""))
            return self.drop(key)

    # --- what Kartra refuses whoever it is for

    def breakers(self) -> dict[tuple[str, str], str]:
        """(command, label) and the error type."""
        rows = self._queries.breakers(scope_id=self._scope.scope_id)
        return {(row["cmd"], row["label"]): row["type"] for row in rows}

    def keep_breaker(self, cmd: str, label: str, type: str) -> None:  # noqa: A002
        self._queries.keep_breaker(
            scope_id=self._scope.scope_id, cmd=cmd, label=label, type=type, now=self._database.timestamp()
        )

    def drop_breaker(self, cmd: str, label: str) -> None:
        """It works again: what was refused because of it is sent again by the next run."""
        with self._database.transaction():
            self._queries.drop_breaker(scope_id=self._scope.scope_id, cmd=cmd, label=label)
            self._queries.drop_by_cause(scope_id=self._scope.scope_id, cause=f"{cmd} {label}")

    def held_back(self, pipeline: str) -> list[OpenBreaker]:
        return [OpenBreaker(**row) for row in self._queries.held_back(pipeline=pipeline)]


def taken_back_cause(run_id: str) -> str:
    """By which wishes are held back, once a run was taken back."""
    return f"undo {run_id}"
