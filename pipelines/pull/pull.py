"""A pull: what Kartra has comes back into tables, stale leads first, resumable at every call.

What is pulled next is always read from the tables: names, then per lead its profile and one chained call for
its sales, then details (`pull_details`). Workers make the calls
(`pull_workers`), this thread owns the tables.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Any

from connectors.errors import RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Answer, Effect, found
from connectors.kartra.commands import Call, InventoryName, Lead
from connectors.kartra.error_types import NOT_PERMITTED
from connectors.kartra.profile import LeadProfile, parse_names, parse_profile
from connectors.kartra.sender import Sender, refusal
from pipelines.calls.inventories import INVENTORIES
from pipelines.pull.budget import PullCalls
from pipelines.pull.details import Chains, Details, Owed
from pipelines.pull.workers import MAX_WORKERS, Brought, PullStoppedError, Workers
from pipelines.state.clock import utc_now
from pipelines.summary import Progress
from pipelines.tables.answers import PulledProfile, PulledSales, RosterEntry
from pipelines.tables.lead_rows import custom_field_rows, lead_rows
from pipelines.tables.sale_rows import subscription_stubs, transaction_stubs
from pipelines.tables.warehouse import Warehouse

log = logging.getLogger("kartra_sync.pull")

PAGE = 2_000
"""Leads that are taken from the roster at a time."""
IN_A_ROW = 25
"""Calls in a row without a usable answer end the pull: Kartra is out of order."""
BEAT_EVERY_S = 5.0


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


class Failures:
    """Leads and details without a usable answer: left alone for the rest of this pull."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.names: set[str] = set()
        self._stopping = stopping
        self._in_a_row = 0

    def note(self, failed: Sequence[str]) -> None:
        """What came of one lead, or of one call for details. Raises RetryableApiError after IN_A_ROW."""
        if not failed or self._stopping():  # after a stop no answer is no news
            self._in_a_row = 0
            return
        self.names.update(failed)
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise RetryableApiError(f"no usable answer {IN_A_ROW} times in a row. Run again later")


class Pull:
    """One pull of one account into one warehouse. `run` does all of it."""

    def __init__(
        self,
        client: Sender,
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
        self._client = client
        self._warehouse = warehouse
        self._order = order
        self._rate, self._fixed_workers = calls_per_second, workers
        self._is_forgotten = is_forgotten
        self._see = see
        self._beat = beat
        self._progress = progress
        self._workers = Workers(self._keep, width=self._width, stopping=stopping)
        self._calls = PullCalls(client, self._workers, at_most=order.max_calls)
        self._details = Details(self._calls, chains, order.zone, is_forgotten)
        self._failures = Failures(stopping)
        self._beaten_at = time.monotonic()
        self._settled = self._total = 0

    @property
    def is_out_of_budget(self) -> bool:
        return self._calls.is_used_up

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
                self._workers.work([partial(self._pull_lead, entry) for entry in entries], self._settle_lead)
                self._pull_details(whole_chains_only=True)
            self._pull_details()
        except PullStoppedError:
            return
        if failed := self._failures.names:
            raise RetryableApiError(f"{len(failed):,} leads got no usable answer and wait for the next run")

    # --- names

    def _pull_names(self) -> None:
        wanted = [name for name in INVENTORIES if name in self._order.tables]
        self._workers.work([partial(self._pull_inventory, name) for name in wanted], self._keep_inventory)

    def _pull_inventory(self, name: InventoryName) -> tuple[InventoryName, Answer]:
        """In a worker."""
        return name, self._calls.inventory(INVENTORIES[name][0]())

    def _keep_inventory(self, read: tuple[InventoryName, Answer]) -> None:
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
        order, failed = self._order, self._failures.names
        entries = self._warehouse.stale(
            order.before, PAGE + len(failed), profiles=order.profiles, sales=order.sales
        )
        return [entry for entry in entries if entry.lookup not in failed]

    def _pull_lead(self, entry: RosterEntry) -> str | None:
        """In a worker: both calls of a lead. Gives its lookup when there was no usable answer."""
        order = self._order
        lead = _asked_for(entry)
        try:
            if order.profiles and _is_stale(entry.profile_at, order.before):
                asked_at = utc_now()
                profile, seen = self._read_profile(entry.lookup, lead)
                self._workers.bring(profile, (seen, asked_at) if seen else None)
                if profile.rows is None:
                    return None
                lead = Lead(id=profile.rows.lead["id"])
            if order.sales and _is_stale(entry.sales_at, order.before):
                self._workers.bring(self._read_sales(entry.lookup, lead))
        except RetryableApiError as error:
            log.info("a lead waits for the next run: %s", error)
            return entry.lookup
        return None

    def _settle_lead(self, failed: str | None) -> None:
        self._settled += 1
        self._progress(Progress(self._settled, self._total, self._calls.made))
        self._failures.note([failed] if failed is not None else [])

    def _read_profile(self, lookup: str, lead: Lead) -> tuple[PulledProfile, LeadProfile | None]:
        answer = self._calls.read(Call(get_lead=lead))
        if answer.effect is Effect.REFUSED:
            if answer.type == NOT_PERMITTED:
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
        answers = self._calls.read_each(actions, lead)
        for action, answer in zip(actions, answers, strict=True):
            if answer.type == NOT_PERMITTED:
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
        while batches := self._details.batches(self._owed(), whole_chains_only=whole_chains_only):
            self._workers.work([partial(self._pull_chain, batch) for batch in batches], self._settle_chain)

    def _owed(self) -> list[Owed]:
        transactions, subscriptions = self._warehouse.owed(PAGE + len(self._failures.names))
        owed = [Owed("transaction", stub) for stub in transactions if self._order.transactions]
        owed += [Owed("subscription", stub) for stub in subscriptions if self._order.subscriptions]
        return [one for one in owed if one.name not in self._failures.names]

    def _pull_chain(self, batch: list[Owed]) -> list[Owed]:
        """In a worker: gives those that came without details."""
        pulled, failed = self._details.read(batch)
        self._workers.bring(pulled)
        return failed

    def _settle_chain(self, failed: list[Owed]) -> None:
        self._failures.note([one.name for one in failed])

    # --- what workers bring

    def _keep(self, brought: Sequence[Brought]) -> None:
        """Into the tables, in one transaction."""
        self._warehouse.keep([one.pulled for one in brought], utc_now())
        for one in brought:
            if one.seen is not None:
                self._see(*one.seen)
        if time.monotonic() - self._beaten_at > BEAT_EVERY_S:
            self._beaten_at = time.monotonic()
            self._beat()

    def _width(self) -> int:
        """Calls in flight: rate times latency, and a few that wait for their permit."""
        if self._fixed_workers is not None:
            return self._fixed_workers
        return min(MAX_WORKERS, math.ceil(self._rate * self._client.counts.latency_s) + 4)


def _asked_for(entry: RosterEntry) -> Lead:
    kind, _, name = entry.lookup.partition(":")
    if entry.lead_id or kind == "id":
        return Lead(id=entry.lead_id or name)
    return Lead(email=name)


def _is_stale(at: datetime | None, before: datetime) -> bool:
    return at is None or at < before
