"""Carries out operations as paced calls. Each is sent once; its effect is proven, or waits for a person.

The operations of one lead run one after the other. The thread that owns the store does what `next_step` says:
an intent is committed before its call leaves, the outcome after it. An unanswered call is read back and
judged, and only what is proven not to have happened is sent again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from connectors.errors import SyncError
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call
from pipelines.calls.context import RunContext
from pipelines.calls.guards import FailureGuard
from pipelines.calls.patience import ON_ITS_WAY_S, Patience, unanswered
from pipelines.calls.workers import Workers
from pipelines.config.guards import GuardsConfig
from pipelines.config.operations import Do
from pipelines.errors import GuardError
from pipelines.operations.attempt import (
    Attempt,
    Came,
    Defer,
    GiveUp,
    Go,
    Leave,
    NextStep,
    Now,
    ReadBack,
    Sent,
    Settle,
    Stage,
    Stop,
    Withdraw,
    next_step,
    refund_of,
)
from pipelines.operations.check_rows import Open, check_rows
from pipelines.operations.checks import Checked, Checks
from pipelines.operations.journal import Ended, OperationStore
from pipelines.operations.operation import Operation
from pipelines.operations.rows import Row

log = logging.getLogger("kartra_sync.operations")


@dataclass(frozen=True, slots=True)
class Queue:
    """The operations of one lead: the current one, and those that wait for it."""

    attempt: Attempt
    waiting: tuple[Open, ...] = ()


class Operations:
    """Carries out the operations of one scope. `actions` counts what Kartra acknowledged, by command."""

    def __init__(self, run: RunContext, *, keep_records: bool) -> None:
        self._run = run
        self._journal = OperationStore(run.store)
        self._checks = Checks(run.client, run.config.kartra.mode)
        self._keep_records = keep_records
        self._patience = Patience()
        self._workers: Workers[Queue, Came] = Workers(run, self._launch, self._take, first_alone=True)
        self._guard = self._failure_guard()
        self._given_up: set[str] = set()  # keys whose open try of an earlier run had not landed
        self._barred: set[str] = set()  # keys whose calls something in front of Kartra refused
        self._held: set[str] = set()  # places where nobody knows what became of an operation
        self.actions: Counter[str] = Counter()
        self.retried = 0

    @property
    def failure(self) -> SyncError | None:
        """What stopped it early."""
        return self._workers.failure

    def _failure_guard(self) -> FailureGuard:
        max_failed = self._run.config.needs_operations().guards.max_failed
        return FailureGuard(GuardsConfig(max_failed=max_failed), "operations")

    def recover(self) -> None:
        """Settles what an earlier run left without an outcome. What cannot be read stays as it is."""
        entries = self._journal.unsettled()
        if entries:
            log.info("%d operations of an earlier run have no outcome: reading back", len(entries))
        on_its_way_s = min(self._run.config.kartra.timeout_s, ON_ITS_WAY_S)  # that run may have just died
        left = [
            Attempt(
                entry.operation,
                Checked(entry.lead, entry.amount, entry.before),
                stage=Stage.LEFT,
                until_s=self._run.clock.monotonic() + self._settle_s + on_its_way_s,
            )
            for entry in entries
        ]
        self._workers.work(Queue(attempt) for attempt in left)

    def check(self, rows: Iterable[Row]) -> list[Open]:
        """The open rows that may be sent, in order; the others get an outcome.

        Raises GuardError if too many are refused, and ApiError.
        """
        self._held = set(self._journal.held_places())
        asked = [row for row in rows if row.is_open]
        # Noted in the rows, so that those that wait are neither checked nor counted as money to move.
        for row in asked:
            self._is_held(row)
        return check_rows(self._run, self._checks, asked, self._failure_guard())

    def carry_out(self, opened: list[Open]) -> None:
        """Sends the operations. A row that is still open afterwards was not sent."""
        groups: dict[str, list[Open]] = {}
        for one in opened:
            lead = one.checked.lead
            # One lead at a time: its score and its refunds before a call are what proves that call.
            groups.setdefault(f"{lead.id} {lead.email}", []).append(one)
        self._workers.expect(len(opened))
        self._workers.work(self._queues(groups.values()))

    def keep(self, rows: Iterable[Row]) -> None:
        """Keeps what a check refused, so that it is not checked again until its row changes."""
        for row in rows:
            if (
                row.operation is not None
                and row.outcome in ("refused", "already done")
                and row.run_id is None
            ):
                ended = Ended("refused" if row.outcome == "refused" else "already done", row.type, row.reason)
                self._end(row.operation, ended, row)

    @property
    def _settle_s(self) -> float:
        return self._run.config.kartra.settle_s

    # --- the operations of one lead, one after the other

    def _queues(self, groups: Iterable[list[Open]]) -> Iterator[Queue]:
        for group in groups:
            if (queue := self._begin(tuple(group), again=False)) is not None:
                yield queue

    def _begin(self, waiting: tuple[Open, ...], *, again: bool) -> Queue | None:
        """A queue from the first operation that does not have to wait for a person."""
        for place, one in enumerate(waiting):
            if not self._is_held(one.row):
                attempt = Attempt(one.asked, one.checked, one.row, settle_s=self._settle_s, again=again)
                return Queue(attempt, waiting[place + 1 :])
        return None

    def _is_held(self, row: Row) -> bool:
        """Whether the row has to wait; notes that in it."""
        if row.operation is None or row.operation.place not in self._held:
            return False
        target = row.operation.target
        row.note("deferred", f"waits: what became of another operation on {target} is not known yet")
        row.amount = None
        return True

    def _go_on(self, queue: Queue) -> None:
        """Begins the next operation of the lead."""
        asked, row = queue.attempt.asked, queue.attempt.row
        if self._workers.is_halted:
            return
        is_unseen = asked.do is Do.REFUND and row is not None and row.refund_id is None
        if (following := self._begin(queue.waiting, again=True)) is not None:
            # Our refund is recognised by the refunds before it: the next one waits until an unnumbered one
            # must show.
            self._workers.again(following, self._settle_s if is_unseen else 0.0)

    # --- before calls leave

    def _launch(self, batch: list[Queue]) -> list[tuple[Queue, Callable[[], Came]]]:
        """The jobs of a batch. All intents are committed together, before the first call leaves."""
        leaving = []
        with self._run.committed():
            for queue in batch:
                attempt = queue.attempt
                if attempt.stage in (Stage.READING, Stage.LEFT) and not attempt.refunds:
                    attempt = replace(attempt, read_at_s=self._run.clock.monotonic())
                leaving.append((replace(queue, attempt=attempt), self._job_of(attempt)))
        return leaving

    def _job_of(self, attempt: Attempt) -> Callable[[], Came]:
        """The job of an attempt; the intent of a call goes into the journal."""
        asked, checked = attempt.asked, attempt.checked
        match attempt.stage:
            case Stage.PREPARING:
                again = attempt.again or attempt.tries > 1
                return partial(self._checks.prepare, asked, checked, again=again)
            case Stage.SENDING:
                row = attempt.row.number if attempt.row else None
                lead, before, amount = checked.lead, checked.before, checked.amount
                self._journal.intend(asked, lead, before, amount, row=row, run_id=self._run.run_id)
                return partial(self._send, asked.call(lead), weigh=_is_weighed(attempt))
        if attempt.refunds:
            others = self._journal.claimed(attempt.refunds)
            ours = [number for number in attempt.refunds if number not in others]
            return partial(self._checks.judge_refunds, asked, checked.amount, ours)
        return partial(self._checks.judge, asked, checked.lead, checked.before, checked.amount)

    def _send(self, call: Call, *, weigh: bool) -> Sent:
        """Sends a call, in a worker. `weigh`: reads the amount of the refund, which may differ from the
        expected one."""
        answer = self._run.client.send(call)
        refund_id = refund_of(answer) if weigh and answer.effect is Effect.DONE else None
        if refund_id is None:
            return Sent(answer)
        try:
            return Sent(answer, self._checks.amount_of(refund_id))
        except SyncError as error:
            return Sent(answer, error=error)

    # --- after answers came

    def _take(self, landed: list[tuple[Queue, Future[Came]]]) -> None:
        with self._run.committed():
            for queue, future in landed:
                self._came(queue, future)

    def _came(self, queue: Queue, future: Future[Came]) -> None:
        attempt = queue.attempt
        try:
            came: Came = future.result()
        except SyncError as error:
            came = error
        if isinstance(came, Sent):
            self._count(attempt, came)
        now = Now(
            self._run.clock.monotonic(),
            self._workers.is_halted,
            self._patience.unreached,
            attempt.asked.key in self._given_up,
            self._journal.barred_before(attempt.asked, self._run.run_id) if attempt.barrier else None,
            bool(self.actions) or self._barred <= {attempt.asked.key},
        )
        self._do(queue, next_step(attempt, came, now))

    def _count(self, attempt: Attempt, sent: Sent) -> None:
        """Counts an answer; stops the run if no call gets a usable answer any more."""
        answer = sent.answer
        if answer.effect is Effect.FATAL:
            return
        self._patience.hear(answer)
        self._patience.hear_write(answer)
        if answer.refused_on_the_way:
            self._barred.add(attempt.asked.key)
        if self._patience.is_exhausted:
            self._workers.fail(unanswered(self._patience.trouble))
        self.retried += attempt.tries > 1 and answer.effect is not Effect.RETRY_LATER

    # --- what is to be done

    def _do(self, queue: Queue, step: NextStep) -> None:
        place, row = queue.attempt.asked.place, queue.attempt.row
        match step:
            case Go(attempt, delay_s):
                self._workers.again(replace(queue, attempt=attempt), delay_s)
            case ReadBack(attempt, delay_s):
                # Before the read: another row for this place must not go while nobody knows.
                self._held.add(place)
                if row is not None:
                    row.note("unknown", "no answer came: the next run reads back what became of it")
                self._workers.again(replace(queue, attempt=attempt), delay_s)
            case Settle(_, ended):
                self._settle(queue, ended)
            case Withdraw(_, then):
                self._withdraw(queue)
                self._do(queue, then)
            case Defer(attempt, reason, barrier):
                if row is not None and reason is not None:
                    row.note("deferred", reason)
                if barrier is not None:
                    self._journal.keep_barred(attempt.asked, barrier, self._run.run_id)
                self._go_on(queue)
            case GiveUp():
                self._withdraw(queue)
                self._given_up.add(queue.attempt.asked.key)
            case Stop(error, then):
                self._workers.fail(error)
                self._do(queue, then)
            case Leave():
                pass

    def _withdraw(self, queue: Queue) -> None:
        self._held.discard(queue.attempt.asked.place)
        self._journal.withdraw(queue.attempt.asked.key)
        if queue.attempt.row is not None:
            queue.attempt.row.note("")

    def _settle(self, queue: Queue, ended: Ended) -> None:
        asked, row = queue.attempt.asked, queue.attempt.row
        if row is None:  # an earlier run sent it
            self._journal.settle(asked, ended, row=None, run_id=self._run.run_id)
            return
        if ended.outcome == "parked":
            self._held.add(asked.place)
        else:
            self._held.discard(asked.place)
        self._end(asked, ended, row)
        self._workers.settle()
        if ended.outcome == "done":
            self.actions[asked.action.cmd] += 1
        self._observe(ended)
        self._go_on(queue)

    def _observe(self, ended: Ended) -> None:
        if self._workers.failure is not None:
            return
        try:
            self._guard.observe(failed=ended.outcome in ("refused", "parked"))
        except GuardError as error:
            self._workers.fail(error)

    def _end(self, asked: Operation, ended: Ended, row: Row) -> None:
        """Writes the outcome and its reject in one transaction."""
        # A copy: the row itself changes only once its outcome is written.
        ending = replace(row, record=row.record if self._keep_records else None)
        ending.end(ended)
        self._journal.settle(asked, ended, row=row.number, run_id=self._run.run_id, reject=ending.reject)
        row.end(ended)
        row.run_id, row.at = self._run.run_id, self._run.clock.now().isoformat()


def _is_weighed(attempt: Attempt) -> bool:
    """Whether the amount of a whole refund is uncertain, because other refunds of the lead went before."""
    return attempt.asked.do is Do.REFUND and attempt.asked.amount is None and attempt.again
