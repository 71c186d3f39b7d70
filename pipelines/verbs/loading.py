"""The load of a run: settle what is unknown, stage the source, plan, guard, ask, send a few and then all."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import SyncError
from connectors.privacy import mask_address
from pipelines.calls.context import RunContext
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, TriggerError
from pipelines.extract.incremental import Extract
from pipelines.extract.stage import stage
from pipelines.load.account_names import AccountInventory, KeptLists, Shortfall
from pipelines.load.canary import Others, send_canary
from pipelines.load.cautions import unwhole
from pipelines.load.choosing import EVERYBODY, Choice, missing_keys
from pipelines.load.custom_fields import creatable_fields, create_fields
from pipelines.load.delivery import Delivery
from pipelines.load.given_again import refuse_given_again
from pipelines.load.guards import check_before, unclear_at_first
from pipelines.load.limits import field_types, too_long
from pipelines.load.plan import Plan, make_plan, refuse_missing
from pipelines.load.rekeying import Rekeying
from pipelines.load.withdrawal import Withdrawal
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.identity import Choices, refuse_shared
from pipelines.verbs.work import Question, Work

log = logging.getLogger("kartra_sync.run")


@dataclass(frozen=True, slots=True)
class Ready:
    """A finished plan, before anything of it is sent."""

    run: RunContext
    load: LoadConfig
    """The settings for the rows that were read: an incremental source has some of its own."""
    plan: Plan
    source: bytes
    """The digest of what was read."""
    others: Others


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms on which a load is sent."""

    choice: Choice = EVERYBODY
    canary: int | None = None
    """How many leads go first and are read back; None: as the file says."""
    check: Callable[[Ready], None] = lambda _: None
    """Asked before the guards; raises where the plan is not the one that was agreed to."""
    begin: Callable[[RunContext], None] = lambda _: None
    """Called before the first write."""


def load_contacts(work: Work, extract: Extract, choices: Choices, terms: Terms = Terms()) -> SyncError | None:
    """Send a source. Raises what ends it before anything was sent; gives an error that ended it later."""
    run, load = work.context, extract.load
    kept = KeptLists(run.store, run.account, clock=run.clock)
    inventory = AccountInventory(kept, run.client, load, pool=run.pool)
    withdrawal = Withdrawal(run.store, load)
    # Calls of an earlier run come first: the plan has to know what they did to their leads.
    delivery = Delivery(run, inventory, withdrawn=withdrawal.names)
    with run.summary.timings.stage("recover"):
        delivery.recover()
    if delivery.failure is not None:
        return delivery.failure
    # Until the plan is agreed to, Kartra is only asked.
    ready = _ready(work, extract, inventory, choices, terms, withdrawal)
    plan = ready.plan
    refuse_missing(plan)
    if refusal := _refusal(work, load, plan):
        return refusal
    with run.summary.timings.stage("guard"):
        refuse_given_again(run, delivery.rules, between=work.between)
    if run.config.kartra.mode == "test":
        _warn_of_collapsing(run.store.staging.collapsing())
    work.between()
    terms.begin(run)
    if plan.new_fields:
        _create_fields(run, plan, inventory)
    # Noted before anybody gets it: a run that dies on the way must still find whom it gave what.
    withdrawal.begin()
    _keep_hashes(run)
    difference = _deliver(work, load, ready, delivery, inventory, terms) if plan.changes else None
    is_through = delivery.failure is None and difference is None
    if extract.is_whole and terms.choice.is_all and is_through:
        withdrawal.settle()
    run.summary.counts.actions.update(delivery.actions)
    run.summary.counts.retried += delivery.retried
    return delivery.failure or difference


def _deliver(
    work: Work,
    load: LoadConfig,
    ready: Ready,
    delivery: Delivery,
    inventory: AccountInventory,
    terms: Terms,
) -> GuardError | None:
    """Send the plan; gives what the leads that went first have shown, where they stopped the others."""
    run, plan = work.context, ready.plan
    count = load.canary if terms.canary is None else terms.canary
    difference = None
    with run.summary.timings.stage("deliver"):
        if count:
            difference = send_canary(run, load, plan, delivery, inventory, count, ready.others)
        if difference is None and delivery.failure is None:
            delivery.deliver(plan.changes, plan.addresses)
    _keep_hashes(run)
    return difference


def _ready(
    work: Work,
    extract: Extract,
    inventory: AccountInventory,
    choices: Choices,
    terms: Terms,
    withdrawal: Withdrawal,
) -> Ready:
    """Stage the source and decide what to send."""
    run, load = work.context, extract.load
    rekeying = Rekeying(run.store, load, extract.source)
    source = stage(
        extract.source,
        load,
        run.store,
        run.summary,
        run_id=run.run_id,
        between=work.between,
        skip_known=may_skip(run.config),
        withdrawn=withdrawal.names,
        former_key=rekeying.former,
        ahead=extract.ahead,
    )
    refuse_shared(run.config, run.store, choices)
    run.summary.notes += [*rekeying.move(), *withdrawal.notes()]
    # What recovery could not read either; those leads wait, and all others go on.
    unknown = frozenset(entry.key for entry in run.store.outbox.unsettled())
    choice = terms.choice.normal(load)
    missing, note = missing_keys(run.store, choice)
    run.summary.notes += [note] if note else []
    work.is_partial = work.is_partial or bool(missing)
    plan = make_plan(
        run.store,
        load,
        Shortfall(
            inventory.current,
            inventory.asked,
            creatable_fields(load),
            fields_of_now=inventory.with_fields_of_now,
        ),
        run.summary,
        run_id=run.run_id,
        unknown=unknown,
        choice=choice,
        withdrawn=withdrawal.names,
        is_whole=extract.is_whole,
        between=work.between,
    )
    run.summary.notes += [inventory.note] if inventory.note else []
    if behaviour := run.behaviour:
        is_custom = load.custom_fields and behaviour.limits
        types = field_types(inventory.current()) if is_custom else {}
        plan.see(behaviour, too_long(run.store, load, behaviour, types))
        run.summary.notes += [caution.message for caution in unwhole(plan)]
    ready = Ready(run, load, plan, source, Others(unknown, choice))
    terms.check(ready)
    return ready


def _refusal(work: Work, load: LoadConfig, plan: Plan) -> GuardError | None:
    """The reason not to send: a guard, or a person who was asked and did not agree."""
    run = work.context
    with run.summary.timings.stage("guard"):
        refusal = guard_plan(load, run.store, run.summary, plan, approved=run.approved)
    is_final = refusal is not None and not isinstance(refusal, TriggerError)
    if is_final or run.approved or work.agree is None or not plan.changes:
        return refusal
    seconds = plan.calls / run.config.kartra.calls_per_second
    question = Question(run.config, run.summary, plan, seconds, str(refusal) if refusal else "")
    if work.agree(question):
        return None
    work.between()  # whoever pressed Ctrl-C instead of an answer
    return GuardError("nobody agreed: nothing was sent. --yes answers beforehand")


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


def may_skip(config: PipelineConfig) -> bool:
    """Whether unchanged rows may be skipped: in Test mode all addresses are compared with each other."""
    return config.kartra.mode != "test"


def guard_plan(
    load: LoadConfig, store: Store, summary: Summary, plan: Plan, *, approved: bool
) -> GuardError | None:
    # Leads are counted only where a guard needs the count: there may be a million.
    is_share = plan.removed or (plan.edited_known and not load.guards.max_edited.is_whole)
    try:
        check_before(
            load.guards,
            rows=summary.counts.read,
            not_chosen=summary.counts.not_chosen,
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
