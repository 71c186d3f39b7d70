"""A pull as a part of a run: its settings, and its use of the state store."""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from connectors.clock import SYSTEM_CLOCK, Clock, steady
from connectors.errors import ConfigError, TablesError
from connectors.kartra.clock import zone_of
from connectors.kartra.profile import LeadProfile
from connectors.sources import Source
from connectors.sources.faults import without_faults
from pipelines.calls.context import RunContext
from pipelines.calls.inventories import INVENTORIES
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.pull import PullConfig, RosterConfig
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.contacts.normalise import normal_cell
from pipelines.extract.sources import open_source
from pipelines.pull.details import CHAINED, Chains
from pipelines.pull.leads import PullOrder
from pipelines.pull.pull import Pull
from pipelines.state.store import Store
from pipelines.tables.answers import Waiting
from pipelines.tables.warehouse import Warehouse
from pipelines.words.numbers import counted

log = logging.getLogger("kartra_sync.pull")


def pull_tables(run: RunContext, see: Callable[[LeadProfile, datetime], None]) -> None:
    """Pulls what is not fresh into the tables. Raises SyncError; earlier answers are in the tables then.

    `see` gets each profile and the time of its read, so that drift costs no further call.
    """
    pull, store, account = run.config.needs_pull(), run.store, run.account
    # What this pull has read must count as fresh until its end: under a clock that is put back by hours it
    # would lie before the time from which leads are fresh, and be read again and again.
    run = replace(run, clock=steady(run.clock))
    forgotten = store.forgetting.forgotten()

    def is_forgotten(name: str) -> bool:
        return forgotten is not None and forgotten.holds(name.lower())

    # Before the tables are opened: a roster without its column leaves no failed pull in them.
    lookups = roster(pull.leads, store, account)
    with Warehouse(pull.into, zone=zone_of(pull.zone), now=run.clock.now) as warehouse:
        started = run.clock.now()
        # The client counts for the whole run, and a load may have been before.
        sent_before = run.client.counts.sent
        order = order_of(pull, started - pull.refresh_after)
        warehouse.begin_pull(
            run.run_id, run.config.pipeline, account, started, other_account=run.takes_tables
        )
        chains = StoredChains(store, account)
        work = Pull(run, warehouse, order, chains, is_forgotten=is_forgotten, see=see)
        status = "failed"
        try:
            work.run(lookup for lookup in lookups if not is_forgotten(_name(lookup)))
            status = "interrupted" if run.stopping() else "partial" if work.is_out_of_budget else "succeeded"
        finally:
            chains.keep()
            # In the finally: also a pull that was stopped says what it did, and what waits.
            warehouse.settle(run.clock.now())
            waiting = warehouse.waiting(order.before, profiles=order.profiles, sales=order.sales)
            notes = [*work.notes, *_budget_notes(work, order, waiting), *warehouse.notes()]
            calls = run.client.counts.sent - sent_before
            warehouse.finish_pull(run.clock.now(), status, calls=calls, waiting=waiting.leads, notes=notes)
            run.summary.counts.pulled.update({table: warehouse.pulled[table] for table in pull.tables})
            run.summary.notes += notes


def _budget_notes(work: Pull, order: PullOrder, waiting: Waiting) -> list[str]:
    if not work.is_out_of_budget:
        return []
    return [
        f"{counted(waiting.leads, 'lead')} and {counted(waiting.details, 'detail')} wait for the next run:"
        f" this one had {order.max_calls:,} calls (pull.max_calls)"
    ]


def order_of(pull: PullConfig, before: datetime) -> PullOrder:
    return PullOrder(pull.tables, before, pull.max_calls, zone_of(pull.time_zone))


@dataclass(frozen=True, slots=True)
class PullEstimate:
    """What a pull would read now, without details of sales that are not known yet."""

    leads: int
    details: int
    calls: int


def estimate_pull(
    config: PipelineConfig, store: Store, account: str, clock: Clock = SYSTEM_CLOCK
) -> PullEstimate:
    """Reads the roster and the tables; makes no call and writes nothing."""
    pull = config.needs_pull()
    order = order_of(pull, clock.now() - pull.refresh_after)
    names = len([name for name in INVENTORIES if name in pull.tables])
    if not order.profiles and not order.sales:
        return PullEstimate(0, 0, min(names, pull.max_calls))
    lookups = roster(pull.leads, store, account)
    waiting = Waiting(profiles=0, sales=0, leads=0, details=0, roster=0)
    try:
        with Warehouse(pull.into, read_only=True, now=clock.now) as warehouse:
            warehouse.refuse_foreign_tables()
            is_there = warehouse.is_there()
            new = warehouse.count_unknown(lookups) if is_there else len(set(lookups))
            if is_there:
                waiting = warehouse.waiting(order.before, profiles=order.profiles, sales=order.sales)
    except TablesError:  # a file that does not exist yet
        new = len(set(lookups))
    calls = names + waiting.profiles + waiting.sales + new * (order.profiles + order.sales)
    # As if chains worked: where an account does not take them, each detail is a call of its own (§4.7).
    calls += math.ceil(waiting.details / CHAINED)
    return PullEstimate(waiting.leads + new, waiting.details, min(calls, pull.max_calls))


class StoredChains(Chains):
    """What the state store remembers of an account's chains."""

    def __init__(self, store: Store, account: str) -> None:
        self._store, self._account = store, account
        found = store.inventories.get(account, "chains")
        self._works: bool | None = found[1]["without_lead"] if found else None
        self._stored = self._works

    def works(self) -> bool | None:
        return self._works

    def learn(self, works: bool) -> None:
        self._works = works

    def keep(self) -> None:
        if self._works is not None and self._works != self._stored:
            self._store.inventories.keep(self._account, "chains", {"without_lead": self._works})


def roster(leads: RosterConfig, store: Store, account: str) -> Iterator[str]:
    """The lookup of each lead, such as `id:39260`. Raises SourceError and, before the first, ConfigError."""
    if leads.source is None:
        return chain(
            (f"id:{lead_id}" for lead_id in store.leads.ids(account)),
            (f"email:{address}" for address in store.leads.addresses(account)),
        )
    source = open_source(leads.source)
    return _lookups(leads, source, _column(leads, source))


def _lookups(leads: RosterConfig, source: Source, column: str) -> Iterator[str]:
    for chunk in without_faults(source.chunks(), {column}):
        for cell in chunk.frame[column]:
            name = normal_cell(str(cell))
            if not name:
                continue
            if leads.id:
                yield f"id:{name}"
                continue
            try:
                yield f"email:{normal_address(name)}"
            except InvalidAddressError:
                log.info("a row of the roster has no address that Kartra could know")


def check_roster(leads: RosterConfig) -> None:
    """Raises ConfigError where the roster's source lacks the column that names the leads; SourceError."""
    if leads.source is not None:
        _column(leads, open_source(leads.source))


def _column(leads: RosterConfig, source: Source) -> str:
    column = leads.email or leads.id or ""
    if column not in source.columns:
        raise ConfigError(
            f'pull.leads: the source has no column "{column}"; it has {", ".join(source.columns)}'
        )
    return column


def _name(lookup: str) -> str:
    return lookup.partition(":")[2]
