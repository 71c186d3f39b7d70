"""What Kartra's answers prove of an operation: whose it is, and whether an open try was carried out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from connectors.kartra.answers import found
from connectors.kartra.profile import LeadProfile, maps_of, text_of
from pipelines.config_operations import Do
from pipelines.kartra_time import local_of
from pipelines.operations import Operation
from pipelines.pull_rows import NOTHING

REFUNDS = ("refund", "partial_refund")
WISHED_STATUS = {Do.CANCEL: "Cancelled", Do.PAUSE: "Paused", Do.UNPAUSE: "Active"}


class Verdict(StrEnum):
    LANDED = "landed"
    NOT_LANDED = "not landed"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Judged:
    """`reason` is why nothing is proven. `refund_id` and `amount` are those of the refund that was found."""

    verdict: Verdict
    reason: str = ""
    refund_id: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """As much of a transaction as Kartra tells; what it leaves out is "" or None."""

    id: str
    lead_id: str
    lead_email: str
    type: str
    amount: Decimal | None
    parent_id: str
    subscription_id: str


@dataclass(frozen=True, slots=True)
class Subscription:
    lead_id: str
    status: str
    shown: Mapping[str, str] = field(default_factory=dict)
    """What `edit_subscription` can change and details show, by its parameters."""


def transaction_in(body: Mapping[str, Any]) -> Transaction:
    details = _details(body, "transaction_details")
    parent = details.get("transaction_parent_id", "")
    return Transaction(
        id=details.get("transaction_id", ""),
        lead_id=details.get("lead_id", ""),
        lead_email=details.get("lead_email", ""),
        type=details.get("transaction_type", "").lower(),
        amount=_money(details.get("transaction_full_amount", "")),
        parent_id="" if parent == "0" else parent,
        subscription_id=details.get("transaction_internal_subscription_id", ""),
    )


def refunds_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Numbers of the refunds among a lead's transactions."""
    rows = maps_of(found(body, "transaction_list"))
    return tuple(
        text_of(row.get("transaction_id"))
        for row in rows
        if text_of(row.get("transaction_type")).lower() in REFUNDS and text_of(row.get("transaction_id"))
    )


def subscription_in(body: Mapping[str, Any]) -> Subscription:
    details = _details(body, "subscription_details")
    shown = {name: details[key] for name, key in _SHOWN.items() if key in details}
    return Subscription(
        lead_id=details.get("subscription_lead_id", ""),
        status=details.get("subscription_status", "").capitalize(),
        shown={name: _in_one_form(name, text) for name, text in shown.items()},
    )


_SHOWN = {
    "product_id": "subscription_product_id",
    "price_point": "subscription_price_point",
    "next_payment_at": "subscription_next_payment_date",
    "amount": "subscription_next_scheduled_payment_amount",
    "installments_left": "subscription_installments_left",
    "recurring_period_1": "subscription_recurring_period",
}


def _in_one_form(name: str, text: str) -> str:
    """As the values of an operation are written."""
    if name == "amount":
        amount = _money(text)
        return text if amount is None else f"{amount:.2f}"
    if name == "next_payment_at":
        at = local_of(text)
        return text if at is None else at.isoformat(" ", "minutes")
    return text.lower()


def _details(body: Mapping[str, Any], key: str) -> dict[str, str]:
    """Every detail as text, without those that have no value."""
    details = found(body, key)
    texts = {name: text_of(value) for name, value in details.items()} if isinstance(details, Mapping) else {}
    return {name: text for name, text in texts.items() if text not in NOTHING}


def _money(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount.copy_abs() if amount.is_finite() else None


# Was an open try carried out?


def judge_refund(asked: Operation, amount: Decimal | None, new: Sequence[Transaction]) -> Judged:
    """By the refunds of the lead that came since the intent and belong to no other operation.

    `amount` is what the refund was to give. One that names another sale is not ours; one that names none
    may be.
    """
    ours = [row for row in new if row.parent_id == asked.transaction]
    for row in ours:
        is_whole = asked.amount is None and row.type == "refund"
        if row.amount is not None and (row.amount == amount or is_whole):
            return Judged(Verdict.LANDED, refund_id=row.id, amount=row.amount)
    if ours:
        return Judged(Verdict.UNPROVEN, "the transaction has a new refund of another amount")
    if any(not row.parent_id for row in new):
        return Judged(Verdict.UNPROVEN, "the lead has a new refund that names no transaction")
    return Judged(Verdict.NOT_LANDED)


def judge_status(asked: Operation, subscription: Subscription) -> Judged:
    is_so = subscription.status == WISHED_STATUS[asked.do]
    return Judged(Verdict.LANDED if is_so else Verdict.NOT_LANDED)


def judge_edit(asked: Operation, before: Mapping[str, str], subscription: Subscription) -> Judged:
    """By the values that details show. Where they show none of the wish, its values are absolute: again."""
    wished = {name: value for name, value in asked.values.items() if name in _SHOWN}
    shown = {name: subscription.shown.get(name) for name in wished}
    if wished and shown == wished:
        is_whole = len(wished) == len(asked.values) - 1  # but for the subscription itself
        told = {name: before.get(name) for name in wished}
        return Judged(Verdict.LANDED if is_whole or told != wished else Verdict.NOT_LANDED)
    if all(value == before.get(name) for name, value in shown.items()):
        return Judged(Verdict.NOT_LANDED)
    return Judged(Verdict.UNPROVEN, "the subscription is neither as it was nor as it was to become")


def judge_points(asked: Operation, before: int | None, after: int | None) -> Judged:
    """By the score before and after: one that changed otherwise meanwhile proves nothing."""
    if before is None or after is None:
        return Judged(Verdict.UNPROVEN, "Kartra shows no score")
    points = int(asked.values["points"]) * (1 if asked.do is Do.GIVE_POINTS else -1)
    if after == before:
        return Judged(Verdict.NOT_LANDED)
    if after == before + points or (after == 0 and before + points < 0):
        return Judged(Verdict.LANDED)
    return Judged(Verdict.UNPROVEN, "the score changed otherwise meanwhile")


def judge_profile(asked: Operation, profile: LeadProfile) -> Judged:
    match asked.do:
        case Do.TAG:
            is_so = asked.values["tag"] in profile.tags
        case Do.UNTAG:
            is_so = asked.values["tag"] not in profile.tags
        case _ if "list" in asked.values:
            is_so = not profile.lists.get(asked.values["list"], False)
        case _:
            is_so = asked.values["sequence"] not in profile.sequences
    return Judged(Verdict.LANDED if is_so else Verdict.NOT_LANDED)
