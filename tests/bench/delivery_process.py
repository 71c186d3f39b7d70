"""The process that `tests.bench.delivery` measures: a run, or the floor. Prints figures as JSON."""

import cProfile
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from connectors.kartra import commands
from connectors.kartra.commands import Call, Lead
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials, encode_call
from pipelines.calls.context import RunContext
from pipelines.config.file import read_pipeline, require_credentials
from pipelines.config.pipeline import PipelineConfig
from pipelines.load.account_names import AccountInventory
from pipelines.load.delivery import Delivery
from pipelines.verbs import run
from pipelines.verbs.world import World

NEVER_WAITS = 1_000_000.0
"""Calls a second of the limiter: it stamps and locks as ever, and there is always a permit."""


class MeasuredDelivery(Delivery):
    """A delivery that knows what it cost: processor's time of all threads, calls, commits."""

    figures: dict[str, float] | None = None
    profile: Path | None = None

    def __init__(self, context: RunContext, inventory: AccountInventory) -> None:
        super().__init__(context, inventory)
        self._measured = context.client
        self._commits = 0
        self._change = context.store.database.change
        context.store.database.change = self._count  # type: ignore[method-assign]

    def _count(self, statement: str, parameters: Any = ()) -> int:
        self._commits += statement == "COMMIT"
        return self._change(statement, parameters)

    def deliver(self, total: int) -> None:
        calls, commits = self._measured.counts.sent, self._commits
        cpu, started = time.process_time(), time.perf_counter()
        if self.profile is not None:
            profiler = cProfile.Profile()
            profiler.runcall(super().deliver, total)
            profiler.dump_stats(self.profile)
        else:
            super().deliver(total)
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
        calls, commits = self._measured.counts.sent - calls, self._commits - commits
        MeasuredDelivery.figures = _figures(calls, cpu, seconds) | {"commits": commits / max(1, calls)}


def measured_run(folder: Path) -> dict[str, float]:
    run.Delivery = MeasuredDelivery  # type: ignore[misc]
    result = run.run_pipeline(
        read_pipeline(folder / "bench.yaml", os.environ), approved=True, world=World(open_client=_open_client)
    )
    if result.status != "succeeded":
        raise RuntimeError(f"{result.status}: {result.message}")
    return MeasuredDelivery.figures or {"calls": result.summary.counts.sent}  # nothing to deliver


def _open_client(config: PipelineConfig, stopping: Callable[[], bool] = lambda: False) -> Sender:
    limiter = CallLimiter(config.path.parent / "bench.window", calls_per_second=NEVER_WAITS)
    return Sender(config.kartra.url, require_credentials(config), limiter, given_up=stopping)


def floor(leads: int) -> dict[str, float]:
    """`requests` alone: the same number of calls, with bodies made before."""
    names = ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD")
    credentials = Credentials(*(os.environ[name] for name in names))
    call = Call((commands.edit_lead(),), Lead(email="lead0@example.org", fields={"city": "Kraków"}))
    body = encode_call(credentials, call)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with requests.Session() as session:
        session.trust_env = False
        cpu, started = time.process_time(), time.perf_counter()
        for _ in range(leads):
            session.post(os.environ["KARTRA_URL"], data=body, headers=headers).json()
        return _figures(leads, time.process_time() - cpu, time.perf_counter() - started)


def _figures(calls: int, cpu: float, seconds: float) -> dict[str, float]:
    return {"calls": calls, "cpu_ms": cpu * 1000 / max(1, calls), "per_second": calls / seconds}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    order = json.loads((place / "order.json").read_text(encoding="utf-8"))
    os.environ |= order["environment"]
    MeasuredDelivery.profile = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(measured_run(place) if sys.argv[2] == "run" else floor(order["leads"])))
