"""Runs and leases: who runs a pipeline now, and how each run ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.state.clock import instant, timestamp, utc_now
from pipelines.state.database import Database
from pipelines.state.lease import Holder
from pipelines.state.outbox import Outbox
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was noted; `summary` is JSON, absent while it goes on and where it died."""

    run_id: str
    pipeline: str
    mode: str
    started_at: str
    finished_at: str | None
    status: str
    message: str | None
    summary: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many entries have no outcome, leads something unproven, wishes were refused; and known leads."""

    unknown: int
    parked: int
    rejected: int
    leads: int


class Runs:
    """The runs of the pipelines of this file, and the lease of each."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("runs")
        self._outbox = Outbox(database, scope)
        self._rejects = Rejects(database)

    def take_lease(self, pipeline: str, holder: Holder) -> Holder | None:
        """Take the lease for `holder`, or say who holds it. A dead holder's lease is taken over."""
        with self._database.transaction():
            current = self.holder(pipeline)
            if current is not None:
                return current
            self._queries.take_lease(
                pipeline=pipeline,
                run_id=holder.run_id,
                host=holder.host,
                pid=holder.pid,
                process_started=holder.process_started,
                now=timestamp(),
            )
        return None

    def holder(self, pipeline: str) -> Holder | None:
        """Who runs this pipeline now; a dead holder is nobody."""
        row = self._queries.lease(pipeline=pipeline)
        if row is None:
            return None
        holder = Holder(
            run_id=row["run_id"],
            host=row["host"],
            pid=row["pid"],
            process_started=row["process_started"],
            taken_at=instant(row["taken_at"]),
            heartbeat_at=instant(row["heartbeat_at"]),
        )
        return holder if holder.is_alive(utc_now()) else None

    def beat(self, run_id: str) -> None:
        """Say that this run is alive."""
        self._queries.beat(run_id=run_id, now=timestamp())

    def release_lease(self, run_id: str) -> None:
        self._queries.release_lease(run_id=run_id)

    def running(self) -> list[tuple[str, Holder]]:
        """Every pipeline of this file that is being run, and by whom."""
        return [(pipeline, holder) for pipeline in self._leased() if (holder := self.holder(pipeline))]

    def dead_leases(self) -> list[str]:
        """Pipelines whose run ended without a word; the next one takes over."""
        return [pipeline for pipeline in self._leased() if not self.holder(pipeline)]

    def _leased(self) -> list[str]:
        return [row["pipeline"] for row in self._queries.leased()]

    def begin(self, run_id: str, pipeline: str) -> None:
        """Note a run; runs that died are marked, what they planned and never sent is dropped."""
        with self._database.transaction():
            self._queries.abandon(pipeline=pipeline, now=timestamp())
            self._outbox.drop_planned()
            self._outbox.prune()
            self._queries.begin(
                run_id=run_id, pipeline=pipeline, scope_id=self._scope.scope_id, now=timestamp()
            )
            self._rejects.prune(pipeline)

    def finish(self, run_id: str, status: str, message: str | None, summary: Mapping[str, Any]) -> None:
        with self._database.transaction():
            self._queries.finish(
                run_id=run_id,
                status=status,
                message=message,
                summary=json.dumps(summary),
                now=timestamp(),
            )
            self.release_lease(run_id)

    def last(self, pipeline: str | None, count: int) -> list[Run]:
        """The newest first; of all pipelines where none is named."""
        return [Run(**row) for row in self._queries.last(pipeline=pipeline, count=count)]

    def waiting(self, pipeline: str) -> Waiting:
        return Waiting(**self._queries.waiting(pipeline=pipeline))

    def pipelines(self) -> list[str]:
        return [row["pipeline"] for row in self._queries.pipelines()]
