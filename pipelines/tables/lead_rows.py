"""Turns profiles and custom fields into rows of tables, and compares two profiles. Pure.

Columns keep Kartra's names. Values without a column go into `extra`, so that nothing from Kartra is lost.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from connectors.kartra.cells import Fields, TableRow, others
from connectors.kartra.profile import clean, maps_of, option_rows
from pipelines.tables.part_rows import PART_NAMES, PART_TABLES, part_rows

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
"""The columns of `leads` whose changes are recorded in `lead_changes`."""


@dataclass(frozen=True, slots=True)
class LeadRows:
    """A profile: its row of `leads`, and its rows in each of PART_TABLES.

    `absent` are columns that the profile lacks, `missing` the tables of parts that it lacks, `unread` those
    of parts that could not be read completely.
    """

    lead: TableRow
    parts: Mapping[str, tuple[TableRow, ...]]
    absent: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeadChange:
    """One row of `lead_changes`; None means that the value did not exist, or no longer exists."""

    kind: str
    field: str
    old_value: str | None
    new_value: str | None


def lead_rows(details: Mapping[str, Any], zone: tzinfo) -> LeadRows:
    """The rows of `lead_details`. ValueError if it has no id."""
    fields = Fields(details, zone)
    lead = {
        **{name: fields.text(name) for name in LEAD_TEXTS},
        **{name: fields.number(name) for name in LEAD_NUMBERS},
        **fields.times(LEAD_TIMES),
    }
    if lead["id"] is None:
        raise ValueError("a profile without an id")
    parts = {table: part_rows(table, lead["id"], details.get(name)) for table, name in PART_NAMES.items()}
    unread = {PART_NAMES[table]: part.unread for table, part in parts.items() if part.unread is not None}
    lead["extra"] = {**(fields.rest(without=LEAD_PARTS) or {}), **unread} or None
    return LeadRows(
        lead,
        {table: part.rows for table, part in parts.items()},
        absent=frozenset(name for name in LEAD_FIELDS if name not in details),
        missing=frozenset(table for table, part in parts.items() if part.is_missing),
        unread=frozenset(table for table, part in parts.items() if part.unread is not None),
    )


def with_what_stays(after: LeadRows, before: LeadRows, stays: Collection[str]) -> LeadRows:
    """The profile with the earlier rows of the parts in `stays` added to its own."""
    parts = dict(after.parts)
    for table in stays:
        keys = PART_TABLES[table]
        both = (*before.parts[table], *after.parts[table])
        parts[table] = tuple({tuple(row[key] for key in keys): row for row in both}.values())
    return replace(after, parts=parts)


def lead_changes(before: LeadRows, after: LeadRows) -> list[LeadChange]:
    """The differences between two profiles."""
    changes = [
        LeadChange("field", name, _text(before.lead.get(name)), _text(after.lead.get(name)))
        for name in LEAD_FIELDS
        if name not in after.absent and before.lead.get(name) != after.lead.get(name)
    ]
    for table in PART_TABLES:
        changes += part_changes(table, before.parts[table], after.parts[table])
    return changes


def part_changes(table: str, before: Iterable[TableRow], after: Iterable[TableRow]) -> list[LeadChange]:
    """The differences in one part."""
    kind, value_of = _VALUES[table]
    old, new = _values(before, table, value_of), _values(after, table, value_of)
    return [
        LeadChange(kind, name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def arrival(after: LeadRows) -> list[LeadChange]:
    """The changes of a new lead: it joined, with these tags, lists and so on."""
    nobody = LeadRows(dict.fromkeys(LEAD_FIELDS), dict.fromkeys(PART_TABLES, ()))
    kept = [change for change in lead_changes(nobody, after) if change.kind != "field"]
    return [LeadChange("lead", "joined", None, _text(after.lead.get("date_joined"))), *kept]


_VALUES: Mapping[str, tuple[str, Callable[[TableRow], str | None]]] = {
    "lead_tags": ("tag", lambda row: "1"),
    "lead_lists": ("list", lambda row: _text(row["active"])),
    "lead_sequences": ("sequence", lambda row: row["status"] or ""),
    "lead_memberships": ("membership", lambda row: _text(row["active"])),
    "lead_custom_fields": ("custom_field", lambda row: row["field_value"]),
}


def _values(
    rows: Iterable[TableRow], table: str, value_of: Callable[[TableRow], str | None]
) -> dict[str, str | None]:
    names = PART_TABLES[table]
    values: dict[str, str | None] = {}
    for row in rows:
        if table == "lead_custom_fields":  # several options of a field are one value
            name, value = row["field_identifier"], value_of(row)
            values[name] = f"{values[name]}; {value}" if name in values else value
        else:
            values[": ".join(row[name] for name in names if row[name])] = value_of(row)
    return values


def custom_field_rows(rows: object) -> tuple[list[TableRow], list[TableRow]]:
    """The rows of `custom_fields` and `custom_field_options` in an answer to `retrieve_custom_fields`."""
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


def _text(value: object) -> str | None:
    return None if value is None else str(value)
