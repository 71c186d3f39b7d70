"""A run reads as its sentence: settle what is unknown, stage the source, plan, guard, deliver, report."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import SyncError
from connectors.kartra.profile import LeadProfile
from connectors.privacy import mask_address
from connectors.sources import Source
from pipelines.calls.context import RunContext
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError
from pipelines.extract.incremental import Extract, extract_of
from pipelines.extract.stage import check_columns, stage
from pipelines.extract.transform import open_records
from pipelines.load.account_names import AccountInventory, KeptLists, Shortfall
from pipelines.load.custom_fields import creatable_fields, create_fields
from pipelines.load.delivery import Delivery
from pipelines.load.given_again import refuse_given_again
from pipelines.load.guards import check_before, unclear_at_first
from pipelines.load.plan import Plan, make_plan, refuse_missing
from pipelines.operations.job import check_operation_columns, run_operations
from pipelines.pull.job import pull_tables
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary
from pipelines.verbs.drift import DriftCheck
from pipelines.verbs.identity import Choices, enter, refuse_shared
from pipelines.verbs.twins import note_of_twin
from pipelines.verbs.work import Caller, Work, work_on
from pipelines.verbs.world import THIS_WORLD, World

log = logging.getLogger("kartra_sync.run")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `error` is what stopped it; an interrupted run has none."""

    run_id: str
    pipeline: str
    status: str
    summary: Summary
    error: SyncError | None = None
    has_loaded: bool = True
    known_refusals: int = 0
    """How many of those that did not get through did not in the run before either."""
    is_partial: bool = False
    """Whether something beside refused records is left to do."""

    @property
    def new_refusals(self) -> int:
        return max(0, self.summary.counts.refused - self.known_refusals)

    @property
    def has_nothing_new(self) -> bool:
        """Whether all that did not get through is known from the run before."""
        return self.status == "partial" and not self.is_partial and not self.new_refusals

    @property
    def message(self) -> str | None:
        return str(self.error) if self.error else None


def run_pipeline(
    config: PipelineConfig,
    *,
    approved: bool = False,
    full: bool = False,
    takes_tables: bool = False,
    choices: Choices = Choices(),  # noqa: B008 - frozen
    goes_on: bool = False,
    kind: str = "",
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
    world: World = THIS_WORLD,
) -> RunResult:
    """Load one pipeline, carry out its operations, then pull.

    Raises SyncError only before the run began; LockedError: another runs. `approved`: a person has agreed to
    how many leads get what (`guards.max_triggered`) and to the money of operations; `takes_tables`: to tables
    of the pull that hold another account; `choices`: whose account and pipeline it is; `goes_on`: to a
    state that was put back from a copy. `full`: an incremental source is read as a whole. `kind`: what stands
    in `runs` of a load that is not of the pipeline's own source.
    """
    summary = Summary()
    with summary.timings.stage("open source"):
        source = contacts_of(config, summary)
        if config.operations is not None:
            check_operation_columns(config)
    with summary.timings.stage("open state"):
        opened = world.open_store(config.state)
    caller = Caller(approved, stopping, progress, goes_on, takes_tables, world)
    with opened as store:
        summary.notes += [note] if (note := note_of_twin(store, config)) else []
        standing = enter(config, store, choices=choices, stopping=stopping, world=world)
        summary.account = standing.to_json()
        with work_on(config, store, standing.account, caller, kind=kind, summary=summary) as work:
            _carry_out(work, source, choices, full=full)
        run_id = work.context.run_id
        known = store.outcomes.known_refusals(config.pipeline, run_id) if summary.counts.refused else 0
    return RunResult(
        run_id,
        config.pipeline,
        work.status,
        summary,
        work.error,
        has_loaded=source is not None,
        known_refusals=known,
        is_partial=bool(work.is_partial or summary.counts.leads["deferred"]),
    )


def _carry_out(work: Work, source: Source | None, choices: Choices, *, full: bool) -> None:
    """What stops the load stops operations, too; tables are pulled as long as calls may leave."""
    run = work.context
    if source is not None:
        work.extract = extract_of(source, run.config.needs_load(), run.store, run.summary, full=full)
        work.fail(_load(work, work.extract, choices))
    if run.config.operations is not None and work.goes_on:
        run_operations(run)
    if run.config.pull is not None and work.may_call:
        with run.summary.timings.stage("pull"):
            pull_tables(run, _seeing(run))
    work.between()


def _load(work: Work, extract: Extract, choices: Choices) -> SyncError | None:
    """Gives what ended it early once something may have been sent; raises what did so before."""
    run, load = work.context, extract.load
    kept = KeptLists(run.store, run.account, clock=run.clock)
    inventory = AccountInventory(kept, run.client, load, pool=run.pool)
    delivery = Delivery(run, inventory)
    with run.summary.timings.stage("recover"):
        delivery.recover()
    if delivery.failure is not None:
        return delivery.failure
    plan = _plan(work, extract, inventory, choices)
    with run.summary.timings.stage("guard"):
        refusal = guard_plan(load, run.store, run.summary, plan, approved=run.approved)
    if refusal:
        return refusal
    with run.summary.timings.stage("guard"):
        refuse_given_again(run, delivery.rules, between=work.between)
    if run.config.kartra.mode == "test":
        _warn_of_collapsing(run.store.staging.collapsing())
    if plan.new_fields:
        work.between()
        _create_fields(run, plan, inventory)
    _keep_hashes(run)
    if plan.changes:
        with run.summary.timings.stage("deliver"):
            delivery.deliver(plan.changes, plan.addresses)
        _keep_hashes(run)
    run.summary.counts.actions.update(delivery.actions)
    run.summary.counts.retried += delivery.retried
    return delivery.failure


def _plan(work: Work, extract: Extract, inventory: AccountInventory, choices: Choices) -> Plan:
    """Stage the source and decide what to send. Raises ConfigError for names that the account lacks."""
    run, load = work.context, extract.load
    unknown = frozenset(entry.key for entry in run.store.outbox.unsettled())
    stage(
        extract.source,
        load,
        run.store,
        run.summary,
        run_id=run.run_id,
        between=work.between,
        skip_known=may_skip(run.config),
    )
    refuse_shared(run.config, run.store, choices)
    plan = make_plan(
        run.store,
        load,
        Shortfall(inventory.current, inventory.asked, creatable_fields(load)),
        run.summary,
        run_id=run.run_id,
        unknown=unknown,
        between=work.between,
    )
    run.summary.notes += [inventory.note] if inventory.note else []
    refuse_missing(plan)
    return plan


def _create_fields(run: RunContext, plan: Plan, inventory: AccountInventory) -> None:
    made = create_fields(
        plan.new_fields,
        run.client,
        inventory.custom_fields,
        settle_s=run.config.kartra.settle_s,
        clock=run.clock,
    )
    run.summary.counts.actions["create_custom_field"] += len(made)
    run.summary.notes += [f"custom field {field} created" for field in made]


def _keep_hashes(run: RunContext) -> None:
    with run.summary.timings.stage("keep"):
        run.store.leads.keep_raw_hashes()


def _seeing(run: RunContext) -> Callable[[LeadProfile, datetime], None]:
    """What a pull does with the profiles that it reads anyway."""
    return DriftCheck(run.config, run.store).see if run.config.load is not None else _ignore


def may_skip(config: PipelineConfig) -> bool:
    """In Test mode all addresses are compared with each other."""
    return config.kartra.mode != "test"


def guard_plan(
    load: LoadConfig, store: Store, summary: Summary, plan: Plan, *, approved: bool
) -> GuardError | None:
    is_share = plan.removed or (plan.edited_known and not load.guards.max_edited.is_whole)
    try:
        check_before(
            load.guards,
            rows=summary.counts.read,
            known=store.leads.count() if is_share else 0,
            edited=plan.edited_known,
            removed=plan.removed,
            triggered=plan.triggered,
            approved=approved,
            unclear=unclear_at_first(store, summary),
        )
    except GuardError as error:
        return error
    return None


def _warn_of_collapsing(collapsing: list[tuple[int, str]]) -> None:
    for row, address in collapsing:
        log.warning(
            "Test mode stores row %d (%s) under an address others have too", row, mask_address(address)
        )


def _ignore(profile: LeadProfile, asked_at: datetime) -> None:
    """Nothing was acknowledged that a profile could be compared with."""


def contacts_of(config: PipelineConfig, summary: Summary) -> Source | None:
    """The contacts, if the pipeline loads any."""
    if config.load is None:
        return None
    source = open_records(config.load)
    summary.notes += check_columns(source, config, config.load)
    for note in source.notes:
        log.info("%s", note)
    return source
