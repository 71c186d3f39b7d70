"""Operations become paced calls. Each is sent once; what became of it is proven, or waits for a person.

A worker takes the operations of one lead, one after the other; the thread that owns the store commits what
they ask for. An intent is committed before its call leaves, its outcome after; what has no answer is read
back and judged, and only what is proven not to have happened is sent again.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from connectors.errors import RetryableApiError, SyncError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Lead
from connectors.kartra.error_types import PROVIDER_FAILED
from connectors.kartra.profile import text_of
from connectors.kartra.sender import Sender, fatal
from pipelines.calls.guards import FailureGuard
from pipelines.calls.patience import MAX_TRIES, UNANSWERED_IN_A_ROW, UNREACHABLE_IN_A_ROW
from pipelines.config.guards import GuardsConfig
from pipelines.config.kartra import KartraConfig
from pipelines.config.operations import Do, OperationsConfig
from pipelines.errors import GuardError
from pipelines.operations.checks import GUARDED, Checked, Checks, above, ended_by
from pipelines.operations.journal import Ended, OperationStore, Unsettled
from pipelines.operations.operation import Operation
from pipelines.operations.proof import Judged, Verdict
from pipelines.operations.rows import Row
from pipelines.operations.workers import MAX_WORKERS, Workers
from pipelines.state.clock import utc_now
from pipelines.state.lease import HEARTBEAT_S
from pipelines.state.store import Store
from pipelines.summary import Progress

Task = TypeVar("Task")

log = logging.getLogger("kartra_sync.operations")

FIRST_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Open:
    """A row to be carried out, with what its check found."""

    row: Row
    asked: Operation
    checked: Checked


class Operations:
    """Carries out operations of one scope.

    `stopping` is asked between calls; `halt` is called once no further call may leave. An effect that does
    not show `settle_s` after its call is taken not to have happened.
    """

    def __init__(
        self,
        store: Store,
        client: Sender,
        operations: OperationsConfig,
        kartra: KartraConfig,
        *,
        run_id: str,
        keep_records: bool,
        stopping: Callable[[], bool],
        halt: Callable[[], None],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._journal = OperationStore(store)
        self._client = client
        self._checks = Checks(client, kartra.mode)
        self._kartra = kartra
        self._run_id = run_id
        self._keep_records = keep_records
        self._progress = progress
        self._workers = Workers(width=self._width, stopping=stopping, halt=halt, meanwhile=self._look_alive)
        self._max_failed = operations.guards.max_failed
        self._guard = self._failure_guard()
        self._unreached = self._unanswered = 0
        self._given_up: set[str] = set()  # keys whose open try of an earlier run had not landed
        self._held: set[str] = set()  # places where nobody knows what became of an operation
        self._settled = self._total = 0
        self._last_beat = 0.0
        self.actions: Counter[str] = Counter()
        self.retried = 0

    @property
    def failure(self) -> SyncError | None:
        """What stopped it early."""
        return self._workers.failure

    def _failure_guard(self) -> FailureGuard:
        return FailureGuard(GuardsConfig(max_failed=self._max_failed), "operations")

    def recover(self) -> None:
        """Settle what a run before left without an outcome. What cannot be read stays as it is."""
        entries = self._journal.unsettled()
        if entries:
            log.info("%d operations of an earlier run have no outcome: reading back", len(entries))
        self._work(self._recover, entries)
        self._settled = 0

    def check(self, rows: Iterable[Row]) -> list[Open]:
        """Those of the open rows that may be sent, in their order; the others have an outcome now.

        Raises GuardError where too many are refused.
        """
        self._held = set(self._journal.held_places())
        asked = [row for row in rows if row.is_open]
        found: dict[int, Checked | Ended] = {}

        def check_one(row: Row) -> None:
            if row.operation is not None:
                with self._workers.slot():
                    found[row.number] = self._checks.check(row.operation)

        self._work(check_one, [row for row in asked if not self._is_held(row)])
        opened = []
        guard = self._failure_guard()
        left: dict[str, Decimal] = {}
        for row in asked:
            checked = found.get(row.number)
            if isinstance(checked, Checked) and checked.rest is not None and row.operation is not None:
                checked = _share_of(row.operation, checked, left)
            if isinstance(checked, Ended):
                _end(row, checked)
            elif checked is not None and row.operation is not None:
                row.amount = checked.amount
                opened.append(Open(row, row.operation, checked))
            guard.observe(failed=row.outcome == "refused")
        return opened

    def carry_out(self, opened: list[Open]) -> None:
        """Send them. A row that is still open afterwards was not sent."""
        groups: dict[str, list[Open]] = {}
        for one in opened:
            lead = one.checked.lead
            groups.setdefault(f"{lead.id} {lead.email}", []).append(one)
        self._total = len(opened)
        self._work(self._carry_out_all, list(groups.values()))

    def keep(self, rows: Iterable[Row]) -> None:
        """Note what a check refused, so that it is not asked for again until its row changes."""
        for row in rows:
            if (
                row.operation is not None
                and row.outcome in ("refused", "already done")
                and row.run_id is None
            ):
                ended = Ended("refused" if row.outcome == "refused" else "already done", row.type, row.reason)
                self._settle(row.operation, ended, row)

    def _look_alive(self) -> None:
        if time.monotonic() - self._last_beat > HEARTBEAT_S:
            self._store.runs.beat(self._run_id)
            self._last_beat = time.monotonic()
        self._progress(Progress(self._settled, self._total, self._client.counts.sent))

    def _width(self) -> int:
        """Calls in flight: rate times latency, and a few that wait for their permit."""
        if self._kartra.workers != "auto":
            return self._kartra.workers
        in_flight = self._kartra.calls_per_second * self._client.counts.latency_s
        return min(MAX_WORKERS, math.ceil(in_flight) + 4)

    def _work(self, do: Callable[[Task], None], tasks: list[Task]) -> None:
        """The first one goes alone while nothing was sent yet: a bad credential costs one call."""
        first = 1 if not self._client.counts.sent else 0
        self._workers.work(do, tasks[:first])
        self._workers.work(do, tasks[first:])

    # --- one operation

    def _carry_out_all(self, group: list[Open]) -> None:
        """The operations of one lead, one after the other: the next one begins when this one is settled."""
        is_again = False
        for place, one in enumerate(group):
            if self._workers.is_halted:
                return
            if self._is_held(one.row):
                continue
            self._carry_out(one, again=is_again)
            is_again = True
            if one.asked.do is Do.REFUND and one.row.refund_id is None and place < len(group) - 1:
                self._workers.sleep(
                    self._kartra.settle_s
                )  # which refund is ours shows by what is there before

    def _is_held(self, row: Row) -> bool:
        if row.operation is None or row.operation.place not in self._held:
            return False
        row.outcome = "deferred"
        row.reason = f"waits: what became of another operation on {row.operation.target} is not known yet"
        row.amount = None
        return True

    def _carry_out(self, one: Open, *, again: bool) -> None:
        asked, row = one.asked, one.row
        for tries in range(1, MAX_TRIES + 1):
            with self._workers.slot():
                checked = self._checks.prepare(asked, one.checked, again=again or tries > 1)
                if isinstance(checked, Ended):
                    self._settle_row(asked, checked, row)
                    return
                answer = self._send(asked, checked, row)
            if answer is None:
                return
            self.retried += tries > 1
            number = answer.actions[0].type
            if answer.effect is Effect.DONE:
                self._settle_row(asked, self._done(asked, checked, answer, again=again), row)
                return
            if answer.effect is Effect.REFUSED:
                self._settle_row(asked, self._refused(asked, checked, number or "", tries), row)
                return
            self._held.add(asked.place)
            row.outcome, row.reason = "unknown", "no answer came: the next run reads back what became of it"
            judged = self._judged(asked, checked.lead, checked.before, checked.amount)
            if judged is None:
                return
            if judged.verdict is not Verdict.NOT_LANDED:
                self._settle_row(asked, _proven(judged, checked.amount), row)
                return
            self._held.discard(asked.place)
            if number in PROVIDER_FAILED:
                self._settle_row(asked, ended_by(asked, number), row)
                return
            self._workers.ask(lambda: self._journal.withdraw(asked.key))
            row.outcome, row.reason = "", None
            if self._workers.is_halted:
                return
        row.outcome = "deferred"
        row.reason = f"no usable answer in {MAX_TRIES} tries; it has not happened, the next run sends it"

    def _send(self, asked: Operation, checked: Checked, row: Row) -> Answer | None:
        """One try, or as many as it takes for one that arrives. None where none may leave any more."""
        call = asked.call(checked.lead)
        while not self._workers.is_halted:
            self._workers.ask(
                lambda: self._journal.intend(
                    asked, checked.lead, checked.before, checked.amount, row=row.number, run_id=self._run_id
                )
            )
            try:
                answer = self._client.send(call)
            except SyncError:  # proven not sent
                self._workers.ask(lambda: self._journal.withdraw(asked.key))
                raise
            if answer.effect is Effect.FATAL:
                self._workers.ask(lambda: self._journal.withdraw(asked.key))
                raise fatal(answer)
            self._count_unanswered(answer)
            if answer.effect is not Effect.RETRY_LATER:
                self._unreached = 0
                return answer
            self._workers.ask(lambda: self._journal.withdraw(asked.key))
            self._not_reached()
        return None

    def _not_reached(self) -> None:
        if self._workers.is_halted:
            return
        self._unreached += 1
        if self._unreached >= UNREACHABLE_IN_A_ROW:
            raise RetryableApiError(
                "Kartra cannot be reached: nothing of what is left was sent. Run again later"
            )
        self._workers.sleep(min(8.0, 0.5 * 2 ** min(self._unreached, 4)))

    def _count_unanswered(self, answer: Answer) -> None:
        """Stops the run where no call gets a usable answer any more; the next reads back what is unknown."""
        usable = answer.effect is not Effect.UNKNOWN or answer.body or answer.type
        self._unanswered = 0 if usable else self._unanswered + 1
        if self._unanswered >= UNANSWERED_IN_A_ROW:
            self._workers.fail(
                RetryableApiError(
                    f"Kartra gave no usable answer to {UNANSWERED_IN_A_ROW} calls in a row: stopped. The next"
                    " run reads back what is unknown, and goes on"
                )
            )

    def _done(self, asked: Operation, checked: Checked, answer: Answer, *, again: bool) -> Ended:
        """Where refunds of the lead went before, what is left may be other than was thought: it is asked."""
        if asked.do is not Do.REFUND:
            return Ended("done")
        payload = answer.actions[0].payload or {}
        refund_id = text_of(payload.get("transaction_refunded")) or None
        amount = checked.amount
        if asked.amount is None and again and refund_id is not None:
            try:
                amount = self._checks.amount_of(refund_id) or amount
            except SyncError as error:  # the refund itself is done
                self._workers.fail(error)
        return Ended("done", amount=amount, refund_id=refund_id)

    def _refused(self, asked: Operation, checked: Checked, number: str, tries: int) -> Ended:
        """That the goal is reached proves an open try of ours that did not show in time."""
        is_whole = asked.do is not Do.REFUND or asked.amount is None
        was_tried = tries > 1 or asked.key in self._given_up
        if was_tried and is_whole and GUARDED.get(asked.do) == number:
            return Ended("done", reason="it showed late", amount=checked.amount)
        return ended_by(asked, number)

    # --- what has no answer

    def _judged(
        self, asked: Operation, lead: Lead, before: Mapping[str, Any], amount: Decimal | None
    ) -> Judged | None:
        """What became of a try, once its effect had time to show. None: nobody could look."""
        until = time.monotonic() + self._kartra.settle_s
        self._workers.sleep(min(FIRST_LOOK_S, self._kartra.settle_s))
        while not self._workers.is_halted:
            is_last = time.monotonic() >= until
            with self._workers.slot():
                judged = self._checks.judge(asked, lead, before, amount, self._claimed)
            if is_last or judged.verdict is Verdict.LANDED:
                return judged
            self._workers.sleep(until - time.monotonic())
        return None

    def _claimed(self, refund_ids: Any) -> Any:
        return self._workers.ask(lambda: self._journal.claimed(refund_ids))

    def _recover(self, entry: Unsettled) -> None:
        asked = entry.operation
        judged = self._judged(asked, entry.lead, entry.before, entry.amount)
        if judged is None:
            return
        if judged.verdict is Verdict.NOT_LANDED:
            self._workers.ask(lambda: self._journal.withdraw(asked.key))
            self._given_up.add(asked.key)
            return
        ended = _proven(judged, entry.amount)
        self._workers.ask(lambda: self._journal.settle(asked, ended, row=None, run_id=self._run_id))

    # --- outcomes

    def _settle_row(self, asked: Operation, ended: Ended, row: Row) -> None:
        if ended.outcome == "parked":
            self._held.add(asked.place)
        else:
            self._held.discard(asked.place)
        self._workers.ask(lambda: self._settle_sent(asked, ended, row))

    def _settle_sent(self, asked: Operation, ended: Ended, row: Row) -> None:
        """In the thread of the store."""
        self._settle(asked, ended, row)
        self._settled += 1
        if ended.outcome == "done":
            self.actions[asked.action.cmd] += 1
        if self._workers.failure is None:
            try:
                self._guard.observe(failed=ended.outcome in ("refused", "parked"))
            except GuardError as error:
                self._workers.fail(error)

    def _settle(self, asked: Operation, ended: Ended, row: Row) -> None:
        """In the thread of the store."""
        told = replace(row, record=row.record if self._keep_records else None)
        _end(told, ended)
        self._journal.settle(asked, ended, row=row.number, run_id=self._run_id, reject=told.reject)
        _end(row, ended)
        row.run_id, row.at = self._run_id, utc_now().isoformat()


def _end(row: Row, ended: Ended) -> None:
    row.outcome, row.type, row.reason = ended.outcome, ended.type, ended.reason
    row.amount, row.refund_id = ended.amount, ended.refund_id


def _share_of(asked: Operation, checked: Checked, left: dict[str, Decimal]) -> Checked | Ended:
    """What a refund gives back after those of the same transaction that stand before it in the source."""
    assert checked.rest is not None  # noqa: S101 - by the caller
    place = asked.place
    rest = left.get(place, checked.rest)
    amount = rest if asked.amount is None else asked.amount
    if rest <= 0 or amount > rest:
        return above(rest)
    left[place] = rest - amount
    return replace(checked, amount=amount)


def _proven(judged: Judged, amount: Decimal | None) -> Ended:
    if judged.verdict is Verdict.LANDED:
        return Ended("done", reason="read back", amount=judged.amount or amount, refund_id=judged.refund_id)
    return Ended("parked", reason=judged.reason, amount=amount)
