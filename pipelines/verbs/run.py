"""A run reads as its sentence: settle what is unknown, stage the source, plan, guard, deliver, report."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import AccessRefusedError, ApiError, ConfigError, RetryableApiError, SyncError
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import Sender
from connectors.privacy import mask_address
from connectors.sources import Source
from pipelines.calls.context import RunContext
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, LockedError
from pipelines.extract.incremental import Extract, extract_of
from pipelines.extract.stage import check_columns, stage
from pipelines.extract.transform import open_records
from pipelines.load.account_names import AccountInventory, Shortfall
from pipelines.load.custom_fields import creatable_fields, create_fields
from pipelines.load.delivery import Delivery
from pipelines.load.guards import check_before
from pipelines.load.plan import Plan, make_plan, refuse_missing
from pipelines.operations.job import (
    check_operation_columns,
    run_operations,
)
from pipelines.pull.job import pull_tables
from pipelines.state.clock import new_run_id, utc_now
from pipelines.state.lease import this_process
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary
from pipelines.verbs.account import account_of, open_client
from pipelines.verbs.drift import Looking

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

    @property
    def message(self) -> str | None:
        return str(self.error) if self.error else None


class _StoppedError(SyncError):
    """A stop was asked for between two chunks."""


def run_pipeline(
    config: PipelineConfig,
    *,
    approved: bool = False,
    full: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunResult:
    """Load one pipeline, carry out its operations, then pull.

    Raises SyncError only before the run began; LockedError: another runs. `approved`: a person has agreed to
    how many leads get what (`guards.max_triggered`), to the money of operations, and to another account in
    the tables of the pull. `full`: an incremental source is read as a whole.
    """
    account = account_of(config)
    summary = Summary()
    with summary.timed("open source"):
        source = contacts_of(config, summary)
        if config.operations is not None:
            check_operation_columns(config)
    started = time.monotonic()
    run_id = new_run_id()
    with summary.timed("open state"):
        opened = Store(config.state)
    with opened as store:
        store.scope.enter(config.pipeline, account, config.kartra.mode)
        holder = store.runs.take_lease(config.pipeline, this_process(run_id, utc_now()))
        if holder is not None:
            raise LockedError(holder.told(config.pipeline))
        store.runs.begin(run_id, config.pipeline)
        halted = threading.Event()
        client = open_client(config, lambda: stopping() or halted.is_set())
        work = RunContext(
            config,
            store,
            client,
            account,
            run_id,
            summary,
            approved=approved,
            stopping=stopping,
            halt=halted.set,
            progress=progress,
        )
        error: SyncError | None = None
        extract: Extract | None = None
        try:
            if source is not None:
                extract = extract_of(source, config.needs_load(), store, summary, full=full)
                error = _load(work, extract)
            if config.operations is not None and error is None and not stopping():
                run_operations(work)
            if config.pull is not None and not stopping() and not isinstance(error, ApiError):
                with summary.timed("pull"):
                    pull_tables(
                        config,
                        store,
                        client,
                        account,
                        run_id,
                        summary,
                        approved=approved,
                        see=Looking(config, store).see if config.load is not None else _ignore,
                        stopping=stopping,
                        progress=progress,
                    )
        except SyncError as caught:
            error = caught
        except BaseException:
            error = SyncError("stopped by an error of the program's own")
            raise
        finally:
            client.close()
            summary.seconds = time.monotonic() - started
            _count_calls(summary, client)
            store.outbox.defer(run_id)
            is_complete = error is None and not stopping()
            _count_outcomes(summary, store, run_id, complete=is_complete)
            if extract is not None and is_complete:
                extract.settled(store, summary)
            status, error = _status(summary, error, stopped=stopping())
            message = str(error) if error else None
            store.runs.finish(run_id, status, message, summary.to_json())
            log.info("%s took %s", config.pipeline, summary.spent_told())
    return RunResult(run_id, config.pipeline, status, summary, error, has_loaded=source is not None)


def _load(work: RunContext, extract: Extract) -> SyncError | None:
    config, store, summary, run_id = work.config, work.store, work.summary, work.run_id
    source, load = extract.source, extract.load
    inventory = AccountInventory(store, work.client, work.account, load, clock=work.clock, pool=work.pool)
    delivery = Delivery(work, inventory)

    def between() -> None:
        work.beat()
        if work.stopping():
            raise _StoppedError("stopped")

    with summary.timed("recover"):
        delivery.recover()
    if delivery.failure is not None:
        return delivery.failure
    unknown = frozenset(entry.key for entry in store.outbox.unsettled())
    stage(source, load, store, summary, run_id=run_id, between=between, skip_known=may_skip(config))
    plan = make_plan(
        store,
        load,
        Shortfall(inventory.current, inventory.asked, creatable_fields(load)),
        summary,
        run_id=run_id,
        unknown=unknown,
        between=between,
    )
    refuse_missing(plan)
    with summary.timed("guard"):
        refusal = guard_plan(load, store, summary, plan, approved=work.approved)
    if refusal:
        return refusal
    if config.kartra.mode == "test":
        _warn_of_collapsing(store.staging.collapsing())
    if plan.new_fields:
        between()
        made = create_fields(
            plan.new_fields,
            work.client,
            inventory.custom_fields,
            settle_s=config.kartra.settle_s,
            clock=work.clock,
        )
        summary.actions["create_custom_field"] += len(made)
        summary.notes += [f"custom field {field} created" for field in made]
    with summary.timed("keep"):
        store.leads.keep_raw_hashes()
    if plan.changes:
        with summary.timed("deliver"):
            delivery.deliver(plan.changes)
        with summary.timed("keep"):
            store.leads.keep_raw_hashes()
    summary.actions.update(delivery.actions)
    summary.retried += delivery.retried
    return delivery.failure


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
            rows=summary.read,
            known=store.leads.count() if is_share else 0,
            edited=plan.edited_known,
            removed=plan.removed,
            triggered=plan.triggered,
            approved=approved,
        )
    except GuardError as error:
        return error
    return None


def _count_calls(summary: Summary, client: Sender) -> None:
    counts = client.counts
    summary.sent, summary.throttled, summary.read_back = counts.sent, counts.throttled, counts.read_back


def _count_outcomes(summary: Summary, store: Store, run_id: str, *, complete: bool) -> None:
    for (kind, outcome), count in store.outbox.outcomes(run_id).items():
        if kind == "load":
            summary.leads[outcome] += count
        elif outcome == "removed":
            summary.leads["removed"] += count
        elif outcome in ("rejected", "parked"):
            summary.not_removed += count
    if not complete:  # stopped before everything was decided: the rest waits for the next run
        summary.leads["deferred"] += max(0, summary.difference)


def _status(summary: Summary, error: SyncError | None, *, stopped: bool) -> tuple[str, SyncError | None]:
    if isinstance(error, _StoppedError) or (stopped and isinstance(error, RetryableApiError | None)):
        return "interrupted", None
    if error is not None:
        return (
            "refused" if isinstance(error, GuardError | ConfigError | AccessRefusedError) else "failed"
        ), error
    if summary.difference:
        return "failed", SyncError(
            f"the counters do not add up: {summary.difference:+,} records. Please report this"
        )
    if summary.refused or summary.leads["deferred"]:
        return "partial", None
    return "succeeded", None


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
