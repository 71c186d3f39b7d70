"""The verb `undo`: what a run changed is taken back, as far as Kartra lets it and nobody changed it since.

Each lead is read first; what is to be sent is planned as entries of the outbox, agreed to, and then goes the
way of any load: with intents, read back where an answer never came, at most once. What was taken back is not
sent again by the next run while its wish is the same.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import takewhile

from connectors.errors import ConfigError, SyncError
from connectors.kartra.commands import InventoryName
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import ProfileRead
from pipelines.calls.context import RunContext
from pipelines.calls.heartbeat import Heartbeat
from pipelines.changes.inventory import Inventory
from pipelines.changes.spelling import folded, in_our_words, names_known
from pipelines.changes.undo import Choice, Stays, TakingBack, Undone, needs_names, taking_back
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.errors import GuardError
from pipelines.extract.suppression import suppressed_addresses
from pipelines.load.account_names import AccountInventory, KeptLists
from pipelines.load.delivery import Delivery
from pipelines.load.task import Rules
from pipelines.state.clock import instant
from pipelines.state.database import BATCH
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.state.undoing import ChangedLead, RunToUndo
from pipelines.summary import Summary
from pipelines.verbs.identity import enter, find
from pipelines.verbs.read_leads import read_leads
from pipelines.verbs.run_to_undo import run_named, run_to_undo
from pipelines.verbs.work import Caller, Work, leased, work_on

log = logging.getLogger("kartra_sync.undo")


@dataclass(frozen=True, slots=True)
class LeadPlan:
    """What taking the run back does to one lead."""

    key: str
    created: bool
    taking: TakingBack


@dataclass(slots=True)
class UndoPlan:
    """What taking a run back would send, and what stays; counted by lead.

    `changed` leads are those that the run changed; of them `gone` are no more in Kartra, and `unread` gave no
    usable answer. `leads` are sent something.
    """

    run: RunToUndo
    changed: int = 0
    created: int = 0
    leads: int = 0
    gone: int = 0
    unread: int = 0
    nothing: int = 0
    """Leads that are as they were before the run already, or where all of it stays."""
    actions: Counter[str] = field(default_factory=Counter)
    gives: Counter[str] = field(default_factory=Counter)
    """Leads that get something again that the run took off, which may send them mail."""
    takes: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    stays: Counter[Stays] = field(default_factory=Counter)
    new_fields: int = 0
    """Custom fields that the run created in the account."""
    operations: int = 0
    """Operations that the run carried out; they are not taken back."""
    reads: int = 0
    calls: int = 0
    taken_back_before: int = 0
    """How often somebody took this run back before."""

    @property
    def begun(self) -> int:
        return sum(count for one, count in self.stays.items() if one.why == "begun")


@dataclass(frozen=True, slots=True)
class UndoResult:
    """How an undo ended. Where nothing was to be sent, `run_id` is empty and `status` "planned"."""

    pipeline: str
    plan: UndoPlan
    summary: Summary
    run_id: str = ""
    status: str = "planned"
    error: SyncError | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be undone, and how. `agreed` is asked once the plan stands, before the first write."""

    run: str
    stop_sequences: bool = False
    agreed: Callable[[UndoPlan], bool] = lambda _: False
    see: Callable[[LeadPlan], None] = lambda _: None
    """Called with each lead that is to be changed, or that keeps something of the run."""


def plan_undo(config: PipelineConfig, asked: Asked, caller: Caller) -> UndoResult:
    """What taking a run back would send. Reads leads, writes nothing. Raises SyncError."""
    _refuse_unknown(config)
    with Store(config.state) as store:
        account = find(config, store).account
        run = run_to_undo(config, store, asked.run)
        _refuse_open(store, run)
        # Nothing is sent, but a run at the same time would change what is being compared.
        with leased(config, store, account, caller) as context:
            planner = _Planner(context, run, asked, keep=False)
            planner.plan_all()
            return UndoResult(config.pipeline, planner.plan, context.summary)


def undo_run(config: PipelineConfig, asked: Asked, caller: Caller) -> UndoResult:
    """Take a run back, once somebody has agreed to the plan. Raises SyncError only before it began."""
    _refuse_unknown(config)
    summary = Summary()
    with caller.world.open_store(config.state) as store:
        standing = enter(config, store, stopping=caller.stopping, world=caller.world)
        summary.account = standing.to_json()
        run = run_to_undo(config, store, asked.run)
        plan = UndoPlan(run)
        with work_on(
            config, store, standing.account, caller, verb="undo", undoes=run.run_id, summary=summary
        ) as work:
            plan = _take_back(work, run, asked)
    return UndoResult(config.pipeline, plan, summary, work.context.run_id, work.status, work.error)


def send_again(config: PipelineConfig, run: str) -> int:
    """Let what was taken back of a run be sent again; gives how many leads wait for the next run."""
    _refuse_unknown(config)
    with Store(config.state) as store:
        find(config, store, ask=False)
        named = run_named(config, store, run)
        # `runs` lists undos beside runs, so either number is understood.
        return store.refusals.let_go(named.undoes or named.run_id)


def _take_back(work: Work, run: RunToUndo, asked: Asked) -> UndoPlan:
    context = work.context
    load = context.config.needs_load()
    inventory = _inventory_of(context, run, keep=True)
    rules = replace(
        Rules.of(load, context.config.kartra),
        # Leads are only changed back: none is created, whatever the pipeline file would do with a lead that
        # is gone.
        existing="update",
        sync_mode="update_only",
        on_removed=(),
        on_gone="report",
    )
    delivery = Delivery(context, inventory, rules)
    # An undo is a run as well: what it finds open is settled before anything is compared.
    delivery.recover()
    context.store.staging.begin()  # an empty one: the wishes stand in the outbox
    planner = _Planner(context, run, asked, keep=True)
    if delivery.failure is not None:
        work.fail(delivery.failure)
        return planner.plan
    planner.plan_all(work.between)
    plan, counts = planner.plan, context.summary.counts
    counts.read = plan.leads
    # Asked only now: the leads had to be read to know what can be taken back at all.
    if plan.leads and not asked.agreed(plan):
        raise GuardError("nobody agreed to it: nothing was sent. --yes answers beforehand")
    if plan.leads:
        delivery.deliver(plan.leads)
    counts.actions.update(delivery.actions)
    counts.retried += delivery.retried
    work.fail(delivery.failure)
    left = context.store.outbox.outcomes(context.run_id)
    work.is_partial = bool(plan.unread or left.get(("load", "deferred")))
    return plan


def _inventory_of(context: RunContext, run: RunToUndo, *, keep: bool) -> AccountInventory:
    """The account's lists for all that a run can have given, whatever the mapping asks for by now.

    Where the App may not list custom fields, only a run that filled some cannot be taken back.
    """
    kinds: list[InventoryName] = ["tags", "lists"]
    if context.store.undoing.begins_sequences(run.run_id):
        kinds.append("sequences")
    if context.store.undoing.fills_custom_fields(run.run_id):
        kinds.append("custom_fields")
    return AccountInventory(
        KeptLists(context.store, context.account, keep=keep, clock=context.clock),
        context.client,
        context.config.needs_load(),
        pool=context.pool,
        kinds=kinds,
    )


class _Planner:
    """Reads the leads of a run and decides for each; `keep` writes what is to be sent to the outbox."""

    def __init__(self, context: RunContext, run: RunToUndo, asked: Asked, *, keep: bool) -> None:
        self._context, self._run, self._asked, self._keep = context, run, asked, keep
        load = context.config.needs_load()
        store = context.store
        self._inventory = _inventory_of(context, run, keep=keep)
        points = load.points
        self._expire = timedelta(days=points.expiration_days) if points and points.expiration_days else None
        self._neighbours = store.undoing.neighbours()
        self._listed = store.inventories.names(context.account)
        self._names: dict[str, frozenset[str] | None] | None = None
        self._blocked: set[str] | None = None
        self._wishes: list[tuple[str, bytes, str]] = []
        summary = json.loads(run.summary or "{}")
        self.plan = UndoPlan(
            run,
            gone=store.undoing.gone(run.run_id),
            new_fields=summary.get("actions", {}).get("create_custom_field", 0),
            operations=(summary.get("operations") or {}).get("done", 0),
            taken_back_before=sum(
                one.status in ("succeeded", "partial") for one in store.undoing.taken_back_by(run.run_id)
            ),
        )
        self.plan.changed = self.plan.gone

    def plan_all(self, between: Callable[[], None] = lambda: None) -> None:
        context, plan = self._context, self.plan
        heart = Heartbeat(context.beat, context.clock)
        leads = takewhile(lambda _: not context.stopping(), context.store.undoing.changed(self._run.run_id))
        for lead, read in read_leads(context, leads, lambda lead: lead.now):
            plan.reads += 1
            plan.changed += 1
            self._plan_one(lead, read)
            if len(self._wishes) >= BATCH:
                self._write()
            heart.beat_when_due()
            between()
            context.show(plan.changed, 0)
        self._write()
        between()

    def _plan_one(self, lead: ChangedLead, read: ProfileRead | None) -> None:
        plan = self.plan
        plan.created += lead.was is None
        if read is None:
            plan.unread += 1
            return
        if read.profile is None:
            plan.gone += 1
            return
        taking = self._decided(lead, read.profile)
        if taking.stays or taking.change:
            self._asked.see(LeadPlan(lead.key, lead.was is None, taking))
        plan.stays.update(taking.stays)
        if not taking.change:
            plan.nothing += 1
            return
        change = taking.change
        plan.leads += 1
        plan.calls += 2 if change.needs_read else 1
        plan.actions.update(change.commands)
        plan.fields.update([*change.fields, *change.custom_fields, *(["e-mail"] if change.email else [])])
        for step in change.steps:
            named = f'{step.wish.one} "{step.label}"' if not step.wish.is_amount else "points"
            lowers = step.takes or step.label.startswith("-")
            (plan.takes if lowers else plan.gives)[named] += 1
        if self._keep:
            self._wishes.append((lead.key, lead.held, taking.desired.to_json()))

    def _decided(self, lead: ChangedLead, profile: LeadProfile) -> TakingBack:
        store = self._context.store
        number = lead.now.lead_id or profile.id
        known = (store.undoing.known_to(neighbour, number) for neighbour in self._neighbours)
        run_id = self._run.run_id
        undone = Undone(
            was=lead.was,
            became=lead.became,
            now=lead.now,
            is_ours=lead.origin == "created",
            met=lead.met,
            # Undos are not among them: the points that they took off or gave are counted apart, below.
            since=[(past.was, past.became) for past in lead.others if past.is_later and past.undoes is None],
            taken_back=sum(
                past.became.points - (past.was.points if past.was else 0)
                for past in lead.others
                if past.undoes == run_id
            ),
            elsewhere=[snapshot for snapshot in known if snapshot is not None],
        )
        is_expired = (
            self._expire is not None and instant(lead.settled_at) + self._expire < self._context.clock.now()
        )
        ours = (names_known(lead.now), names_known(lead.became), names_known(lead.was))
        shown = in_our_words(profile, ours, self._listed)
        names = self._known_names() if needs_names(undone, shown) else {}
        says_no = bool(names) and self._says_no(lead)
        return taking_back(undone, shown, Choice(self._asked.stop_sequences, names, is_expired, says_no))

    def _says_no(self, lead: ChangedLead) -> bool:
        """Whether a later run had to leave the record out, or a suppression list names the address by now."""
        if self._blocked is None:
            self._blocked = self._context.store.undoing.blocked_since(self._run.run_id)
            for suppress in self._context.config.needs_load().suppress:
                for addresses in suppressed_addresses(suppress):
                    self._blocked.update(addresses)
        return lead.key in self._blocked or normal_key(lead.now.email, by_address=True) in self._blocked

    def _known_names(self) -> dict[str, frozenset[str] | None]:
        """The names that the account has now, asked for once and only where they decide."""
        if self._names is None:
            found: Inventory = self._inventory.current()
            if not found.fresh:  # a name of an hour ago may have become another one since
                found = self._inventory.asked()
            self._names = {
                kind: None if kind in found.unlisted else frozenset(map(folded, getattr(found, kind))) or None
                for kind in ("tags", "lists", "sequences", "custom_fields")
            }
        return self._names

    def _write(self) -> None:
        if self._wishes:
            self._context.store.undoing.enqueue(self._context.run_id, self._run.run_id, self._wishes)
            self._wishes = []


def _refuse_unknown(config: PipelineConfig) -> None:
    config.needs_load()
    if not is_there(config.state):
        raise ConfigError(f"{config.pipeline}: has not run yet")


def _refuse_open(store: Store, run: RunToUndo) -> None:
    """Warn of calls without an outcome: a plan writes nothing, so it cannot settle them."""
    if count := store.undoing.open_entries(run.run_id):
        log.warning("%d calls of %s have no outcome yet: undo settles them first", count, run.run_id)


def lines_of(lead: LeadPlan) -> Iterator[str]:
    """What is taken back from a lead, in lines of names without values."""
    change = lead.taking.change
    if change.email:
        yield "e-mail address to its old one"
    for name in (*change.fields, *change.custom_fields):
        yield f"field {name} to its old value"
    for step in change.steps:
        yield f"{step.cmd} {step.label}"
