"""A pull: what Kartra has comes back into tables, stale leads first, resumable at every call.

One thread owns the tables; workers only make calls, and make the next one only when the answer to the last
is committed. So a kill wastes at most the call that each worker had in flight. What is pulled next is always
read from the tables: names, then per lead its profile and one chained call for its sales, then details.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from connectors.errors import RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import ActionAnswer, Answer, Effect, found
from connectors.kartra.client import KartraClient, is_answered, is_clear, refusal
from connectors.kartra.commands import Action, Call, Lead
from connectors.kartra.profile import LeadProfile, parse_names, parse_profile, text_of
from pipelines.pull_rows import (
    TableRow,
    custom_field_rows,
    lead_rows,
    subscription_row,
    subscription_stubs,
    transaction_row,
    transaction_stubs,
    without_buyer,
)
from pipelines.state import utc_now
from pipelines.summary import Progress
from pipelines.warehouse import (
    NameTable,
    Pulled,
    PulledDetails,
    PulledProfile,
    PulledSales,
    RosterEntry,
    Warehouse,
)

log = logging.getLogger("kartra_sync.pull")

PAGE = 2_000
"""Leads that are taken from the roster at a time."""
CHAINED = 20
"""Details asked for in one call. A call stays far below PHP's 1,000 fields (§1.3)."""
IN_A_ROW = 25
"""Leads in a row without a usable answer end the pull: Kartra is out of order."""
MAX_WORKERS = 32
BEAT_EVERY_S = 5.0
_NOT_PERMITTED = "262"
_OF_ONE = ("247", "248")
"""Refusals of one transaction or subscription in a chain, which say that the chain itself was understood."""

Result = TypeVar("Result")

INVENTORIES: Mapping[NameTable, tuple[Callable[[], Action], str]] = {
    "tags": (commands.retrieve_account_tags, "account_tags"),
    "lists": (commands.retrieve_account_lists, "account_lists"),
    "sequences": (commands.retrieve_account_sequences, "account_sequences"),
    "pages": (commands.retrieve_account_pages, "account_pages"),
    "custom_fields": (commands.retrieve_custom_fields, "custom_fields"),
}


class Chains(Protocol):
    """What is known of an account: whether details may be chained in one call without a lead."""

    def known(self) -> bool | None: ...

    def learn(self, works: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class PullOrder:
    """What is to be pulled. Leads pulled since `before` are fresh."""

    tables: tuple[str, ...]
    before: datetime
    max_calls: int
    zone: tzinfo

    @property
    def profiles(self) -> bool:
        return "leads" in self.tables

    @property
    def transactions(self) -> bool:
        return "transactions" in self.tables

    @property
    def subscriptions(self) -> bool:
        return "subscriptions" in self.tables

    @property
    def sales(self) -> bool:
        return self.transactions or self.subscriptions


class _StoppedError(Exception):
    """No further call is to be made: a stop was asked for, the budget is used up, or a worker failed."""


@dataclass(slots=True)
class _Committing:
    """An answer on its way into the tables; its worker waits. `seen` is the profile in it, as it was then."""

    pulled: Pulled
    seen: tuple[LeadProfile, datetime] | None = None
    committed: threading.Event = field(default_factory=threading.Event)
    is_lost: bool = False


class Pull:
    """One pull of one account into one warehouse. `run` does all of it."""

    def __init__(
        self,
        client: KartraClient,
        warehouse: Warehouse,
        order: PullOrder,
        chains: Chains,
        *,
        calls_per_second: float,
        workers: int | None = None,
        is_forgotten: Callable[[str], bool] = lambda _: False,
        see: Callable[[LeadProfile, datetime], None] = lambda *_: None,
        stopping: Callable[[], bool] = lambda: False,
        beat: Callable[[], None] = lambda: None,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """`see` is shown every profile with the time it was asked for, once it is in the tables."""
        self.notes: list[str] = []
        """What a person should know, such as a name that looks renamed."""
        self.is_out_of_budget = False
        self._client = client
        self._warehouse = warehouse
        self._order = order
        self._chains = chains
        self._rate, self._fixed_workers = calls_per_second, workers
        self._is_forgotten = is_forgotten
        self._see = see
        self._stopping = stopping
        self._beat = beat
        self._progress = progress
        self._calls = 0
        self._calls_lock = threading.Lock()
        self._halted = threading.Event()
        self._answers: queue.Queue[_Committing | None] = queue.Queue()
        self._beaten_at = time.monotonic()
        self._failed: set[str] = set()
        self._failed_in_a_row = 0
        self._settled = self._total = 0

    def run(self, lookups: Iterable[str]) -> None:
        """Pull everything that is not fresh, with `lookups` put on the roster first.

        Raises SyncError; all that was answered before is in the tables. A stop or a used budget just ends it.
        """
        try:
            self._pull_names()
            order = self._order
            if not order.profiles and not order.sales:
                return
            self._warehouse.add_to_roster(lookups, utc_now())
            waiting = self._warehouse.waiting(order.before, profiles=order.profiles, sales=order.sales)
            self._total = waiting.leads
            if not waiting.roster:
                self.notes.append("no lead is known: `pull.leads` names none, and Kartra lists none")
            while entries := self._stale():
                self._work([partial(self._pull_lead, entry) for entry in entries], self._settle_lead)
                self._pull_details(whole_chains_only=True)
            self._pull_details()
        except _StoppedError:
            return
        if self._failed:
            raise RetryableApiError(
                f"{len(self._failed):,} leads got no usable answer and wait for the next run"
            )

    # --- names

    def _pull_names(self) -> None:
        wanted = [name for name in INVENTORIES if name in self._order.tables]
        self._work([partial(self._pull_inventory, name) for name in wanted], self._keep_inventory)

    def _pull_inventory(self, name: NameTable) -> tuple[NameTable, Answer]:
        self._spend()
        return name, self._client.inventory(Call((INVENTORIES[name][0](),)))

    def _keep_inventory(self, read: tuple[NameTable, Answer]) -> None:
        name, answer = read
        now = utc_now()
        if name == "custom_fields":
            fields, options = custom_field_rows(found(answer.body, "custom_fields"))
            self.notes += self._warehouse.keep_names("custom_fields", fields, now)
            self._warehouse.keep_names("custom_field_options", options, now)
            return
        names = dict.fromkeys(parse_names(answer.body, INVENTORIES[name][1]))
        self.notes += self._warehouse.keep_names(name, [{"name": each} for each in names], now)

    # --- leads

    def _stale(self) -> list[RosterEntry]:
        """The next leads, without those that failed in this run."""
        order = self._order
        entries = self._warehouse.stale(
            order.before, PAGE + len(self._failed), profiles=order.profiles, sales=order.sales
        )
        return [entry for entry in entries if entry.lookup not in self._failed]

    def _pull_lead(self, entry: RosterEntry) -> str | None:
        """In a worker: both calls of a lead. Gives its lookup when there was no usable answer."""
        order = self._order
        lead = _asked_for(entry)
        try:
            if order.profiles and _is_stale(entry.profile_at, order.before):
                asked_at = utc_now()
                profile, seen = self._read_profile(entry.lookup, lead)
                self._commit(profile, (seen, asked_at) if seen else None)
                if profile.rows is None:
                    return None
                lead = Lead(id=profile.rows.lead["id"])
            if order.sales and _is_stale(entry.sales_at, order.before):
                self._commit(self._read_sales(entry.lookup, lead))
        except RetryableApiError as error:
            log.info("a lead waits for the next run: %s", error)
            return entry.lookup
        return None

    def _settle_lead(self, failed: str | None) -> None:
        self._settled += 1
        self._progress(Progress(self._settled, self._total, self._calls))
        if failed is None or self._stopping():
            self._failed_in_a_row = 0
            return
        self._failed.add(failed)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= IN_A_ROW:
            raise RetryableApiError(f"{IN_A_ROW} leads in a row got no usable answer. Run again later")

    def _read_profile(self, lookup: str, lead: Lead) -> tuple[PulledProfile, LeadProfile | None]:
        answer = self._read(Call(get_lead=lead))
        if answer.effect is Effect.REFUSED:
            if answer.type == _NOT_PERMITTED:
                raise refusal("get_lead", answer.type)
            return PulledProfile(lookup, None, answer.type or "?"), None
        try:
            rows = lead_rows(found(answer.body, "lead_details") or {}, self._order.zone)
        except ValueError as error:
            raise RetryableApiError("Kartra gave a profile without an id") from error
        if self._is_forgotten(rows.lead["email"] or ""):
            return PulledProfile(lookup, None, "forgotten"), None
        return PulledProfile(lookup, rows), parse_profile(answer.body)

    def _read_sales(self, lookup: str, lead: Lead) -> PulledSales:
        order = self._order
        actions = [commands.retrieve_transactions_from_lead()] if order.transactions else []
        actions += [commands.retrieve_subscriptions_from_lead()] if order.subscriptions else []
        answers = self._read_each(actions, lead)
        for action, answer in zip(actions, answers, strict=True):
            if answer.type == _NOT_PERMITTED:
                raise refusal(action.cmd, answer.type)
            if answer.effect is Effect.REFUSED:
                return PulledSales(lookup, None, None, answer.type or "?")
        told: dict[str, Any] = {}
        for answer in answers:
            told |= answer.payload or {}
        return PulledSales(
            lookup,
            transaction_stubs(told.get("transaction_list")) if order.transactions else None,
            subscription_stubs(told.get("subscriptions_list")) if order.subscriptions else None,
        )

    # --- details

    def _pull_details(self, *, whole_chains_only: bool = False) -> None:
        """Details of new transactions, and of subscriptions that are new or open."""
        while batches := self._owed(whole_chains_only=whole_chains_only):
            self._work([partial(self._pull_chain, batch) for batch in batches], self._settle_chain)

    def _owed(self, *, whole_chains_only: bool) -> list[list["_Owed"]]:
        transactions, subscriptions = self._warehouse.owed(PAGE + len(self._failed))
        owed = [_Owed("transaction", stub) for stub in transactions if self._order.transactions]
        owed += [_Owed("subscription", stub) for stub in subscriptions if self._order.subscriptions]
        owed = [one for one in owed if one.name not in self._failed]
        size = 1 if self._chains.known() is False else CHAINED
        batches = [owed[start : start + size] for start in range(0, len(owed), size)]
        if self._chains.known() is None:  # the first one teaches
            return batches[:1] if len(owed) > 1 or not whole_chains_only else []
        return [batch for batch in batches if len(batch) == size or not whole_chains_only]

    def _pull_chain(self, batch: list["_Owed"]) -> list["_Owed"]:
        """In a worker: the details of several, in one call where Kartra lets them. Gives those without."""
        rows: dict[str, list[TableRow]] = {"transaction": [], "subscription": []}
        refused: dict[str, dict[str, str]] = {"transaction": {}, "subscription": {}}
        failed = []
        try:
            answers = self._read_details(batch)
        except RetryableApiError as error:
            log.info("details wait for the next run: %s", error)
            return batch
        for one, answer in zip(batch, answers, strict=True):
            if answer.type == _NOT_PERMITTED:
                raise refusal(one.action.cmd, answer.type)
            if answer.effect is Effect.REFUSED:
                refused[one.kind][one.number] = answer.type or "?"
            elif (details := one.details_in(answer)) is not None:
                row = one.row(details, self._order.zone)
                is_named = not self._is_forgotten(row["lead_email"] or "")
                rows[one.kind].append(row if is_named else without_buyer(row))
            else:
                failed.append(one)
        self._commit(
            PulledDetails(
                rows["transaction"], rows["subscription"], refused["transaction"], refused["subscription"]
            )
        )
        return failed

    def _settle_chain(self, failed: list["_Owed"]) -> None:
        if self._stopping():
            return
        self._failed.update(one.name for one in failed)
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if self._failed_in_a_row >= IN_A_ROW:
            raise RetryableApiError(f"{IN_A_ROW} calls in a row got no usable answer. Run again later")

    def _read_details(self, batch: list["_Owed"]) -> list[ActionAnswer]:
        """As `_read_each`, but an answer counts only with the number that was asked for: Kartra may leave
        entries of a chain out, and then order tells nothing."""
        actions = [one.action for one in batch]
        if len(batch) == 1:
            return self._read_each(actions, None)
        answer = self._read(Call(tuple(actions)), usable=is_answered)
        by_name = {one.name: one for one in batch}
        told = {name: inner for inner in answer.actions if (name := _named_in(inner)) in by_name}
        if self._chains.known() is None:
            self._chains.learn(len(told) > 1 or answer.type in _OF_ONE)
        nested = [inner for inner in answer.actions if inner.effect is Effect.REFUSED]
        if len(told) + len(nested) == len(batch):  # every entry is there, so refusals stand in their places
            return list(answer.actions)
        return [told.get(one.name) or self._read_each([one.action], None)[0] for one in batch]

    # --- calls

    def _read_each(self, actions: Sequence[Action], lead: Lead | None) -> list[ActionAnswer]:
        """Each action's answer, from one call for all; what is missing there, from calls of its own."""
        answer = self._read(Call(tuple(actions), lead), usable=is_answered if len(actions) > 1 else is_clear)
        return [
            one if is_clear(one) else self._read(Call((action,), lead)).actions[0]
            for action, one in zip(actions, answer.actions, strict=True)
        ]

    def _read(self, call: Call, *, usable: Callable[[Answer], bool] = is_clear) -> Answer:
        self._spend()
        return self._client.read(call, usable=usable)

    def _spend(self) -> None:
        """Take one call of the budget."""
        with self._calls_lock:
            if self._calls >= self._order.max_calls:
                self.is_out_of_budget = True
                self._halted.set()
            if not self._may_go_on:
                raise _StoppedError
            self._calls += 1

    # --- workers

    def _work(self, tasks: Sequence[Callable[[], Result]], settle: Callable[[Result], None]) -> None:
        """Do the tasks in workers; commit what they bring, and `settle` what they give, in this thread.

        Once no further call is to be made, what is in flight is still committed. Raises _StoppedError then.
        """
        flying: set[Future[list[Result]]] = set()
        waiting = iter(tasks)
        with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="pull") as pool:
            try:
                while True:
                    while self._may_go_on and len(flying) < self._workers and (task := next(waiting, None)):
                        flying.add(pool.submit(self._done, task))
                    if not flying:
                        break
                    self._commit_answers()
                    done = {future for future in flying if future.done()}
                    flying -= done
                    for result in [result for future in done for result in future.result()]:
                        settle(result)
            finally:  # after an error of ours or a fatal answer, workers may still wait
                while flying:
                    self._halted.set()
                    self._release()
                    flying = wait(flying, timeout=0.02, return_when=FIRST_COMPLETED).not_done
        if not self._may_go_on:
            raise _StoppedError

    @property
    def _may_go_on(self) -> bool:
        return not self._halted.is_set() and not self._stopping()

    def _done(self, task: Callable[[], Result]) -> list[Result]:
        """In a worker: what a task gives; nothing where it was stopped on its way."""
        try:
            return [task()]
        except _StoppedError:
            return []
        finally:
            self._answers.put(None)

    def _commit(self, pulled: Pulled, seen: tuple[LeadProfile, datetime] | None = None) -> None:
        """In a worker: hand an answer over and wait until it is in the tables."""
        committing = _Committing(pulled, seen)
        self._answers.put(committing)
        committing.committed.wait()
        if committing.is_lost:
            raise _StoppedError

    def _commit_answers(self) -> None:
        """What workers brought until now, in one transaction."""
        brought = [self._answers.get()]
        while not self._answers.empty():
            brought.append(self._answers.get())
        answers = [one for one in brought if one is not None]
        try:
            if answers:
                self._warehouse.keep([one.pulled for one in answers], utc_now())
                for one in answers:
                    if one.seen is not None:
                        self._see(*one.seen)
                self._beat_now_and_then()
        except BaseException:
            for one in answers:
                one.is_lost = True
            raise
        finally:
            for one in answers:
                one.committed.set()

    def _release(self) -> None:
        """Let workers go whose answers will not be committed any more."""
        while not self._answers.empty():
            if (one := self._answers.get()) is not None:
                one.is_lost = True
                one.committed.set()

    def _beat_now_and_then(self) -> None:
        if time.monotonic() - self._beaten_at > BEAT_EVERY_S:
            self._beaten_at = time.monotonic()
            self._beat()

    @property
    def _workers(self) -> int:
        """Calls in flight: rate times latency, and a few that wait for their permit."""
        if self._fixed_workers is not None:
            return self._fixed_workers
        return min(MAX_WORKERS, math.ceil(self._rate * self._client.counts.latency_s) + 4)


@dataclass(frozen=True, slots=True)
class _Owed:
    """A transaction or subscription whose details are to be pulled; `stub` is what is known of it."""

    kind: Literal["transaction", "subscription"]
    stub: TableRow

    @property
    def number(self) -> str:
        return str(self.stub[f"{self.kind}_id"])

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def action(self) -> Action:
        make = commands.get_transaction_details
        return (make if self.kind == "transaction" else commands.get_subscription_details)(self.number)

    def details_in(self, answer: ActionAnswer) -> Mapping[str, Any] | None:
        """The details in an answer, if they are those of this one."""
        held = answer.payload or {}
        return held[f"{self.kind}_details"] if _named_in(answer) == self.name else None

    def row(self, details: Mapping[str, Any], zone: tzinfo) -> TableRow:
        if self.kind == "subscription":
            return subscription_row(details, self.stub, zone)
        row = transaction_row(details, self.stub, zone)
        return {**row, "extra": {**(self.stub["extra"] or {}), **(row["extra"] or {})} or None}


def _named_in(answer: ActionAnswer) -> str:
    """Whose details an answer holds, as `_Owed.name`; nothing where it holds none."""
    for kind in ("transaction", "subscription"):
        details = (answer.payload or {}).get(f"{kind}_details")
        if isinstance(details, Mapping):
            return f"{kind} {text_of(details.get(f'{kind}_id'))}"
    return ""


def _asked_for(entry: RosterEntry) -> Lead:
    kind, _, name = entry.lookup.partition(":")
    if entry.lead_id or kind == "id":
        return Lead(id=entry.lead_id or name)
    return Lead(email=name)


def _is_stale(at: datetime | None, before: datetime) -> bool:
    return at is None or at < before
