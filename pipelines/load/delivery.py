"""Delivery: open entries of the outbox become paced calls, and their answers become state.

One thread owns the store and decides; workers only make calls. Before a write leaves, its intent is
committed, with those that leave beside it; its outcome and the snapshot are committed together. What is
unknown is read back, never guessed, and decided only when effects had time to show ("in a few moments", API
reference 3.4).
"""

import heapq
import itertools
import logging
import math
import operator
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from functools import partial

from connectors.errors import ConfigError, RetryableApiError, SyncError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Call, get_lead
from connectors.kartra.error_types import error_type
from connectors.kartra.sender import ProfileRead, Sender, fatal, profile_of
from connectors.privacy import mask_text
from pipelines.calls.guards import Breakers, FailureGuard
from pipelines.calls.patience import (
    FIRST_LOOK_S,
    LEFT_WITHIN,
    MAX_TRIES,
    MAX_WORKERS,
    STOP_WITHIN_S,
    UNANSWERED_IN_A_ROW,
    UNREACHABLE_IN_A_ROW,
)
from pipelines.changes.compile import change_from_json, change_to_json, compile_change
from pipelines.changes.diff import (
    Change,
    apply_change,
    causes_of,
    created_lead,
    diff_lead,
    first_only,
    landed_commands,
    remaining,
    remembered,
    removal,
    why_parked,
    without,
)
from pipelines.changes.inventory import Inventory
from pipelines.changes.readback import adopt, after_unknown, joined_after, landed, reads_of, test_address
from pipelines.config.kartra import Mode
from pipelines.config.load import LoadConfig
from pipelines.contacts.wishes import Cause, StepEffect
from pipelines.errors import GuardError
from pipelines.load.account_names import AccountInventory
from pipelines.load.task import ALREADY_SO, NO_LEAD, NO_SUCH_NAME, Task
from pipelines.state.clock import utc_now
from pipelines.state.leads import Acknowledged
from pipelines.state.lease import HEARTBEAT_S
from pipelines.state.outbox import Entry, Outcome
from pipelines.state.store import Store
from pipelines.summary import Progress

log = logging.getLogger("kartra_sync.deliver")


class Delivery:
    """Delivers the open entries of one scope. `actions` counts what Kartra acknowledged, by command."""

    def __init__(
        self,
        store: Store,
        client: Sender,
        inventory: AccountInventory,
        load: LoadConfig,
        *,
        run_id: str,
        mode: Mode,
        calls_per_second: float,
        workers: int | None,
        settle_s: float,
        stopping: Callable[[], bool],
        halt: Callable[[], None],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """`stopping` is asked between calls; `halt` is called once no further call may leave.

        An effect that is not in the profile `settle_s` after its call is taken not to have happened.
        """
        self._store = store
        self._client = client
        self._inventory = inventory
        self._load = load
        self._run_id = run_id
        self._mode = mode
        self._rate = calls_per_second
        self._fixed_workers = workers
        self._settle_s = settle_s
        self._stopping = stopping
        self._halt = halt
        self._progress = progress
        self._guard = FailureGuard(load.guards)
        self._breakers = Breakers(store.refusals.breakers())
        self._ready: deque[Task] = deque()
        self._waiting: list[tuple[float, int, Task]] = []
        self._ticket = itertools.count()
        self._flying: dict[Future[Answer], Task] = {}
        self._unreached = 0
        self._unanswered = 0
        self._put_by = self._last_pass = False
        self._given_up: dict[str, datetime] = {}  # key: intent of a creation that had not landed
        self._settled = 0
        self._total = 0
        self._last_beat = 0.0
        self.actions: Counter[str] = Counter()
        self.retried = 0
        self.failure: SyncError | None = None

    def recover(self) -> None:
        """Settle what a run before left unknown: read each lead, keep what landed, plan the rest anew.

        An entry that cannot be read stays unknown; its lead is left alone until it can.
        """
        entries = self._store.outbox.unsettled()
        self._total = len(entries)
        if entries:
            log.info("%d calls of an earlier run have no outcome: reading back", len(entries))
        self._work(self._recovery(entry) for entry in entries)
        self._settled = 0

    def deliver(self, total: int) -> None:
        """Send everything planned. What stopped it early is in `failure`.

        What is held back is put by, for a probe may show meanwhile that it works again; else it is parked.
        """
        self._total = total
        self._work(self._planned())
        if self._put_by and not self._halted:
            self._last_pass = True
            self._work(self._planned())

    # --- the loop

    def _work(self, tasks: Iterator[Task]) -> None:
        pool = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="call")
        try:
            while not self._halted:
                self._launch(pool, tasks)
                if not self._flying and not self._waiting:
                    break
                self._collect(0.5)
            self._land()
        finally:
            self._ready.clear()
            self._waiting.clear()
            pool.shutdown(wait=False, cancel_futures=True)  # after a stop nobody waits for what is silent

    @property
    def _halted(self) -> bool:
        return self.failure is not None or self._stopping()

    def _launch(self, pool: ThreadPoolExecutor, tasks: Iterator[Task]) -> None:
        """Let go what may leave now. All intents are committed together, before the first call leaves."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._ready.append(heapq.heappop(self._waiting)[2])
        while not self._halted and (batch := self._next(tasks, self._workers - len(self._flying))):
            try:
                inventory = self._inventory_for(batch)
            except SyncError as error:
                self._fail(error)
                return
            with self._store.database.together():
                calls = [None if self._halted else self._call_of(task, inventory) for task in batch]
            for task, call in zip(batch, calls, strict=True):
                if call is not None:
                    self._flying[pool.submit(call)] = task

    def _next(self, tasks: Iterator[Task], count: int) -> list[Task]:
        """The next tasks, at most so many."""
        batch: list[Task] = []
        while len(batch) < count:
            task = self._ready.popleft() if self._ready else next(tasks, None)
            if task is None:
                break
            batch.append(task)
        return batch

    def _inventory_for(self, batch: list[Task]) -> Inventory:
        """What the account has, for calls that write. It may be asked for: not within a transaction."""
        if any(task.change and not task.read_next and not task.needs_score for task in batch):
            return self._inventory.current()
        return Inventory()

    def _call_of(self, task: Task, inventory: Inventory) -> Callable[[], Answer] | None:
        """What a worker is to do for a task, with the intent of a write in the store; None: nothing now."""
        if task.read_next:
            return partial(self._look, task)
        self._hold(task)
        if not task.change and task.held and not task.tries and not self._last_pass:
            self._put_by = True
            return None
        if not task.change:
            self._settle(task)
            return None
        if task.one_by_one:
            task.change = first_only(task.change)
        if task.needs_score:
            task.scoring = task.read_next = True
            return partial(self._look, task)
        if task.change.gives_points:
            task.change = replace(task.change, score=0 if task.change.create else task.score)
        try:
            call = compile_change(task.change, task.snapshot, inventory)
        except (KeyError, ValueError) as error:
            self._finish(task, Outcome("rejected", reason=_why_not_compiled(error)))
            return None
        self._store.outbox.intend(task.entry, change_to_json(task.change), self._acknowledged(task))
        task.intended_at = task.intended_at or utc_now()
        task.tries += 1
        self.retried += task.tries > 1
        return partial(self._client.send, call)

    def _look(self, task: Task) -> Answer:
        """Read the lead: by id where it is known, else by its address; Test mode may have rewritten that."""
        answer = None
        for call in self._lookups(task):
            answer = self._client.send(call)
            if answer.effect is not Effect.REFUSED:
                break
        assert answer is not None  # noqa: S101 - there is always one look-up
        return answer

    def _lookups(self, task: Task) -> Iterator[Call]:
        """One that was taken over has the address it had, unless its change has landed."""
        desired, known = task.entry.desired, task.snapshot
        if known is not None and (known.lead_id or task.origin != "created"):
            yield from reads_of(known, self._mode)
            if known.lead_id or desired is None or desired.email == known.email:
                return
        email = desired.email if desired else known.email if known else ""
        if self._mode == "test":
            yield get_lead(email=test_address(email))
        yield get_lead(email=email)

    def _collect(self, timeout_s: float) -> None:
        if self._waiting:
            timeout_s = min(timeout_s, max(0.0, self._waiting[0][0] - time.monotonic()))
        done, _ = wait(self._flying, timeout=timeout_s, return_when=FIRST_COMPLETED)
        if not self._flying:
            time.sleep(timeout_s)
        with self._store.database.together():
            for future in done:
                self._answered(self._flying.pop(future), future)
        if time.monotonic() - self._last_beat > HEARTBEAT_S:
            self._store.runs.beat(self._run_id)
            self._last_beat = time.monotonic()
        self._progress(Progress(self._settled, self._total, self._client.counts.sent))

    def _land(self) -> None:
        """After a stop: settle what is in flight. What does not answer in time stays unknown."""
        deadline = time.monotonic() + STOP_WITHIN_S
        while self._flying and time.monotonic() < deadline:
            self._collect(0.2)

    @property
    def _workers(self) -> int:
        """Calls in flight: rate times latency, and a few that wait for their permit."""
        if self._fixed_workers is not None:
            return self._fixed_workers
        return min(MAX_WORKERS, math.ceil(self._rate * self._client.counts.latency_s) + 4)

    # --- tasks

    def _planned(self) -> Iterator[Task]:
        after = 0
        while entries := self._store.outbox.planned(after=after):
            for entry in entries:
                yield self._begin(entry)
            after = entries[-1].entry_id

    def _begin(self, entry: Entry) -> Task:
        known = entry.snapshot if entry.origin != "skipped" else None
        task = Task(entry, known, entry.origin if known else None, Change())
        task.change = self._owed(task)
        if entry.kind == "load" and known is None:
            task.adopting = entry.origin == "skipped" or self._load.sync_mode == "update_only"
            task.read_next = task.adopting
        return task

    def _recovery(self, entry: Entry) -> Task:
        change = change_from_json(entry.change) if entry.change else Change()
        task = Task(entry, entry.snapshot, entry.origin, change, read_next=True, recovering=True)
        task.intended_at = entry.sent_at
        if entry.sent_at is not None and utc_now() - entry.sent_at < LEFT_WITHIN:
            task.open_until = time.monotonic() + self._settle_s
        return task

    def _owed(self, task: Task) -> Change:
        """What is still to be effected, without what Kartra refused."""
        if task.entry.kind == "removal":
            change = removal(task.snapshot, self._load.on_removed) if task.snapshot else Change()
        elif task.entry.desired is None:
            change = Change()
        else:
            change = diff_lead(task.entry.desired, task.snapshot)
        return without(change, {*task.refused, *task.held})

    def _hold(self, task: Task) -> None:
        """Take out what Kartra refuses again and again, whoever it is for."""
        for step in task.change.steps:
            if number := self._breakers.holds(step.cause, time.monotonic()):
                task.held[step.cause] = number
        task.change = without(task.change, task.held)

    def _later(self, task: Task, delay_s: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + delay_s, next(self._ticket), task))

    def _look_again(self, task: Task) -> None:
        """Once every effect of the last write has to show."""
        self._later(task, task.open_until - time.monotonic())

    # --- answers

    def _answered(self, task: Task, future: Future[Answer]) -> None:
        try:
            answer = future.result()
        except SyncError as error:  # proven not sent
            self._give_back(task)
            self._fail(error)
            return
        if self._without_end(answer):
            return
        if answer.effect is Effect.FATAL:
            self._give_back(task)
            self._fail(fatal(answer))
        elif task.read_next:
            self._after_look(task, answer)
        else:
            task.open_until = time.monotonic() + self._settle_s
            task.scored = False
            self._after_write(task, answer)

    def _after_write(self, task: Task, answer: Answer) -> None:
        if answer.effect is Effect.RETRY_LATER:
            self._not_reached(task)
            return
        self._unreached = 0
        if task.change.create and answer.actions[0].type == "244" and self._tried_before(task):
            task.read_next = True  # an earlier try has landed after all, and its effects may be on their way
            self._look_again(task)
            return
        if task.change.create and answer.actions[0].type == "244":
            self._store.outbox.withdraw(task.entry.entry_id)  # refused before anything was done
            task.read_next = task.adopting = True
            self._ready.append(task)
            return
        if self._is_disproven(task, answer.actions[0].type):
            self._begin_anew(task)
            return
        done = [
            action.effect is Effect.DONE or (cmd, action.type) in ALREADY_SO
            for cmd, action in zip(task.change.commands, answer.actions, strict=True)
        ]
        self._take(task, done, answer.lead_id)
        for name, action, is_done in zip(causes_of(task.change), answer.actions, done, strict=True):
            if is_done:
                self._works(name)
            elif action.effect is Effect.REFUSED:
                task.refused[name] = action.type or ""
                self._count_refusal(name, action.type or "")
        self._stop_where_a_name_is_missing(task)
        if any(action.effect is Effect.UNKNOWN for action in answer.actions):
            refused = [action.effect is Effect.REFUSED for action in answer.actions]
            proven = map(operator.or_, done, refused) if task.snapshot else [False, *refused[1:]]
            task.change = remaining(task.change, list(proven))
            task.one_by_one = task.one_by_one or answer.type is not None
            task.read_next = True
            self._later(task, FIRST_LOOK_S)
            return
        task.change = self._owed(task)
        if task.change and self._halted:  # what was answered is proven and kept, the rest waits
            self._finish(task, Outcome("deferred", reason="stopped before the rest was sent"))
        elif task.change:  # one step of several
            self._ready.append(task)
        else:
            self._settle(task)

    def _tried_before(self, task: Task) -> bool:
        """Whether a creation has been sent before, by this run or by one that died."""
        earlier = self._given_up.get(task.entry.key)
        task.intended_at = earlier or task.intended_at
        return earlier is not None or task.tries > 1

    def _without_end(self, answer: Answer) -> bool:
        """Stops the run where no call gets a usable answer any more; the next reads back what is unknown."""
        usable = answer.effect is not Effect.UNKNOWN or answer.body or answer.type
        self._unanswered = 0 if usable else self._unanswered + 1
        if self._unanswered < UNANSWERED_IN_A_ROW:
            return False
        self._fail(
            RetryableApiError(
                f"Kartra gave no usable answer to {UNANSWERED_IN_A_ROW} calls in a row: stopped. The next run"
                " reads back what is unknown, and goes on"
            )
        )
        return True

    def _works(self, cause: Cause) -> None:
        if self._breakers.done(cause):
            self._store.refusals.drop_breaker(*cause)
            log.info("%s works again", mask_text(" ".join(cause)))

    def _count_refusal(self, cause: Cause, number: str) -> None:
        if not cause[1] or error_type(number).category in ("request", "lead"):
            return  # it is about the lead, not about what it should get
        if self._breakers.refused(cause, number, time.monotonic()):
            self._store.refusals.keep_breaker(*cause, number)
            log.warning(
                "%s: held back, refused again and again: %s",
                mask_text(" ".join(cause)),
                error_type(number).told,
            )

    def _stop_where_a_name_is_missing(self, task: Task) -> None:
        """Every lead that wishes for it would be refused: one message, not one for each."""
        for (_, name), number in task.refused.items():
            if number in NO_SUCH_NAME:
                self._inventory.forget()
                known = error_type(number)
                self._fail(
                    ConfigError(
                        f'Kartra: {known.message} ({number}): "{mask_text(name)}". Stopped, the rest waits.'
                        f" {known.advice}"
                    )
                )

    def _fail(self, error: SyncError) -> None:
        """Stop: no further call leaves. The first reason stays."""
        self.failure = self.failure or error
        self._halt()

    def _take(self, task: Task, done: list[bool], lead_id: str | None) -> None:
        """Keep what this answer acknowledged, in memory until the outcome is committed with it."""
        if not any(done):
            return
        desired = task.entry.desired
        if task.snapshot is None and desired is not None and done[0]:
            task.snapshot, task.origin = created_lead(desired), "created"
        if task.snapshot is None:
            return
        task.snapshot = apply_change(task.snapshot, task.change, done)
        if lead_id:
            task.snapshot = replace(task.snapshot, lead_id=lead_id)
        task.done.update(cmd for cmd, is_done in zip(task.change.commands, done, strict=True) if is_done)
        task.wrote = True

    def _after_look(self, task: Task, answer: Answer) -> None:
        task.reads += 1
        if answer.effect in (Effect.RETRY_LATER, Effect.UNKNOWN):
            if task.reads < MAX_TRIES and not self._halted:
                self._later(task, min(8.0, 0.5 * 2**task.reads))
            return  # else it stays as it is in the outbox, and the next run looks
        task.reads = 0
        read = profile_of(answer)
        task.scored, task.score = True, read.profile.score if read.profile else None
        if read.profile is None:
            self._without_profile(task, read)
        elif task.scoring:
            if task.snapshot is not None and not task.snapshot.lead_id:
                task.snapshot = replace(task.snapshot, lead_id=read.profile.id or None)
            task.scoring = task.read_next = False
            self._ready.append(task)
        elif task.entry.kind == "load" and self._belongs_to_another(task, read):
            if task.recovering:
                self._finish(task, Outcome("recovered"))
                return
            reason = "the address belongs to the lead of another record"
            self._finish(task, Outcome("rejected", "244", reason))
        elif task.adopting:
            self._adopt(task, read)
        else:
            self._compare(task, read)

    def _without_profile(self, task: Task, read: ProfileRead) -> None:
        if task.recovering:
            if task.window_open and read.type != "245":
                self._look_again(task)
            else:
                if task.change.create and task.intended_at:
                    self._given_up[task.entry.key] = task.intended_at
                self._finish(task, Outcome("recovered", read.type))
        elif task.adopting and self._load.sync_mode == "update_only" and read.type != "245":
            self._finish(task, Outcome("skipped", reason="not in Kartra, and sync_mode is update_only"))
        elif self._is_disproven(task, read.type):
            if task.window_open:  # its new address may not show yet
                self._look_again(task)
            else:
                self._begin_anew(task)
        elif read.type == "245" or not task.change.create:
            self._finish(task, Outcome("rejected", read.type, error_type(read.type).told))
        elif task.adopting:
            reason = "the address exists in Kartra, but its lead cannot be read"
            self._finish(task, Outcome("rejected", "244", reason))
        elif task.window_open:
            self._look_again(task)
        else:
            self._send_again(task)

    def _adopt(self, task: Task, read: ProfileRead, unproven: frozenset[StepEffect] = frozenset()) -> None:
        desired = task.entry.desired
        assert desired is not None and read.profile is not None  # noqa: S101, PT018 - by the caller
        if self._load.sync_mode == "create_only" or self._load.existing == "skip":
            task.snapshot, task.origin = adopt(desired, read.profile, "update"), "skipped"
            self._finish(task, Outcome("skipped", reason="was in Kartra before"), complete=True)
            return
        known = adopt(desired, read.profile, self._load.existing)
        task.snapshot, task.origin = replace(known, unproven=unproven), "adopted"
        if task.recovering:
            self._finish(task, Outcome("recovered"))
            return
        task.adopting = task.read_next = False
        task.tries = 0
        task.change = self._owed(task)
        self._ready.append(task)

    def _compare(self, task: Task, read: ProfileRead) -> None:
        """After a try without an answer: keep what landed, send the rest once it is proven missing."""
        desired = task.entry.desired
        known = task.snapshot
        assert read.profile is not None  # noqa: S101 - by the caller
        if desired is None:  # a removal
            if task.snapshot is None:
                self._finish(task, Outcome("recovered"))
                return
            gone = [bool(flag) for flag in landed(task.change, read.profile)]
            task.snapshot = apply_change(task.snapshot, task.change, gone)
        else:
            after, origin = after_unknown(
                task.change,
                desired,
                known,
                read.profile,
                self._load.existing,
                task.intended_at or utc_now(),
                utc_now(),
            )
            if (
                origin == "adopted"
                and task.window_open
                and joined_after(read.profile.joined, task.intended_at or utc_now()) is not False
            ):  # it may be ours after all, with effects to come
                self._look_again(task)
                return
            if origin == "adopted" and task.recovering and not after.unproven:
                self._finish(task, Outcome("recovered"))  # not ours: the next plan adopts it
                return
            if origin == "adopted":
                task.adopting = True
                self._adopt(task, read, after.unproven)
                return
            task.snapshot = after
            if task.change.create and not task.seen:  # it may have been carried out only just now
                task.seen = True
                task.open_until = max(task.open_until, time.monotonic() + self._settle_s)
        owed = self._owed(task)
        may_show = owed or (task.change.gives_points and task.unproven)
        if may_show and task.window_open:
            task.snapshot = known  # the next look decides
            self._look_again(task)
            return
        if desired is not None:
            task.origin = origin or task.origin
            task.wrote = True
        task.done.update(landed_commands(task.change, owed, task.snapshot.unproven if task.snapshot else ()))
        task.change = owed
        if task.recovering:
            self._finish(task, Outcome("recovered"), complete=not owed and not task.unproven)
        elif owed:
            self._send_again(task)
        else:
            self._settle(task)

    def _is_disproven(self, task: Task, number: str | None) -> bool:
        """Whether it was taken over by a person's word alone, and Kartra has never heard of it."""
        known = task.snapshot
        return (
            number in NO_LEAD
            and task.entry.kind == "load"
            and task.origin == "adopted"
            and (known is not None and not known.lead_id)
            and self._load.sync_mode == "upsert"
        )

    def _begin_anew(self, task: Task) -> None:
        """As a lead that Kartra does not have."""
        self._store.outbox.disprove(task.entry)
        task.entry = replace(task.entry, snapshot=None, origin=None)
        task.snapshot = task.origin = None
        task.read_next = task.scoring = task.scored = False
        task.tries = 0
        task.change = self._owed(task)
        self._ready.append(task)

    def _send_again(self, task: Task) -> None:
        if task.tries < MAX_TRIES:
            task.read_next = False
            self._ready.append(task)
            return
        reason = f"no usable answer in {MAX_TRIES} tries; what is left has not landed, the next run sends it"
        self._finish(task, Outcome("deferred", reason=reason))

    def _belongs_to_another(self, task: Task, read: ProfileRead) -> bool:
        if task.snapshot is not None or read.profile is None or not read.profile.id:
            return False
        email = task.entry.desired.email if task.entry.desired else ""
        return self._store.leads.owner_of(read.profile.id, email) not in (None, task.entry.key)

    def _not_reached(self, task: Task) -> None:
        self._store.outbox.withdraw(task.entry.entry_id)
        if self._halted:
            return
        self._unreached += 1
        if self._unreached >= UNREACHABLE_IN_A_ROW:
            self._fail(
                RetryableApiError(
                    "Kartra cannot be reached: nothing of what is left was sent. Run again later"
                )
            )
            return
        task.tries -= 1
        self._later(task, min(8.0, 0.5 * 2 ** min(self._unreached, 4)))

    def _give_back(self, task: Task) -> None:
        if not task.read_next:
            self._store.outbox.withdraw(task.entry.entry_id)

    # --- outcomes

    def _settle(self, task: Task) -> None:
        """Nothing is owed any more, but for what Kartra refused."""
        no_such_name = next((number for number in task.refused.values() if number in NO_SUCH_NAME), None)
        if no_such_name is not None:
            self._finish(task, Outcome("deferred", no_such_name, error_type(no_such_name).told))
        elif task.refused:
            (cmd, label), number = next(iter(task.refused.items()))
            cause = f"{cmd} {label}" if label else None
            self._finish(task, Outcome("rejected", number, error_type(number).told, cause=cause))
        elif task.held:
            (cmd, label), number = next(iter(task.held.items()))
            what = mask_text(f"{cmd} {label}")
            reason = f"held back: {what} is refused again and again. {error_type(number).told}"
            self._finish(task, Outcome("parked", number, reason))
        elif task.unproven:
            self._finish(task, Outcome("parked", reason=why_parked(task.unproven)))
        elif task.entry.kind == "removal":
            self._finish(task, Outcome("removed"), complete=True)
        elif not task.wrote:
            self._finish(task, Outcome("unchanged"), complete=True)
        else:
            name = "created" if task.origin == "created" and task.entry.snapshot is None else "edited"
            self._finish(task, Outcome(name), complete=True)

    def _finish(self, task: Task, outcome: Outcome, *, complete: bool = False) -> None:
        acknowledged = self._acknowledged(task, complete=complete)
        done = " ".join(f"{cmd}×{count}" if count > 1 else cmd for cmd, count in task.done.items())
        self._store.outbox.settle(
            task.entry, replace(outcome, done=done or None), acknowledged, run_id=self._run_id
        )
        self._settled += 1
        if outcome.name == "recovered":
            return
        self.actions.update(task.done)
        if outcome.name == "deferred" or self.failure is not None or (task.held and not task.refused):
            return
        try:
            self._guard.observe(failed=outcome.name in ("rejected", "parked"))
        except GuardError as error:
            self._fail(error)

    def _acknowledged(self, task: Task, *, complete: bool = False) -> Acknowledged | None:
        """What is known of the lead now; its digest only where nothing is owed."""
        if task.snapshot is None or task.origin is None:
            return None
        is_load = task.entry.kind == "load"
        return Acknowledged(
            remembered(task.snapshot, task.entry.desired),
            task.origin,
            digest=task.entry.digest if complete and is_load else b"",
            removed=complete and not is_load,
        )


def _why_not_compiled(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the account has no custom field or option {error}"
    return str(error)
