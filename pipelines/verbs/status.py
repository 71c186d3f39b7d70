"""Looking without touching: the last runs, what waits, who was refused. Needs no credentials."""

import json
from dataclasses import asdict
from typing import Any

from connectors.errors import TablesError
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.pull import PullConfig
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
            **({"operations": _operations(store, config)} if config.operations is not None else {}),
            **({"tables": _tables(config.pull)} if config.pull is not None else {}),
        }


def _account(store: Store, config: PipelineConfig) -> dict[str, str | None] | None:
    """Of the scope that ran last; None before the first run."""
    for scope in store.accounts.scopes():
        if scope.pipeline == config.pipeline:
            met = store.accounts.of(scope.account)
            name = config.kartra.account or (met.name if met else None)
            return {"name": name, "fingerprint": scope.account[:8], "mode": scope.mode}
    return None


def _operations(store: Store, config: PipelineConfig) -> dict[str, dict[str, int]]:
    """Of each operation how many are done, already done, refused, parked, unknown: of all runs together."""
    from pipelines.operations.journal import OperationStore  # whoever does no operations need not wait for it

    counts: dict[str, dict[str, int]] = {}
    for row in OperationStore(store).counts(config.pipeline):
        counts.setdefault(row.do, {})[row.outcome] = row.operations
    return counts


def _tables(pull: PullConfig) -> dict[str, Any]:
    """How fresh the tables of a pull are; `problem` where they cannot be read, or are not there yet."""
    from pipelines.tables.reports import read_report  # whoever pulls nothing need not wait for it
    from pipelines.tables.warehouse import Warehouse

    try:
        with Warehouse(pull.into, read_only=True) as warehouse:
            fresh = read_report(warehouse.tables, "freshness")
    except TablesError as error:
        return {"problem": str(error)}
    return dict(zip(fresh.columns, fresh.rows[0], strict=True))


def runs_of(config: PipelineConfig, count: int) -> list[dict[str, Any]]:
    with store_of(config) as store:
        return last_runs(store, config.pipeline, count)


def last_runs(store: Store, pipeline: str, count: int) -> list[dict[str, Any]]:
    return [
        {**asdict(run), "summary": json.loads(run.summary) if run.summary else None}
        for run in store.runs.last(pipeline, count)
    ]
