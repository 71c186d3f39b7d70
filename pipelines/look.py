"""Looking without touching: the last runs, what waits, who was refused. Needs no credentials."""

import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from connectors.errors import ConfigError
from pipelines.config import PipelineConfig
from pipelines.state import Store


def status_of(config: PipelineConfig) -> dict[str, Any]:
    """The last run, what waits, and who runs the pipeline now."""
    with _store(config) as store:
        waiting = store.waiting(config.pipeline)
        holder = store.holder(config.pipeline)
        last = _runs(store, config.pipeline, 1)
        return {
            "pipeline": config.pipeline,
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
        }


def runs_of(config: PipelineConfig, count: int) -> list[dict[str, Any]]:
    with _store(config) as store:
        return _runs(store, config.pipeline, count)


def rejects_of(config: PipelineConfig) -> list[dict[str, Any]]:
    """The rejects of the last run; `record` is the original text: an object, or a list of cells."""
    with _store(config) as store:
        last = _runs(store, config.pipeline, 1)
        if not last:
            return []
        return [
            {
                "row": row.row,
                "line": row.line,
                "kind": row.kind,
                "type": row.type,
                "reason": row.reason,
                "record": json.loads(row.record) if row.record else None,
            }
            for row in store.rejects(last[0]["run_id"])
        ]


def write_rejects(rejects: list[dict[str, Any]], path: Path | None, *, delimiter: str) -> int:
    """The original records as CSV; gives how many. Duplicates are left out: another record spoke for them.

    A record that was not as wide as the header is written with the cells it had.
    """
    records = [reject["record"] for reject in rejects if reject["kind"] != "duplicate" and reject["record"]]
    header = next((list(record) for record in records if isinstance(record, dict)), [])
    with _private_file(path) as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        if header:
            writer.writerow(header)
        for record in records:
            writer.writerow(list(record.values()) if isinstance(record, dict) else record)
    return len(records)


@contextmanager
def _private_file(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
        yield handle


def _store(config: PipelineConfig) -> Store:
    return Store(config.state if config.state.exists() else None)


def _runs(store: Store, pipeline: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "run_id": row.run_id,
            "pipeline": row.pipeline,
            "mode": row.mode,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "status": row.status,
            "message": row.message,
            "summary": json.loads(row.summary) if row.summary else None,
        }
        for row in store.runs(pipeline, count)
    ]
