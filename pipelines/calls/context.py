"""What every part of a run works with, passed down as one value."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.kartra.sender import Sender
from pipelines.calls.pool import Pool, Threads
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.generation import Restored
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run of one pipeline: its load, its operations and its pull share this.

    The store has entered the scope of the pipeline, and holds its lease. `client` gives up waiting for a
    permit once `halt` was called or `stopping` says so. The store belongs to the thread that made this value;
    workers use `client`, `clock` and `stopping` alone.
    """

    config: PipelineConfig
    store: Store
    client: Sender
    account: str
    """By which the state tells accounts apart (`verbs.identity`)."""
    run_id: str
    """Empty where nothing is recorded: of a plan."""
    summary: Summary = field(default_factory=Summary)
    approved: bool = False
    """Whether a person has agreed to what needs a word: many leads triggered, money."""
    takes_tables: bool = False
    """Whether a person has agreed to tables of a pull that hold another account."""
    restored: Restored | None = None
    """Whether the state is a copy that was put back, and nobody has said to go on with it."""
    stopping: Callable[[], bool] = lambda: False
    """Asked between calls; true once a person or the system wants the run to end."""
    halt: Callable[[], None] = lambda: None
    """Called once no further call may leave."""
    is_halted: Callable[[], bool] = lambda: False
    """Whether that was called."""
    progress: Callable[[Progress], None] = lambda _: None
    clock: Clock = SYSTEM_CLOCK
    pool: Callable[[], Pool] = Threads

    def beat(self) -> None:
        """Says that the run is alive."""
        if self.run_id:
            self.store.runs.beat(self.run_id)
            self.store.generation.advance()

    @contextmanager
    def committed(self) -> Iterator[None]:
        """Commits what is done within together, or none of it. Raises LeaseLostError.

        So no intent of a run that has lost its lease is ever committed, and no call of it leaves.
        """
        with self.store.database.together():
            yield
            if self.run_id:
                self.store.runs.check_lease(self.run_id)

    def server_now(self) -> datetime:
        """The time by Kartra's own clock, as far as its answers have told it: intents bear it.

        A lead's profile says by that clock when it joined, and this machine's may be hours off.
        """
        return self.clock.now() + (self.client.clock.offset or timedelta(0))

    def show(self, settled: int, total: int) -> None:
        """Tells people how far the run is."""
        self.progress(Progress(settled, total, self.client.counts.sent))
