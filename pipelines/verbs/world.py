"""What a run touches outside of itself, as one value: the simulation hands in another one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.kartra.sender import Sender
from connectors.sources import Source
from pipelines.calls.pool import Pool, Threads
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.extract.read_ahead import Ahead, one_ahead
from pipelines.state.lease import Holder, this_process
from pipelines.state.place import Place
from pipelines.state.store import Store
from pipelines.verbs.account import open_client


@dataclass(frozen=True, slots=True)
class World:
    """Time, threads, the source, the file of the state, the way to Kartra, and which process this is."""

    clock: Clock = SYSTEM_CLOCK
    pool: Callable[[], Pool] = Threads
    ahead: Ahead = one_ahead
    open_records: Callable[[LoadConfig], Source] | None = None
    """None: as the file says; that needs pandas, which not every verb has to import."""
    open_store: Callable[[Place], Store] = Store
    open_client: Callable[[PipelineConfig, Callable[[], bool]], Sender] = open_client
    this_process: Callable[[str, datetime], Holder] = this_process


THIS_WORLD = World()
