"""A small shop, written by hand, and what each report has to tell of it. The arithmetic stands beside it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.databases.tables import Tables
from connectors.kartra.money import net_of

Row = dict[str, Any]
NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


def at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def sale(number: str, day: str | None, kind: str, amount: str | None, **more: Any) -> Row:
    """A transaction of lead 1 with product 7, as a pull writes it."""
    money = None if amount is None else Decimal(amount)
    row = {
        "transaction_id": number,
        "lead_id": "1",
        "product_id": "7",
        "product_name": "Course",
        "transaction_type": kind,
        "transaction_date_utc": at(day),
        "transaction_full_amount": money,
        "net_amount": net_of(kind, money),
        "transaction_parent_id": None,
        "transaction_internal_subscription_id": None,
        "currency": "USD",
        "origin": "api",
        "listed_at": NOW,
        "pulled_at": NOW,
    }
    return row | more


def subscription(number: str, status: str, amount: str | None, period: str | None, **more: Any) -> Row:
    row = {
        "subscription_id": number,
        "lead_id": "1",
        "subscription_product_id": "7",
        "subscription_price_point": "1",
        "subscription_status": status,
        "subscription_start_date_utc": at("2024-11-15"),
        "subscription_end_date_utc": None,
        "subscription_installments_left": "Until cancelled",
        "subscription_recurring_period": period,
        "subscription_next_scheduled_payment_amount": None if amount is None else Decimal(amount),
        "listed_at": NOW,
        "status_seen_at": NOW,
        "is_owed": 0,
    }
    return row | more


def lead(number: str, source: str | None, joined: str | None, gone: str | None = None) -> Row:
    return {
        "id": number,
        "source": source,
        "date_joined_utc": at(joined),
        "gone_at": at(gone),
        "first_pulled_at": NOW,
        "pulled_at": NOW,
    }


def change(number: int, kind: str, field: str, old: str | None, new: str | None, seen: str) -> Row:
    return {
        "lead_id": str(number),
        "pull_id": f"p{seen}",
        "kind": kind,
        "field": field,
        "old_value": old,
        "new_value": new,
        "seen_at": at(seen),
    }


QUOTED = 'Buch "Über\' \\ alles" 李'

TRANSACTIONS = [
    # December 2024. The last second of the year, and the first of the next.
    sale("10", "2024-12-31 23:59:59", "sale", "100.00"),
    sale(
        "11",
        "2024-12-02 08:00:00",
        "sale",
        "49.90",
        product_id="8",
        product_name="Old name",
        currency="EUR",
        transaction_internal_subscription_id="12",
    ),
    # January 2025
    sale("12", "2025-01-01 00:00:00", "rebill", "97.105"),
    sale("13", "2025-01-05 00:00:00", "sale", "0.1", product_id="8", product_name=QUOTED),
    sale("14", "2025-01-06 00:00:00", "sale", "0.2", product_id="8", product_name=QUOTED),
    # Of the sale 10: two parts in January and February, and its rebill charged back in February.
    sale("15", "2025-01-20 00:00:00", "partial_refund", "10.01", transaction_parent_id="10"),
    sale("16", "2025-02-03 00:00:00", "partial_refund", "-5.00", transaction_parent_id="10", currency=None),
    sale("17", "2025-02-04 00:00:00", "chargeback", "97.105", transaction_parent_id="12"),
    # Given back from a sale nobody knows.
    sale(
        "18",
        "2025-02-05 00:00:00",
        "refund",
        "20.00",
        transaction_parent_id="5",
        product_id=None,
        currency=None,
    ),
    sale("19", "2025-02-06 00:00:00", "failed", "97.10", lead_id="2"),
    sale("20", "2025-02-07 00:00:00", "failed", None),
    sale("21", "2025-02-08 00:00:00", "cancellation", "97.10"),
    sale("22", None, "sale", "1.5", currency=None),
    sale("23", "2025-02-09 00:00:00", "gift", "500"),
    # A thousand times ten cents, which is no 100.00 in binary fractions.
    *(
        sale(str(1000 + n), "2023-05-01 00:00:00", "sale", "0.10", product_id="9", product_name="Tip")
        for n in range(1000)
    ),
]

SUBSCRIPTIONS = [
    subscription("1", "Active", "30", "monthly"),
    subscription("2", "Active", "10", "weekly"),  # 10 * 52 / 12 = 43.3333
    subscription("3", "Active", "100", "Yearly"),  # 100 / 12 = 8.3333
    subscription("4", "Active", "0.10", "every 2 years"),  # 0.10 / 24 = 0.00416.. = 0.0042
    subscription("5", "Active", "50", "monthly", subscription_installments_left="3"),
    subscription("6", "Active", None, "monthly"),
    subscription("7", "Active", "5", "now and then"),
    subscription("8", "Paused", "70", "monthly"),
    subscription(
        "9", "Cancelled", "40", "every 2 months", subscription_end_date_utc=at("2024-12-31 23:59:59")
    ),
    subscription("10", "Cancelled", "9", "quarterly", subscription_end_date_utc=at("2025-01-01 00:00:00")),
    subscription("11", "Terminated", None, None, subscription_end_date_utc=at("2025-01-10")),
    subscription(
        "12",
        "Active",
        "26.01",
        "every 2 weeks",  # 26.01 * 26 / 12 = 56.355
        subscription_product_id="8",
        subscription_start_date_utc=at("2024-12-31 23:59:59"),
    ),
    subscription("13", "Trialing", "5", "monthly"),
    subscription("14", "Cancelled", "12", "monthly"),  # nobody knows since when
]

LEADS = [
    lead("1", "api", "2024-12-30 00:00:00"),  # a Monday
    lead("2", "api", "2025-01-05 23:59:59"),  # the Sunday after it
    lead("3", "checkout", "2025-01-06 00:00:00"),
    lead("4", None, None),
    lead("5", "import", "2025-01-07 10:00:00", gone="2025-02-01"),
]
NAMES = {"first_seen_at": NOW, "last_seen_at": NOW, "gone_at": None}
TABLES: dict[str, list[Row]] = {
    "transactions": TRANSACTIONS,
    "subscriptions": SUBSCRIPTIONS,
    "leads": LEADS,
    "lists": [{"name": name} | NAMES for name in ("News", "Empty", "news")]
    + [{"name": "Gone"} | NAMES | {"gone_at": NOW}],
    "tags": [{"name": name} | NAMES for name in ("VIP", "Émile", "Zed")],
    "lead_lists": [
        {"lead_id": "1", "list_name": "News", "active": 1},
        {"lead_id": "2", "list_name": "News", "active": 1},
        {"lead_id": "3", "list_name": "News", "active": 0},
        {"lead_id": "5", "list_name": "News", "active": 1},
        {"lead_id": "3", "list_name": "news", "active": 1},
    ],
    "lead_tags": [
        {"lead_id": "1", "tag_name": "VIP"},
        {"lead_id": "5", "tag_name": "VIP"},
        {"lead_id": "2", "tag_name": "Émile"},
        {"lead_id": "3", "tag_name": "Émile"},
    ],
    "lead_changes": [
        change(1, "list", "News", None, "1", "2024-12-30 00:00:00"),
        change(2, "list", "News", "0", "1", "2025-01-05 23:59:59"),
        change(3, "list", "News", "1", "0", "2025-01-05 10:00:00"),
        change(1, "list", "News", "1", None, "2025-01-06 00:00:00"),
        change(4, "list", "News", None, "0", "2025-01-06 00:00:00"),
        change(1, "tag", "VIP", None, "1", "2025-01-02 00:00:00"),
        change(2, "tag", "VIP", None, "1", "2025-01-03 00:00:00"),
        change(2, "tag", "VIP", "1", None, "2025-01-05 00:00:00"),
        change(3, "field", "city", "Lyon", None, "2025-01-05 00:00:00"),
    ],
    "lead_roster": [
        {"lookup": "id:1", "status": "pulled", "added_at": NOW, "profile_at": at("2025-02-27 01:02:03")},
        {"lookup": "id:2", "status": "pulled", "added_at": NOW, "profile_at": at("2025-02-28 01:02:03")},
        {"lookup": "id:5", "status": "deleted", "added_at": NOW, "profile_at": at("2025-02-01 00:00:00")},
        {"lookup": "id:6", "status": "waiting", "added_at": NOW, "profile_at": None},
        {"lookup": "email:a@b.org", "status": "unknown", "added_at": NOW, "profile_at": NOW},
    ],
    "pull_runs": [
        {"pull_id": pull, "pipeline": "p", "account": "a", "started_at": NOW, "finished_at": at(end)}
        | {"status": status, "calls": 1, "leads_read": 1, "leads_waiting": 0}
        for pull, end, status in (
            ("a", "2025-02-27 02:00:00", "succeeded"),
            ("b", "2025-02-28 02:00:00", "partial"),
            ("c", "2025-03-01 02:00:00", "failed"),
        )
    ],
}

EXPECTED: dict[str, list[tuple[str | int | None, ...]]] = {
    # month, gross, refunded, charged_back, net, sales, currency, unvalued
    "revenue_by_month": [
        ("2023-05", "100.00", "0.00", "0.00", "100.00", 1000, "USD", 0),
        ("2024-12", "49.90", "0.00", "0.00", "49.90", 1, "EUR", 0),
        ("2024-12", "100.00", "0.00", "0.00", "100.00", 1, "USD", 0),
        ("2025-01", "97.405", "10.01", "0.00", "87.395", 3, "USD", 0),  # 97.105 + 0.1 + 0.2
        ("2025-02", "0.00", "0.00", "97.105", "-97.105", 0, "USD", 1),  # the gift
        ("2025-02", "0.00", "25.00", "0.00", "-25.00", 0, None, 0),  # 5 + 20
        (None, "1.50", "0.00", "0.00", "1.50", 1, None, 0),
    ],
    "revenue_by_product": [
        ("9", "Tip", "100.00", "0.00", "0.00", "100.00", 1000, "USD", 0),
        # 100 + 97.105 = 197.105; 197.105 - 10.01 - 97.105 = 89.99
        ("7", "Course", "197.105", "10.01", "97.105", "89.99", 2, "USD", 1),
        ("8", QUOTED, "49.90", "0.00", "0.00", "49.90", 1, "EUR", 0),  # the latest name
        ("8", QUOTED, "0.30", "0.00", "0.00", "0.30", 2, "USD", 0),
        ("7", "Course", "1.50", "5.00", "0.00", "-3.50", 1, None, 0),
        (None, "Course", "0.00", "20.00", "0.00", "-20.00", 0, None, 0),
    ],
    "revenue_by_month_and_product": [
        ("2023-05", "9", "Tip", "100.00", "0.00", "0.00", "100.00", 1000, "USD", 0),
        ("2024-12", "7", "Course", "100.00", "0.00", "0.00", "100.00", 1, "USD", 0),
        ("2024-12", "8", QUOTED, "49.90", "0.00", "0.00", "49.90", 1, "EUR", 0),
        ("2025-01", "7", "Course", "97.105", "10.01", "0.00", "87.095", 1, "USD", 0),
        ("2025-01", "8", QUOTED, "0.30", "0.00", "0.00", "0.30", 2, "USD", 0),
        ("2025-02", "7", "Course", "0.00", "5.00", "0.00", "-5.00", 0, None, 0),
        ("2025-02", None, "Course", "0.00", "20.00", "0.00", "-20.00", 0, None, 0),
        ("2025-02", "7", "Course", "0.00", "0.00", "97.105", "-97.105", 0, "USD", 1),
        (None, "7", "Course", "1.50", "0.00", "0.00", "1.50", 1, None, 0),
    ],
    # month of the sale, sales, refunded_sales, percent, gross, refunded, percent, currency, unvalued
    "refund_rate": [
        ("2023-05", 1000, 0, "0.00", "100.00", "0.00", "0.00", "USD", 0),
        ("2024-12", 1, 0, "0.00", "49.90", "0.00", "0.00", "EUR", 0),
        ("2024-12", 1, 1, "100.00", "100.00", "15.01", "15.01", "USD", 0),  # one part says no currency
        ("2025-01", 3, 1, "33.33", "97.405", "97.105", "99.69", "USD", 0),  # 99.6920 %
        ("2025-02", 0, 0, None, "0.00", "0.00", None, "USD", 1),  # the gift
        (None, 1, 0, "0.00", "1.50", "20.00", "1333.33", None, 0),  # a sale without a date, and 18
    ],
    # product_id, name, price point, period, subscriptions, monthly, currency, unvalued
    "subscriptions_active": [
        ("7", "Course", "1", "Yearly", 1, "8.3333", "USD", 0),
        ("7", "Course", "1", "every 2 years", 1, "0.0042", "USD", 0),
        ("7", "Course", "1", "monthly", 3, "80.00", "USD", 2),  # 30 + 50; 6 without an amount, 13
        ("7", "Course", "1", "now and then", 1, "0.00", "USD", 1),
        ("7", "Course", "1", "weekly", 1, "43.3333", "USD", 0),
        ("8", QUOTED, "1", "every 2 weeks", 1, "56.355", "EUR", 0),  # of its payment, sale 11
    ],
    # active, paused, monthly, monthly_instalments, unvalued, currency
    "recurring_revenue": [
        (1, 0, "56.355", "0.00", 0, "EUR"),
        (7, 1, "81.6708", "50.00", 3, "USD"),  # 30 + 43.3333 + 8.3333 + 0.0042; 6, 7 and 13
    ],
    "failed_payments": [("2025-02", 2, "97.10", 2, "USD", 2)],  # 20 without an amount, and the gift
    "list_sizes": [("News", 2, 1, 0), ("news", 1, 0, 0), ("Empty", 0, 0, 0)],
    "tag_sizes": [("Émile", 2), ("VIP", 1), ("Zed", 0)],
    "list_growth": [("2024-12-30", "News", 2, 1, 1), ("2025-01-06", "News", 0, 1, -1)],
    "tag_growth": [("2024-12-30", "VIP", 2, 1, 1)],
    "leads_by_source": [("api", 2), (None, 1), ("checkout", 1)],
    "new_leads_by_week": [("2024-12-30", 2), ("2025-01-06", 2), (None, 1)],
    # month, running_before, cancelled, finished, percent, monthly_lost, currency, undated, unvalued
    "churn": [
        # all but 12, which is of another currency, 14, of which nobody knows, and 13; 40 / 2
        ("2024-12", 11, 1, 0, "9.09", "20.00", "USD", 1, 1),
        ("2025-01", 10, 1, 1, "10.00", "3.00", "USD", 1, 1),  # 9 has ended; 9 / 3
        (None, None, 1, 0, None, "12.00", "USD", 1, 1),
    ],
    "freshness": [("2025-02-28 02:00:00", 5, 2, 1, 1, 1, "2025-02-27 01:02:03", 0, 0, 0)],
}


def fill(tables: Tables) -> None:
    with tables.begin() as connection:
        for table, rows in TABLES.items():
            tables.upsert(connection, table, rows)
