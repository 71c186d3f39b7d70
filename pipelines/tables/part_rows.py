"""Turns the parts of a profile into rows: tags, lists, sequences, memberships, custom fields. Pure.

A missing part is not an empty one, and an unreadable part is not a missing one; the three are kept apart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kartra.cells import TableRow, others
from connectors.kartra.profile import clean, option_rows, read_rows, text_of

PART_TABLES: dict[str, tuple[str, ...]] = {
    "lead_tags": ("tag_name",),
    "lead_lists": ("list_name",),
    "lead_sequences": ("sequence_name",),
    "lead_memberships": ("name", "level_name"),
    "lead_custom_fields": ("field_identifier", "option_id"),
}
"""The tables of the parts, and the columns that are unique for one lead."""
PART_NAMES = {table: table.removeprefix("lead_") for table in PART_TABLES}
"""Kartra's key of each part in a profile."""
_PART_COLUMNS: dict[str, tuple[str, ...]] = {
    "lead_tags": (),
    "lead_lists": ("active",),
    "lead_sequences": ("step", "status"),
    "lead_memberships": ("active",),
    "lead_custom_fields": ("field_id", "field_type", "field_value"),
}
_ACTIVE = dict.fromkeys(("1", "true", "active", "yes", "subscribed", "granted"), 1)
_INACTIVE = dict.fromkeys(("", "0", "false", "inactive", "no", "unsubscribed", "revoked"), 0)
_IS_ACTIVE: Mapping[str, int] = {**_ACTIVE, **_INACTIVE}


@dataclass(frozen=True, slots=True)
class PartRows:
    """One part of a profile. `unread` is what could not be read, as Kartra sent it; None if all was read."""

    rows: tuple[TableRow, ...]
    unread: Any = None
    is_missing: bool = False


def part_columns(table: str) -> tuple[str, ...]:
    """The columns of a table of PART_TABLES."""
    return ("lead_id", *PART_TABLES[table], *_PART_COLUMNS[table], "extra")


def part_rows(table: str, lead_id: str, value: object) -> PartRows:
    """The rows of a part; null counts as missing."""
    if value is None:
        return PartRows((), is_missing=True)
    written = read_rows(value)
    if written is None:
        return PartRows((), unread=value)
    read = _READERS[table]
    rows: list[TableRow] = []
    unread: list[Any] = []
    for each in written:
        found = read(each)
        if found is None and not _is_empty(each):
            unread.append(each)
        rows += found or []
    return PartRows(_once(table, lead_id, rows), unread=unread or None)


def _is_empty(row: object) -> bool:
    values: Iterable[object] = row.values() if isinstance(row, Mapping) else (row,)
    return all(not value if isinstance(value, list | Mapping) else clean(value) is None for value in values)


def _once(table: str, lead_id: str, rows: Iterable[TableRow]) -> tuple[TableRow, ...]:
    """The rows with each key once; the last one counts."""
    keys = PART_TABLES[table]
    return tuple({tuple(row[key] for key in keys): {"lead_id": lead_id, **row} for row in rows}.values())


# --- one row of each; None where it has no name

ReadRow = Callable[[Any], list[TableRow] | None]


def _named(column: str, row: object, keys: tuple[str, ...], *more: str) -> TableRow | None:
    """The row of a name, or of a map with the name under one of `keys`."""
    if not isinstance(row, Mapping):
        name = clean(row) if isinstance(row, str | int) and not isinstance(row, bool) else None
        return None if name is None else {column: name, "extra": None}
    key = next((key for key in keys if clean(row.get(key)) is not None), None)
    return None if key is None else {column: clean(row[key]), "extra": others(row, (key, *more))}


def _tag(row: object) -> list[TableRow] | None:
    found = _named("tag_name", row, ("tag_name", "name"))
    return None if found is None else [found]


def _list(row: object) -> list[TableRow] | None:
    """A row of a list; without `active` the lead is on it."""
    found = _named("list_name", row, ("list_name", "name"), "active")
    return None if found is None else [_with_active(found, row)]


def _sequence(row: object) -> list[TableRow] | None:
    found = _named("sequence_name", row, ("sequence_name", "name"), "step", "status")
    given = row if isinstance(row, Mapping) else {}
    columns = {"step": clean(given.get("step")), "status": clean(given.get("status"))}
    return None if found is None else [{**found, **columns}]


def _membership(row: object) -> list[TableRow] | None:
    found = _named("name", row, ("name", "membership_name"), "level_name", "active")
    given = row if isinstance(row, Mapping) else {}
    return (
        None
        if found is None
        else [_with_active({**found, "level_name": clean(given.get("level_name")) or ""}, row)]
    )


def _with_active(found: TableRow, row: object) -> TableRow:
    """Adds `active`; a value that is neither yes nor no goes into `extra`."""
    if not isinstance(row, Mapping) or "active" not in row:
        return {**found, "active": 1}
    active = _IS_ACTIVE.get(text_of(row["active"]).strip().lower())
    if active is None:
        found = {**found, "extra": {**(found["extra"] or {}), "active": row["active"]}}
    return {**found, "active": active}


def _custom_values(row: object) -> list[TableRow] | None:
    """The rows of a custom field: one for a text, one for each chosen option, none if it is empty."""
    if not isinstance(row, Mapping) or clean(row.get("field_identifier")) is None:
        return None
    fixed = {
        "field_identifier": clean(row.get("field_identifier")),
        "field_id": clean(row.get("field_id")),
        "field_type": clean(row.get("field_type")),
        "extra": others(row, ("field_identifier", "field_id", "field_type", "field_value")),
    }
    value = row.get("field_value")
    if not isinstance(value, list | Mapping):
        text = text_of(value)
        return [{**fixed, "option_id": "", "field_value": text}] if text else []
    options = [option for option in option_rows(value) if not _is_empty(option)]
    chosen = [_option(option) for option in options]
    return None if None in chosen else [{**fixed, **one} for one in chosen if one is not None]


def _option(option: object) -> TableRow | None:
    given = option if isinstance(option, Mapping) else {"option_value": option}
    label, option_id = clean(given.get("option_value")), clean(given.get("option_id")) or ""
    return {"option_id": option_id, "field_value": label} if label or option_id else None


_READERS: Mapping[str, ReadRow] = {
    "lead_tags": _tag,
    "lead_lists": _list,
    "lead_sequences": _sequence,
    "lead_memberships": _membership,
    "lead_custom_fields": _custom_values,
}
