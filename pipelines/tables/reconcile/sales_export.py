"""Turns Kartra's own transactions export (CSV) into rows of `transactions`. Pure.

The header carries the currency, and the types have words of their own; `sale_dates` reads dates. Values
without a column stay in `extra` under the export's name. `reconcile` merges the rows with the pulled ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from connectors.errors import SourceError
from connectors.kartra.cells import TableRow
from connectors.kartra.money import SIGNS, net_of, type_of
from connectors.kartra.profile import NOTHING
from pipelines.tables.reconcile.sale_dates import ReadDate
from pipelines.tables.sale_rows import BUYER

HEADERS = (
    *("ID", "Transaction_Type", "Date", "Product", "Price_point", "Quantity", "Seller_username"),
    *("Buyer_Username", "Buyer_Name", "Buyer_Company", "Sales_Tax_ID", "Buyer_Email", "Buyer_Country"),
    *("Buyer_State", "Buyer_City", "Buyer_ZIP", "Buyer_Address", "Buyer_Phone_Country", "Buyer_Phone"),
    *("Buyer_IP", "Amount", "Base_Price", "Sales_tax", "Shipping_cost", "Coupon_code", "Coupon_discount"),
    *("Revenue", "Affiliate_Username", "Affiliate_Name", "Affiliate_Email", "Affiliate_Revenue"),
    *("JV_Username", "JV_Name", "JV_Email", "JV_Revenue", "Your_Net_Profit", "Tracking_link"),
    *("TrackingID1", "TrackingID2", "Landing_page", "Processor", "Processor_transaction_id"),
    *("Processor_subscription_id", "subscription_id", "lead_id", "affiliate_id", "jv_id"),
    *("Shipping_Name", "Shipping_Address", "Shipping_City", "Shipping_ZIP", "Shipping_Country"),
    *("Shipping_State", "Trial", "Automatic_Cancellation", "Subscription_payment_number"),
    "Rebill_reattempt",
)
"""The headers of a real file of 348,917 rows, without the currency; its last header was cut off."""

NEEDED = ("ID", "Transaction_Type", "Date", "Amount")

_TEXTS = {
    "Product": "product_name",
    "Buyer_Username": "lead_username",
    "Buyer_Email": "lead_email",
    "Buyer_Country": "lead_country",
    "Buyer_State": "lead_state",
    "Buyer_City": "lead_city",
    "Buyer_ZIP": "lead_zip",
    "Buyer_Address": "lead_address",
    "Buyer_Phone_Country": "lead_phone_country_code",
    "Buyer_Phone": "lead_phone_number",
    "Affiliate_Username": "transaction_affiliate",
    "JV_Username": "transaction_jv",
}
_NAMES = {"Processor_subscription_id": "transaction_subscription_id"}
_IDS = {
    "Price_point": "product_price_point",
    "subscription_id": "transaction_internal_subscription_id",
    "lead_id": "lead_id",
}
_NUMBERS = {
    "Quantity": "transaction_quantity",
    "Subscription_payment_number": "transaction_subscription_pay_number",
}
_MONEY = {
    "Amount": "transaction_full_amount",
    "Base_Price": "transaction_base_amount",
    "Coupon_discount": "transaction_discount",
    "Shipping_cost": "transaction_shipping",
    "Sales_tax": "transaction_tax",
}
COLUMNS = (
    *("transaction_id", "transaction_type", "transaction_date", "transaction_date_utc"),
    *(*_TEXTS.values(), *_NAMES.values(), *_IDS.values(), *_NUMBERS.values(), *_MONEY.values()),
    *("net_amount", "currency", "extra"),
)
"""The columns that an export can fill; every row has all of them."""

_NAMELESS = (
    "Coupon_code",
    "Processor",
    "Trial",
    "Automatic_Cancellation",
    "Rebill_reattempt",
    "Seller_username",
)
"""What may stay in `extra`, beside amounts, when the buyer has to go."""
_CURRENCY = re.compile(r"(.*?)\s*\(([A-Z]{3})\)")
_ID = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_AMOUNT = re.compile(r"-?([0-9]{1,15}|[0-9]{1,3}(,[0-9]{3}){1,4}(?=\.))(\.[0-9]{1,4})?")
_NAME_CHARS = 255
"""The length of name columns in every database."""


class BadSaleError(ValueError):
    """A row that cannot be used; the message names columns but no values."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file: the name of each in HEADERS or None, and its name in the file."""

    known: tuple[str | None, ...]
    written: tuple[str, ...]
    currency: str

    def place_of(self, header: str) -> int:
        return self.known.index(header)


def layout_of(columns: Sequence[str], file: str) -> Layout:
    """The layout of a file. Raises SourceError if it is not such an export or has several currencies."""
    found = [_CURRENCY.fullmatch(column) for column in columns]
    plain = [match[1] if match else column for match, column in zip(found, columns, strict=True)]
    by_fold = {header.casefold(): header for header in HEADERS}
    known = [by_fold.get(name.casefold()) for name in plain]
    written = list(columns)
    if known[-1] is None and (whole := _completed(plain[-1], known)):
        known[-1] = written[-1] = whole
    missing = [header for header in NEEDED if header not in known]
    if missing:
        raise SourceError(
            f"{file} is not the transactions export of Kartra: it has no column {', '.join(missing)}"
        )
    if len({name.casefold() for name in written}) < len(written):
        raise SourceError(f"{file} has columns that repeat the name of another")
    currencies = sorted({match[2] for match in found if match})
    if len(currencies) != 1:
        raise SourceError(
            f"{file}: one currency is expected in the names of its columns, such as Amount (USD);"
            f" there is {' and '.join(currencies) or 'none'}"
        )
    return Layout(tuple(known), tuple(written), currencies[0])


def _completed(name: str, known: Sequence[str | None]) -> str | None:
    """The header that a cut-off name begins."""
    cut = name.casefold()
    whole = [header for header in HEADERS if header not in known and header.casefold().startswith(cut)]
    return whole[0] if len(whole) == 1 else None


def sale_row(cells: Sequence[str], layout: Layout, read_date: ReadDate) -> TableRow:
    """The row of `transactions` for a row of the export. Raises BadSaleError."""
    row: TableRow = dict.fromkeys(COLUMNS)
    extra: dict[str, str] = {}
    for header, written, cell in zip(layout.known, layout.written, cells, strict=True):
        text = cell.strip()
        if text in NOTHING:
            continue
        if header in _TEXTS:
            row[_TEXTS[header]] = text
        elif header in _MONEY:
            row[_MONEY[header]] = _amount(text, written)
        elif header in _IDS and _ID.fullmatch(text):
            row[_IDS[header]] = text
        elif header in _NUMBERS and _NUMBER.fullmatch(text):
            row[_NUMBERS[header]] = int(text)
        elif header in _NAMES and len(text) <= _NAME_CHARS:
            row[_NAMES[header]] = text
        elif header == "ID":
            row["transaction_id"] = _number_of(text)
        elif header == "Transaction_Type":
            row["transaction_type"] = _type(text)
        elif header == "Date":
            row["transaction_date"], row["transaction_date_utc"] = text, _instant(text, read_date)
        else:
            extra[written] = text
    if row["transaction_id"] is None:
        raise BadSaleError("no ID")
    if row["transaction_type"] is None:
        raise BadSaleError("no Transaction_Type")
    row["net_amount"] = net_of(row["transaction_type"], row["transaction_full_amount"])
    row["currency"] = layout.currency
    row["extra"] = extra or None
    return row


def without_buyer(row: TableRow) -> TableRow:
    """The same transaction without the person behind it."""
    extra = {
        name: text
        for name, text in (row["extra"] or {}).items()
        if name in _NAMELESS or _CURRENCY.fullmatch(name)
    }
    return {**row, **{name: None for name in BUYER if name in row}, "extra": extra or None}


def is_known_type(kind: str | None) -> bool:
    return kind in SIGNS


def _number_of(text: str) -> str:
    if not _ID.fullmatch(text):
        raise BadSaleError("the ID is not a number")
    return text


def _type(text: str) -> str:
    if len(text) > _NAME_CHARS:
        raise BadSaleError("the Transaction_Type is too long")
    kind = type_of(text)
    return kind if kind in SIGNS else "_".join(text.lower().split())


def _amount(text: str, written: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise BadSaleError(f"the {written} is not an amount")
    return Decimal(text.replace(",", ""))


def _instant(text: str, read_date: ReadDate) -> datetime:
    try:
        return read_date(text)
    except ValueError as error:
        raise BadSaleError(f"the Date {error}") from error


def end_of(row: TableRow) -> datetime:
    """When a transaction is over: a date without an hour lasts its whole day."""
    at: datetime = row["transaction_date_utc"]
    return at if ":" in row["transaction_date"] else at + timedelta(days=1, seconds=-1)
