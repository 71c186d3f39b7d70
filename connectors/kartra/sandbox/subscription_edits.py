"""edit_subscription: each parameter of a recurring subscription and its rule (reference §5.7.1)."""

import re
from datetime import datetime
from decimal import Decimal

from connectors.kartra.sandbox.account import DATE_FORM, Subscription, est_text
from connectors.kartra.sandbox.call import Call
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.money_commands import subscription_named
from connectors.kartra.sandbox.php_form import Form, decimal, money, text

_PERIODS = ("monthly", "every 2 months", "quarterly", "yearly", "every 2 years", "weekly", "every 2 weeks")
_PERIODS_OF_INSTALLMENTS = ("monthly", "every 2 months", "weekly", "every 2 weeks")
_SECOND_PERIODS = ("yearly", "every 2 years")
_INTEGER = re.compile(r"[0-9]{1,9}")
_PAYMENT_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2})(:[0-9]{2})?")
_MOST_INSTALLMENTS = 999


def edit_subscription(call: Call, action: Form) -> None:
    """Every parameter is checked before the first is applied."""
    subscription = subscription_named(call, action, "subscription_id")
    if subscription.status in ("Cancelled", "Terminated"):
        raise Refused("275")
    if subscription.paypal:
        raise Refused("284")
    sent = {key for key, value in action.items() if key in _EDITABLE and value != ""}
    # A call without any parameter ends here as well: an empty set is part of any, and one is needed (§5.7).
    if sent <= subscription.locked_parameters:
        raise Refused("285")
    changes: dict[str, str] = {}
    # In a fixed order, so that a call with several faults always meets the same one.
    for key in sorted(sent - subscription.locked_parameters):
        changes |= _EDITABLE[key](call, subscription, action)
    for name, value in changes.items():
        setattr(subscription, name, value)


def _product(call: Call, _subscription: Subscription, action: Form) -> dict[str, str]:
    product, price_point = text(action, "subscription_product_id"), text(action, "subscription_price_point")
    known = call.account.products.get(product, 0)
    if not _INTEGER.fullmatch(price_point) or not 1 <= int(price_point) <= known:
        raise Refused("283")
    return {"product_id": product, "price_point": price_point}


def _next_payment_date(call: Call, _subscription: Subscription, action: Form) -> dict[str, str]:
    given = _PAYMENT_DATE.fullmatch(text(action, "subscription_next_payment_date"))
    try:
        at = datetime.strptime(given[1] + (given[2] or ":00"), DATE_FORM) if given else None  # noqa: DTZ007
    except ValueError:
        at = None
    if at is None:
        raise Refused("260")
    if at < call.now:
        raise Refused("261")
    return {"next_payment_date": est_text(at)}


def _amount(_call: Call, _subscription: Subscription, action: Form) -> dict[str, str]:
    amount = money(text(action, "subscription_amount"))
    if amount is None:
        raise Refused("268")
    if not Decimal(1) <= amount <= Decimal("9999.99"):
        raise Refused("277")
    return {"amount": f"{amount:.2f}"}


def _recurrence(_call: Call, subscription: Subscription, action: Form) -> dict[str, str]:
    if subscription.recurrence_fixed:
        raise Refused("281")
    wish = action["subscription_recurrence"]
    if not isinstance(wish, dict):
        raise Refused("280")
    in_installments = subscription.price_point_type == "Recurring installments"
    first, second = text(wish, "recurring_period_1"), text(wish, "recurring_period_2")
    if first not in (_PERIODS_OF_INSTALLMENTS if in_installments else _PERIODS):
        raise Refused("280")
    if second and not (in_installments and second in _SECOND_PERIODS):
        raise Refused("280")
    return {"recurring_period": first} | ({"recurring_period_2": second} if second else {})


def _quantity(_call: Call, _subscription: Subscription, action: Form) -> dict[str, str]:
    given = text(action, "subscription_product_quantity")
    if not _INTEGER.fullmatch(given) or not 1 <= int(given) <= 9999:
        raise Refused("276")
    return {"quantity": given}


def _installments_left(_call: Call, subscription: Subscription, action: Form) -> dict[str, str]:
    given = text(action, "subscription_installments_left")
    if given == "until cancelled":
        if subscription.price_point_type != "Recurring":
            raise Refused("282")
        return {"installments_left": "Until cancelled"}
    if not _INTEGER.fullmatch(given):
        raise Refused("278")
    if not 1 <= int(given) <= _MOST_INSTALLMENTS:
        raise Refused("282")
    return {"installments_left": given}


def _tax_percent(_call: Call, _subscription: Subscription, action: Form) -> dict[str, str]:
    tax = decimal(text(action, "subscription_tax_percent"))
    if tax is None or not 0 <= tax <= 100:
        raise Refused("290")
    return {"tax_percent": f"{tax}"}


_EDITABLE = {
    "subscription_product_id": _product,
    "subscription_price_point": _product,
    "subscription_next_payment_date": _next_payment_date,
    "subscription_amount": _amount,
    "subscription_recurrence": _recurrence,
    "subscription_product_quantity": _quantity,
    "subscription_installments_left": _installments_left,
    "subscription_tax_percent": _tax_percent,
}
