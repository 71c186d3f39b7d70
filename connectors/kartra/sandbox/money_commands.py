"""Transactions and recurring subscriptions (reference §5.6, §5.7, §8). Edits: `subscription_edits`."""

from datetime import datetime, timedelta
from decimal import Decimal

from connectors.kartra.sandbox.account import (
    DATE_FORM,
    NO_DATE,
    NO_VALUE,
    Account,
    Subscription,
    Transaction,
    est_text,
)
from connectors.kartra.sandbox.call import Call, Entry
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.php_form import Form, money, text

# --- transactions


def search_transaction(call: Call, action: Form) -> Entry:
    _transaction(call, action, unknown="247")
    return {"status": "Success", "message": "Transaction exists"}


def get_transaction_details(call: Call, action: Form) -> Entry:
    transaction = _transaction(call, action, unknown="247")
    details = _details_documented(transaction)
    if call.options.transaction_extras:
        details |= _details_likely(transaction, call.account)
    return {"transaction_details": details}


def retrieve_transactions_from_lead(call: Call, _action: Form) -> Entry:
    lead = call.lead()
    held = [
        transaction
        for transaction in call.account.transactions.values()
        if transaction.lead_id == lead.id and not call.late.is_hidden(transaction.id, call.at)
    ]
    return {
        "transaction_list": [
            {
                "transaction_id": transaction.id,
                "lead_id": lead.id,
                # As it was at the purchase, whatever address the lead has by now (§8.1).
                "lead_email": transaction.buyer.get("email", ""),
                "transaction_type": transaction.type,
            }
            for transaction in held
        ]
    }


def refund_transaction(call: Call, action: Form) -> Entry:
    """Refund the rest of a sale, or a part of it; the id of the new row is answered."""
    sale = _transaction(call, action, unknown="247")
    if sale.type not in ("sale", "rebill") or sale.test:
        raise Refused("253")
    rest = Decimal(sale.amount) - _refunded(sale, call.account)
    if rest <= 0:
        raise Refused("251")
    if _is_outside_refund_period(sale, call.now):
        raise Refused("250")
    amount = _refund_amount(action, rest)
    if sale.gateway_fails:
        raise Refused("266")
    refund = Transaction(
        sale.lead_id,
        type="refund" if amount == Decimal(sale.amount) else "partial_refund",
        amount=f"{amount:.2f}",
        date=est_text(call.now),
        product_name=sale.product_name,
        product_id=sale.product_id,
        price_point=sale.price_point,
        parent_id=sale.id,
        subscription_id=sale.subscription_id,
        buyer=dict(sale.buyer),
    )
    refund_id = call.account.add_transaction(refund).id
    call.late.hide(refund_id, call.at + call.options.effect_delay_s)
    return {"status": "Success", "transaction_refunded": refund_id}


def cancel_transaction(call: Call, action: Form) -> Entry:
    """Cancels the subscription behind a transaction, or the one named by its internal id."""
    if text(action, "transaction_id"):
        # Here a transaction that is not there is 248; everywhere else it is 247 (§5.6).
        transaction = _transaction(call, action, unknown="248")
        if transaction.type not in ("sale", "rebill") or transaction.test:
            raise Refused("253")
        if transaction.subscription_id not in call.account.subscriptions:
            raise Refused("249")
        subscription = call.account.subscriptions[transaction.subscription_id]
    else:
        subscription = subscription_named(call, action, "transaction_internal_subscription_id")
    if subscription.status in ("Cancelled", "Terminated"):
        raise Refused("252")
    _cancel(call, subscription)
    return {
        "status": "Success",
        "transaction_subscription_id": subscription.gateway_id or subscription.id,
        "transaction_internal_subscription_id": subscription.id,
    }


def _transaction(call: Call, action: Form, *, unknown: str) -> Transaction:
    found = call.account.transactions.get(text(action, "transaction_id"))
    if found is None:
        raise Refused(unknown)
    return found


def _refunded(sale: Transaction, account: Account) -> Decimal:
    refunds = [
        Decimal(row.amount)
        for row in account.transactions.values()
        if row.parent_id == sale.id and row.type in ("refund", "partial_refund", "chargeback")
    ]
    return sum(refunds, Decimal(0))


def _is_outside_refund_period(sale: Transaction, now: datetime) -> bool:
    """Whether a sale is too old for a refund; a sale without a date never is."""
    if sale.date == NO_DATE:
        return False
    return now - datetime.strptime(sale.date, DATE_FORM) > timedelta(days=sale.refund_period_days)  # noqa: DTZ007


def _refund_amount(action: Form, rest: Decimal) -> Decimal:
    given = text(action, "refund_amount")
    if not given:
        return rest
    amount = money(given)
    # Nobody has shown what more than is left is answered; 268 is the only number about the amount (§5.6).
    if amount is None or not 0 < amount <= rest:
        raise Refused("268")
    return amount


def _details_documented(transaction: Transaction) -> Entry:
    buyer = transaction.buyer
    return {
        "transaction_id": transaction.id,
        "lead_first_name": buyer.get("first_name", ""),
        "lead_last_name": buyer.get("last_name", ""),
        "lead_email": buyer.get("email", ""),
        "lead_id": transaction.lead_id,
        "lead_username": buyer.get("username", ""),
        "lead_country": buyer.get("country", ""),
        "lead_country_code_2": buyer.get("country_code_2", ""),
        "lead_country_code_3": buyer.get("country_code_3", ""),
        "lead_state": buyer.get("state", ""),
        "lead_phone_country_code": buyer.get("phone_country_code", ""),
        "lead_phone_number": buyer.get("phone", ""),
        "lead_address": buyer.get("address", ""),
        "lead_city": buyer.get("city", ""),
        "lead_zip": buyer.get("zip", ""),
        "product_name": transaction.product_name,
        "product_id": transaction.product_id,
        "product_price_point": transaction.price_point,
        "transaction_full_amount": transaction.amount,
        "transaction_quantity": transaction.quantity,
        "transaction_affiliate": transaction.affiliate,
    }


def _details_likely(transaction: Transaction, account: Account) -> Entry:
    subscription = account.subscriptions.get(transaction.subscription_id)
    paid = Decimal(transaction.amount) - Decimal(transaction.shipping) - Decimal(transaction.tax)
    return {
        "transaction_jv": transaction.jv,
        "transaction_date": transaction.date,
        "transaction_type": transaction.type,
        "transaction_parent_id": transaction.parent_id,
        "transaction_base_amount": f"{paid + Decimal(transaction.discount):.2f}",
        "transaction_discount": transaction.discount,
        "transaction_shipping": transaction.shipping,
        "transaction_tax": transaction.tax,
        "transaction_subscription_id": (subscription.gateway_id or subscription.id)
        if subscription
        else NO_VALUE,
        "transaction_internal_subscription_id": subscription.id if subscription else NO_VALUE,
        "transaction_subscription_pay_number": _pay_number(transaction, account)
        if subscription
        else NO_VALUE,
        "transaction_last_4_card_digits": transaction.card_digits,
        "original_id": _payments(transaction, account)[0] if subscription else "0",
    }


def _payments(transaction: Transaction, account: Account) -> list[str]:
    """The ids of all payments of a transaction's subscription, in their order."""
    rows = account.transactions.values()
    ids = [
        row.id
        for row in rows
        if row.subscription_id == transaction.subscription_id and row.type in ("sale", "rebill")
    ]
    return ids or [transaction.id]


def _pay_number(transaction: Transaction, account: Account) -> str:
    payments = _payments(transaction, account)
    return str(payments.index(transaction.id) + 1) if transaction.id in payments else NO_VALUE


# --- subscriptions


def search_subscription(call: Call, action: Form) -> Entry:
    subscription_named(call, action, "subscription_id")
    return {"status": "Success", "message": "Subscription exists"}


def get_subscription_details(call: Call, action: Form) -> Entry:
    held = subscription_named(call, action, "subscription_id")
    return {
        "subscription_details": {
            "subscription_id": held.id,
            "subscription_product_id": held.product_id,
            "subscription_price_point": held.price_point,
            "subscription_lead_id": held.lead_id,
            "subscription_start_date": held.start_date,
            "subscription_end_date": held.end_date,
            "subscription_current_installment": held.current_installment,
            "subscription_installments_left": held.installments_left,
            "subscription_recurring_period": held.recurring_period,
            "subscription_status": held.status,
            "subscription_next_payment_date": held.next_payment_date,
            "subscription_next_scheduled_payment_amount": held.amount
            if held.status == "Active"
            else NO_VALUE,
            "subscription_affiliate": held.affiliate,
            "subscription_jv": held.jv,
        }
    }


def retrieve_subscriptions_from_lead(call: Call, _action: Form) -> Entry:
    lead = call.lead()
    held = [
        subscription
        for subscription in call.account.subscriptions.values()
        if subscription.lead_id == lead.id
    ]
    return {
        "subscriptions_list": [
            {
                "subscription_id": subscription.id,
                "lead_id": lead.id,
                "lead_email": lead.email,
                "subscription_status": subscription.status,
            }
            for subscription in held
        ]
    }


def modify_subscription_status(call: Call, action: Form) -> None:
    subscription = subscription_named(call, action, "subscription_id")
    wish = text(action, "subscription_status_modification")
    if wish not in ("cancel", "pause", "unpause"):
        raise Refused("274")
    if wish == "cancel" and subscription.status == "Cancelled":
        raise Refused("252")
    if subscription.status in ("Cancelled", "Terminated"):
        raise Refused("275")
    if wish == "cancel":
        _cancel(call, subscription)
    # PayPal's can be cancelled and nothing else (§5.7).
    elif subscription.paypal:
        raise Refused("284")
    else:
        subscription.status = "Paused" if wish == "pause" else "Active"


def subscription_named(call: Call, action: Form, key: str) -> Subscription:
    found = call.account.subscriptions.get(text(action, key))
    if found is None:
        raise Refused("248")
    return found


def _cancel(call: Call, subscription: Subscription) -> None:
    """Cancel a subscription, which leaves a row of type cancellation among the lead's transactions."""
    if subscription.gateway_fails:
        raise Refused("267")
    subscription.status = "Cancelled"
    subscription.end_date = est_text(call.now)
    call.account.add_transaction(
        Transaction(
            subscription.lead_id,
            type="cancellation",
            amount="0.00",
            date=est_text(call.now),
            product_id=subscription.product_id,
            subscription_id=subscription.id,
        )
    )
