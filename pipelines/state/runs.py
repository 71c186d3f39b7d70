"""Runs and leases: who runs a pipeline now, and how each run ended."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from pipelines.state.clock import instant, timestamp, utc_now
from pipelines.state.database import Database
from pipelines.state.lease import Holder
from pipelines.state.outbox import Outbox
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope


class Runs:
    """The runs of the pipelines of this file, and the lease of each."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._outbox = Outbox(database, scope)
        self._rejects = Rejects(database, scope)

    def take_lease(self, pipeline: str, holder: Holder) -> Holder | None:
        """Take the lease for `holder`, or say who holds it. A dead holder's lease is taken over."""
        with self._database.transaction():
            current = self.holder(pipeline)
            if current is not None:
                return current
            self._database.run(
                "take_lease",
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
        rows = self._database.run_line("SELECT * FROM leases WHERE pipeline = :pipeline", pipeline=pipeline)
        if not rows:
            return None
        holder = Holder(
            run_id=rows[0].run_id,
            host=rows[0].host,
            pid=rows[0].pid,
            process_started=rows[0].process_started,
            taken_at=instant(rows[0].taken_at),
            heartbeat_at=instant(rows[0].heartbeat_at),
        )
        return holder if holder.is_alive(utc_now()) else None

    def beat(self, run_id: str) -> None:
        """Say that this run is alive."""
        self._database.run_line(
            "UPDATE leases SET heartbeat_at = :now WHERE run_id = :run_id", now=timestamp(), run_id=run_id
        )

    def release_lease(self, run_id: str) -> None:
        self._database.run_line("DELETE FROM leases WHERE run_id = :run_id", run_id=run_id)

    def running(self) -> list[tuple[str, Holder]]:
        """Every pipeline of this file that is being run, and by whom."""
        leases = self._database.run_line("SELECT pipeline FROM leases ORDER BY pipeline")
        return [(row.pipeline, holder) for row in leases if (holder := self.holder(row.pipeline))]

    def dead_leases(self) -> list[str]:
        """Pipelines whose run ended without a word; the next one takes over."""
        leases = self._database.run_line("SELECT pipeline FROM leases ORDER BY pipeline")
        return [row.pipeline for row in leases if not self.holder(row.pipeline)]

    def begin(self, run_id: str, pipeline: str) -> None:
        """Note a run; runs that died are marked, what they planned and never sent is dropped."""
        with self._database.transaction():
            self._database.run("abandon", pipeline=pipeline, now=timestamp())
            self._outbox.drop_planned()
            self._outbox.prune()
            self._database.run(
                "begin_run", run_id=run_id, pipeline=pipeline, scope_id=self._scope.scope_id, now=timestamp()
            )
            self._rejects.prune(pipeline)

    def finish(self, run_id: str, status: str, message: str | None, summary: Mapping[str, Any]) -> None:
        with self._database.transaction():
            self._database.run(
                "finish_run",
                run_id=run_id,
                status=status,
                message=message,
                summary=json.dumps(summary),
                now=timestamp(),
            )
            self.release_lease(run_id)

    def last(self, pipeline: str | None, count: int) -> list[Row[Any]]:
        return self._database.run("runs", pipeline=pipeline, count=count)

    def waiting(self, pipeline: str) -> Row[Any]:
        return self._database.run("waiting", pipeline=pipeline)[0]

    def pipelines(self) -> list[str]:
        return [
            row.pipeline for row in self._database.run_line("SELECT DISTINCT pipeline FROM scopes ORDER BY 1")
        ]
