"""Every command of Kartra's inbound API as a typed builder, and what makes a call well-formed.

Here: what may be said. Not here: how it is written on the wire (`wire`), or what comes back (`answers`).
Sections (§) are those of `reference.md`, numbers are Kartra's error types. A ValueError names the rule
that was broken, never a value of a person. Over 400 lines, because it is one table: thirty builders of a few
lines each, in the order of §5, with the rules that hold for all of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, TypeAlias

InventoryName = Literal["tags", "lists", "sequences", "pages", "custom_fields"]
"""What an account lists by name, whole and without paging (§5.3)."""

WireValue: TypeAlias = "str | int | Decimal | Mapping[str, WireValue] | Sequence[WireValue]"

# §5.1.1, without email, new_email and custom_fields, which have places of their own in Lead
LEAD_FIELDS: tuple[str, ...] = (
    *("phone", "phone_country_code"),
    *("first_name", "middle_name", "last_name", "last_name2"),
    *("ip", "address", "zip", "city", "state", "country", "company"),
    *("lead_picture", "website", "facebook", "twitter", "linkedin"),
    *("lead_preferred_time_zone", "sales_tax_id", "business_type"),
)


class Repeat(StrEnum):
    """What happens if the same action is executed twice (§5, column "repeat")."""

    SAFE = "safe"  # the same end state
    GUARDED = "guarded"  # the second one is refused
    ONCE_ONLY = "once_only"  # a second effect


REPEAT: dict[str, Repeat] = {
    "create_lead": Repeat.GUARDED,  # 244
    "edit_lead": Repeat.SAFE,
    "search_lead": Repeat.SAFE,
    "assign_tag": Repeat.SAFE,
    "unassign_tag": Repeat.SAFE,
    "subscribe_lead_to_list": Repeat.SAFE,
    "unsubscribe_lead_from_list": Repeat.SAFE,
    "subscribe_lead_to_sequence_at_step": Repeat.ONCE_ONLY,
    "unsubscribe_lead_from_sequence": Repeat.SAFE,
    "give_points_to_lead": Repeat.ONCE_ONLY,
    "remove_points_from_lead": Repeat.ONCE_ONLY,
    "retrieve_account_tags": Repeat.SAFE,
    "retrieve_account_lists": Repeat.SAFE,
    "retrieve_account_sequences": Repeat.SAFE,
    "retrieve_account_pages": Repeat.SAFE,
    "retrieve_custom_fields": Repeat.SAFE,
    "create_custom_field": Repeat.GUARDED,  # 264
    "calendar_subscribe": Repeat.ONCE_ONLY,
    "calendar_cancel": Repeat.GUARDED,  # 259
    "search_transaction": Repeat.SAFE,
    "get_transaction_details": Repeat.SAFE,
    "retrieve_transactions_from_lead": Repeat.SAFE,
    "refund_transaction": Repeat.GUARDED,  # 251; a partial refund is once only, see Action.repeat
    "cancel_transaction": Repeat.GUARDED,  # 252
    "search_subscription": Repeat.SAFE,
    "get_subscription_details": Repeat.SAFE,
    "retrieve_subscriptions_from_lead": Repeat.SAFE,
    "modify_subscription_status": Repeat.SAFE,  # cancel is guarded (252), see Action.repeat
    "edit_subscription": Repeat.SAFE,
}

READS = frozenset(
    cmd for cmd in ("get_lead", *REPEAT) if cmd.partition("_")[0] in ("get", "search", "retrieve")
)
"""Commands without any effect: nothing can be left half done, and a lost answer is asked for again."""

LEAD_COMMANDS = frozenset({"create_lead", "edit_lead", "search_lead"})  # only in actions[0], §4.3
LEAD_BOUND = LEAD_COMMANDS | {
    "assign_tag",
    "unassign_tag",
    "subscribe_lead_to_list",
    "unsubscribe_lead_from_list",
    "subscribe_lead_to_sequence_at_step",
    "unsubscribe_lead_from_sequence",
    "give_points_to_lead",
    "remove_points_from_lead",
    "calendar_subscribe",
    "calendar_cancel",
    "retrieve_transactions_from_lead",
    "retrieve_subscriptions_from_lead",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One `actions[n]`. Only documented commands: public code invents some (§10.22)."""

    cmd: str
    params: Mapping[str, WireValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cmd not in REPEAT:
            raise ValueError(f"Kartra documents no command {self.cmd!r}")

    @property
    def repeat(self) -> Repeat:
        if self.cmd == "refund_transaction" and "refund_amount" in self.params:
            return Repeat.ONCE_ONLY
        if self.params.get("subscription_status_modification") == "cancel":
            return Repeat.GUARDED
        return REPEAT[self.cmd]


@dataclass(frozen=True, slots=True)
class CustomFieldValue:
    """A text, or the option id of a drop-down or radio button, or ids for a checkbox; "" clears (§7.3)."""

    identifier: str
    value: str | int | tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """The `lead` map. `email` only identifies: `new_email` is what changes an address (§10.8)."""

    id: str | None = None
    email: str | None = None
    new_email: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    custom_fields: tuple[CustomFieldValue, ...] = ()

    @property
    def has_profile(self) -> bool:
        return bool(self.new_email is not None or self.fields or self.custom_fields)


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: actions on one lead, or `get_lead` alone. ValueError where it breaks the rules of §4."""

    actions: tuple[Action, ...] = ()
    lead: Lead | None = None
    get_lead: Lead | None = None

    def __post_init__(self) -> None:
        if self.get_lead is not None:
            _check_get_lead(self)
            return
        if not self.actions:
            raise ValueError("a call needs an action or get_lead")
        if LEAD_COMMANDS.intersection(self.commands[1:]):
            raise ValueError("create_lead, edit_lead and search_lead only stand in actions[0]")
        if self.lead is not None:
            _check_lead(self.lead, self.commands[0])
        elif LEAD_BOUND.intersection(self.commands):
            raise ValueError("a lead-bound action needs a lead")

    @property
    def commands(self) -> tuple[str, ...]:
        if self.get_lead is not None:
            return ("get_lead",)
        return tuple(action.cmd for action in self.actions)


def _check_get_lead(call: Call) -> None:
    if call.get_lead is None or call.actions or call.lead is not None:
        raise ValueError("get_lead stands alone in its call")
    _check_identity(call.get_lead)
    if call.get_lead.has_profile:
        raise ValueError("get_lead takes no profile fields")


def _check_lead(lead: Lead, first_command: str) -> None:
    _check_identity(lead)
    if lead.has_profile and first_command not in ("create_lead", "edit_lead"):
        raise ValueError("profile fields need create_lead or edit_lead in actions[0]")
    if first_command == "create_lead" and lead.email is None:
        raise ValueError("create_lead needs an email")
    if first_command == "create_lead" and lead.new_email is not None:
        raise ValueError("new_email belongs to edit_lead")
    if unknown := [name for name in lead.fields if name not in LEAD_FIELDS]:
        raise ValueError(f"no writable lead field: {', '.join(unknown)}")
    for custom in lead.custom_fields:
        _filled("field_identifier", custom.identifier)
        if custom.value == ():
            raise ValueError('an empty selection is never sent: clear a custom field with ""')


def _check_identity(lead: Lead) -> None:
    if not isinstance(lead, Lead):
        raise ValueError("which lead is said by Lead(email=…) or Lead(id=…)")
    given = [value for value in (lead.id, lead.email) if value is not None]
    if len(given) != 1 or not given[0].strip():
        raise ValueError("a lead needs exactly one of id and email")  # with both, id wins silently (§10.7)


def get_lead(*, email: str | None = None, id: str | None = None) -> Call:  # noqa: A002 - Kartra's own word
    """Reads one profile. 234 not found, 245 deleted. §6."""
    return Call(get_lead=Lead(id=id, email=email))


# Leads, §5.1: what is written stands in Call.lead


def create_lead() -> Action:
    """244 exists already, 245 deleted, 271 custom fields malformed."""
    return Action("create_lead")


def edit_lead() -> Action:
    """Fields not sent stay. 243 unknown, 244 `new_email` taken, 245 deleted, 271 custom fields malformed."""
    return Action("edit_lead")


def search_lead() -> Action:
    """243 unknown, 245 deleted."""
    return Action("search_lead")


# Tags, lists, sequences, points, §5.2: addressed by name, as the account's inventory gives it


def assign_tag(tag_name: str) -> Action:
    """212 unknown tag."""
    return Action("assign_tag", {"tag_name": _filled("tag_name", tag_name)})


def unassign_tag(tag_name: str) -> Action:
    """214 unknown tag. A tag the lead does not have is ignored."""
    return Action("unassign_tag", {"tag_name": _filled("tag_name", tag_name)})


def subscribe_lead_to_list(list_name: str) -> Action:
    """231 unknown list. May take effect "in a few moments" (§3.4)."""
    return Action("subscribe_lead_to_list", {"list_name": _filled("list_name", list_name)})


def unsubscribe_lead_from_list(list_name: str) -> Action:
    """209 unknown list. A list the lead is not on is ignored."""
    return Action("unsubscribe_lead_from_list", {"list_name": _filled("list_name", list_name)})


def subscribe_lead_to_sequence_at_step(sequence_name: str, step: str | int) -> Action:
    """`step` is the number on the step's box. 219 unknown sequence, 230 unknown step."""
    if not re.fullmatch(r"[A-Za-z0-9]+", str(step)):
        raise ValueError("step has to be alphanumeric")
    return Action(
        "subscribe_lead_to_sequence_at_step",
        {"sequence_name": _filled("sequence_name", sequence_name), "step": str(step)},
    )


def unsubscribe_lead_from_sequence(sequence_name: str) -> Action:
    """220 unknown sequence."""
    return Action(
        "unsubscribe_lead_from_sequence", {"sequence_name": _filled("sequence_name", sequence_name)}
    )


def give_points_to_lead(points: int, *, expiration_days: int | None = None) -> Action:
    """After `expiration_days` exactly these points are taken off again; None or 0: never."""
    # What Kartra makes of nought or of negative points is not documented (§5.2).
    params = {"points": _between("points", points, 1)}
    if expiration_days is not None:
        params["expiration"] = _between("expiration_days", expiration_days, 0)
    return Action("give_points_to_lead", params)


def remove_points_from_lead(points: int) -> Action:
    """What happens below zero is not documented."""
    return Action("remove_points_from_lead", {"points": _between("points", points, 1)})


# Account inventories, §5.3: whole, without paging; each in a call of its own (§4.9)


def retrieve_account_tags() -> Action:
    return Action("retrieve_account_tags")


def retrieve_account_lists() -> Action:
    return Action("retrieve_account_lists")


def retrieve_account_sequences() -> Action:
    return Action("retrieve_account_sequences")


def retrieve_account_pages() -> Action:
    return Action("retrieve_account_pages")


def retrieve_custom_fields() -> Action:
    """Often slow: allow 30 s."""
    return Action("retrieve_custom_fields")


CustomFieldType = Literal["input_field", "text_area", "drop_down", "radio_button", "checkbox"]
CHOICE_TYPES = ("drop_down", "radio_button", "checkbox")


def create_custom_field(
    identifier: str,
    type: CustomFieldType,  # noqa: A002 - Kartra's own word
    options: Iterable[str] = (),
) -> Action:
    """Choices take two options or more, text fields none. 264 exists or reserved. §5.4."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", identifier):
        raise ValueError("a custom field's identifier has only letters, digits, dashes and underscores")
    if type not in (*CHOICE_TYPES, "input_field", "text_area"):
        raise ValueError("no such custom field type")
    names = [_filled("option_name", option) for option in options]
    if type in CHOICE_TYPES and len(names) < 2:
        raise ValueError("a choice needs two options or more")
    if type not in CHOICE_TYPES and names:
        raise ValueError("a text field takes no options")
    params: dict[str, WireValue] = {"custom_field_identifier": identifier, "custom_field_type": type}
    if names:
        params["custom_field_options"] = [{"option_name": name} for name in names]
    return Action("create_custom_field", params)


# Calendars, §5.5

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def calendar_subscribe(calendar_name: str, class_name: str, starting_at: datetime | None = None) -> Action:
    """`starting_at` is Kartra's own wall clock ("EST"), naive. 257, 258 unknown, 261 past."""
    params = _class(calendar_name, class_name)
    if starting_at is not None:
        at = _kartra_time("starting_at", starting_at)
        # strftime's %b would follow the machine's locale
        params["starting_date"] = f"{at.day:02d} {MONTHS[at.month - 1]} {at.year:04d}"
        params["starting_hour"] = f"{at.hour:02d}:{at.minute:02d}"
    return Action("calendar_subscribe", params)


def calendar_cancel(calendar_name: str, class_name: str) -> Action:
    """257, 258 unknown, 259 not subscribed."""
    return Action("calendar_cancel", _class(calendar_name, class_name))


def _class(calendar_name: str, class_name: str) -> dict[str, str]:
    return {
        "calendar_name": _filled("calendar_name", calendar_name),
        "class_name": _filled("class_name", class_name),
    }


# Transactions, §5.6: a wrong id is someone else's payment, so check its lead_id first (§10.17)


def search_transaction(transaction_id: str | int) -> Action:
    """247 unknown."""
    return Action("search_transaction", _id("transaction_id", transaction_id))


def get_transaction_details(transaction_id: str | int) -> Action:
    """247 unknown."""
    return Action("get_transaction_details", _id("transaction_id", transaction_id))


def retrieve_transactions_from_lead() -> Action:
    """Ids and kinds only; amounts and dates come with `get_transaction_details`."""
    return Action("retrieve_transactions_from_lead")


def refund_transaction(transaction_id: str | int, refund_amount: Decimal | None = None) -> Action:
    """None refunds all; the currency is the sale's. 250, 251, 253 refused, 266 outcome unknown."""
    params: dict[str, WireValue] = {**_id("transaction_id", transaction_id)}
    if refund_amount is not None:
        if not _exact("refund_amount", refund_amount).is_finite() or refund_amount <= 0:
            raise ValueError("refund_amount has to be above 0")
        params["refund_amount"] = refund_amount
    return Action("refund_transaction", params)


def cancel_transaction(
    *, transaction_id: str | int | None = None, internal_subscription_id: str | int | None = None
) -> Action:
    """Cancels a recurring payment. 249 none behind it, 252 cancelled before, 267 outcome unknown."""
    if transaction_id is not None and internal_subscription_id is None:
        return Action("cancel_transaction", _id("transaction_id", transaction_id))
    if internal_subscription_id is not None and transaction_id is None:
        name = "transaction_internal_subscription_id"
        return Action("cancel_transaction", _id(name, internal_subscription_id))
    raise ValueError("cancel_transaction needs exactly one of transaction_id and internal_subscription_id")


# Recurring subscriptions, §5.7


def search_subscription(subscription_id: str | int) -> Action:
    """248 unknown."""
    return Action("search_subscription", _id("subscription_id", subscription_id))


def get_subscription_details(subscription_id: str | int) -> Action:
    """248 unknown."""
    return Action("get_subscription_details", _id("subscription_id", subscription_id))


def retrieve_subscriptions_from_lead() -> Action:
    return Action("retrieve_subscriptions_from_lead")


def modify_subscription_status(
    subscription_id: str | int, status: Literal["cancel", "pause", "unpause"]
) -> Action:
    """275 cancelled or terminated, 284 PayPal (cancel only), 267 outcome unknown."""
    if status not in ("cancel", "pause", "unpause"):
        raise ValueError("status is one of cancel, pause, unpause")
    params = {**_id("subscription_id", subscription_id), "subscription_status_modification": status}
    return Action("modify_subscription_status", params)


UNTIL_CANCELLED: Literal["until cancelled"] = "until cancelled"
INSTALLMENT_PERIODS = ("monthly", "every 2 months", "weekly", "every 2 weeks")
PERIODS_1 = (*INSTALLMENT_PERIODS, "quarterly", "yearly", "every 2 years")
PERIODS_2 = ("yearly", "every 2 years")  # price point type "Recurring installments" alone


def edit_subscription(
    subscription_id: str | int,
    *,
    product_id: str | int | None = None,
    price_point: int | None = None,
    next_payment_at: datetime | None = None,
    amount: Decimal | None = None,
    recurring_period_1: str | None = None,
    recurring_period_2: str | None = None,
    product_quantity: int | None = None,
    installments_left: int | Literal["until cancelled"] | None = None,
    tax_percent: Decimal | None = None,
) -> Action:
    """At least one change; values are absolute. `next_payment_at` is Kartra's own wall clock ("EST"), naive.

    Which price point types allow which change only Kartra knows: 281, 282, 284, 285. §5.7.1."""
    changes: dict[str, WireValue] = {}
    # Either of them alone is most likely answered by 283 (§5.7.1).
    if (product_id is None) != (price_point is None):
        raise ValueError("product_id and price_point go together")
    if product_id is not None and price_point is not None:
        changes |= _id("subscription_product_id", product_id)
        changes["subscription_price_point"] = _between("price_point", price_point, 1)
    if next_payment_at is not None:
        at = _kartra_time("next_payment_at", next_payment_at)
        # Without seconds, as its rule has it; the page's own example has them (§5.7.1).
        changes["subscription_next_payment_date"] = f"{at:%Y-%m-%d %H:%M}"
    if amount is not None:
        changes["subscription_amount"] = _within("amount", amount, Decimal("1.00"), Decimal("9999.99"))
    if recurrence := _recurrence(recurring_period_1, recurring_period_2):
        changes["subscription_recurrence"] = recurrence
    if product_quantity is not None:
        changes["subscription_product_quantity"] = _between("product_quantity", product_quantity, 1, 9_999)
    if installments_left == UNTIL_CANCELLED:
        changes["subscription_installments_left"] = UNTIL_CANCELLED
    elif installments_left is not None:
        changes["subscription_installments_left"] = _between("installments_left", installments_left, 1)
    if tax_percent is not None:
        changes["subscription_tax_percent"] = _within("tax_percent", tax_percent, Decimal(0), Decimal(100))
    if not changes:
        raise ValueError("edit_subscription needs at least one change")
    return Action("edit_subscription", {**_id("subscription_id", subscription_id), **changes})


def _recurrence(period_1: str | None, period_2: str | None) -> dict[str, str]:
    if period_2 is not None and period_2 not in PERIODS_2:
        raise ValueError(f"recurring_period_2 is one of {', '.join(PERIODS_2)}")
    # A second period is one of recurring instalments, and those take fewer of the first (§5.7.1).
    allowed = PERIODS_1 if period_2 is None else INSTALLMENT_PERIODS
    if period_1 is not None and period_1 not in allowed:
        raise ValueError(f"recurring_period_1 is one of {', '.join(allowed)}")
    periods = {"recurring_period_1": period_1, "recurring_period_2": period_2}
    return {name: period for name, period in periods.items() if period is not None}


def _filled(name: str, value: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} cannot be empty")
    return value


def _id(name: str, value: str | int) -> dict[str, str]:
    if not re.fullmatch(r"[0-9]+", str(value)):
        raise ValueError(f"{name} is Kartra's own number, not a payment provider's id")
    return {name: str(value)}


def _between(name: str, value: int, low: int, high: int | None = None) -> int:
    # A bool is an int to Python: True would become one point.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} has to be a whole number")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} has to be {low} or more" if high is None else f"{name}: {low} to {high}")
    return value


def _exact(name: str, value: Decimal) -> Decimal:
    if not isinstance(value, Decimal):
        raise ValueError(f"{name} has to be a Decimal: a float is not exact")
    return value


def _within(name: str, value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    if not _exact(name, value).is_finite() or not low <= value <= high:
        raise ValueError(f"{name}: {low} to {high}")
    return value


def _kartra_time(name: str, at: datetime) -> datetime:
    # Whether Kartra's "EST" knows summer time is unknown (§8.5), so the caller's configured zone decides.
    if at.tzinfo is not None:
        raise ValueError(f"{name} is Kartra's wall clock: convert it, then drop the zone")
    return at
