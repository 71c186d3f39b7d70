"""Everything that the parts of a run work with, passed down as one value."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.kartra.sender import Sender
from pipelines.calls.pool import Pool, Threads
from pipelines.changes.behaviour import Behaviour
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.generation import Restored
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run of one pipeline, shared by its load, operations and pull.

    The store has entered the scope of the pipeline and holds its lease. `client` stops waiting for a permit
    once `halt` was called or `stopping` is true. The store belongs to the thread that made this value;
    workers use only `client`, `clock` and `stopping`.
    """

    config: PipelineConfig
    store: Store
    client: Sender
    account: str
    """The hash that identifies the account in the state (`verbs.identity`)."""
    run_id: str
    """Empty for a plan, of which nothing is recorded."""
    summary: Summary = field(default_factory=Summary)
    approved: bool = False
    """Whether a person agreed to what needs it: many leads triggered, money."""
    takes_tables: bool = False
    """Whether a person agreed to write into tables of another account."""
    behaviour: Behaviour | None = None
    """What a doctor found of the account; None where none has looked."""
    restored: Restored | None = None
    """Whether the state is a copy that was put back, and nobody has said to go on with it."""
    stopping: Callable[[], bool] = lambda: False
    """Asked between calls: whether a person or the system wants the run to end."""
    halt: Callable[[], None] = lambda: None
    """Lets no further call leave."""
    is_halted: Callable[[], bool] = lambda: False
    """Whether `halt` was called."""
    progress: Callable[[Progress], None] = lambda _: None
    beaten: Callable[[], None] = lambda: None
    """Called after the state was told that the run is alive."""
    clock: Clock = SYSTEM_CLOCK
    pool: Callable[[], Pool] = Threads

    def beat(self) -> None:
        """Notes that the run is alive."""
        if self.run_id:
            self.store.runs.beat(self.run_id)
            self.beaten()
            self.store.generation.advance()

    @contextmanager
    def committed(self) -> Iterator[None]:
        """Commits everything within together, or nothing. Raises LeaseLostError.

        A run that has lost its lease thus commits no intent, and no call of it leaves.
        """
        with self.store.database.together():
            yield
            # Asked last: what was done within may have taken long enough to lose the lease, and is then
            # rolled back.
            if self.run_id:
                self.store.runs.check_lease(self.run_id)

    def server_now(self) -> datetime:
        """The time by Kartra's clock, as far as it is known. Intents carry it.

        Profiles say by that clock when a lead joined, and this machine's may be hours off.
        """
        return self.clock.now() + (self.client.clock.offset or timedelta(0))

    def show(self, settled: int, total: int) -> None:
        """Shows people how far the run is."""
        self.progress(Progress(settled, total, self.client.counts.sent))
