"""What a day may bring instead of a plain run: a canary, a few leads alone, a saved plan, an undo, a retry.

Each is the verb itself, in the world of a process. What holds after it is what holds after any run.
"""

import csv
from collections.abc import Callable
from pathlib import Path

from pipelines.config.pipeline import PipelineConfig
from pipelines.load.choosing import Choice
from pipelines.verbs.identity import Choices, find
from pipelines.verbs.loading import Terms
from pipelines.verbs.plan import open_plan
from pipelines.verbs.retry import retrying
from pipelines.verbs.run import RunResult, run_pipeline
from pipelines.verbs.run_to_undo import LAST
from pipelines.verbs.saved_plans import apply_plan, save_plan
from pipelines.verbs.undo import Asked, undo_run
from pipelines.verbs.work import Caller
from tests.simulate.machine import Process
from tests.simulate.people import COLUMNS, People

CANARY, FEW, MENDED = 3, 5, 4
"""How many leads go first, are chosen, and stand in the file of a retry."""


def canary(config: PipelineConfig, process: Process) -> RunResult:
    return _run(config, process, terms=Terms(canary=CANARY))


def some(config: PipelineConfig, process: Process) -> RunResult:
    """The first few changes alone."""
    return _run(config, process, terms=Terms(choice=Choice(limit=FEW)))


def retry(config: PipelineConfig, process: Process, people: People, folder: Path) -> RunResult:
    """A few rows in a file of their own, as a mended file of rejects."""
    file = folder / "mended.csv"
    rows = [person.row for person in people.present()][-MENDED:]
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return _run(retrying(config, file), process, kind="retry")


def save(config: PipelineConfig, process: Process) -> str | None:
    """The number of a plan that was saved; None where there is nothing to send. Raises SyncError."""
    with open_plan(config, to_keep=True, world=process.world()) as opened:
        saved = save_plan(config, opened, process.clock.now(), None)
    return saved.plan_id if saved is not None else None


def apply(config: PipelineConfig, process: Process, plan_id: str) -> RunResult:
    return apply_plan(config, plan_id, caller(process))


def undo(config: PipelineConfig, process: Process, undone: Callable[[], None]) -> RunResult:
    """The last run that changed a lead is taken back; `undone` is called before the first write."""

    def agreed(_: object) -> bool:
        undone()
        return True

    result = undo_run(config, Asked(_last_that_sent(config, process), agreed=agreed), caller(process))
    return RunResult(result.run_id, result.pipeline, result.status, result.summary, result.error)


def _last_that_sent(config: PipelineConfig, process: Process) -> str:
    """Its number, as a person reads it off a screen: the last run may have sent nothing."""
    with process.world().open_store(config.state) as store:
        find(config, store, ask=False)
        sent = store.undoing.last_that_sent()
    return sent.run_id if sent is not None else LAST


def caller(process: Process) -> Caller:
    return Caller(approved=True, stopping=process.is_stopping, world=process.world())


def _run(config: PipelineConfig, process: Process, *, terms: Terms = Terms(), kind: str = "") -> RunResult:  # noqa: B008 - frozen
    return run_pipeline(
        config,
        approved=True,
        choices=Choices(),
        kind=kind,
        terms=terms,
        stopping=process.is_stopping,
        world=process.world(),
    )
