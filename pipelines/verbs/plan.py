"""The verb `plan`: what a run would send."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from connectors.errors import RetryableApiError
from pipelines.calls.context import RunContext
from pipelines.calls.examined import behaviour_of
from pipelines.changes.inventory import Inventory
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError
from pipelines.extract.incremental import Extract, extract_of
from pipelines.extract.stage import stage
from pipelines.load.account_names import AccountInventory, KeptLists, Shortfall
from pipelines.load.custom_fields import creatable_fields
from pipelines.load.limits import field_types, too_long
from pipelines.load.mode_shown import is_mode_open
from pipelines.load.plan import Plan, make_plan
from pipelines.load.planned import Planned, planned_changes
from pipelines.load.rekeying import Rekeying
from pipelines.load.withdrawal import Withdrawal
from pipelines.operations.job import OperationsPlan, check_operation_columns, plan_operations
from pipelines.operations.journal import OperationStore
from pipelines.pull.job import PullEstimate, estimate_pull
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.account import open_client
from pipelines.verbs.identity import Choices, enter, find, refuse_shared
from pipelines.verbs.loading import guard_plan, log, may_skip
from pipelines.verbs.reading import store_of
from pipelines.verbs.run import contacts_of
from pipelines.verbs.twins import note_of_twin
from pipelines.verbs.work import Caller, leased
from pipelines.verbs.world import THIS_WORLD, World


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a run would do. `unchecked` says why the account's names could not be compared."""

    plan: Plan
    summary: Summary
    calls: int
    seconds: float
    collapsing: list[tuple[int, str]]
    waiting: int
    unchecked: str | None
    refusal: GuardError | None
    pull: PullEstimate | None = None
    operations: OperationsPlan | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a run would change something in Kartra."""
        operations = self.operations.calls if self.operations else 0
        return bool(self.plan.changes or self.plan.new_fields or self.waiting or operations)


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """A plan while its store is open, so that its changes can be read."""

    result: PlanResult
    store: Store
    account: str
    """The name by which the state tells accounts apart."""
    load: LoadConfig | None
    """The settings for the rows that were read: an incremental source has some of its own."""
    source: bytes = b""
    """The digest of what was read."""

    def changes(self) -> Iterator[Planned]:
        """The changes lead by lead, in the order of the source; a run may change the state meanwhile."""
        if self.load is None:
            return iter(())
        return planned_changes(self.store, self.load, self.result.plan)


def plan_pipeline(config: PipelineConfig) -> PlanResult:
    """What a run would do now. Sends no write; asks Kartra for lists of names at most."""
    with open_plan(config) as opened:
        return opened.result


@contextmanager
def open_plan(
    config: PipelineConfig, *, to_keep: bool = False, world: World = THIS_WORLD
) -> Iterator[OpenPlan]:
    """A plan whose changes can be read while it is open.

    `to_keep`: the store may be written, and no run goes on. Raises LockedError where one does.
    """
    summary = Summary()
    with summary.timings.stage("open source"):
        source = contacts_of(config, summary, world)
        if config.operations is not None:
            check_operation_columns(config)
    result = PlanResult(Plan(), summary, 0, 0.0, [], 0, None, None)
    with ExitStack() as opened:
        with summary.timings.stage("open state"):
            store = opened.enter_context(
                world.open_store(config.state) if to_keep else store_of(config, check_beside=True)
            )
        standing = enter(config, store, world=world) if to_keep else find(config, store)
        if to_keep:
            opened.enter_context(leased(config, store, standing.account, Caller(world=world)))
        account, summary.account = standing.account, standing.to_json()
        summary.notes += standing.notes
        # Only a note: a plan sends nothing, so a twin does no harm yet.
        summary.notes += [note] if (note := note_of_twin(store, config)) else []
        if restored := store.generation.restored():
            looks = "before it gives points, sequences, classes or money, a run looks whether it may"
            summary.notes.append(f"{restored.describe()}: {looks}")
        extract, digest = None, b""
        if source is not None:
            extract = extract_of(source, config.needs_load(), store, summary, ahead=world.ahead)
            # A plan that is kept is applied to the state as it then is: its moves have to stay.
            moved_in = None if to_keep else opened
            result, digest = _plan_load(config, extract, store, account, summary, moved_in, world)
        store.check_is_whole()
        if config.operations is not None:
            result = _plan_operations(config, store, account, result)
        if config.pull is not None:
            result = _plan_pull(config, store, account, result)
        yield OpenPlan(result, store, account, extract.load if extract else None, digest)


def _plan_pull(config: PipelineConfig, store: Store, account: str, result: PlanResult) -> PlanResult:
    pull = estimate_pull(config, store, account)
    calls = result.calls + pull.calls
    return replace(result, calls=calls, seconds=calls / config.kartra.calls_per_second, pull=pull)


def _plan_operations(config: PipelineConfig, store: Store, account: str, result: PlanResult) -> PlanResult:
    """Add the operations to a plan. Their checks ask Kartra, once for the plan and again in the run."""
    client = open_client(config)
    try:
        planned = plan_operations(RunContext(config, store, client, account, run_id=""))
        waiting = len(OperationStore(store).unsettled())
        calls = result.calls + planned.calls + client.counts.sent
    finally:
        client.close()
    planned.count(result.summary)
    return replace(
        result,
        calls=calls,
        seconds=calls / config.kartra.calls_per_second,
        operations=planned,
        refusal=result.refusal or planned.refusal,
        waiting=result.waiting + waiting,
    )


def _plan_load(
    config: PipelineConfig,
    extract: Extract,
    store: Store,
    account: str,
    summary: Summary,
    opened: ExitStack | None,
    world: World,
) -> tuple[PlanResult, bytes]:
    """And the digest of what was read.

    What has to move in the state before it is compared moves within `opened`, and nothing of it stays; None:
    it is a plan that is kept, and it stays.
    """
    load = extract.load
    unchecked: list[str] = []
    client = world.open_client(config, lambda: False)
    try:
        inventory = AccountInventory(
            KeptLists(store, account, keep=False, clock=world.clock), client, load, pool=world.pool
        )
        known = _Lenient(inventory, unchecked)
        withdrawal, rekeying = Withdrawal(store, load), Rekeying(store, load, extract.source)
        digest = _staged(config, extract, store, summary, withdrawal, rekeying)
        shortfall = Shortfall(
            known.current, known.asked, creatable_fields(load), fields_of_now=known.with_fields_of_now
        )
        if rekeying.is_due:
            if opened is not None:
                opened.enter_context(store.database.rehearsed())
            summary.notes += rekeying.move()
        summary.notes += withdrawal.notes()
        plan = make_plan(
            store,
            load,
            shortfall,
            summary,
            run_id=None,
            withdrawn=withdrawal.names,
            is_whole=extract.is_whole,
        )
        if behaviour := behaviour_of(store, account):
            types = field_types(known.current()) if load.custom_fields and behaviour.limits else {}
            plan.see(behaviour, too_long(store, load, behaviour, types))
        with summary.timings.stage("guard"):
            refusal = guard_plan(load, store, summary, plan, approved=False)
        summary.notes += [inventory.note] if inventory.note else []
        if unchecked:
            plan.forget_names()
        result = _result(config, store, account, summary, plan, inventory, refusal, unchecked)
    finally:
        client.close()
    log.info("%s took %s", config.pipeline, summary.timings.describe())
    return result, digest


def _staged(
    config: PipelineConfig,
    extract: Extract,
    store: Store,
    summary: Summary,
    withdrawal: Withdrawal,
    rekeying: Rekeying,
) -> bytes:
    digest = stage(
        extract.source,
        extract.load,
        store,
        summary,
        run_id=None,
        skip_known=may_skip(config),
        withdrawn=withdrawal.names,
        former_key=rekeying.former,
        ahead=extract.ahead,
    )
    # While the source was read the check went on beside; from here on the state is compared.
    with summary.timings.stage("check state"):
        store.check_is_whole()
    refuse_shared(config, store, Choices())
    return digest


def _result(
    config: PipelineConfig,
    store: Store,
    account: str,
    summary: Summary,
    plan: Plan,
    inventory: AccountInventory,
    refusal: GuardError | None,
    unchecked: list[str],
) -> PlanResult:
    for name, count in (("created", plan.created), ("edited", plan.edited), ("removed", plan.removed)):
        summary.counts.leads[name] += count
    creating = len(plan.new_fields)
    asking = inventory.calls_needed(creating=creating, fields=plan.needs_fields) if plan.needs_names else 0
    now = store.database.clock.now()
    shows_mode = bool(plan.created) and is_mode_open(store.accounts, account, config.kartra.mode, now)
    calls = plan.calls + asking + shows_mode  # the first lead is read back
    return PlanResult(
        plan,
        summary,
        calls,
        calls / config.kartra.calls_per_second,
        store.staging.collapsing() if config.kartra.mode == "test" else [],
        len(store.outbox.unsettled()),
        unchecked[0] if unchecked else None,
        refusal,
    )


class _Lenient:
    """Lists of names for a plan; where Kartra does not answer, the plan is made without comparing names."""

    def __init__(self, inventory: AccountInventory, unchecked: list[str]) -> None:
        self._inventory = inventory
        self._unchecked = unchecked

    def current(self) -> Inventory:
        return self._try(self._inventory.current)

    def with_fields_of_now(self) -> Inventory:
        return self._try(self._inventory.with_fields_of_now)

    def asked(self) -> Inventory:
        return self._try(self._inventory.asked)

    def _try(self, ask: Callable[[], Inventory]) -> Inventory:
        # After the first failure nothing else is asked: every further list would take just as long to fail.
        if not self._unchecked:
            try:
                return ask()
            except RetryableApiError as error:
                self._unchecked.append(str(error))
        return Inventory()
