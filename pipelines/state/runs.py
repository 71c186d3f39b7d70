"""Runs and leases: which process runs a pipeline now, and how each run ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipelines.errors import LeaseLostError
from pipelines.state.clock import instant
from pipelines.state.database import Database
from pipelines.state.lease import DEAD_AFTER, DEAD_AFTER_ON_A_SERVER, Holder, LeaseLock
from pipelines.state.outbox import Outbox
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope

OUTCOMES_KEPT = timedelta(days=90)
"""How long it is known what became of each lead of a run, where the pipeline file does not say."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run. `summary` is JSON, absent while the run goes on and if it died."""

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
    """Counts of entries without an outcome, of leads with unproven effects, of refused wishes, and of
    leads."""

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
        self._locks: dict[str, LeaseLock] = {}

    def take_lease(self, pipeline: str, holder: Holder) -> Holder | None:
        """Takes the lease for `holder`, or returns who has it. A dead holder's lease is taken over."""
        lock = self._lock(pipeline)
        was_ours = lock.is_ours
        taken = lock.take()
        # What this store held before is not compared any more: it may be what another one has taken since.
        self._database.hold(None)
        with self._database.transaction(alone=True):
            now = self._database.now()
            current = self._stored(pipeline)
            if taken is False:  # its holder has the lock and has not written its row yet
                return current or replace(holder, run_id="of which nothing is known yet")
            if current and (was_ours if current.by_lock else current.is_alive(now, self.dead_after)):
                # Free, though its holder lives: that one holds no lock, on a file system without locks or as
                # an older version. It keeps its lease, and the lock is no use to us.
                if taken and not was_ours:
                    lock.release()
                return current
            # The number outlives the lease: were it counted in the row, a lease that was released and taken
            # anew would have the number of the one before.
            self._queries.raise_fence(pipeline=pipeline)
            fence = self._queries.fence(pipeline=pipeline)
            self._queries.take_lease(
                pipeline=pipeline,
                run_id=holder.run_id,
                host=holder.host,
                pid=holder.pid,
                process_started=holder.process_started,
                namespace=holder.namespace,
                by_lock=bool(taken),
                now=now.isoformat(),
                fence=fence,
            )
        # From here on the database refuses what this store commits once somebody else has a higher number.
        self._database.hold({"pipeline": pipeline, "run_id": holder.run_id, "fence": fence})
        return None

    def is_locked(self, pipeline: str) -> bool:
        """Whether the lease of this store is kept by a lock, so that nobody can take it."""
        return self._lock(pipeline).is_ours

    def holder(self, pipeline: str) -> Holder | None:
        """The process that runs this pipeline now; None if the holder is dead."""
        holder = self._stored(pipeline)
        if holder is None:
            return None
        is_held = self._lock(pipeline).is_held() if holder.by_lock else None
        is_alive = holder.is_alive(self._database.now(), self.dead_after) if is_held is None else is_held
        return holder if is_alive else None

    @property
    def dead_after(self) -> timedelta:
        """The silence after which a holder without a lock counts as dead."""
        return DEAD_AFTER_ON_A_SERVER if self._database.dialect else DEAD_AFTER

    def beat(self, run_id: str) -> None:
        """Say that this run is alive. Raises LeaseLostError, and StateError where the file was taken away."""
        self._database.check_in_place()
        if not self._queries.beat(run_id=run_id, now=self._database.timestamp()):
            raise _lost(run_id)

    def check_lease(self, run_id: str) -> None:
        """Within the transaction of an intent: nothing is sent by a run that lost its lease.

        Nor by one whose state was taken away. Raises LeaseLostError, StateError.
        """
        self._database.check_in_place()
        if not self._queries.holds_lease(run_id=run_id):
            raise _lost(run_id)

    def release_lease(self, run_id: str) -> None:
        """Gives the lease up."""
        self._database.hold(None)  # one that was lost is nothing to be released, and no error
        # The row goes before the lock: whoever gets the lock finds no holder in it.
        if self._queries.release_lease(run_id=run_id):
            for lock in self._locks.values():
                lock.release()

    def close(self) -> None:
        """Gives up all locks."""
        for lock in self._locks.values():
            lock.release()

    def _stored(self, pipeline: str) -> Holder | None:
        row = self._queries.lease(pipeline=pipeline)
        if row is None:
            return None
        return Holder(
            run_id=row["run_id"],
            host=row["host"],
            pid=row["pid"],
            process_started=row["process_started"],
            taken_at=instant(row["taken_at"]),
            heartbeat_at=instant(row["heartbeat_at"]),
            namespace=row["namespace"],
            by_lock=bool(row["by_lock"]),
        )

    def _lock(self, pipeline: str) -> LeaseLock:
        if pipeline not in self._locks:
            self._locks[pipeline] = LeaseLock(self._database.path, pipeline, self._database.clock)
        return self._locks[pipeline]

    def running(self) -> list[tuple[str, Holder]]:
        """Every pipeline of this file that is being run, and by whom."""
        return [(pipeline, holder) for pipeline in self._leased() if (holder := self.holder(pipeline))]

    def dead_leases(self) -> list[str]:
        """Pipelines whose run died; the next run takes the lease over."""
        return [pipeline for pipeline in self._leased() if not self.holder(pipeline)]

    def _leased(self) -> list[str]:
        return [row["pipeline"] for row in self._queries.leased()]

    def begin(
        self,
        run_id: str,
        pipeline: str,
        *,
        verb: str = "",
        undoes: str | None = None,
        keep: timedelta = OUTCOMES_KEPT,
    ) -> int:
        """Note a run; runs that died are marked, what they planned and never sent is dropped. Gives their
        number.

        `verb` is empty for a run, `undoes` the run that is taken back, `keep` how long outcomes are kept.
        """
        before = (self._database.clock.now() - keep).isoformat()
        with self._database.transaction():
            # The lease is ours by now: a run of this pipeline that is still noted as running has no process
            # any more.
            died = int(self._queries.abandon(pipeline=pipeline, now=self._database.timestamp()))
            self._outbox.drop_planned()
            self._outbox.prune(pipeline, before)
            self._queries.begin(
                run_id=run_id,
                pipeline=pipeline,
                scope_id=self._scope.scope_id,
                now=self._database.timestamp(),
                verb=verb,
                undoes=undoes,
            )
            self._rejects.prune(pipeline, before)
        return died

    def finish(self, run_id: str, status: str, message: str | None, summary: Mapping[str, Any]) -> None:
        with self._database.transaction():
            self._queries.finish(
                run_id=run_id,
                status=status,
                message=message,
                summary=json.dumps(summary),
                now=self._database.timestamp(),
            )
            self.release_lease(run_id)

    def attempt(self, run_id: str, pipeline: str, mode: str, status: str, message: str, at: str) -> None:
        """Note an attempt that ended before its run could begin, once."""
        with self._database.transaction():
            self._queries.attempt(
                run_id=run_id,
                pipeline=pipeline,
                mode=mode,
                now=at,
                status=status,
                message=message,
            )

    def last_good(self, pipeline: str) -> datetime | None:
        """When the last run ended well, or with some leads refused."""
        at = self._queries.last_good(pipeline=pipeline)
        return instant(at) if at else None

    def last(self, pipeline: str | None, count: int) -> list[Run]:
        """The last runs, newest first; of all pipelines if none is named."""
        return [Run(**row) for row in self._queries.last(pipeline=pipeline, count=count)]

    def get(self, run_id: str) -> Run | None:
        """One run; None for an attempt that could not begin."""
        row = self._queries.get(run_id=run_id)
        return None if row is None else Run(**row)

    def waiting(self, pipeline: str) -> Waiting:
        return Waiting(**self._queries.waiting(pipeline=pipeline))

    def pipelines(self) -> list[str]:
        return [row["pipeline"] for row in self._queries.pipelines()]


def _lost(run_id: str) -> LeaseLostError:
    return LeaseLostError(
        f"the run {run_id} has lost its lease to another one, which goes on where it stopped: this one sends"
        " nothing more"
    )
