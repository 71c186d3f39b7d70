"""Plans a run: decides each staged lead and names what the account lacks. Sends nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.errors import ConfigError
from pipelines.batches import batches
from pipelines.changes.behaviour import Behaviour
from pipelines.changes.diff import Change, remembered, theirs
from pipelines.changes.inventory import NOTHING_SENT, Missing, missing_message, needs_inventory
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Snapshot, Unwanted
from pipelines.load.account_names import Shortfall
from pipelines.load.addresses import AddressOrder, order_of
from pipelines.load.choosing import EVERYBODY, Choice, Removal, leave_others
from pipelines.load.custom_fields import FieldToCreate
from pipelines.load.decisions import (
    Decision,
    decide,
    decided_differences,
    planned_removals,
    planned_withdrawals,
)
from pipelines.load.limits import TooLong
from pipelines.state.database import BATCH
from pipelines.state.given import WITHDRAWN
from pipelines.state.staging import Difference
from pipelines.state.store import Store
from pipelines.summary import Summary


@dataclass(slots=True)
class Plan:
    """Counts of what will be sent; `calls` does not include reading lists of names.

    `edited_known` counts edits of leads that we created or adopted, as opposed to leads that Kartra had
    before. `withdrawn` counts leads without a record that lose what has left the file.
    `triggered` counts the leads that get each thing that can send mail.
    """

    created: int = 0
    edited: int = 0
    edited_known: int = 0
    removed: int = 0
    withdrawn: int = 0
    calls: int = 0
    needs_names: bool = False
    needs_fields: bool = False
    actions: Counter[str] = field(default_factory=Counter)
    triggered: Counter[str] = field(default_factory=Counter)
    missing: Counter[Missing] = field(default_factory=Counter)
    new_fields: tuple[FieldToCreate, ...] = ()
    addresses: AddressOrder = field(default_factory=AddressOrder)
    names: frozenset[Unwanted] = frozenset()
    """What has left the file."""
    withdrawing: frozenset[Unwanted] = frozenset()
    """What of it is taken back from leads without a record, too."""
    too_long: tuple[TooLong, ...] = ()
    """Texts that the account would cut, as far as a doctor has found it out."""
    not_permitted: Counter[str] = field(default_factory=Counter)
    """Commands that a doctor has found its App may not call, and how often they are needed."""

    @property
    def changes(self) -> int:
        return self.created + self.edited + self.removed + self.withdrawn

    def see(self, behaviour: Behaviour, too_long: Iterable[TooLong]) -> None:
        """Notes what of it the account would not take whole."""
        self.too_long = tuple(too_long)
        forbidden = set(behaviour.forbidden)
        self.not_permitted = Counter({cmd: count for cmd, count in self.actions.items() if cmd in forbidden})

    def forget_names(self) -> None:
        """Drops what the account lacks: it could not be asked."""
        self.missing.clear()
        self.new_fields = ()
        self.actions.pop("create_custom_field", None)


def make_plan(
    store: Store,
    load: LoadConfig,
    shortfall: Shortfall,
    summary: Summary,
    *,
    run_id: str | None,
    unknown: frozenset[str] = frozenset(),
    choice: Choice = EVERYBODY,
    withdrawn: frozenset[Unwanted] = frozenset(),
    is_whole: bool = True,
    between: Callable[[], None] = lambda: None,
) -> Plan:
    """Decides every staged lead; those that need no call are counted in `summary`.

    With a `run_id` the changes are written to the outbox. Leads in `unknown` have a try without an outcome
    and are left alone, as are leads that are not in `choice`. `withdrawn` names have left the file, and are
    taken back from leads without a record, too, if the source was read as a whole.
    """
    plan = Plan(names=withdrawn)
    with summary.timings.stage("diff"):
        unchanged, skipped = store.staging.count_unchanged()
        store.new_leads.set_apart()
        if not choice.is_all:
            summary.counts.not_asked = leave_others(store, load, choice, unknown, withdrawn)
            summary.counts.leads["deferred"] += summary.counts.not_asked
        _plan_new(store, load, plan, shortfall)
    summary.counts.leads.update(unchanged=unchanged, skipped=skipped)
    if run_id is not None:
        for _ in summary.timings.stage_of_each("enqueue", store.new_leads.enqueue(run_id)):
            between()
    if load.key.column is not None:
        with summary.timings.stage("diff"):
            plan.addresses = order_of(store.staging.address_moves(), unknown)
    decided = decided_differences(store, load, unknown, plan.addresses.circles, withdrawn)
    _plan_differences(store, plan, decided, shortfall, summary, run_id, between)
    # After the differences: a limit on the run counts removals last.
    removed = choice.of_removals(planned_removals(store, load, unknown), plan.changes)
    for removals in summary.timings.stage_of_each("removed", batches(removed, BATCH)):
        _plan_removals(plan, [change for _, _, change in removals])
        if run_id is not None:
            store.outbox.enqueue(run_id, [_removal_entry(key) for key, _, _ in removals])
    plan.withdrawing = withdrawn if is_whole else frozenset()
    without_record = planned_withdrawals(store, load, unknown, plan.withdrawing)
    _plan_withdrawals(store, plan, choice.of_removals(without_record, plan.changes), run_id)
    # Last, because every decision above may have found another name missing.
    plan.missing, plan.new_fields = shortfall.leads, shortfall.new_fields
    if plan.new_fields:
        plan.actions["create_custom_field"] = len(plan.new_fields)
    return plan


def _plan_differences(
    store: Store,
    plan: Plan,
    decided: Iterable[tuple[Difference, Decision]],
    shortfall: Shortfall,
    summary: Summary,
    run_id: str | None,
    between: Callable[[], None],
) -> None:
    """Leads whose wish is another than what Kartra acknowledged."""
    for batch in summary.timings.stage_of_each("diff", batches(decided, BATCH)):
        enqueued: list[dict[str, Any]] = []
        same: list[tuple[str, bytes, Snapshot]] = []
        for difference, decision in batch:
            if not decision.change:
                summary.counts.leads[decision.outcome] += 1
                same += _without_a_call(store, difference, decision, run_id)
                continue
            # What others gave and the record wants gone may be misspelt: no list of ours knows it.
            gone = theirs(difference.desired, difference.snapshot)
            _count(plan, decision, gone)
            is_ours = difference.origin in ("created", "adopted") and not difference.was_removed
            plan.edited_known += is_ours
            shortfall.check(decision.change, gone)
            enqueued.append(_entry(difference))
        if run_id is not None:
            with summary.timings.stage("enqueue"):
                store.leads.mark_same(same)
                store.outbox.enqueue(run_id, enqueued)
        between()


def _plan_withdrawals(
    store: Store, plan: Plan, without_record: Iterable[Removal], run_id: str | None
) -> None:
    """Names that have left the file, taken back from leads that have no record any more."""
    for taken in batches(without_record, BATCH):
        for _, _, change in taken:
            plan.withdrawn += 1
            plan.calls += 2 if change.needs_read else 1
            plan.actions.update(change.commands)
        if run_id is not None:
            entries = [{**_removal_entry(key), "digest": WITHDRAWN} for key, _, _ in taken]
            store.outbox.enqueue(run_id, entries)


def _plan_removals(plan: Plan, changes: Iterable[Change]) -> None:
    for change in changes:
        plan.removed += 1
        plan.calls += 2 if change.needs_read else 1
        plan.actions.update(change.commands)


def _without_a_call(
    store: Store, difference: Difference, decision: Decision, run_id: str | None
) -> Iterator[tuple[str, bytes, Snapshot]]:
    """Keeps a lead without a call: as unchanged, or among the rejects if it waits for a person."""
    if decision.outcome == "unchanged" and difference.snapshot is not None:
        yield difference.key, difference.digest, remembered(difference.snapshot, difference.desired)
    elif decision.outcome == "parked" and run_id:
        number = difference.refused.type if difference.refused else None
        store.rejects.add_parked(run_id, difference.row, number, decision.reason)


def refuse_missing(plan: Plan) -> None:
    """Raises ConfigError if names are missing. Called before anything is written to Kartra."""
    if plan.missing:
        raise ConfigError(missing_message(plan.missing, NOTHING_SENT))


def _plan_new(store: Store, load: LoadConfig, plan: Plan, shortfall: Shortfall) -> None:
    """Plans new leads: each of their few shapes is decided once, and each value that may be an option."""
    checked: set[str] = set()
    for leads, difference in store.new_leads.shapes():
        decision = decide(difference, load)
        gone = theirs(difference.desired, None)
        _count(plan, decision, gone, leads)
        fields = decision.change.custom_fields
        by_value = {name for name in fields if shortfall.depends_on_value(name)}
        checked |= by_value
        # A shape has one value for all its leads; where the value decides, each is asked for below.
        others = {name: value for name, value in fields.items() if name not in by_value}
        shortfall.check(replace(decision.change, custom_fields=others), gone, leads=leads)
    for name in sorted(checked):
        for value, leads in store.new_leads.values(name):
            shortfall.check(Change(custom_fields={name: value}), leads=leads)


def _count(plan: Plan, decision: Decision, gone: Collection[Unwanted], leads: int = 1) -> None:
    """Counts `leads` with this decision; `gone` is what they must be without and we never gave."""
    change = decision.change
    if decision.outcome == "created":
        plan.created += leads
    else:
        plan.edited += leads
    plan.calls += decision.calls * leads
    plan.needs_fields = plan.needs_fields or bool(change.custom_fields)
    plan.needs_names = plan.needs_names or bool(gone) or needs_inventory(change)
    for command in change.commands:
        plan.actions[command] += leads
    for name in _triggered(change):
        plan.triggered[name] += leads


def _triggered(change: Change) -> Iterator[str]:
    for step in change.steps:
        if step.wish.triggers and not step.takes:
            yield f'{step.wish.one} "{step.label}"'


def _entry(difference: Difference) -> dict[str, Any]:
    return {
        "key": difference.key,
        "kind": "load",
        "row": difference.row,
        "line": difference.line,
        "digest": difference.digest,
    }


def _removal_entry(key: str) -> dict[str, Any]:
    return {"key": key, "kind": "removal", "row": None, "line": None, "digest": b""}
