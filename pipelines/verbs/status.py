"""Looking without touching: the last runs, what waits, who was refused. Needs no credentials."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.config.pipeline import PipelineConfig
from pipelines.state.clock import CLOCKS_DIFFER
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of


def status_of(config: PipelineConfig, max_age: timedelta | None = None) -> dict[str, Any]:
    """The last run, what waits, and who runs the pipeline now.

    `max_age`: a pipeline whose last good run ended longer ago is late, and so is one without any.
    """
    with store_of(config) as store:
        waiting = store.runs.waiting(config.pipeline)
        holder = store.runs.holder(config.pipeline)
        last = last_runs(store, config.pipeline, 1)
        return {
            "pipeline": config.pipeline,
            "account": _account(store, config),
            "leads": waiting.leads,
            "waiting": {
                "unknown": waiting.unknown,
                "parked": waiting.parked,
                "rejected": waiting.rejected,
            },
            "last_run": last[0] if last else None,
            **_age(store.runs.last_good(config.pipeline), max_age),
            "running": {
                "run_id": holder.run_id,
                "since": holder.taken_at.isoformat(),
                "pid": holder.pid,
                "host": holder.host,
            }
            if holder
            else None,
            **_parts(store, config),
        }


def _age(last_good: datetime | None, max_age: timedelta | None) -> dict[str, Any]:
    """A time later than now was written by a clock that was wrong: it proves nothing."""
    if max_age is None:
        return {}
    age = datetime.now(UTC) - last_good if last_good else None
    return {
        "last_good_run": last_good.isoformat() if last_good else None,
        "is_late": age is None or not -CLOCKS_DIFFER <= age <= max_age,
    }


def _account(store: Store, config: PipelineConfig) -> dict[str, str | None] | None:
    """Of the scope that ran last; None before the first run."""
    for scope in store.accounts.scopes():
        if scope.pipeline == config.pipeline:
            met = store.accounts.of(scope.account)
            name = config.kartra.account or (met.name if met else None)
            mode = store.accounts.mode_of(scope.account)
            return {"name": name, "fingerprint": scope.account[:8], "mode": scope.mode, "shown": mode}
    return None


def _parts(store: Store, config: PipelineConfig) -> dict[str, Any]:
    if config.operations is None and config.pull is None:
        return {}
    from pipelines.verbs.status_parts import parts_of  # SQLAlchemy and more: half of what the verb takes

    return parts_of(store, config)


def runs_of(config: PipelineConfig, count: int) -> list[dict[str, Any]]:
    with store_of(config) as store:
        return last_runs(store, config.pipeline, count)


def last_runs(store: Store, pipeline: str, count: int) -> list[dict[str, Any]]:
    return [
        {**asdict(run), "summary": json.loads(run.summary) if run.summary else None}
        for run in store.runs.last(pipeline, count)
    ]
