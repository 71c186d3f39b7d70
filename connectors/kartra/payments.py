"""Transactions and subscriptions out of Kartra's answers (§8), under Kartra's own names. Pure.

Amounts are exact decimals without a currency; times are by Kartra's clock ("EST", §8.5), without a zone. An
absent value, which Kartra writes as `N/A` or zeros, is None. `details` is all that Kartra sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.kartra.answers import found
from connectors.kartra.profile import clean, maps_of, moment_of


@dataclass(frozen=True, slots=True)
class LeadTransaction:
    """A row of a lead's list, with the address at the time of purchase; `get_transaction_details` has the
    amount."""

    transaction_id: str
    lead_id: str | None
    lead_email: str | None
    transaction_type: str | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment. Take the direction from `transaction_type`: the sign of a refund is not documented."""

    transaction_id: str
    lead_id: str | None
    lead_email: str | None
    transaction_type: str | None
    transaction_date: datetime | None
    transaction_full_amount: Decimal | None
    transaction_base_amount: Decimal | None
    transaction_discount: Decimal | None
    transaction_shipping: Decimal | None
    transaction_tax: Decimal | None
    transaction_quantity: int | None
    transaction_parent_id: str | None
    transaction_subscription_id: str | None
    transaction_internal_subscription_id: str | None
    product_id: str | None
    product_name: str | None
    product_price_point: str | None
    details: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refund:
    """`transaction_refunded` is, by the example of §5.6, the id of the new row and not of the sale."""

    transaction_refunded: str | None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The first id may be a payment provider's own; the second is Kartra's."""

    transaction_subscription_id: str | None
    transaction_internal_subscription_id: str | None


@dataclass(frozen=True, slots=True)
class LeadSubscription:
    """A row of a lead's list. Status: Active, Paused, Cancelled or Terminated (all payments made)."""

    subscription_id: str
    lead_id: str | None
    lead_email: str | None
    subscription_status: str | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """`subscription_installments_left` is a number, or `Until cancelled`."""

    subscription_id: str
    subscription_lead_id: str | None
    subscription_status: str | None
    subscription_product_id: str | None
    subscription_price_point: str | None
    subscription_start_date: datetime | None
    subscription_end_date: datetime | None
    subscription_next_payment_date: datetime | None
    subscription_next_scheduled_payment_amount: Decimal | None
    subscription_current_installment: int | None
    subscription_installments_left: str | None
    subscription_recurring_period: str | None
    details: Mapping[str, Any] = field(repr=False)


def parse_transaction_list(body: Mapping[str, Any]) -> tuple[LeadTransaction, ...]:
    """Rows without an id are none."""
    return tuple(
        LeadTransaction(
            transaction_id,
            text_in(row, "lead_id"),
            text_in(row, "lead_email"),
            text_in(row, "transaction_type"),
        )
        for row in maps_of(found(body, "transaction_list"))
        if (transaction_id := text_in(row, "transaction_id"))
    )


def parse_transaction(body: Mapping[str, Any]) -> Transaction | None:
    """The transaction of an answer; None if its details have no id."""
    details = found(body, "transaction_details")
    if not isinstance(details, Mapping) or not (transaction_id := text_in(details, "transaction_id")):
        return None
    return Transaction(
        transaction_id=transaction_id,
        lead_id=text_in(details, "lead_id"),
        lead_email=text_in(details, "lead_email"),
        transaction_type=text_in(details, "transaction_type"),
        transaction_date=moment_of(details.get("transaction_date")),
        transaction_full_amount=amount(details, "transaction_full_amount"),
        transaction_base_amount=amount(details, "transaction_base_amount"),
        transaction_discount=amount(details, "transaction_discount"),
        transaction_shipping=amount(details, "transaction_shipping"),
        transaction_tax=amount(details, "transaction_tax"),
        transaction_quantity=whole(details, "transaction_quantity"),
        transaction_parent_id=_other(text_in(details, "transaction_parent_id")),
        transaction_subscription_id=text_in(details, "transaction_subscription_id"),
        transaction_internal_subscription_id=text_in(details, "transaction_internal_subscription_id"),
        product_id=text_in(details, "product_id"),
        product_name=text_in(details, "product_name"),
        product_price_point=text_in(details, "product_price_point"),
        details=details,
    )


def parse_refund(body: Mapping[str, Any]) -> Refund:
    return Refund(clean(found(body, "transaction_refunded")))


def parse_cancellation(body: Mapping[str, Any]) -> Cancellation:
    return Cancellation(
        clean(found(body, "transaction_subscription_id")),
        clean(found(body, "transaction_internal_subscription_id")),
    )


def parse_subscription_list(body: Mapping[str, Any]) -> tuple[LeadSubscription, ...]:
    """Rows without an id are none."""
    return tuple(
        LeadSubscription(
            subscription_id,
            text_in(row, "lead_id"),
            text_in(row, "lead_email"),
            text_in(row, "subscription_status"),
        )
        # Its plural is Kartra's own, beside `transaction_list`; `subscription_list` was in an older answer
        # (§5.8).
        for row in maps_of(found(body, "subscriptions_list"))
        if (subscription_id := text_in(row, "subscription_id"))
    )


def parse_subscription(body: Mapping[str, Any]) -> Subscription | None:
    """The subscription of an answer; None if its details have no id."""
    details = found(body, "subscription_details")
    if not isinstance(details, Mapping) or not (subscription_id := text_in(details, "subscription_id")):
        return None
    return Subscription(
        subscription_id=subscription_id,
        subscription_lead_id=text_in(details, "subscription_lead_id"),
        subscription_status=text_in(details, "subscription_status"),
        subscription_product_id=text_in(details, "subscription_product_id"),
        subscription_price_point=text_in(details, "subscription_price_point"),
        subscription_start_date=moment_of(details.get("subscription_start_date")),
        subscription_end_date=moment_of(details.get("subscription_end_date")),
        subscription_next_payment_date=moment_of(details.get("subscription_next_payment_date")),
        subscription_next_scheduled_payment_amount=amount(
            details, "subscription_next_scheduled_payment_amount"
        ),
        subscription_current_installment=whole(details, "subscription_current_installment"),
        subscription_installments_left=text_in(details, "subscription_installments_left"),
        subscription_recurring_period=text_in(details, "subscription_recurring_period"),
        details=details,
    )


def text_in(row: Mapping[str, Any], name: str) -> str | None:
    return clean(row.get(name))


def amount(row: Mapping[str, Any], name: str) -> Decimal | None:
    """An amount as Kartra writes it, with a point and no thousands separator; None for anything else."""
    try:
        # Without a value it is no number either, so that one way leads out.
        exact = Decimal(text_in(row, name) or "N/A")
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None


def whole(row: Mapping[str, Any], name: str) -> int | None:
    text = text_in(row, name) or ""
    # No int() alone: it takes digits of every script, underscores, and numbers no column holds.
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None


def _other(number: str | None) -> str | None:
    """The number of the parent; Kartra writes 0 where there is none."""
    return None if number == "0" else number
