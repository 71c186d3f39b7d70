"""Profiles and custom fields as rows of their tables, and what changed between two profiles. Pure.

Columns keep Kartra's names. What a table has no column for goes into `extra`: nothing Kartra sent is dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from connectors.kartra.cells import Fields, TableRow, others
from connectors.kartra.profile import clean, maps_of, option_rows, rows_of, text_of

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
    fields = Fields(details, zone)
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


def custom_field_rows(rows: object) -> tuple[list[TableRow], list[TableRow]]:
    """Of `retrieve_custom_fields`: rows of `custom_fields`, and of `custom_field_options`."""
    fields: dict[str, TableRow] = {}
    options: dict[tuple[str, str], TableRow] = {}
    for row in maps_of(rows):
        identifier = clean(row.get("field_identifier"))
        if identifier is None:
            continue
        fields[identifier] = {
            "field_identifier": identifier,
            "field_id": clean(row.get("field_id")),
            "field_type": clean(row.get("field_type")),
            "extra": others(row, ("field_identifier", "field_id", "field_type", "field_value")),
        }
        for option in option_rows(row.get("field_value")):
            if isinstance(option, Mapping) and (option_id := clean(option.get("option_id"))):
                options[identifier, option_id] = {
                    "field_identifier": identifier,
                    "option_id": option_id,
                    "option_value": clean(option.get("option_value")),
                    "extra": others(option, ("option_id", "option_value")),
                }
    return list(fields.values()), list(options.values())


def _shown(value: object) -> str | None:
    return None if value is None else str(value)


def _part(name: str, row: object, keys: tuple[str, ...], *more: str) -> TableRow:
    if not isinstance(row, Mapping):
        return {name: clean(row), "extra": None}
    found = next((key for key in keys if clean(row.get(key))), keys[0])
    return {name: clean(row.get(found)), "extra": others(row, (found, *more))}


def _list(row: object) -> TableRow:
    """A list without `active` is one the lead is on."""
    part = _part("list_name", row, ("list_name", "name"), "active")
    return {**part, "active": _active(row)}


def _sequence(row: object) -> TableRow:
    part = _part("sequence_name", row, ("sequence_name", "name"), "step", "status")
    given = row if isinstance(row, Mapping) else {}
    return {**part, "step": clean(given.get("step")), "status": clean(given.get("status"))}


def _membership(row: Mapping[str, Any]) -> TableRow:
    part = _part("name", row, ("name", "membership_name"), "level_name", "active")
    return {**part, "level_name": clean(row.get("level_name")) or "", "active": _active(row)}


def _active(row: object) -> int:
    if not isinstance(row, Mapping) or "active" not in row:
        return 1
    return int(text_of(row["active"]).strip().lower() in ("1", "true", "active"))


def _custom_values(row: Mapping[str, Any]) -> Iterable[TableRow]:
    """A text field is one row, a field with options a row for each that is chosen; an empty one is none."""
    fixed = {
        "field_identifier": clean(row.get("field_identifier")),
        "field_id": clean(row.get("field_id")),
        "field_type": clean(row.get("field_type")),
        "extra": others(row, ("field_identifier", "field_id", "field_type", "field_value")),
    }
    value = row.get("field_value")
    if not isinstance(value, list | Mapping):
        text = text_of(value)
        if text:
            yield {**fixed, "option_id": "", "field_value": text}
        return
    for option in option_rows(value):
        given = option if isinstance(option, Mapping) else {"option_value": option}
        label = clean(given.get("option_value"))
        option_id = clean(given.get("option_id")) or ""
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
