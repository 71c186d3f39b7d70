"""The state of one Kartra account: plain dataclasses, and the file they can be read from.

Ids, amounts and dates are text, as Kartra shows them. Nothing here knows a command.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

FieldType = Literal["input_field", "text_area", "drop_down", "radio_button", "checkbox"]
FIELD_TYPES_WITH_OPTIONS = frozenset({"drop_down", "radio_button", "checkbox"})

STANDARD_FIELDS = (  # writable in `lead`, §5.1.1; `email` stands apart
    "phone",
    "phone_country_code",
    "first_name",
    "middle_name",
    "last_name",
    "last_name2",
    "ip",
    "address",
    "zip",
    "city",
    "state",
    "country",
    "company",
    "lead_picture",
    "website",
    "facebook",
    "twitter",
    "linkedin",
    "lead_preferred_time_zone",
    "sales_tax_id",
    "business_type",
)
SubscriptionStatus = Literal["Active", "Paused", "Cancelled", "Terminated"]
NO_VALUE = "N/A"
NO_DATE = "0000-00-00 00:00:00"
DATE_FORM = "%Y-%m-%d %H:%M:%S"

# §8.5: nobody knows whether Kartra's EST has daylight saving, so both are there.
_ZONES = {"fixed": timezone(timedelta(hours=-5)), "new_york": ZoneInfo("America/New_York")}
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]{1,2})?")
# The numbers in the examples of Kartra's pages (§5.6, §6.3).
_FIRST_LEAD_ID = 39260
_FIRST_TRANSACTION_ID = 738474


@dataclass(slots=True)
class CustomField:
    id: str
    identifier: str
    type: FieldType
    options: dict[str, str] = field(
        default_factory=dict
    )  # option id → label; ids are unique within the field


@dataclass(slots=True)
class Calendar:
    classes: list[str]
    completed: bool = True  # a calendar whose setup is not completed answers 257


@dataclass(frozen=True, slots=True)
class SequenceEntry:
    step: str
    status: Literal["active", "unsubscribed"] = "active"


@dataclass(frozen=True, slots=True)
class PointsChange:
    points: int  # below zero: taken away
    expiration_days: int = 0  # 0: never. The sandbox does not live long enough to let points expire


@dataclass(frozen=True, slots=True)
class Membership:
    name: str
    level_name: str
    active: bool = True


@dataclass(slots=True)
class Booking:
    calendar: str
    class_name: str
    starting_at: str = ""  # EST; empty when the call named no date
    status: Literal["active", "pending", "cancelled", "completed"] = (
        "active"  # the first two can be cancelled
    )


@dataclass(slots=True)
class SandboxLead:
    email: str
    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)  # standard fields that are not empty
    tags: set[str] = field(default_factory=set)
    lists: dict[str, bool] = field(default_factory=dict)  # False: unsubscribed
    sequences: dict[str, SequenceEntry] = field(default_factory=dict)
    sequence_starts: list[tuple[str, str]] = field(default_factory=list)  # every execution: (sequence, step)
    custom_fields: dict[str, str | list[str]] = field(default_factory=dict)  # text, or chosen option ids
    score: int = 0
    points_log: list[PointsChange] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    calendar_log: list[tuple[str, str, str]] = field(default_factory=list)  # (command, calendar, class)
    deleted: bool = False
    source: str = "manual"
    date_joined: str = ""  # EST


@dataclass(slots=True)
class Transaction:
    lead_id: str
    id: str = ""
    type: Literal["sale", "refund", "failed", "rebill", "cancellation", "chargeback", "partial_refund"] = (
        "sale"
    )
    amount: str = "97.00"
    date: str = NO_DATE  # EST
    product_name: str = "Course"
    product_id: str = "1"
    price_point: str = "1"
    quantity: str = "1"
    parent_id: str = "0"
    subscription_id: str = ""  # of the account's subscription behind it, if there is one
    buyer: dict[str, str] = field(default_factory=dict)  # the lead's fields and address at purchase
    affiliate: str = NO_VALUE
    jv: str = NO_VALUE
    discount: str = "0.00"
    shipping: str = "0.00"
    tax: str = "0.00"
    card_digits: str = "4242"
    refund_period_days: int = 30
    test: bool = False  # a test transaction can be neither refunded nor cancelled: 253
    gateway_fails: bool = False  # the payment provider refuses: 266


@dataclass(slots=True)
class Subscription:
    lead_id: str
    id: str = ""
    product_id: str = "2"
    price_point: str = "1"
    price_point_type: Literal["Recurring", "Installments", "Recurring installments"] = "Recurring"
    status: SubscriptionStatus = "Active"
    start_date: str = NO_DATE
    end_date: str = NO_DATE
    next_payment_date: str = NO_DATE
    amount: str = "22.00"  # of the next payment
    current_installment: str = "1"
    installments_left: str = "Until cancelled"
    recurring_period: str = "monthly"
    recurring_period_2: str = ""  # only for Recurring installments
    quantity: str = "1"
    tax_percent: str = "0"
    affiliate: str = NO_VALUE
    jv: str = NO_VALUE
    gateway_id: str = ""  # the payment provider's own id, such as PayPal's I-…
    paypal: bool = False  # may only be cancelled: 284
    recurrence_fixed: bool = False  # 281
    locked_parameters: set[str] = field(default_factory=set)  # 285 when a call sends nothing else
    gateway_fails: bool = False  # a cancellation is refused: 267


@dataclass
class Account:
    """One user's account, with the App that acts on it.

    `leads`, `transactions` and `subscriptions` are keyed by id. A lead's address is changed with
    `change_address` alone, since leads are looked up by it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    app_id: str = "SANDBOXAPPID"
    api_key: str = "SANDBOXK"
    api_password: str = "SANDBOXPASSW"  # noqa: S105 - opens nothing but a sandbox
    user_active: bool = True  # 204
    silent: bool = False  # its calls get no answer, and do nothing
    developer_active: bool = True  # 240
    allowed_commands: set[str] | None = None  # None: all; get_lead counts as one. 262
    allowed_ips: set[str] | None = None  # None: all. 242
    tags: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    sequences: dict[str, list[str]] = field(default_factory=dict)  # name → steps
    calendars: dict[str, Calendar] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    custom_fields: list[CustomField] = field(default_factory=list)
    products: dict[str, int] = field(default_factory=dict)  # product id → how many price points
    leads: dict[str, SandboxLead] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rooms in (self.leads, self.transactions, self.subscriptions):
            for key, item in rooms.items():
                item.id = key
        for transaction in self.transactions.values():
            self._check_transaction(transaction)
            transaction.buyer = transaction.buyer or self._buyer(transaction)
        for subscription in self.subscriptions.values():
            _check(subscription.lead_id in self.leads, f"subscription {subscription.id}: no such lead")
        self._id_by_address = {lead.email.lower(): lead.id for lead in self.leads.values()}
        self._last_lead_id = _highest(self.leads, _FIRST_LEAD_ID - 1)
        self._last_transaction_id = _highest(self.transactions, _FIRST_TRANSACTION_ID - 1)

    def _check_transaction(self, transaction: Transaction) -> None:
        """Raise ValueError for a mistake in an account that was written by hand, before it is served."""
        named = f"transaction {transaction.id}"
        _check(transaction.lead_id in self.leads, f"{named}: no such lead")
        known = ("", *self.subscriptions)
        _check(transaction.subscription_id in known, f"{named}: no such subscription")
        _check(_AMOUNT.fullmatch(transaction.amount) is not None, f"{named}: an amount is like 97.00")
        _check(_is_date(transaction.date), f"{named}: a date is like 2026-11-28 10:00:00, in quotes")

    def _buyer(self, transaction: Transaction) -> dict[str, str]:
        lead = self.leads[transaction.lead_id]
        return {**lead.fields, "email": lead.email}

    def lead(self, email: str) -> SandboxLead | None:
        """The lead with an address, in small or capital letters. Deleted leads are found too."""
        lead_id = self._id_by_address.get(email.lower())
        return None if lead_id is None else self.leads[lead_id]

    def custom_field(self, identifier: str) -> CustomField | None:
        return next((known for known in self.custom_fields if known.identifier == identifier), None)

    def add_lead(self, email: str, **fields: str) -> SandboxLead:
        if self.lead(email) is not None:
            raise ValueError("no two leads share an address")
        self._last_lead_id += 1
        lead = SandboxLead(
            email=email, id=str(self._last_lead_id), fields=fields, date_joined=est_text(est_now())
        )
        self.leads[lead.id] = lead
        self._id_by_address[email.lower()] = lead.id
        return lead

    def change_address(self, lead: SandboxLead, email: str) -> None:
        if self.lead(email) not in (None, lead):
            raise ValueError("no two leads share an address")
        del self._id_by_address[lead.email.lower()]
        lead.email = email
        self._id_by_address[email.lower()] = lead.id

    def add_transaction(self, transaction: Transaction) -> Transaction:
        """Add a transaction under a fresh id; its buyer is the lead as it is now, unless it names one."""
        self._last_transaction_id += 1
        transaction.id = str(self._last_transaction_id)
        transaction.buyer = transaction.buyer or self._buyer(transaction)
        self.transactions[transaction.id] = transaction
        return transaction

    def add_subscription(self, subscription: Subscription) -> Subscription:
        subscription.id = str(_highest(self.subscriptions, 14832) + 1)
        self.subscriptions[subscription.id] = subscription
        return subscription

    def to_json(self) -> str:
        return _ACCOUNT.dump_json(self, indent=1).decode()

    @staticmethod
    def from_json(data: str) -> "Account":
        return _ACCOUNT.validate_json(data)

    @staticmethod
    def from_yaml(path: Path | str) -> "Account":
        """The fields of this class as keys; unknown keys are an error. See `to_json` for the whole form.

        ValueError says where the mistakes are, and shows no value: a lead of the file may be a person.
        """
        try:
            return _ACCOUNT.validate_python(yaml.safe_load(Path(path).read_text("utf-8")) or {})
        except ValidationError as error:
            raise ValueError("; ".join(map(_message, error.errors()))) from None


def est_now(zone: Literal["fixed", "new_york"] = "fixed") -> datetime:
    """Kartra's wall clock, without an offset."""
    return est_of(datetime.now(UTC), zone)


def est_of(now: datetime, zone: Literal["fixed", "new_york"] = "fixed") -> datetime:
    """An instant by Kartra's wall clock, without an offset."""
    return now.astimezone(_ZONES[zone]).replace(tzinfo=None)


def est_text(at: datetime) -> str:
    return at.strftime(DATE_FORM)


def _is_date(text: str) -> bool:
    try:
        return text == NO_DATE or bool(datetime.strptime(text, DATE_FORM))  # noqa: DTZ007
    except ValueError:
        return False


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _message(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"]))
    return ": ".join(filter(None, (place, error["msg"].removeprefix("Value error, "))))


def _highest(ids: Iterable[str], floor: int) -> int:
    return max((int(key) for key in ids if key.isdecimal()), default=floor)


_ACCOUNT = TypeAdapter(Account)
