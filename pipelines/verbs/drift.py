"""The verb `drift`: what somebody changed in Kartra. Only reads; the state keeps what is found.

A pull compares the profiles it reads anyway (`DriftCheck`); `check_drift` asks for the others, one call each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from connectors.kartra.error_types import NO_LEAD_READ
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import ProfileRead
from pipelines.calls.context import RunContext
from pipelines.calls.heartbeat import Heartbeat
from pipelines.calls.profiles import GONE
from pipelines.changes.drift import Drift, decided, from_json, to_json
from pipelines.changes.modes import other_mode, wrong_mode
from pipelines.changes.spelling import in_our_words, names_known
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.drift import Comparable
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.summary import Progress
from pipelines.verbs.identity import find
from pipelines.verbs.read_leads import read_leads
from pipelines.verbs.work import Caller, leased


@dataclass(frozen=True, slots=True)
class DriftedLead:
    """A lead that is no longer as Kartra acknowledged it."""

    key: str
    lead_id: str | None
    looked_at: str
    found: tuple[Drift, ...]


@dataclass(slots=True)
class DriftFound:
    """How many leads were asked for, how many gave no usable answer, and all leads that drifted."""

    leads: int = 0
    failed: int = 0
    fresh: int = 0
    """Leads that were left alone: compared `within` the time, or changed just now."""
    is_cut: bool = False
    """Whether `max_calls` left leads for the next time."""
    calls: int = 0
    drifted: tuple[DriftedLead, ...] = ()


class DriftCheck:
    """Compares profiles with what Kartra acknowledged, and keeps what differs."""

    def __init__(self, config: PipelineConfig, store: Store, account: str) -> None:
        load = config.needs_load()
        self._store = store
        self._mode = config.kartra.mode
        # create_only never edits a lead, so there is nothing that could mend a drift.
        self._on_drift = "report" if load.sync_mode == "create_only" else load.on_drift
        self._settle = timedelta(seconds=config.kartra.settle_s)
        self._listed = store.inventories.names(account)

    @property
    def settled_before(self) -> datetime:
        """The time before which a lead's last call has to be: a profile may not show a later one yet."""
        return self._store.database.clock.now() - self._settle

    def see(self, profile: LeadProfile, asked_at: datetime) -> None:
        """Compare a profile that was asked for at `asked_at`; a lead that is not ours is passed over.

        Raises WrongModeError.
        """
        for lead in self._store.drift.comparable_lead(profile.id, asked_at - self._settle):
            self.compare(lead, ProfileRead(profile))

    def compare(self, lead: Comparable, read: ProfileRead) -> None:
        before = from_json(lead.found)
        if read.profile is not None:
            self._refuse_other_mode(lead, read.profile)
            profile = in_our_words(read.profile, (names_known(lead.snapshot),), self._listed)
            snapshot, found = decided(lead.snapshot, profile, before, self._on_drift)
        else:
            snapshot, found = lead.snapshot, (Drift("lead", GONE[read.type or NO_LEAD_READ]),)
        self._store.drift.keep(lead, snapshot, to_json(found))
        # A lead whose answer was lost was kept without its number; any read that shows it saves a lookup
        # later.
        if not lead.snapshot.lead_id and read.profile is not None and read.profile.id:
            self._store.leads.learn_id(lead.key, read.profile.id)

    def _refuse_other_mode(self, lead: Comparable, profile: LeadProfile) -> None:
        sent = lead.snapshot.email
        if shown := other_mode(sent, profile.email, lead.origin, self._mode):
            raise wrong_mode(sent, shown)


def check_drift(
    config: PipelineConfig,
    *,
    within: timedelta,
    max_calls: int,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> DriftFound:
    """Ask Kartra for our leads that were not compared `within` that time. Raises SyncError.

    LockedError while the pipeline is being run. What was compared before an error is kept.
    """
    config.needs_load()
    found = DriftFound()
    if not is_there(config.state):
        return found
    caller = Caller(stopping=stopping, progress=progress)
    with Store(config.state) as store:
        # Who only compares shall not clear up whose account it is; a run does that, and tells.
        account = find(config, store, ask=False).account
        with leased(config, store, account, caller) as run:
            try:
                _compare(run, found, run.clock.now() - within, max_calls)
            finally:
                found.calls = run.client.counts.sent
        found.drifted = tuple(
            DriftedLead(row.key, row.lead_id, row.looked_at, from_json(row.found))
            for row in store.drift.found()
        )
    return found


def _compare(run: RunContext, found: DriftFound, compared_before: datetime, max_calls: int) -> None:
    check = DriftCheck(run.config, run.store, run.account)
    heart = Heartbeat(run.beat, run.clock)
    # An upper bound: how many wait shows only as they are read, a page at a time.
    total = min(run.store.leads.count(), max_calls)
    waiting = _waiting(run.store, check.settled_before, compared_before)
    wanted = takewhile(lambda _: not run.stopping(), islice(waiting, max_calls))
    for lead, read in read_leads(run, wanted, lambda lead: lead.snapshot):
        if read is None:
            found.failed += 1
        else:
            found.leads += 1
            check.compare(lead, read)
        heart.beat_when_due()
        run.show(found.leads + found.failed, total)
    found.is_cut = found.leads + found.failed >= max_calls and next(waiting, None) is not None
    if not found.is_cut and not run.stopping():
        found.fresh = run.store.leads.count() - found.leads - found.failed


def _waiting(store: Store, settled_before: datetime, compared_before: datetime) -> Iterator[Comparable]:
    after = ""
    while page := store.drift.comparable(settled_before, compared_before, after=after):
        yield from page
        after = page[-1].key
