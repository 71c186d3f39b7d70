"""What a transaction adds to the income, by its type. Pure. No currency is converted here."""

from decimal import Decimal

SIGNS = {
    **dict.fromkeys(("sale", "rebill"), 1),
    **dict.fromkeys(("refund", "partial_refund", "chargeback"), -1),
    **dict.fromkeys(("failed", "cancellation", "request_cancellation", "revert_cancellation"), 0),
}
"""Types of the API, and the two that only Kartra's export has: `Request Can.` and `Revert Can.`"""


def net_of(kind: str | None, amount: Decimal | None) -> Decimal | None:
    """The sign comes from the type alone, for Kartra does not say whether refunds are below zero (§8.2).

    None where the type is not known, or where money moved and the amount is not known.
    """
    sign = SIGNS.get(kind or "")
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
