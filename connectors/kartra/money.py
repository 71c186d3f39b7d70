"""What a transaction adds to the income, by its type, and the words Kartra has for types and statuses. Pure.

No currency is converted here.
"""

from decimal import Decimal

SIGNS = {
    **dict.fromkeys(("sale", "rebill"), 1),
    **dict.fromkeys(("refund", "partial_refund", "chargeback"), -1),
    **dict.fromkeys(("failed", "cancellation", "request_cancellation", "revert_cancellation"), 0),
}
"""Types of the API, and the two that only Kartra's export has: `Request Can.` and `Revert Can.`"""

STATUSES = ("Active", "Paused", "Cancelled", "Terminated")
"""Of subscriptions (§8.4). Terminated: all payments are made."""
OVER = ("Cancelled", "Terminated")
"""Subscriptions that do not change any more."""


def _bare(word: str) -> str:
    """Letters and digits alone: blanks, dashes, dots and case are spelling."""
    return "".join(character for character in word.casefold() if character.isalnum())


_TYPES = {
    **{_bare(kind): kind for kind in SIGNS},
    "requestcan": "request_cancellation",
    "revertcan": "revert_cancellation",
    "cancelation": "cancellation",
}
_STATUSES = {**{_bare(status): status for status in STATUSES}, "canceled": "Cancelled"}


def type_of(word: str | None) -> str | None:
    """The type that a word means, however it is written: `Partial Refund` is partial_refund.

    A word that means none of SIGNS is given back as it is.
    """
    return word and _TYPES.get(_bare(word), word)


def subscription_status_of(word: str | None) -> str | None:
    """The status that a word means, however it is written; one that is none of STATUSES as it is."""
    return word and _STATUSES.get(_bare(word), word)


def net_of(kind: str | None, amount: Decimal | None) -> Decimal | None:
    """The sign comes from the type alone, for Kartra does not say whether refunds are below zero (§8.2).

    None where the type is not known, or where money moved and the amount is not known.
    """
    sign = SIGNS.get(type_of(kind) or "")
    if sign == 0:
        return Decimal(0)
    if sign is None or amount is None:
        return None
    return amount.copy_abs() if sign > 0 else -amount.copy_abs()


def money_text(amount: Decimal) -> str:
    """`49.90`: exact, with two decimals or as many as it takes; the same for 49.9 and 49.9000."""
    whole, _, parts = format(amount, "f").partition(".")
    text = f"{whole}.{parts.rstrip('0'):0<2}"
    return text if amount else text.removeprefix("-")
