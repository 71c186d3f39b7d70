"""A lead's profile and the account's inventories out of Kartra's answers, whatever their types. Pure.

Wherever a list is expected a missing key, null, "", [] or an object of rows will do (§6.2, §10.14).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.kartra.answers import decoded, found
from connectors.kartra.commands import CHOICE_TYPES, LEAD_FIELDS

NOTHING = ("", "N/A", "0000-00-00 00:00:00", "0000-00-00")
"""The faces of a value that is not there."""
PARTS = ("tags", "lists", "sequences", "custom_fields")
"""What a profile has several of, as far as it is compared with what was sent."""


@dataclass(frozen=True, slots=True)
class CustomFieldDefinition:
    """`options`: label to option id, which is unique within its field only (§7.1)."""

    identifier: str
    type: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LeadProfile:
    """What get_lead shows. A list the lead has left stays with False; a sequence it has left stays too."""

    id: str
    email: str
    fields: Mapping[str, str]  # those of LEAD_FIELDS that the answer had
    tags: frozenset[str]
    lists: Mapping[str, bool]  # name: active
    sequences: Mapping[str, str]  # name: step
    custom_fields: Mapping[str, str | tuple[str, ...]]  # identifier: text, or labels of the chosen options
    score: int | None
    joined: datetime | None = None  # by Kartra's clock, without a zone (§8.5)
    details: Mapping[str, Any] = field(
        default_factory=dict, repr=False, compare=False
    )  # all that Kartra sent
    left_sequences: frozenset[str] = frozenset()  # those of `sequences` that it has left
    unread: frozenset[str] = frozenset()  # parts, such as tags, that are missing or could not be read whole


def parse_profile(body: Mapping[str, Any]) -> LeadProfile | None:
    """None without `lead_details` that name a lead by id or email."""
    details = found(body, "lead_details")
    if not isinstance(details, Mapping):
        return None
    identifier, email = text_of(details.get("id")), text_of(details.get("email"))
    if not identifier and not email:
        return None
    return LeadProfile(
        id=identifier,
        email=email,
        fields={name: text_of(details[name]) for name in LEAD_FIELDS if name in details},
        tags=frozenset(_names(details.get("tags"))),
        lists=_lists(details.get("lists")),
        sequences=_sequences(details.get("sequences")),
        custom_fields=_custom_values(details.get("custom_fields")),
        score=_whole(details.get("score")),
        joined=moment_of(details.get("date_joined")),
        details=details,
        left_sequences=frozenset(_left_sequences(details.get("sequences"))),
        unread=frozenset(part for part in PARTS if not _is_readable(details.get(part), part)),
    )


def _is_readable(value: object, part: str) -> bool:
    """Whether all that stands in a part has a name; a part that is missing says nothing of the lead."""
    rows = read_rows(value)
    name = _identifier if part == "custom_fields" else _name
    return rows is not None and all(name(row) for row in rows if row not in (None, "", [], {}))


def _identifier(row: object) -> str:
    return text_of(row.get("field_identifier")) if isinstance(row, Mapping) else ""


def parse_names(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """In Kartra's order; `key` is account_tags, account_lists, account_sequences or account_pages."""
    return tuple(_names(found(body, key)))


def parse_custom_fields(body: Mapping[str, Any]) -> tuple[CustomFieldDefinition, ...]:
    return tuple(
        CustomFieldDefinition(
            identifier, kind, _options(row.get("field_value")) if kind in CHOICE_TYPES else {}
        )
        for row in maps_of(found(body, "custom_fields"))
        if (identifier := text_of(row.get("field_identifier")))
        for kind in [text_of(row.get("field_type"))]
    )


def _lists(value: object) -> dict[str, bool]:
    return {name: _is_active(row) for row in rows_of(value) if (name := _name(row))}


def _is_active(row: object) -> bool:
    if not isinstance(row, Mapping) or "active" not in row:
        return True
    return str(row["active"]).strip().lower() in ("1", "true", "active")


def _sequences(value: object) -> dict[str, str]:
    return {
        name: text_of(row.get("step")) if isinstance(row, Mapping) else ""
        for row in rows_of(value)
        if (name := _name(row))
    }


def _left_sequences(value: object) -> Iterator[str]:
    """Of a status that is missing nothing is known: as long as it is in the profile it may be in it."""
    for row in maps_of(value):
        if text_of(row.get("status")).strip().lower() == "unsubscribed" and (name := _name(row)):
            yield name


def _custom_values(value: object) -> dict[str, str | tuple[str, ...]]:
    return {
        identifier: _custom_value(text_of(row.get("field_type")), row.get("field_value"))
        for row in maps_of(value)
        if (identifier := text_of(row.get("field_identifier")))
    }


def _custom_value(kind: str, value: object) -> str | tuple[str, ...]:
    """By the type where it is known: a text may look like JSON, and an empty choice may be ""."""
    if kind not in CHOICE_TYPES and not (kind == "" and isinstance(value, list | Mapping)):
        return text_of(value)
    labels = [
        text_of(row.get("option_value") if isinstance(row, Mapping) else row) for row in option_rows(value)
    ]
    return tuple(label for label in labels if label)


def _options(value: object) -> dict[str, str]:
    rows = [row for row in option_rows(value) if isinstance(row, Mapping)]
    return {
        label: text_of(row.get("option_id")) for row in rows if (label := text_of(row.get("option_value")))
    }


def option_rows(value: object) -> list[Any]:
    """The chosen options of a field, or all it has: rows of option_id and option_value, or bare labels."""
    value = decoded(value)
    if isinstance(value, Mapping) and "option_value" in value:
        return [value]
    return [value] if isinstance(value, str | int) and value != "" else rows_of(value)


def moment_of(value: object) -> datetime | None:
    """By Kartra's clock, without a zone; None for zeros, `N/A` and whatever else is no time."""
    try:
        return datetime.strptime(text_of(value), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - it has none
    except ValueError:
        return None


def _names(value: object) -> list[str]:
    return [name for row in rows_of(value) if (name := _name(row))]


def _name(row: object) -> str:
    """Of a row that is the name itself, or a map with `tag_name`, `list_name`, ... or `name`."""
    if not isinstance(row, Mapping):
        return text_of(row)
    keys = ("tag_name", "list_name", "sequence_name", "page_name", "name")
    return next((name for key in keys if (name := text_of(row.get(key)))), "")


def maps_of(value: object) -> list[Mapping[str, Any]]:
    return [row for row in rows_of(value) if isinstance(row, Mapping)]


def read_rows(value: object) -> list[Any] | None:
    """A list as PHP may write it, an empty one in all its faces; None for what is no list of rows."""
    value = decoded(value)
    if isinstance(value, Mapping):
        return list(value.values()) if all(str(key).isdigit() for key in value) else None
    if isinstance(value, str) and value.strip() in NOTHING:
        return []
    return value if isinstance(value, list) else None


def rows_of(value: object) -> list[Any]:
    """A list as PHP may write it: an object of rows, a list in JSON text, or nothing at all."""
    value = decoded(value)
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """PHP writes an empty value as null, as "" or as []."""
    return "" if value is None or isinstance(value, list | Mapping) else str(value)


def clean(value: object) -> str | None:
    text = text_of(value)
    return None if text.strip() in NOTHING else text


def _whole(value: object) -> int | None:
    try:
        return int(text_of(value))
    except ValueError:
        return None
