"""Turns transactions and subscriptions into rows of tables. Pure.

Columns keep Kartra's names. Values without a column go into `extra`, so that nothing from Kartra is lost.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from connectors.kartra.cells import Fields, TableRow
from connectors.kartra.money import net_of, subscription_status_of, type_of
from connectors.kartra.profile import clean, maps_of, read_rows

TRANSACTION_TEXTS = (
    *("transaction_id", "lead_id", "lead_email", "lead_first_name", "lead_last_name", "lead_username"),
    *("lead_country", "lead_country_code_2", "lead_country_code_3", "lead_state", "lead_phone_country_code"),
    *("lead_phone_number", "lead_address", "lead_city", "lead_zip", "product_name", "product_id"),
    *("product_price_point", "transaction_type", "transaction_affiliate", "transaction_jv"),
    *("transaction_parent_id", "original_id", "transaction_subscription_id"),
    *("transaction_internal_subscription_id", "transaction_last_4_card_digits"),
)
BUYER = (
    *(name for name in TRANSACTION_TEXTS if name[:5] == "lead_" and name != "lead_id"),
    "transaction_last_4_card_digits",
)
"""Columns of `transactions` that tell who bought."""
TRANSACTION_NUMBERS = ("transaction_quantity", "transaction_subscription_pay_number")
TRANSACTION_MONEY = (
    *("transaction_full_amount", "transaction_base_amount", "transaction_discount"),
    *("transaction_shipping", "transaction_tax"),
)
TRANSACTION_TIMES = ("transaction_date",)

SUBSCRIPTION_TEXTS = (
    *("subscription_id", "lead_id", "lead_email", "subscription_lead_id", "subscription_product_id"),
    *("subscription_price_point", "subscription_status", "subscription_installments_left"),
    *("subscription_recurring_period", "subscription_affiliate", "subscription_jv"),
)
SUBSCRIPTION_NUMBERS = ("subscription_current_installment",)
SUBSCRIPTION_MONEY = ("subscription_next_scheduled_payment_amount",)
SUBSCRIPTION_TIMES = ("subscription_start_date", "subscription_end_date", "subscription_next_payment_date")


def transaction_stubs(rows: object) -> list[TableRow]:
    """Of `transaction_list`: transaction_id, lead_id, lead_email, transaction_type. Without an id, no row."""
    stubs = [
        {name: clean(row.get(name)) for name in ("transaction_id", "lead_id", "lead_email")}
        | {"transaction_type": type_of(clean(row.get("transaction_type")))}
        for row in maps_of(rows)
    ]
    return [stub for stub in stubs if stub["transaction_id"]]


def of_lead(stub: TableRow, lead_id: str | None) -> TableRow:
    """What the list of a lead shows is that lead's, also where it was another's before they were merged."""
    return {**stub, "lead_id": lead_id or stub["lead_id"]}


def count_unread(rows: object, stubs: Sequence[TableRow]) -> int:
    """Entries of a list that gave no stub although something stands in them."""
    written = read_rows(rows)
    if written is None:
        return 0 if rows is None else 1
    return len([row for row in written if row not in (None, "", [], {})]) - len(stubs)


def transaction_row(details: Mapping[str, Any], stub: Mapping[str, Any], zone: tzinfo) -> TableRow:
    """The row of `transaction_details`; the stub fills what they lack."""
    fields = Fields(details, zone)
    row = {
        **{name: fields.text(name) or stub.get(name) for name in TRANSACTION_TEXTS},
        **{name: fields.number(name) for name in TRANSACTION_NUMBERS},
        **{name: fields.money(name) for name in TRANSACTION_MONEY},
        **fields.times(TRANSACTION_TIMES),
    }
    row["transaction_id"] = stub["transaction_id"]
    row["lead_id"] = stub.get("lead_id") or row["lead_id"]  # after leads were merged, the list knows better
    kind = row["transaction_type"]
    row["transaction_type"] = type_of(kind)
    row["net_amount"] = net_of(kind, row["transaction_full_amount"])
    row["extra"] = _with_spelling(fields.rest(), "transaction_type", kind, row["transaction_type"])
    return row


def _with_spelling(
    extra: TableRow | None, name: str, written: str | None, kept: str | None
) -> TableRow | None:
    """Adds Kartra's own spelling to `extra`, if the column has another."""
    return extra if written == kept else {**(extra or {}), name: written}


def without_buyer(row: TableRow) -> TableRow:
    """The row without the person behind it; it counts as before."""
    return {**row, **{name: None for name in (*BUYER, "extra") if name in row}}


def subscription_stubs(rows: object) -> list[TableRow]:
    """Of `subscriptions_list`: subscription_id, lead_id, lead_email, subscription_status."""
    stubs = [
        {name: clean(row.get(name)) for name in ("subscription_id", "lead_id", "lead_email")}
        | {"subscription_status": subscription_status_of(clean(row.get("subscription_status")))}
        for row in maps_of(rows)
    ]
    return [stub for stub in stubs if stub["subscription_id"]]


def subscription_row(details: Mapping[str, Any], stub: Mapping[str, Any], zone: tzinfo) -> TableRow:
    """The row of `subscription_details`; the stub fills what they lack."""
    fields = Fields(details, zone)
    row = {
        **{name: fields.text(name) or stub.get(name) for name in SUBSCRIPTION_TEXTS},
        **{name: fields.number(name) for name in SUBSCRIPTION_NUMBERS},
        **{name: fields.money(name) for name in SUBSCRIPTION_MONEY},
        **fields.times(SUBSCRIPTION_TIMES),
    }
    row["subscription_id"] = stub["subscription_id"]
    row["lead_id"] = stub.get("lead_id") or row["lead_id"] or row["subscription_lead_id"]
    status = row["subscription_status"]
    row["subscription_status"] = subscription_status_of(status)
    row["extra"] = _with_spelling(fields.rest(), "subscription_status", status, row["subscription_status"])
    return row
