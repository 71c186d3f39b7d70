"""What a transaction adds to the income, and Kartra's words for types and statuses. Pure.

No currency is converted here.
"""

from decimal import Decimal

SIGNS = {
    **dict.fromkeys(("sale", "rebill"), 1),
    **dict.fromkeys(("refund", "partial_refund", "chargeback"), -1),
    **dict.fromkeys(("failed", "cancellation", "request_cancellation", "revert_cancellation"), 0),
}
"""The sign of each type: those of the API, and the two that only the export has (`Request Can.`, `Revert
Can.`)."""

STATUSES = ("Active", "Paused", "Cancelled", "Terminated")
"""The statuses of a subscription (§8.4). Terminated: all payments are made."""
OVER = ("Cancelled", "Terminated")
"""The statuses of subscriptions that do not change any more."""


def _bare(word: str) -> str:
    """The word without blanks, dashes, dots and case, which differ between the API and the export."""
    return "".join(character for character in word.casefold() if character.isalnum())


_TYPES = {
    **{_bare(kind): kind for kind in SIGNS},
    "requestcan": "request_cancellation",
    "revertcan": "revert_cancellation",
    "cancelation": "cancellation",
}
_STATUSES = {**{_bare(status): status for status in STATUSES}, "canceled": "Cancelled"}


def type_of(word: str | None) -> str | None:
    """The type of a word in any spelling: `Partial Refund` is partial_refund.

    A word that is not in SIGNS comes back unchanged.
    """
    return word and _TYPES.get(_bare(word), word)


def subscription_status_of(word: str | None) -> str | None:
    """The status of a word in any spelling; a word that is not in STATUSES comes back unchanged."""
    return word and _STATUSES.get(_bare(word), word)


def net_of(kind: str | None, amount: Decimal | None) -> Decimal | None:
    """The amount with the sign of its type: Kartra does not say whether refunds are negative (§8.2).

    None for an unknown type, or where money moved and the amount is unknown.
    """
    sign = SIGNS.get(type_of(kind) or "")
    # Before the amount is looked at: a failed payment may show one, and none of it moved.
    if sign == 0:
        return Decimal(0)
    if sign is None or amount is None:
        return None
    return amount.copy_abs() if sign > 0 else -amount.copy_abs()


def money_text(amount: Decimal) -> str:
    """The amount as text, exact and with two decimals at least: 49.9 and 49.9000 are both `49.90`."""
    whole, _, parts = format(amount, "f").partition(".")
    text = f"{whole}.{parts.rstrip('0'):0<2}"
    # A refund of nothing is Decimal("-0").
    return text if amount else text.removeprefix("-")
