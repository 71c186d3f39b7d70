"""Looks at leads in Kartra for what somebody changed there. Reads only; what is found goes into the state.

A pull looks at the profiles it reads anyway (`Looking`); `look` asks for the others, one call each.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, takewhile

from connectors.kartra.error_types import NO_LEAD_READ
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import ProfileRead
from pipelines.calls.clock import Heartbeat
from pipelines.calls.profiles import GONE, read_lead
from pipelines.calls.workers import call_each, width_of
from pipelines.changes.drift import Drift, decided, from_json, to_json
from pipelines.changes.readback import reads_of
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import LockedError
from pipelines.state.clock import new_run_id, utc_now
from pipelines.state.drift import Comparable
from pipelines.state.lease import this_process
from pipelines.state.store import Store
from pipelines.summary import Progress
from pipelines.verbs.account import account_of, open_client


@dataclass(frozen=True, slots=True)
class DriftedLead:
    """A lead that is not as Kartra acknowledged it."""

    key: str
    lead_id: str | None
    looked_at: str
    found: tuple[Drift, ...]


@dataclass(slots=True)
class Looked:
    """What came of a look: leads asked for, those without a usable answer, all that drifted."""

    leads: int = 0
    failed: int = 0
    fresh: int = 0
    """Leads that were left alone: looked at `within` the time, or changed just now."""
    is_cut: bool = False
    """Whether `max_calls` left leads for the next look."""
    calls: int = 0
    drifted: tuple[DriftedLead, ...] = ()


class Looking:
    """Compares profiles with what was acknowledged, and keeps what differs."""

    def __init__(self, config: PipelineConfig, store: Store) -> None:
        load = config.needs_load()
        self._store = store
        self._on_drift = "report" if load.sync_mode == "create_only" else load.on_drift
        self._settle = timedelta(seconds=config.kartra.settle_s)

    @property
    def settled_before(self) -> datetime:
        """Effects of a later call may not be in a profile yet."""
        return utc_now() - self._settle

    def see(self, profile: LeadProfile, asked_at: datetime) -> None:
        """A profile that was asked for at `asked_at`, of a lead that may be ours or not."""
        for lead in self._store.drift.comparable_lead(profile.id, asked_at - self._settle):
            self.compare(lead, ProfileRead(profile))

    def compare(self, lead: Comparable, read: ProfileRead) -> None:
        before = from_json(lead.found)
        if read.profile is not None:
            snapshot, found = decided(lead.snapshot, read.profile, before, self._on_drift)
        else:
            snapshot, found = lead.snapshot, (Drift("lead", GONE[read.type or NO_LEAD_READ]),)
        self._store.drift.keep(lead, snapshot, to_json(found))
        if not lead.snapshot.lead_id and read.profile is not None and read.profile.id:
            self._store.leads.learn_id(lead.key, read.profile.id)


def look(
    config: PipelineConfig,
    *,
    within: timedelta,
    max_calls: int,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Looked:
    """Ask Kartra for our leads that nobody looked at `within` that time. Raises SyncError.

    LockedError while the pipeline is being run. What was looked at before an error is kept.
    """
    account = account_of(config)
    config.needs_load()
    looked = Looked()
    if not config.state.exists():
        return looked
    with Store(config.state) as store, _leased(config, store) as beat:
        store.scope.find(config.pipeline, account, config.kartra.mode)
        looking = Looking(config, store)
        client = open_client(config, stopping)
        total = min(store.leads.count(), max_calls)
        waiting = _waiting(store, looking.settled_before, utc_now() - within)
        heart = Heartbeat(beat)

        def read(lead: Comparable) -> ProfileRead | None:
            return read_lead(client, tuple(reads_of(lead.snapshot, config.kartra.mode)))

        try:
            wanted = takewhile(lambda _: not stopping(), islice(waiting, max_calls))
            reads = call_each(wanted, read, width=partial(width_of, config.kartra, client))
            for lead, profile in reads:
                if profile is None:
                    looked.failed += 1
                else:
                    looked.leads += 1
                    looking.compare(lead, profile)
                heart.look_alive()
                progress(Progress(looked.leads + looked.failed, total, client.counts.sent))
            looked.is_cut = looked.leads + looked.failed >= max_calls and next(waiting, None) is not None
            if not looked.is_cut and not stopping():
                looked.fresh = store.leads.count() - looked.leads - looked.failed
        finally:
            looked.calls = client.counts.sent
            client.close()
        looked.drifted = tuple(
            DriftedLead(row.key, row.lead_id, row.looked_at, from_json(row.found))
            for row in store.drift.found()
        )
    return looked


def _waiting(store: Store, settled_before: datetime, looked_before: datetime) -> Iterator[Comparable]:
    after = ""
    while page := store.drift.comparable(settled_before, looked_before, after=after):
        yield from page
        after = page[-1].key


@contextmanager
def _leased(config: PipelineConfig, store: Store) -> Iterator[Callable[[], None]]:
    """The pipeline's lease, and how to say that it is still wanted."""
    run_id = new_run_id()
    holder = store.runs.take_lease(config.pipeline, this_process(run_id, utc_now()))
    if holder is not None:
        raise LockedError(holder.told(config.pipeline))
    try:
        yield partial(store.runs.beat, run_id)
    finally:
        store.runs.release_lease(run_id)
