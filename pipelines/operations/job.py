"""Operations as a part of a run: reading the source, asking for agreement, reporting the end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from connectors.errors import ConfigError, Lines
from connectors.kartra.clock import EST
from connectors.kartra.commands import InventoryName
from connectors.kartra.money import money_text
from connectors.kartra.sender import Sender
from pipelines.calls.context import RunContext
from pipelines.calls.inventories import read_inventory
from pipelines.changes.inventory import NOTHING_SENT, Missing, missing_message, unlisted_note
from pipelines.config.operations import Do, OperationsConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.columns import check_used, naming_file
from pipelines.contacts.staged import Reject
from pipelines.errors import GuardError
from pipelines.extract.sources import open_source
from pipelines.operations.carry_out import Operations
from pipelines.operations.check_rows import Open
from pipelines.operations.journal import OperationStore
from pipelines.operations.operation import used_columns
from pipelines.operations.results import count_rows, outcomes_of, refuse_foreign, summary_of, write_results
from pipelines.operations.rows import Bill, Row, bill_of, read_rows
from pipelines.private_file import refuse_unwritable
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.words.nearest import nearest

_NAMES: Mapping[str, InventoryName] = {"tag": "tags", "list": "lists", "sequence": "sequences"}
"""Parameters that are names of the account, and the inventory of each."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Refunds of sales that have one of the same amount: `ours` under another key, or unknown here."""

    ours: int = 0
    unknown: int = 0

    @property
    def lines(self) -> list[str]:
        """What a person should know before money moves."""
        ours = (
            f"{self.ours:,} of these sales were given a refund of just that amount before, under another key:"
            " is it a second one?"
        )
        unknown = (
            f"{self.unknown:,} of these sales carry a refund of just that amount already, of which nothing is"
            " known here: was it given before?"
        )
        return [line for count, line in ((self.ours, ours), (self.unknown, unknown)) if count]


@dataclass(slots=True)
class OperationsPlan:
    """What a run would do: the rows, their money, and the number of writes."""

    rows: list[Row] = field(default_factory=list)
    bill: Bill = field(default_factory=lambda: Bill({}, Decimal(0), Decimal(0)))
    opened: Counter[Do] = field(default_factory=Counter)
    calls: int = 0
    refusal: GuardError | None = None
    repeated: Repeated = Repeated()

    def count(self, summary: Summary) -> None:
        """Counts like a run; what would be sent counts as edited."""
        count_rows(summary, self.rows, to_do="edited")

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": {str(do): count for do, count in sorted(self.opened.items())},
            "outcomes": outcomes_of(self.rows),
            "money": {**self.bill.to_json(), "to_refund": money_text(self.bill.total)},
        }


def check_operations(config: PipelineConfig) -> tuple[int, Counter[str]]:
    """Reads every row and sends nothing. Returns their number, and the reasons of invalid ones.

    Raises ConfigError, SourceError.
    """
    operations = config.needs_operations()
    with Store(None) as store:
        rows = read_rows(open_source(operations.source), _limitless(operations), OperationStore(store), None)
    return len(rows), Counter(row.reason or "" for row in rows if row.outcome == "invalid")


def check_operation_columns(config: PipelineConfig) -> None:
    """Raises ConfigError if the source lacks a column, SourceError if it cannot be read."""
    operations = config.needs_operations()
    source = open_source(operations.source)
    with naming_file(config.path.name):
        check_used(list(used_columns(operations)), source.columns)


def plan_operations(run: RunContext) -> OperationsPlan:
    """What a run would do now. Reads owners and amounts from Kartra; sends no write."""
    work = Operations(run, keep_records=False)
    plan = OperationsPlan()
    try:
        plan.rows = _read(run)
        opened = _checked(run, work, plan.rows)
        plan.bill = bill_of(plan.rows)
        plan.opened = Counter(one.asked.do for one in opened)
        plan.repeated = _repeated(run, opened)
        # Points cost a second call: without the score before it nothing could prove them.
        plan.calls = len(opened) + plan.opened[Do.GIVE_POINTS] + plan.opened[Do.REMOVE_POINTS]
        _guard(run.config, plan.bill, plan.repeated, approved=False)
    except GuardError as error:
        plan.refusal = error
    return plan


def run_operations(run: RunContext) -> None:
    """Settles what is unknown, reads and checks the rows, and carries them out once a person agreed.

    Raises SyncError. Whatever happens, every row is counted in the summary and the results are written.
    """
    operations = run.config.needs_operations()
    keep_records = run.config.load is None  # else the rejects would mix two sources
    journal = OperationStore(run.store)
    work = Operations(run, keep_records=keep_records)
    rows: list[Row] = []
    bill = bill_of(rows)
    is_agreed = False
    try:
        # Before the source is read: what an earlier run left open may be one of its rows, and must not be
        # sent twice.
        work.recover()
        _raise(work)
        rows = _read(run)
        journal.reject(run.run_id, list(_rejects(rows, keep_records=keep_records)))
        opened = _checked(run, work, rows)
        bill = bill_of(rows)
        _guard(run.config, bill, _repeated(run, opened), approved=run.approved)
        _refuse_done_again(run, opened)
        if operations.results is not None:
            # Before money moves: afterwards it would be too late to learn that nobody can write down what was
            # paid.
            refuse_unwritable(operations.results)
            refuse_foreign(operations.results)
        is_agreed = True
        work.keep(rows)
        work.carry_out(opened)
        _raise(work)
    finally:
        if not is_agreed:
            found = [row for row in rows if row.outcome == "refused" and row.run_id is None]
            journal.reject(run.run_id, list(_rejects(found, keep_records=keep_records)))
        for row in rows:
            if row.is_open:
                row.outcome, row.amount = "deferred", None
        count_rows(run.summary, rows)
        run.summary.operations = summary_of(rows, bill, run.run_id)
        run.summary.counts.actions.update(work.actions)
        run.summary.counts.retried += work.retried
        if is_agreed and operations.results is not None:
            write_results(rows, operations.results, exact=operations.exact_results)


def bill_lines(bill: Bill) -> Iterator[str]:
    """Lines on the money of open operations, for a person to agree to."""
    for do, count in sorted(bill.counts.items()):
        if count:
            yield f"{count:>8,} {do}" + (f", {money_text(bill.total)} altogether" if do is Do.REFUND else "")


def _raise(work: Operations) -> None:
    if work.failure is not None:
        raise work.failure


def _read(run: RunContext) -> list[Row]:
    operations = run.config.needs_operations()
    journal, forgotten = OperationStore(run.store), run.store.forgetting.forgotten()
    rows = read_rows(open_source(operations.source), operations, journal, forgotten)
    now = run.clock.now().astimezone(EST).replace(tzinfo=None)
    for row in rows:
        if row.is_open and row.operation and (name := row.operation.in_the_past(now)):
            row.outcome, row.reason = "invalid", f"{name} is in the past by Kartra's clock"
            row.operation = None
    return rows


def _checked(run: RunContext, work: Operations, rows: list[Row]) -> list[Open]:
    """Raises ConfigError for names that the account does not have, GuardError, ApiError."""
    run.summary.notes += _refuse_unknown_names(rows, run.client)
    return work.check(rows)


def _refuse_unknown_names(rows: list[Row], client: Sender) -> list[str]:
    """Gives what a person should know of names that cannot be compared. Raises ConfigError."""
    asked: Counter[tuple[str, str]] = Counter(
        (kind, row.operation.values[kind])
        for row in rows
        if row.is_open and row.operation
        for kind in _NAMES
        if kind in row.operation.values
    )
    missing: Counter[Missing] = Counter()
    unlisted: list[InventoryName] = []
    for kind in dict.fromkeys(kind for kind, _ in asked):
        listed = read_inventory(client, _NAMES[kind])
        if listed is None:  # the App may not list them; Kartra then refuses misspelt names row by row
            unlisted.append(_NAMES[kind])
            continue
        known = frozenset(listed)
        for (other, name), count in asked.items():
            if other == kind and name not in known:
                missing[Missing(f'{kind} "{name}"', nearest(name, known))] += count
    if missing:
        raise ConfigError(missing_message(missing, NOTHING_SENT))
    return [note] if (note := unlisted_note(unlisted)) else []


def _repeated(run: RunContext, opened: Sequence[Open]) -> Repeated:
    """Refunds that may have been given before, under another key or a lost state."""
    journal, ours, unknown = OperationStore(run.store), 0, 0
    for twins in (one.checked.twins for one in opened):
        is_unknown = bool(set(twins) - journal.claimed(twins))
        unknown += is_unknown
        ours += bool(twins) and not is_unknown
    return Repeated(ours, unknown)


def _guard(config: PipelineConfig, bill: Bill, repeated: Repeated, *, approved: bool) -> None:
    limit = config.needs_operations().guards.max_total
    whole = bill.total + bill.before
    if limit is not None and whole > limit:
        earlier = f" ({money_text(bill.before)} of it in earlier runs)" if bill.before else ""
        raise GuardError(
            f"the refunds of the source add up to {money_text(whole)}{earlier}, more than"
            f" operations.guards.max_total allows ({money_text(limit)}): nothing was sent"
        )
    if bill.moves_money and not approved:
        raise GuardError(
            Lines(
                [
                    "these operations move money and wait for your word; nothing was sent:",
                    *bill_lines(bill),
                    *repeated.lines,
                    f"If it is meant: kartra-sync run {config.path.name} --yes",
                ]
            )
        )


def _refuse_done_again(run: RunContext, opened: Sequence[Open]) -> None:
    """What a state put back from a copy does not know may have been done since. Raises GuardError."""
    if run.restored is None or not opened:
        return
    told = "".join(f". {line}" for line in _repeated(run, opened).lines)
    raise GuardError(
        f"{run.restored.describe()}: {len(opened):,} operations are new to it and may have been done since:"
        f" nothing was sent{told}. Best: put a newer copy in its place, or leave out the rows that were done."
        f" If nothing was done since: kartra-sync run {run.config.path.name} --restored"
    )


def _rejects(rows: list[Row], *, keep_records: bool) -> Iterator[Reject]:
    for row in rows:
        if (reject := row.reject) is not None:
            yield reject if keep_records else replace(reject, record=None)


def _limitless(operations: OperationsConfig) -> OperationsConfig:
    return operations.model_copy(update={"guards": operations.guards.model_copy(update={"max_rows": 10**9})})
