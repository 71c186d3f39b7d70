"""What Kartra's answers prove of an operation: whose it is, and whether an open try was carried out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connectors.kartra.money import money_text
from connectors.kartra.payments import LeadTransaction, Subscription, Transaction
from connectors.kartra.profile import LeadProfile
from pipelines.config.operations import Do
from pipelines.operations.operation import Operation

REFUNDS = ("refund", "partial_refund")
SHOWN = ("product_id", "price_point", "next_payment_at", "amount", "installments_left", "recurring_period_1")
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


def refunds_in(rows: Iterable[LeadTransaction]) -> tuple[str, ...]:
    """Numbers of the refunds among a lead's transactions."""
    return tuple(row.transaction_id for row in rows if (row.transaction_type or "").lower() in REFUNDS)


def paid(sale: Transaction) -> Decimal | None:
    """Whether refunds are below zero is not documented (§8.2): the type tells what they are."""
    amount = sale.transaction_full_amount
    return None if amount is None else amount.copy_abs()


def shown_by(subscription: Subscription) -> dict[str, str]:
    """What `edit_subscription` can change and details show, by its parameters and in their form."""
    at = subscription.subscription_next_payment_date
    amount = subscription.subscription_next_scheduled_payment_amount
    left = subscription.subscription_installments_left
    shown = {
        "product_id": subscription.subscription_product_id,
        "price_point": subscription.subscription_price_point,
        "next_payment_at": at and at.isoformat(" ", "minutes"),
        "amount": None if amount is None else money_text(amount),
        "installments_left": left and left.lower(),
        "recurring_period_1": subscription.subscription_recurring_period,
    }
    return {name: text for name, text in shown.items() if text}


def status_of(subscription: Subscription) -> str:
    return (subscription.subscription_status or "").capitalize()


# Was an open try carried out?


def judge_refund(asked: Operation, amount: Decimal | None, new: Sequence[Transaction]) -> Judged:
    """By the refunds of the lead that came since the intent and belong to no other operation.

    `amount` is what the refund was to give. One that names another sale is not ours; one that names none
    may be.
    """
    ours = [row for row in new if row.transaction_parent_id == asked.transaction]
    for row in ours:
        is_whole = asked.amount is None and row.transaction_type == "refund"
        given = paid(row)
        if given is not None and (given == amount or is_whole):
            return Judged(Verdict.LANDED, refund_id=row.transaction_id, amount=given)
    if ours:
        return Judged(Verdict.UNPROVEN, "the transaction has a new refund of another amount")
    if any(row.transaction_parent_id is None for row in new):
        return Judged(Verdict.UNPROVEN, "the lead has a new refund that names no transaction")
    return Judged(Verdict.NOT_LANDED)


def judge_status(asked: Operation, subscription: Subscription) -> Judged:
    is_so = status_of(subscription) == WISHED_STATUS[asked.do]
    return Judged(Verdict.LANDED if is_so else Verdict.NOT_LANDED)


def judge_edit(asked: Operation, before: Mapping[str, str], subscription: Subscription) -> Judged:
    """By the values that details show. Where they show none of the wish, its values are absolute: again."""
    wished = {name: value for name, value in asked.values.items() if name in SHOWN}
    now = shown_by(subscription)
    shown = {name: now.get(name) for name in wished}
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
