"""Work on the state of one pipeline: under its lease, with a row in `runs` that says how it ended."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from connectors.errors import AccessRefusedError, ApiError, ConfigError, RetryableApiError, SyncError
from pipelines.calls.context import RunContext
from pipelines.calls.examined import as_found, behaviour_of
from pipelines.calls.heartbeat import Heartbeat, Pulse
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, LeaseLostError, LockedError, StalePlanError, SurroundingsError
from pipelines.extract.incremental import Extract
from pipelines.load.plan import Plan
from pipelines.run_context import within_run
from pipelines.state.clock import new_run_id
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary
from pipelines.verbs.world import THIS_WORLD, World

log = logging.getLogger("kartra_sync.run")
run_log = logging.getLogger("kartra_sync.runs")

LOGGED = ("rows", "leads", "calls", "seconds")
"""What of the counters stands in the log at the end of a run."""
REFUSED = (ConfigError, GuardError, StalePlanError, AccessRefusedError)
"""Nothing has failed: what was asked for is not done as it is."""


class StoppedError(SyncError):
    """A stop was asked for. What was committed before stays."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller of a piece of work wants of it, and how the caller hears of it."""

    approved: bool = False
    """Whether a person has agreed to what needs a word: many leads triggered, money, another account."""
    stopping: Callable[[], bool] = lambda: False
    """Asked between steps; true once a person or the system wants the work to end."""
    progress: Callable[[Progress], None] = lambda _: None
    goes_on: bool = False
    """Whether a person has said that a state put back from a copy is what counts."""
    takes_tables: bool = False
    """Whether a person has agreed to tables of a pull that hold another account."""
    world: World = THIS_WORLD
    agree: "Callable[[Question], bool] | None" = None
    """Asks a person before a load is sent; None where nobody is there who could be asked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked before anything is sent. `concern`: what a guard refuses without a yes."""

    config: PipelineConfig
    summary: Summary
    plan: Plan
    seconds: float
    concern: str = ""


class Work:
    """A piece of work while it goes; `status`, `error` and `message` say how it has ended."""

    def __init__(self, context: RunContext, verb: str, agree: "Callable[[Question], bool] | None") -> None:
        self.context = context
        self.agree = agree
        self._verb = verb
        self._heart = Heartbeat(context.beat, context.clock)
        self._started = context.clock.monotonic()
        self._is_stopped = False
        self.error: SyncError | None = None
        self.status = "running"
        self.note = ""
        """Stands in `runs` as the message of work that nothing has stopped."""
        self.is_partial = False
        """Whether something was left out that a person should see."""
        self.died = 0
        """How many runs before this one ended without a word."""
        self.extract: Extract | None = None
        """What was read, where its mark moves on once all of it is settled."""

    @property
    def summary(self) -> Summary:
        return self.context.summary

    @property
    def message(self) -> str | None:
        """What stands in `runs`."""
        said = str(self.error) if self.error else ""
        if self.status == "interrupted" and self._verb:
            said = "stopped"
        return f"{self._verb}: {said}" if said and self._verb else said or self.note or None

    @property
    def _is_run(self) -> bool:
        """Whether leads that are left make it partial: other work leaves them to the next run by design."""
        return not self._verb

    @property
    def goes_on(self) -> bool:
        return self.error is None and not self.context.stopping()

    @property
    def may_call(self) -> bool:
        """Whether a part that does not build on the one before can still reach Kartra."""
        return not (self.context.stopping() or self.context.is_halted() or isinstance(self.error, ApiError))

    def between(self) -> None:
        """To be called between steps: says that the work is alive. Raises StoppedError."""
        self._heart.beat_when_due()
        if self.context.stopping():
            raise StoppedError("stopped")

    def fail(self, error: SyncError | None) -> None:
        """Keep an error, unless there is one already: later errors are mostly consequences of the first."""
        self.error = self.error or error

    def stop(self) -> None:
        self._is_stopped = True

    def raise_error(self) -> None:
        """Raise the error that stopped the work, if there is one; a stop that was asked for is none."""
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Count what became of everything, and write it down."""
        self.summary.seconds = self.context.clock.monotonic() - self._started
        self._count_calls()
        if not isinstance(self.error, LeaseLostError):  # else what is planned is another run's by now
            self._count_outcomes()
        if self.extract is not None and self.error is None and not self._is_stopped:
            self.extract.settled(self.context.store, self.summary)
        self._settle_status()
        run = self.context
        try:
            run.store.runs.finish(run.run_id, self.status, self.message, self.summary.to_json())
        except LeaseLostError:  # a server refuses even this; who took over has noted how this run ended
            if not isinstance(self.error, LeaseLostError):
                raise
        log.info("%s took %s", run.config.pipeline, self.summary.timings.describe())
        counted = self.summary.to_json()
        run_log.info(
            "%s: the run ended: %s",
            run.config.pipeline,
            self.status,
            extra={"status": self.status, **{name: counted[name] for name in LOGGED}},
        )

    def _count_calls(self) -> None:
        calls, counts = self.context.client.counts, self.summary.counts
        counts.sent, counts.throttled, counts.read_back = calls.sent, calls.throttled, calls.read_back

    def _count_outcomes(self) -> None:
        """Count the outcomes; what was planned and not sent, or not even decided, is the next run's."""
        counts, outbox = self.summary.counts, self.context.store.outbox
        outbox.defer(self.context.run_id)
        for (kind, outcome), count in outbox.outcomes(self.context.run_id).items():
            if kind == "load":
                counts.leads[outcome] += count
            elif outcome == "removed":
                counts.leads["removed"] += count
            elif outcome in ("rejected", "parked"):
                counts.not_removed += count
        if self.error is not None or self._is_stopped:
            counts.leads["deferred"] += max(0, counts.difference)

    def _settle_status(self) -> None:
        if self._is_stopped and isinstance(self.error, RetryableApiError | None):
            # A call that a stop has cut short fails as well; that is no news.
            self.status, self.error = "interrupted", None
        elif self.error is None and self.summary.counts.difference:
            self.status, self.error = "failed", _unbalanced(self.summary)
        elif self.error is not None:
            self.status = "refused" if isinstance(self.error, REFUSED) else "failed"
        else:
            rest = (
                self.summary.counts.leads["deferred"] - self.summary.counts.not_asked if self._is_run else 0
            )
            is_partial = self.is_partial or self.summary.counts.refused or rest
            self.status = "partial" if is_partial else "succeeded"


@contextmanager
def work_on(
    config: PipelineConfig,
    store: Store,
    account: str,
    caller: Caller,
    *,
    verb: str = "",
    undoes: str | None = None,
    kind: str = "",
    summary: Summary | None = None,
) -> Iterator[Work]:
    """The store has entered its scope. `verb` stands in the row of work that is no run, `undoes` the run that
    it takes back, `kind` what sort of run it is where it does not read the whole source.

    A SyncError of the work is kept as its `error` and not raised. Raises LockedError while another process
    works on the pipeline.
    """
    with leased(config, store, account, caller, summary) as run, within_run(config.pipeline, run.run_id):
        work = Work(run, verb, caller.agree)
        work.died = store.runs.begin(
            run.run_id, config.pipeline, verb=verb or kind, undoes=undoes, keep=config.keep
        )
        try:
            run_log.info("%s: the run began", config.pipeline)
            caller.progress(Progress(0, None, 0))
            yield work
        except StoppedError:
            work.stop()
        except SyncError as error:
            work.fail(error)
            if run.stopping():
                work.stop()
        except (OSError, MemoryError) as error:
            work.fail(SurroundingsError(error))
        except BaseException:
            work.fail(SyncError("stopped by an error of the program's own"))
            raise
        finally:
            run.client.close()
            # The row in `runs` is written last: after a kill before it, the run counts as died, and the next
            # one settles it.
            work.end()


@contextmanager
def leased(
    config: PipelineConfig, store: Store, account: str, caller: Caller, summary: Summary | None = None
) -> Iterator[RunContext]:
    """Hold the lease of a pipeline, and open what work needs. Raises LockedError while another process holds
    it."""
    world = caller.world
    run_id = new_run_id(world.clock.now())
    holder = store.runs.take_lease(config.pipeline, world.this_process(run_id, world.clock.now()))
    if holder is not None:
        raise LockedError(holder.message(config.pipeline))
    halted, pulse = threading.Event(), Pulse(world.clock, store.runs.dead_after)
    has_lock = store.runs.is_locked(config.pipeline)

    def given_up() -> bool:
        # Without a lock, another process may have taken the lease over from one that fell silent, perhaps
        # asleep: such a process must not send anything more.
        return caller.stopping() or halted.is_set() or (not has_lock and pulse.is_silent)

    try:
        if caller.goes_on:
            store.generation.go_on()
        # A copy of the state that is put back later is recognised by its older generation.
        store.generation.advance()
        with closing(world.open_client(config, given_up)) as client:
            behaviour = behaviour_of(store, account)
            yield RunContext(
                as_found(config, behaviour),
                store,
                client,
                account,
                run_id,
                summary or Summary(),
                approved=caller.approved,
                stopping=caller.stopping,
                halt=halted.set,
                is_halted=halted.is_set,
                beaten=pulse.beat,
                progress=caller.progress,
                takes_tables=caller.takes_tables,
                behaviour=behaviour,
                restored=store.generation.restored(),
                clock=world.clock,
                pool=world.pool,
            )
    finally:
        store.runs.release_lease(run_id)


def _unbalanced(summary: Summary) -> SyncError:
    return SyncError(
        f"the counters do not add up: {summary.counts.difference:+,} records. Please report this"
    )
