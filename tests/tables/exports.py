"""An account with a few sales, and Kartra's own export of them as it would be written."""

import csv
from collections.abc import Iterable
from pathlib import Path

from connectors.kartra.sandbox import Account, Transaction
from pipelines.tables.reconcile.sales_export import HEADERS

MONEY = (
    *("Amount", "Base_Price", "Sales_tax", "Shipping_cost", "Coupon_discount", "Revenue"),
    *("Affiliate_Revenue", "JV_Revenue", "Your_Net_Profit"),
)
HEADER = [f"{name} (USD)" if name in MONEY else name for name in HEADERS]
"""As Kartra writes it for an account that sells in dollars."""
WORDS = {
    "sale": "Sale",
    "rebill": "Rebill",
    "failed": "Failed",
    "cancellation": "Cancellation",
    "refund": "Refund",
    "partial_refund": "Partial refund",
    "chargeback": "Chargeback",
}


def shop() -> Account:
    """Two leads: Ann with a sale, its partial refund and a rebill, Bob with a sale that failed."""
    account = Account(products={"1": 1})
    ann, bob = account.add_lead("ann@example.org", first_name="Ann"), account.add_lead("bob@example.org")
    sale = account.add_transaction(Transaction(ann.id, amount="97.10", date="2024-01-31 23:30:00"))
    for transaction in (
        Transaction(
            ann.id, type="partial_refund", amount="7.05", date="2024-02-10 10:00:00", parent_id=sale.id
        ),
        Transaction(ann.id, type="rebill", amount="97.10", date="2024-03-01 10:00:00"),
        Transaction(bob.id, type="failed", amount="97.10", date="2024-03-02 10:00:00"),
    ):
        account.add_transaction(transaction)
    return account


def exported(transaction: Transaction, **changes: str) -> dict[str, str]:
    """A transaction as a row of the export, by the names in its header without the currency."""
    row = {
        "ID": transaction.id,
        "Transaction_Type": WORDS[transaction.type],
        "Date": transaction.date,
        "Product": transaction.product_name,
        "Price_point": "1",
        "Quantity": "1",
        "Buyer_Name": "Ann Example",
        "Buyer_Email": transaction.buyer["email"],
        "Amount": transaction.amount,
        "Affiliate_Revenue": "4.50",
        "Affiliate_Username": "N/A",
        "Processor": "Stripe",
        "Processor_transaction_id": f"ch_{transaction.id}",
        "subscription_id": "N/A",
        "lead_id": transaction.lead_id,
        "Trial": "No",
        "Automatic_Cancellation": "No",
        "Rebill_reattempt": "0",
    }
    return {**row, **changes}


def write_export(
    path: Path, rows: Iterable[dict[str, str]], *, currency: str = "USD", header: list[str] = HEADER
) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(name.replace("(USD)", f"({currency})") for name in header)
        for row in rows:
            writer.writerow(row.get(name.removesuffix(" (USD)"), "") for name in HEADER)
