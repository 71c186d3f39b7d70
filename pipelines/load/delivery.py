"""Delivers the open entries of the outbox as paced calls, and turns the answers into state.

One thread owns the store and does what `next_step` says; workers only make calls. The intent of a write is
committed before it leaves; its outcome and the snapshot are committed together. Unknown outcomes are read
back, never guessed, and decided only when effects had time to show ("in a few moments", §3.4).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import partial

from connectors.errors import SyncError
from connectors.kartra.answers import Answer
from connectors.kartra.error_types import error_type
from connectors.privacy import mask_text
from pipelines.calls.context import RunContext
from pipelines.calls.guards import Breakers, FailureGuard
from pipelines.calls.patience import Patience, unanswered
from pipelines.calls.profiles import first_found
from pipelines.calls.workers import Workers
from pipelines.changes.compile import change_to_json, compile_change
from pipelines.changes.diff import remembered
from pipelines.changes.inventory import Inventory, are_all_listed
from pipelines.contacts.lead import Unwanted
from pipelines.contacts.wishes import Cause
from pipelines.errors import GuardError
from pipelines.load.account_names import AccountInventory
from pipelines.load.addresses import AddressOrder, Turns, given_up
from pipelines.load.after_read import asks_owner
from pipelines.load.alone import Alone, first_creations
from pipelines.load.mode_shown import ModeShown
from pipelines.load.next_step import (
    heard,
    lookups,
    names_missing,
    next_call,
    next_step,
    not_compiled,
    not_sent,
    once_more,
)
from pipelines.load.steps import (
    BeginAnew,
    Leave,
    NextStep,
    PutBy,
    ReadBack,
    Send,
    Settle,
    Stop,
    Withdraw,
)
from pipelines.load.task import WRITES, Now, Rules, Stage, Task, begin, begin_recovery
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Before

log = logging.getLogger("kartra_sync.deliver")

Job = Callable[[], Answer]
IN_ANY_ORDER = AddressOrder()
_LEFT_BEHIND = frozenset({Stage.LEFT, Stage.LEFT_SHOWN})


class Delivery:
    """Delivers the open entries of one scope. `actions` counts acknowledged commands."""

    def __init__(
        self,
        run: RunContext,
        inventory: AccountInventory,
        rules: Rules | None = None,
        *,
        withdrawn: frozenset[Unwanted] = frozenset(),
    ) -> None:
        """`rules` replace those of the pipeline file; `withdrawn` names have left it."""
        load = run.config.needs_load()
        self._run = run
        self._store = run.store
        self._inventory = inventory
        self.rules = rules or Rules.of(
            load,
            run.config.kartra,
            is_restored=run.restored is not None,
            withdrawn=withdrawn,
            behaviour=run.behaviour,
        )
        self._guard = FailureGuard(load.guards)
        self._breakers = Breakers(run.store.refusals.breakers())
        self._patience = Patience()
        self._workers = Workers(run, self._launch, self._take)
        self._turns = Turns(IN_ANY_ORDER)
        self._put_by = self._last_pass = False
        self._alone: Alone | None = None
        self._mode = ModeShown(run.store.accounts, run.account, run.config.kartra.mode, run.clock.now())
        self._asked_for: set[Cause] = set()  # names that Kartra called missing and that were asked for again
        self._barred: set[str] = set()  # keys of leads whose calls something in front of Kartra refused
        self._given_up: dict[str, datetime] = {}  # key: intent of a creation that had not landed
        self._given_up_by_own_clock: set[str] = set()
        self._listed = run.store.inventories.names(run.account)
        self.actions: Counter[str] = Counter()
        self.retried = 0

    @property
    def failure(self) -> SyncError | None:
        """What stopped it early."""
        return self._workers.failure

    def recover(self) -> None:
        """Settles what an earlier run left unknown: reads each lead, keeps what landed, plans the rest anew.

        An entry that cannot be read stays unknown, and its lead is left alone until then.
        """
        entries = self._store.outbox.unsettled()
        if entries:
            log.info("%d calls of an earlier run have no outcome: reading back", len(entries))
        left = (begin_recovery(entry, self._now(), self.rules) for entry in entries)
        self._workers.expect(len(entries))
        self._workers.work(left)

    def deliver(self, total: int, order: AddressOrder = IN_ANY_ORDER) -> None:
        """Sends everything planned. What stopped it early is in `failure`.

        What is held back is tried once more at the end, because a probe may have shown that it works again;
        else it is parked.
        """
        self._listed = self._store.inventories.names(self._run.account)
        # A new order each time: those of the canary have gone, and nobody waits for them.
        self._turns = Turns(order)
        self._workers.expect(total)
        firsts = first_creations(self._store.outbox, self.rules, self._turns)
        self._alone = Alone(firsts, self._planned(), lambda: self._mode.is_open, self._run.clock.monotonic)
        self._workers.work(self._alone)
        if self._put_by and not self._workers.is_halted:
            self._last_pass = True
            self._turns.begin_anew()
            self._workers.work(self._planned())

    def deliver_first(self, keys: Sequence[str]) -> None:
        """Send what is planned for these leads alone; `deliver` sends the others."""
        entries = self._store.outbox.planned_of(keys)
        self._workers.expect(len(entries))
        self._workers.work(begin(entry, self.rules) for entry in entries)

    def _planned(self) -> Iterator[Task]:
        after = 0
        while entries := self._store.outbox.planned(after=after):
            for entry in entries:
                task = begin(entry, self.rules)
                if not self._turns.has_to_wait(task):
                    yield task
            after = entries[-1].entry_id

    def _is_through(self, task: Task) -> None:
        """It has come to an end in this run, whichever."""
        if self._alone is not None:
            self._alone.is_through(task)

    # --- before calls leave

    def _launch(self, batch: list[Task]) -> list[tuple[Task, Job]]:
        """All intents are committed together, before the first call leaves."""
        try:
            inventory = self._inventory_for(batch)
        except SyncError as error:
            self._workers.fail(error)
            return []
        leaving: list[tuple[Task, Job]] = []
        with self._run.committed():
            for task in batch:
                if not self._workers.is_halted:
                    leaving += self._leaving(task, inventory)
        return leaving

    def _inventory_for(self, batch: list[Task]) -> Inventory:
        """The account's names, if a call of the batch writes. May call Kartra, so not within a
        transaction."""
        if any(task.change and task.stage in WRITES and not task.needs_read for task in batch):
            return self._inventory.current()
        return Inventory()

    def _leaving(self, task: Task, inventory: Inventory) -> Iterator[tuple[Task, Job]]:
        """The job of a task, whose intent goes into the store; none if the task needs no call now."""
        # Decided only now: while it waited, a breaker may have opened or its lead been read.
        step = next_call(task, self._held(task), is_last_pass=self._last_pass)
        if isinstance(step, ReadBack):
            mode = self._run.config.kartra.mode
            calls = tuple(lookups(step.task, mode, is_mode_open=self._mode.is_open))
            yield step.task, partial(first_found, self._run.client, calls)
            return
        if not isinstance(step, Send):
            self._do(step)
            return
        task = step.task
        try:
            call = compile_change(task.change, task.snapshot, inventory)
            self._run.client.refuse_secrets(call)
        # One lead's value, no fault of the run: the others go on.
        except (KeyError, ValueError) as error:
            self._do(not_compiled(task, error))
            return
        intended_at, by_own_clock = self._run.server_now(), self._run.client.clock.offset is None
        self._store.outbox.intend(
            task.entry,
            change_to_json(task.change),
            _acknowledged(task),
            at=intended_at,
            by_own_clock=by_own_clock,
            before=_before(task),  # kept with the first intent, so that undo knows how the lead was
        )
        self.retried += task.tries > 0
        yield task.sent(intended_at, by_own_clock=by_own_clock), partial(self._run.client.send, call)

    def _held(self, task: Task) -> Mapping[Cause, str]:
        """The parts of a task that are held back, because Kartra keeps refusing them."""
        if task.stage not in WRITES:
            return {}
        now = self._run.clock.monotonic()
        held = {step.cause: self._breakers.holds(step.cause, now) for step in task.change.steps}
        return {cause: number for cause, number in held.items() if number}

    # --- after answers came

    def _take(self, landed: list[tuple[Task, Future[Answer]]]) -> None:
        with self._run.committed():
            for task, future in landed:
                self._answered(task, future)

    def _answered(self, task: Task, future: Future[Answer]) -> None:
        try:
            answer = future.result()
        except SyncError as error:
            self._do(not_sent(task, error))
            return
        if task.stage not in _LEFT_BEHIND:  # by the clock of another process nothing can be corrected
            task = task.on_kartras_clock(self._run.client.clock.offset)
        # Before anything is decided: an answer that nobody can use may be the one too many.
        self._patience.hear(answer)
        if self._patience.is_exhausted:
            # The task stays unknown, and the next run reads it back.
            self._workers.fail(unanswered(self._patience.trouble))
            return
        if task.stage in WRITES:
            self._patience.hear_write(answer)
            self._count_causes(task, answer)
            if answer.refused_on_the_way:
                self._barred.add(task.entry.key)
        self._do(next_step(task, answer, self._now_for(task, answer), self.rules))

    def _now(self) -> Now:
        clock = self._run.clock
        return Now(
            self._run.server_now(),
            clock.monotonic(),
            self._workers.is_halted,
            self._mode.wants_a_lead,
            self._patience.unreached,
            self._listed,
        )

    def _now_for(self, task: Task, answer: Answer) -> Now:
        """The circumstances of an answer, with what the store knows about it."""
        asked = asks_owner(task, answer)
        barrier = task.barrier if task.stage not in WRITES else None
        return replace(
            self._now(),
            barred_before=self._store.outbox.barred_before(task.entry, barrier) if barrier else None,
            others_pass=bool(self.actions) or self._barred <= {task.entry.key},
            owner=self._store.leads.owner_of(*asked) if asked else None,
            earlier_by_own_clock=task.entry.key in self._given_up_by_own_clock,
            earlier_try_at=self._given_up.get(task.entry.key),
        )

    def _count_causes(self, task: Task, answer: Answer) -> None:
        """Counts causes: what works closes its breaker, and what is refused for every lead finally opens
        one."""
        result = heard(task, answer, self.rules)
        for cause in result.works:
            if self._breakers.done(cause):
                self._store.refusals.drop_breaker(*cause)
                log.info("%s works again", mask_text(" ".join(cause)))
        for cause, number in result.refused:
            # An error about the lead itself says nothing about what it should get.
            if not cause[1] or error_type(number).category in ("request", "lead"):
                continue
            if self._breakers.refused(cause, number, self._run.clock.monotonic()):
                self._store.refusals.keep_breaker(*cause, number)
                log.warning(
                    "%s: held back, refused again and again: %s",
                    mask_text(" ".join(cause)),
                    error_type(number).explanation,
                )

    # --- what is to be done

    def _do(self, step: NextStep) -> None:
        match step:
            case Send(task, delay_s) | ReadBack(task, delay_s):
                self._mode.reads(task)
                self._workers.again(task, delay_s)
            case Settle():
                self._settle(step)
            case Withdraw(task, then):
                self._store.outbox.withdraw(task.entry.entry_id)
                if then is not None:
                    self._do(then)
                else:
                    self._is_through(task)
            case BeginAnew(task, gone_id, remains):
                left = Acknowledged(remains, "adopted") if remains else None
                self._store.outbox.disprove(task.entry, gone_id, left)
                self._workers.again(task)
            case Stop(error, then) if step.are_names_wrong and self._are_there_after_all(then.task):
                self._do(once_more(then.task, self.rules))
            case Stop(error, then):
                self._workers.fail(error)
                if step.are_names_wrong:
                    self._inventory.forget()
                self._do(then)
            case PutBy(task):
                self._put_by = True
                self._is_through(task)
            case Leave(task):
                self._is_through(task)

    def _are_there_after_all(self, task: Task) -> bool:
        """Whether the account lists what Kartra has just called missing: asked once for each name."""
        missing = names_missing(task)
        # After one more try it is over: a name that is listed and still refused will be refused again.
        if self._workers.is_halted or task.tries > 1 or not missing:
            return False
        is_known = missing <= self._asked_for
        self._asked_for |= missing
        try:
            inventory = self._inventory.current() if is_known else self._inventory.asked()
            return are_all_listed(missing, inventory)
        except SyncError as error:
            self._workers.fail(error)
            return False

    def _settle(self, step: Settle) -> None:
        task, outcome = step.task, step.outcome
        counted = Counter(task.done)
        done = " ".join(f"{cmd}×{count}" if count > 1 else cmd for cmd, count in counted.items())
        acknowledged = _acknowledged(task, complete=step.complete)
        self._store.outbox.settle(
            task.entry, replace(outcome, done=done or None), acknowledged, run_id=self._run.run_id
        )
        self._workers.settle()
        self._is_through(task)
        # Leads can be sent again that were refused because this one had their address.
        if cause := given_up(task.entry.snapshot, task.snapshot):
            self._store.refusals.drop_by_cause(cause)
        # Leads that wait for this one's address can go on, however it ended.
        for waiting in self._turns.settled(task.entry.key):
            self._workers.again(waiting)
        self._mode.settled(task, step.mode)
        if step.given_up_at is not None:
            self._given_up[task.entry.key] = step.given_up_at
            if task.by_own_clock:
                self._given_up_by_own_clock.add(task.entry.key)
        if outcome.name == "recovered":
            return
        self.actions.update(counted)
        if outcome.name == "deferred" or self.failure is not None or (task.held and not task.refused):
            return
        try:
            self._guard.observe(failed=outcome.name in ("rejected", "parked"))
        except GuardError as error:
            self._workers.fail(error)


def _acknowledged(task: Task, *, complete: bool = False) -> Acknowledged | None:
    """The new state of the lead; with its digest only if nothing is owed."""
    if task.snapshot is None or task.origin is None:
        return None
    is_load = task.entry.kind == "load"
    is_wish = is_load and task.entry.undoes is None  # what is taken back is owed again, and held back
    is_gone = task.entry.was_removed if task.entry.is_withdrawal else complete and not is_load
    return Acknowledged(
        remembered(task.snapshot, task.entry.desired),
        task.origin,
        digest=task.entry.digest if complete and is_wish else b"",
        removed=is_gone,
    )


def _before(task: Task) -> Before | None:
    """How its lead was before the first call; None for one that is not known to be in Kartra."""
    known = task.entry.snapshot if task.entry.origin != "skipped" else None
    if known is None:
        return Before(task.snapshot, adopted=True) if task.snapshot and task.origin == "adopted" else None
    is_another = task.snapshot is not None and known.lead_id not in (None, task.snapshot.lead_id)
    return Before(task.snapshot, adopted=True) if task.snapshot and is_another else Before(known)
