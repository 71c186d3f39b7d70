"""What is not sent until somebody acts: refused wishes, and what Kartra refuses whoever it is for."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from pipelines.state.clock import timestamp
from pipelines.state.database import Database
from pipelines.state.leads import Acknowledged, Leads
from pipelines.state.scope import Scope


class Refusals:
    """The refusals and open circuit breakers of a scope; those a person asks for are of a pipeline."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._leads = Leads(database, scope)

    def keep(self, key: str, digest: bytes, type: str | None, reason: str, *, cause: str | None) -> None:  # noqa: A002
        """A wish that Kartra refused for good; inside a transaction."""
        self._database.run(
            "refuse",
            scope_id=self._scope.scope_id,
            key=key,
            digest=digest,
            kind="rejected",
            type=type,
            reason=reason,
            cause=cause,
            now=timestamp(),
        )

    def drop(self, key: str) -> None:
        """Its lead was acknowledged in full; inside a transaction."""
        self._database.run_line(
            "DELETE FROM refusals WHERE scope_id = :scope_id AND key = :key",
            scope_id=self._scope.scope_id,
            key=key,
        )

    def of_key(self, pipeline: str, key: str) -> list[Row[Any]]:
        """(digest, reason) of wishes of a key that are not sent again."""
        return self._database.run_line(
            "SELECT digest, reason FROM refusals JOIN scopes USING (scope_id)"
            " WHERE pipeline = :pipeline AND key = :key",
            pipeline=pipeline,
            key=key,
        )

    def parked(self, pipeline: str) -> list[Row[Any]]:
        """(key, mode, lead_id, kind, type, what, reason, since) of what is not sent until somebody acts."""
        return self._database.run("parked", pipeline=pipeline)

    def resolve(self, key: str, known: Acknowledged | None) -> bool:
        """Keep what a person found out about a lead, and let its wish be sent again if it was refused.

        Tells whether it was refused. The next run decides what is still owed.
        """
        with self._database.transaction():
            if known is not None:
                self._leads.acknowledge(key, replace(known, digest=b""))
            refused = self._database.run_line(
                "DELETE FROM refusals WHERE scope_id = :scope_id AND key = :key RETURNING 1 AS one",
                scope_id=self._scope.scope_id,
                key=key,
            )
        return bool(refused)

    def breakers(self) -> dict[tuple[str, str], str]:
        """What Kartra refuses whoever it is for: (command, label) and the error type."""
        rows = self._database.run_line(
            "SELECT cmd, label, type FROM breakers WHERE scope_id = :scope_id", scope_id=self._scope.scope_id
        )
        return {(row.cmd, row.label): row.type for row in rows}

    def keep_breaker(self, cmd: str, label: str, type: str) -> None:  # noqa: A002
        self._database.run_line(
            "INSERT OR REPLACE INTO breakers (scope_id, cmd, label, type, opened_at)"
            " VALUES (:scope_id, :cmd, :label, :type, :now)",
            scope_id=self._scope.scope_id,
            cmd=cmd,
            label=label,
            type=type,
            now=timestamp(),
        )

    def drop_breaker(self, cmd: str, label: str) -> None:
        """It works again: what was refused because of it is sent again by the next run."""
        with self._database.transaction():
            self._database.run_line(
                "DELETE FROM breakers WHERE scope_id = :scope_id AND cmd = :cmd AND label = :label",
                scope_id=self._scope.scope_id,
                cmd=cmd,
                label=label,
            )
            self._database.run_line(
                "DELETE FROM refusals WHERE scope_id = :scope_id AND cause = :cause",
                scope_id=self._scope.scope_id,
                cause=f"{cmd} {label}",
            )

    def held_back(self, pipeline: str) -> list[Row[Any]]:
        """(mode, cmd, label, type, opened_at) of what Kartra refuses whoever it is for."""
        return self._database.run_line(
            "SELECT mode, cmd, label, type, opened_at FROM breakers JOIN scopes USING (scope_id)"
            " WHERE pipeline = :pipeline ORDER BY cmd, label",
            pipeline=pipeline,
        )
