"""Work on the state that is no run: under the pipeline's lease, with a row in `runs` on how it ended."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from connectors.errors import AccessRefusedError, ConfigError, SyncError
from pipelines.errors import GuardError, LockedError
from pipelines.state.clock import new_run_id, utc_now
from pipelines.state.lease import this_process
from pipelines.state.store import Store
from pipelines.summary import Summary


class StoppedError(SyncError):
    """A stop was asked for. What was committed before stays."""


@dataclass(slots=True)
class Recorded:
    """The work as it goes; `told` stands in `runs` as its message."""

    run_id: str
    between: Callable[[], None]
    """To be called between steps: says that the work is alive. Raises StoppedError."""
    is_stopped: Callable[[], bool]
    summary: Summary = field(default_factory=Summary)
    told: str = ""
    is_partial: bool = False
    """Whether something was left out that a person should see."""
    status: str = "running"


@contextmanager
def recorded(
    store: Store, pipeline: str, verb: str, stopping: Callable[[], bool] = lambda: False
) -> Iterator[Recorded]:
    """The store has entered its scope. A stop ends the work with the status `interrupted`, and no error.

    Raises LockedError while another process works on the pipeline.
    """
    run_id = new_run_id()
    holder = store.runs.take_lease(pipeline, this_process(run_id, utc_now()))
    if holder is not None:
        raise LockedError(holder.told(pipeline))
    store.runs.begin(run_id, pipeline)

    def between() -> None:
        store.runs.beat(run_id)
        if stopping():
            raise StoppedError(f"{verb}: stopped")

    work = Recorded(run_id, between, stopping)
    started = time.monotonic()
    try:
        yield work
        work.status = "partial" if work.is_partial or work.summary.refused else "succeeded"
    except StoppedError as stopped:
        work.status, work.told = "interrupted", str(stopped)
    except SyncError as error:
        work.status = (
            "refused" if isinstance(error, ConfigError | GuardError | AccessRefusedError) else "failed"
        )
        work.told = f"{verb}: {error}"
        raise
    except BaseException:
        work.status, work.told = "failed", f"{verb}: stopped by an error of the program's own"
        raise
    finally:
        work.summary.seconds = time.monotonic() - started
        store.runs.finish(run_id, work.status, work.told, work.summary.to_json())
