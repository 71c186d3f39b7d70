"""Judges by Kartra's answers whether an open try of an operation was carried out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connectors.kartra.money import money_text
from connectors.kartra.payments import LeadTransaction, Subscription, Transaction
from connectors.kartra.profile import LeadProfile
from pipelines.changes.spelling import in_our_words
from pipelines.config.operations import Do
from pipelines.operations.operation import Operation

# No chargeback: that is the bank's doing, and proves no refund of ours.
REFUNDS = ("refund", "partial_refund")
# Quantity, tax and the second period stand in no answer (§8.4): nothing could prove them.
SHOWN = ("product_id", "price_point", "next_payment_at", "amount", "installments_left", "recurring_period_1")
WISHED_STATUS = {Do.CANCEL: "Cancelled", Do.PAUSE: "Paused", Do.UNPAUSE: "Active"}


class Verdict(StrEnum):
    LANDED = "landed"
    NOT_LANDED = "not landed"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict. `reason` says why nothing is proven; `refund_id` and `amount` are those of a refund
    found."""

    verdict: Verdict
    reason: str = ""
    refund_id: str | None = None
    amount: Decimal | None = None


def refunds_in(rows: Iterable[LeadTransaction]) -> tuple[str, ...]:
    """The numbers of the refunds among a lead's transactions."""
    return tuple(row.transaction_id for row in rows if (row.transaction_type or "").lower() in REFUNDS)


def paid(sale: Transaction) -> Decimal | None:
    """The amount without a sign: nothing documents whether refunds are negative (§8.2)."""
    amount = sale.transaction_full_amount
    return None if amount is None else amount.copy_abs()


def shown_by(subscription: Subscription) -> dict[str, str]:
    """The details that `edit_subscription` can change, by its parameters and in their form."""
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
    # Kartra's words for a status come in both cases (§10.14).
    return (subscription.subscription_status or "").capitalize()


# Was an open try carried out?


def judge_refund(asked: Operation, amount: Decimal | None, new: Sequence[Transaction]) -> Judged:
    """Judges by the lead's refunds since the intent that belong to no other operation.

    `amount` is the expected amount. A refund that names another sale is not ours; one that names none may be.
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
    """Judges by the values in the details. If none of the wish shows, it can be sent again: values are
    absolute."""
    wished = {name: value for name, value in asked.values.items() if name in SHOWN}
    now = shown_by(subscription)
    shown = {name: now.get(name) for name in wished}
    if wished and shown == wished:
        is_whole = len(wished) == len(asked.values) - 1  # without the subscription itself
        shown_before = {name: before.get(name) for name in wished}
        return Judged(Verdict.LANDED if is_whole or shown_before != wished else Verdict.NOT_LANDED)
    if all(value == before.get(name) for name, value in shown.items()):
        return Judged(Verdict.NOT_LANDED)
    return Judged(Verdict.UNPROVEN, "the subscription is neither as it was nor as it was to become")


def judge_points(asked: Operation, before: int | None, after: int | None) -> Judged:
    """Judges by the score before and after; another change meanwhile proves nothing."""
    if before is None or after is None:
        return Judged(Verdict.UNPROVEN, "Kartra shows no score")
    points = int(asked.values["points"]) * (1 if asked.do is Do.GIVE_POINTS else -1)
    if after == before:
        return Judged(Verdict.NOT_LANDED)
    # What happens below zero is not documented (§5.2); a score of 0 is taken for the floor.
    if after == before + points or (after == 0 and before + points < 0):
        return Judged(Verdict.LANDED)
    return Judged(Verdict.UNPROVEN, "the score changed otherwise meanwhile")


def judge_profile(asked: Operation, profile: LeadProfile) -> Judged:
    names = {f"{kind}s": [asked.values[kind]] for kind in ("tag", "list", "sequence") if kind in asked.values}
    profile = in_our_words(profile, (names,))
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
