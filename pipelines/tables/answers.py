"""The answers that a pull hands to the warehouse, and the entries of its roster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.kartra.cells import TableRow
from pipelines.tables.lead_rows import LeadRows

UNSTORABLE = "unstorable"
"""In place of Kartra's error type for an answer that the database refused."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A lead to pull. `lookup` says how to read it: `id:39260` or `email:ann@…`."""

    lookup: str
    lead_id: str | None
    profile_at: datetime | None
    sales_at: datetime | None


@dataclass(frozen=True, slots=True)
class PulledProfile:
    """The answer to get_lead for a lookup: rows, or Kartra's error type."""

    lookup: str
    rows: LeadRows | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class PulledSales:
    """A lead's lists of transactions and subscriptions; None if they were not read.

    `unread` counts entries that name no transaction or subscription.
    """

    lookup: str
    transactions: Sequence[TableRow] | None
    subscriptions: Sequence[TableRow] | None
    type: str | None = None
    unread: int = 0


@dataclass(frozen=True, slots=True)
class PulledDetails:
    """Rows of transactions and subscriptions, and the error types of refused ones by id."""

    transactions: Sequence[TableRow] = ()
    subscriptions: Sequence[TableRow] = ()
    refused_transactions: Mapping[str, str] = field(default_factory=dict)
    refused_subscriptions: Mapping[str, str] = field(default_factory=dict)


Pulled = PulledProfile | PulledSales | PulledDetails


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts of what is not fresh: profiles, sales, leads with either, details; and of the roster."""

    profiles: int
    sales: int
    leads: int
    details: int
    roster: int


def apart(answer: Pulled) -> list[Pulled]:
    """The answer split into one for each row of details."""
    if not isinstance(answer, PulledDetails):
        return [answer]
    refusals = replace(answer, transactions=(), subscriptions=())
    return [
        *(PulledDetails(transactions=[row]) for row in answer.transactions),
        *(PulledDetails(subscriptions=[row]) for row in answer.subscriptions),
        *([refusals] if refusals.refused_transactions or refusals.refused_subscriptions else []),
    ]


def refused(answer: Pulled) -> Pulled:
    """The answer to keep in place of one that the database refused."""
    match answer:
        case PulledProfile():
            return PulledProfile(answer.lookup, None, UNSTORABLE)
        case PulledSales():
            return PulledSales(answer.lookup, None, None, UNSTORABLE)
        case PulledDetails():
            return PulledDetails(
                refused_transactions={row["transaction_id"]: UNSTORABLE for row in answer.transactions},
                refused_subscriptions={row["subscription_id"]: UNSTORABLE for row in answer.subscriptions},
            )
