"""Looking without touching: the last runs, what waits, who was refused. Needs no credentials."""

import json
from dataclasses import asdict
from typing import Any

from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of


def status_of(config: PipelineConfig) -> dict[str, Any]:
    """The last run, what waits, and who runs the pipeline now."""
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


def _account(store: Store, config: PipelineConfig) -> dict[str, str | None] | None:
    """Of the scope that ran last; None before the first run."""
    for scope in store.accounts.scopes():
        if scope.pipeline == config.pipeline:
            met = store.accounts.of(scope.account)
            name = config.kartra.account or (met.name if met else None)
            return {"name": name, "fingerprint": scope.account[:8], "mode": scope.mode}
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
