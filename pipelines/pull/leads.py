"""Reads one lead for a pull: its profile, then its sales in one chained call."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from connectors.errors import RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Effect, found
from connectors.kartra.commands import Call, Lead
from connectors.kartra.error_types import NOT_PERMITTED
from connectors.kartra.profile import LeadProfile, parse_profile
from connectors.kartra.sender import refusal
from pipelines.pull.budget import PullCalls
from pipelines.state.clock import is_fresh
from pipelines.tables.answers import Pulled, PulledProfile, PulledSales, RosterEntry
from pipelines.tables.lead_rows import lead_rows
from pipelines.tables.sale_rows import count_unread, of_lead, subscription_stubs, transaction_stubs


@dataclass(frozen=True, slots=True)
class PullOrder:
    """What to pull. Leads pulled since `before` are fresh."""

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


@dataclass(frozen=True, slots=True)
class LeadTask:
    """A lead on its way: its lookup, and which parts are still stale."""

    lookup: str
    lead: Lead
    owes_profile: bool
    owes_sales: bool

    def after(self, pulled: Pulled) -> "LeadTask | None":
        """The rest of the task after this answer; a lead without a profile has no sales to read."""
        if not isinstance(pulled, PulledProfile) or pulled.rows is None or not self.owes_sales:
            return None
        return replace(self, lead=Lead(id=pulled.rows.lead["id"]), owes_profile=False)


@dataclass(frozen=True, slots=True)
class Brought:
    """An answer on its way to the tables. `seen` is its profile, and when that was read."""

    pulled: Pulled
    seen: tuple[LeadProfile, datetime] | None = None


def lead_task(entry: RosterEntry, order: PullOrder, now: datetime) -> LeadTask:
    kind, _, name = entry.lookup.partition(":")
    by_id = entry.lead_id or kind == "id"
    return LeadTask(
        entry.lookup,
        Lead(id=entry.lead_id or name) if by_id else Lead(email=name),
        owes_profile=order.profiles and not is_fresh(entry.profile_at, order.before, now),
        owes_sales=order.sales and not is_fresh(entry.sales_at, order.before, now),
    )


class LeadReads:
    """The reads, for workers. People for whom `is_forgotten` is true stay out of the tables."""

    def __init__(
        self,
        calls: PullCalls,
        order: PullOrder,
        now: Callable[[], datetime],
        is_forgotten: Callable[[str], bool],
    ) -> None:
        self._calls = calls
        self._order = order
        self._now = now
        self._is_forgotten = is_forgotten

    def read(self, task: LeadTask) -> Brought:
        """Reads the next stale part of a lead. Raises SyncError, RetryableApiError without a usable
        answer."""
        return self._profile(task) if task.owes_profile else self._sales(task)

    def _profile(self, task: LeadTask) -> Brought:
        # Before the call: what was sent while it was under way may not be in the profile.
        asked_at = self._now()
        answer = self._calls.read(Call(get_lead=task.lead))
        if answer.effect is Effect.REFUSED:
            if answer.type == NOT_PERMITTED:
                raise refusal("get_lead", answer.type)
            return Brought(PulledProfile(task.lookup, None, answer.type or "?"))
        try:
            rows = lead_rows(found(answer.body, "lead_details") or {}, self._order.zone)
        except ValueError as error:
            raise RetryableApiError("Kartra gave a profile without an id") from error
        # A lead that is asked for by its number shows only now whose it is.
        if self._is_forgotten(rows.lead["email"] or ""):
            return Brought(PulledProfile(task.lookup, None, "forgotten"))
        profile = parse_profile(answer.body)
        return Brought(PulledProfile(task.lookup, rows), (profile, asked_at) if profile else None)

    def _sales(self, task: LeadTask) -> Brought:
        order = self._order
        # Both in one call, because a chain counts as one against the rate (§2.1).
        actions = [commands.retrieve_transactions_from_lead()] if order.transactions else []
        actions += [commands.retrieve_subscriptions_from_lead()] if order.subscriptions else []
        answers = self._calls.read_each(actions, task.lead)
        for action, answer in zip(actions, answers, strict=True):
            if answer.type == NOT_PERMITTED:
                raise refusal(action.cmd, answer.type)
            if answer.effect is Effect.REFUSED:
                return Brought(PulledSales(task.lookup, None, None, answer.type or "?"))
        payload: dict[str, Any] = {}
        for answer in answers:
            payload |= answer.payload or {}
        bought, subscribed = payload.get("transaction_list"), payload.get("subscriptions_list")
        transactions, subscriptions = transaction_stubs(bought), subscription_stubs(subscribed)
        pulled = PulledSales(
            task.lookup,
            [of_lead(stub, task.lead.id) for stub in transactions] if order.transactions else None,
            [of_lead(stub, task.lead.id) for stub in subscriptions] if order.subscriptions else None,
            unread=count_unread(bought, transactions) + count_unread(subscribed, subscriptions),
        )
        return Brought(pulled)
