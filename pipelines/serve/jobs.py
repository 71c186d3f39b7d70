"""Plans that are applied in the background, one at a time for each pipeline."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.errors import SyncError
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import LockedError
from pipelines.summary import Progress
from pipelines.verbs.notify import apply_and_tell
from pipelines.verbs.run import RunResult
from pipelines.verbs.work import Caller

log = logging.getLogger("kartra_sync.serve")


@dataclass(slots=True)
class Job:
    """One plan while it is applied, and how that ended: `result` or `error`."""

    plan_id: str
    who: str
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    result: RunResult | None = None
    error: str = ""
    thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self.result is None and not self.error

    def moved(self, progress: Progress) -> None:
        self.progress = progress


class Jobs:
    """The last job of each pipeline. Threads write to their own job alone."""

    def __init__(self) -> None:
        self._last: dict[str, Job] = {}

    def last(self, pipeline: str) -> Job | None:
        return self._last.get(pipeline)

    def apply(self, name: str, config: PipelineConfig, plan_id: str, who: str, *, approved: bool) -> None:
        """Begin to apply a saved plan of the pipeline `name`. Raises LockedError while another one is."""
        before = self.last(name)
        # No lock: views call this in the event loop, and nothing is awaited before the job is kept.
        if before is not None and before.is_running:
            raise LockedError(f"the plan {before.plan_id} of {name} is being applied already")
        job = Job(plan_id, who)
        caller = Caller(approved=approved, stopping=job.stop.is_set, progress=job.moved)
        job.thread = threading.Thread(
            target=_carry_out,
            args=(job, lambda: apply_and_tell(config, plan_id, caller, by=who)),
            name="apply",
        )
        # Kept before it starts: the page the person lands on next looks for it.
        self._last[name] = job
        job.thread.start()

    def stop(self, pipeline: str) -> None:
        if (job := self.last(pipeline)) is not None:
            job.stop.set()

    def end(self) -> None:
        """Let what runs settle its calls, and wait for that."""
        # All are asked before any is waited for, so that they end side by side.
        for job in self._last.values():
            job.stop.set()
        for job in self._last.values():
            if job.thread is not None:
                job.thread.join()


def _carry_out(job: Job, apply: Callable[[], RunResult]) -> None:
    try:
        job.result = apply()
    except SyncError as error:
        job.error = str(error)
    # Otherwise the thread ends in silence, and the page shows a job that never does.
    except Exception:
        log.exception("a bug in kartra-sync; please report it with this traceback")
        job.error = "a bug in kartra-sync: the log of the server has it"
