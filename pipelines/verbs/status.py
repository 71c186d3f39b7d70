"""The verbs `status` and `runs`: the last runs, what waits. Both only read, and need no credentials."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.config.pipeline import PipelineConfig
from pipelines.state.clock import CLOCKS_DIFFER
from pipelines.state.lease import Holder
from pipelines.state.runs import Run, Waiting
from pipelines.state.store import Store
from pipelines.verbs.reading import store_of


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """The last run of a pipeline, what waits, and who runs the pipeline now."""

    pipeline: str
    account: dict[str, str | None] | None
    waiting: Waiting
    last_run: Run | None
    holder: Holder | None
    parts: dict[str, Any]
    """`operations` and `tables`, where the file has them."""
    max_age: timedelta | None = None
    last_good: datetime | None = None

    @property
    def is_late(self) -> bool:
        """Whether the last good run ended more than `max_age` ago, or no run has ended well.

        A time later than now was written by a clock that was wrong: it proves nothing.
        """
        if self.max_age is None:
            return False
        age = datetime.now(UTC) - self.last_good if self.last_good else None
        return age is None or not -CLOCKS_DIFFER <= age <= self.max_age

    def to_json(self) -> dict[str, Any]:
        last_good = self.last_good.isoformat() if self.last_good else None
        waiting = asdict(self.waiting)
        return {
            "pipeline": self.pipeline,
            "account": self.account,
            "leads": waiting.pop("leads"),
            "waiting": waiting,
            "last_run": run_json(self.last_run) if self.last_run else None,
            **({} if self.max_age is None else {"last_good_run": last_good, "is_late": self.is_late}),
            "running": {
                "run_id": self.holder.run_id,
                "since": self.holder.taken_at.isoformat(),
                "pid": self.holder.pid,
                "host": self.holder.host,
            }
            if self.holder
            else None,
            **self.parts,
        }


def status_of(config: PipelineConfig, max_age: timedelta | None = None) -> PipelineStatus:
    """The status of one pipeline; without `max_age` it is never late."""
    with store_of(config) as store:
        return PipelineStatus(
            config.pipeline,
            _account(store, config),
            store.runs.waiting(config.pipeline),
            next(iter(store.runs.last(config.pipeline, 1)), None),
            store.runs.holder(config.pipeline),
            _parts(store, config),
            max_age,
            store.runs.last_good(config.pipeline),
        )


def _account(store: Store, config: PipelineConfig) -> dict[str, str | None] | None:
    """The account of the scope that ran last; None before the first run."""
    for scope in store.accounts.scopes():
        if scope.pipeline == config.pipeline:
            met = store.accounts.of(scope.account)
            name = config.kartra.account or (met.name if met else None)
            shown = store.accounts.mode_shown(scope.account)
            return {
                "name": name,
                "fingerprint": scope.account[:8],
                "mode": scope.mode,
                "shown": shown.mode if shown else None,
            }
    return None


def _parts(store: Store, config: PipelineConfig) -> dict[str, Any]:
    if config.operations is None and config.pull is None:
        return {}
    from pipelines.verbs.status_parts import parts_of  # SQLAlchemy and more: half of what the verb takes

    return parts_of(store, config)


def runs_of(config: PipelineConfig, count: int) -> list[Run]:
    """The last runs of a pipeline, newest first."""
    with store_of(config) as store:
        return store.runs.last(config.pipeline, count)


def run_json(run: Run) -> dict[str, Any]:
    return {**asdict(run), "summary": json.loads(run.summary) if run.summary else None}
