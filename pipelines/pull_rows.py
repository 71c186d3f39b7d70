"""Kartra's answers as rows of the warehouse. Pure.

Columns keep Kartra's names. What a table has no column for, and what a column cannot hold, goes into `extra`:
nothing Kartra sent is dropped. The same empty value has many faces, all of them NULL.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from connectors.kartra.profile import maps_of, option_rows, rows_of, text_of
from pipelines.kartra_time import utc_of
from pipelines.money import net_of

TableRow: TypeAlias = dict[str, Any]

NOTHING = ("", "N/A", "0000-00-00 00:00:00", "0000-00-00")
SCALE, MOST = Decimal("0.0001"), Decimal(10**15)
"""What the money columns of every database hold exactly."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")

LEAD_TEXTS = (
    *("id", "email", "first_name", "middle_name", "last_name", "last_name2", "phone_country_code", "phone"),
    *("company", "address", "zip", "city", "state", "country", "ip", "ip_country", "website", "facebook"),
    *("twitter", "linkedin", "lead_picture", "lead_preferred_time_zone", "sales_tax_id", "business_type"),
    *("username", "source", "source_id", "referring_id", "notes", "gdpr_lead_status_ip"),
)
LEAD_NUMBERS = ("score", "blacklisted", "gdpr_lead_status", "gdpr_lead_communications", "lead_deleted")
LEAD_TIMES = ("gdpr_lead_status_date", "date_joined", "lead_deleted_date")
LEAD_PARTS = ("tags", "lists", "sequences", "memberships", "custom_fields")
LEAD_FIELDS = (*LEAD_TEXTS[1:], *LEAD_NUMBERS, *LEAD_TIMES)
"""Columns of `leads` whose change is told in `lead_changes`."""

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
OPEN = ("Active", "Paused")
"""Subscriptions that may still change. Cancelled and Terminated are final (§8.4)."""

PART_TABLES: dict[str, tuple[str, ...]] = {
    "lead_tags": ("tag_name",),
    "lead_lists": ("list_name",),
    "lead_sequences": ("sequence_name",),
    "lead_memberships": ("name", "level_name"),
    "lead_custom_fields": ("field_identifier", "option_id"),
}
"""The tables of what a lead has several of, and what is unique in each for one lead."""

_PART_COLUMNS: dict[str, tuple[str, ...]] = {
    "lead_tags": (),
    "lead_lists": ("active",),
    "lead_sequences": ("step", "status"),
    "lead_memberships": ("active",),
    "lead_custom_fields": ("field_id", "field_type", "field_value"),
}


@dataclass(frozen=True, slots=True)
class LeadRows:
    """A profile: its row of `leads`, and per table of PART_TABLES its rows."""

    lead: TableRow
    parts: Mapping[str, tuple[TableRow, ...]]


@dataclass(frozen=True, slots=True)
class LeadChange:
    """One row of `lead_changes`; None means that it was not there, or is not there any more."""

    kind: str
    field: str
    old_value: str | None
    new_value: str | None


def lead_rows(details: Mapping[str, Any], zone: tzinfo) -> LeadRows:
    """The profile in `lead_details`. ValueError where it names no lead."""
    fields = _Fields(details, zone)
    lead = {
        **{name: fields.text(name) for name in LEAD_TEXTS},
        **{name: fields.number(name) for name in LEAD_NUMBERS},
        **fields.times(LEAD_TIMES),
    }
    if lead["id"] is None:
        raise ValueError("a profile without an id")
    parts = {
        "lead_tags": [_part("tag_name", row, ("tag_name", "name")) for row in rows_of(details.get("tags"))],
        "lead_lists": [_list(row) for row in rows_of(details.get("lists"))],
        "lead_sequences": [_sequence(row) for row in rows_of(details.get("sequences"))],
        "lead_memberships": [_membership(row) for row in maps_of(details.get("memberships"))],
        "lead_custom_fields": [
            value for row in maps_of(details.get("custom_fields")) for value in _custom_values(row)
        ],
    }
    lead["extra"] = fields.rest(without=LEAD_PARTS)
    return LeadRows(lead, {name: _once(name, lead["id"], rows) for name, rows in parts.items()})


def lead_changes(before: LeadRows, after: LeadRows) -> list[LeadChange]:
    """What a profile shows otherwise than the one before."""
    changes = [
        LeadChange("field", name, _shown(before.lead.get(name)), _shown(after.lead.get(name)))
        for name in LEAD_FIELDS
        if before.lead.get(name) != after.lead.get(name)
    ]
    for table, (kind, value) in _TOLD.items():
        old, new = _told(before.parts[table], table, value), _told(after.parts[table], table, value)
        changes += [
            LeadChange(kind, name, old.get(name), new.get(name))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return changes


def arrival(after: LeadRows) -> list[LeadChange]:
    """The changes that make a new lead: it came, with these tags, lists and so on."""
    nobody = LeadRows(dict.fromkeys(LEAD_FIELDS), dict.fromkeys(PART_TABLES, ()))
    kept = [change for change in lead_changes(nobody, after) if change.kind != "field"]
    return [LeadChange("lead", "joined", None, _shown(after.lead.get("date_joined"))), *kept]


_TOLD = {
    "lead_tags": ("tag", lambda row: "1"),
    "lead_lists": ("list", lambda row: _shown(row["active"])),
    "lead_sequences": ("sequence", lambda row: row["status"] or ""),
    "lead_memberships": ("membership", lambda row: _shown(row["active"])),
    "lead_custom_fields": ("custom_field", lambda row: row["field_value"]),
}


def _told(rows: Iterable[TableRow], table: str, value: Any) -> dict[str, str | None]:
    names = PART_TABLES[table]
    told: dict[str, str | None] = {}
    for row in rows:
        if table == "lead_custom_fields":  # several options of a field are one value
            name, shown = row["field_identifier"], value(row)
            told[name] = f"{told[name]}; {shown}" if name in told else shown
        else:
            told[": ".join(row[name] for name in names if row[name])] = value(row)
    return told


def transaction_stubs(rows: object) -> list[TableRow]:
    """Of `transaction_list`: transaction_id, lead_id, lead_email, transaction_type. Without an id, no row."""
    stubs = [
        {
            name: _clean(row.get(name))
            for name in ("transaction_id", "lead_id", "lead_email", "transaction_type")
        }
        for row in maps_of(rows)
    ]
    return [stub for stub in stubs if stub["transaction_id"]]


def transaction_row(details: Mapping[str, Any], stub: Mapping[str, Any], zone: tzinfo) -> TableRow:
    """A row of `transactions` from `transaction_details`; what they lack is taken from the stub."""
    fields = _Fields(details, zone)
    row = {
        **{name: fields.text(name) or stub.get(name) for name in TRANSACTION_TEXTS},
        **{name: fields.number(name) for name in TRANSACTION_NUMBERS},
        **{name: fields.money(name) for name in TRANSACTION_MONEY},
        **fields.times(TRANSACTION_TIMES),
    }
    row["transaction_id"] = stub["transaction_id"]
    row["net_amount"] = net_of(row["transaction_type"], row["transaction_full_amount"])
    row["extra"] = fields.rest()
    return row


def without_buyer(row: TableRow) -> TableRow:
    """A transaction or subscription without the person behind it: it counts as before."""
    return {**row, **{name: None for name in (*BUYER, "extra") if name in row}}


def subscription_stubs(rows: object) -> list[TableRow]:
    """Of `subscriptions_list`: subscription_id, lead_id, lead_email, subscription_status."""
    stubs = [
        {
            name: _clean(row.get(name))
            for name in ("subscription_id", "lead_id", "lead_email", "subscription_status")
        }
        for row in maps_of(rows)
    ]
    return [stub for stub in stubs if stub["subscription_id"]]


def subscription_row(details: Mapping[str, Any], stub: Mapping[str, Any], zone: tzinfo) -> TableRow:
    """A row of `subscriptions` from `subscription_details`; what they lack is taken from the stub."""
    fields = _Fields(details, zone)
    row = {
        **{name: fields.text(name) or stub.get(name) for name in SUBSCRIPTION_TEXTS},
        **{name: fields.number(name) for name in SUBSCRIPTION_NUMBERS},
        **{name: fields.money(name) for name in SUBSCRIPTION_MONEY},
        **fields.times(SUBSCRIPTION_TIMES),
    }
    row["subscription_id"] = stub["subscription_id"]
    row["lead_id"] = row["lead_id"] or row["subscription_lead_id"]
    row["extra"] = fields.rest()
    return row


def custom_field_rows(rows: object) -> tuple[list[TableRow], list[TableRow]]:
    """Of `retrieve_custom_fields`: rows of `custom_fields`, and of `custom_field_options`."""
    fields: dict[str, TableRow] = {}
    options: dict[tuple[str, str], TableRow] = {}
    for row in maps_of(rows):
        identifier = _clean(row.get("field_identifier"))
        if identifier is None:
            continue
        fields[identifier] = {
            "field_identifier": identifier,
            "field_id": _clean(row.get("field_id")),
            "field_type": _clean(row.get("field_type")),
            "extra": _others(row, ("field_identifier", "field_id", "field_type", "field_value")),
        }
        for option in option_rows(row.get("field_value")):
            if isinstance(option, Mapping) and (option_id := _clean(option.get("option_id"))):
                options[identifier, option_id] = {
                    "field_identifier": identifier,
                    "option_id": option_id,
                    "option_value": _clean(option.get("option_value")),
                    "extra": _others(option, ("option_id", "option_value")),
                }
    return list(fields.values()), list(options.values())


class _Fields:
    """The keys of one answer, taken one by one; what nobody could take is the rest."""

    def __init__(self, details: Mapping[str, Any], zone: tzinfo) -> None:
        self._details, self._zone = details, zone
        self._taken: set[str] = set()

    def text(self, name: str) -> str | None:
        value = self._details.get(name)
        if isinstance(value, list | Mapping) and value:
            return None  # no text, so it stays in the rest
        self._taken.add(name)
        return _clean(value)

    def number(self, name: str) -> int | None:
        value = _clean(self._details.get(name))
        if value is not None and not _WHOLE.fullmatch(value):
            return None  # no number that a column holds, so it stays in the rest
        self._taken.add(name)
        return None if value is None else int(value)

    def money(self, name: str) -> Decimal | None:
        value = _clean(self._details.get(name))
        amount = None if value is None else exact_amount(value)
        if value is None or amount is not None:
            self._taken.add(name)
        return amount

    def times(self, names: Iterable[str]) -> TableRow:
        """Each as it came, and as `<name>_utc`."""
        row: TableRow = {}
        for name in names:
            raw = self.text(name)
            row[name], row[f"{name}_utc"] = raw, utc_of(raw or "", self._zone)
        return row

    def rest(self, *, without: tuple[str, ...] = ()) -> TableRow | None:
        return _others(self._details, (*self._taken, *without))


def exact_amount(text: str) -> Decimal | None:
    """An amount as Kartra writes it: a point, no thousands separator. None where it is something else."""
    try:
        amount = Decimal(text.strip())
        fits = amount.is_finite() and abs(amount) < MOST and amount == amount.quantize(SCALE)
        return amount if fits else None
    except InvalidOperation:
        return None


def _clean(value: object) -> str | None:
    text = text_of(value)
    return None if text.strip() in NOTHING else text


def _shown(value: object) -> str | None:
    return None if value is None else str(value)


def _others(row: Mapping[str, Any], known: Iterable[str]) -> TableRow | None:
    """What a row has beyond the known keys, without what is empty."""
    names = set(known)
    return {
        name: value for name, value in row.items() if name not in names and value not in (None, "", [])
    } or None


def _part(name: str, row: object, keys: tuple[str, ...], *more: str) -> TableRow:
    if not isinstance(row, Mapping):
        return {name: _clean(row), "extra": None}
    found = next((key for key in keys if _clean(row.get(key))), keys[0])
    return {name: _clean(row.get(found)), "extra": _others(row, (found, *more))}


def _list(row: object) -> TableRow:
    """A list without `active` is one the lead is on."""
    part = _part("list_name", row, ("list_name", "name"), "active")
    return {**part, "active": _active(row)}


def _sequence(row: object) -> TableRow:
    part = _part("sequence_name", row, ("sequence_name", "name"), "step", "status")
    given = row if isinstance(row, Mapping) else {}
    return {**part, "step": _clean(given.get("step")), "status": _clean(given.get("status"))}


def _membership(row: Mapping[str, Any]) -> TableRow:
    part = _part("name", row, ("name", "membership_name"), "level_name", "active")
    return {**part, "level_name": _clean(row.get("level_name")) or "", "active": _active(row)}


def _active(row: object) -> int:
    if not isinstance(row, Mapping) or "active" not in row:
        return 1
    return int(text_of(row["active"]).strip().lower() in ("1", "true", "active"))


def _custom_values(row: Mapping[str, Any]) -> Iterable[TableRow]:
    """A text field is one row, a field with options a row for each that is chosen; an empty one is none."""
    fixed = {
        "field_identifier": _clean(row.get("field_identifier")),
        "field_id": _clean(row.get("field_id")),
        "field_type": _clean(row.get("field_type")),
        "extra": _others(row, ("field_identifier", "field_id", "field_type", "field_value")),
    }
    value = row.get("field_value")
    if not isinstance(value, list | Mapping):
        text = text_of(value)
        if text:
            yield {**fixed, "option_id": "", "field_value": text}
        return
    for option in option_rows(value):
        given = option if isinstance(option, Mapping) else {"option_value": option}
        label = _clean(given.get("option_value"))
        option_id = _clean(given.get("option_id")) or ""
        if label or option_id:
            yield {**fixed, "option_id": option_id, "field_value": label}


def _once(table: str, lead_id: str, rows: Iterable[TableRow]) -> tuple[TableRow, ...]:
    """The rows under their keys, each key once: the last of the same counts. A row without a name is none."""
    keys = PART_TABLES[table]
    found = {
        tuple(row[key] for key in keys): {"lead_id": lead_id, **row}
        for row in rows
        if row[keys[0]] is not None
    }
    return tuple(found.values())


def part_columns(table: str) -> tuple[str, ...]:
    """The columns of a table of PART_TABLES."""
    return ("lead_id", *PART_TABLES[table], *_PART_COLUMNS[table], "extra")
