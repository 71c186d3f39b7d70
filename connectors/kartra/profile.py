"""Parses a lead's profile and the account's inventories, whatever types Kartra gives them. Pure.

A list may come as a missing key, null, "", [] or an object of rows (§6.2, §10.14).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.kartra.answers import decoded, found
from connectors.kartra.commands import CHOICE_TYPES, LEAD_FIELDS

NOTHING = ("", "N/A", "0000-00-00 00:00:00", "0000-00-00")
"""The ways in which Kartra writes an absent value."""
PARTS = ("tags", "lists", "sequences", "custom_fields")
"""The lists of a profile that are compared with what was sent."""


@dataclass(frozen=True, slots=True)
class CustomFieldDefinition:
    """`options`: label to option id, which is unique within its field only (§7.1)."""

    identifier: str
    type: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LeadProfile:
    """What get_lead shows. Lists (with False) and sequences that the lead has left stay in it."""

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
    garbled: frozenset[str] = (
        frozenset()
    )  # those of them that are there: they are not empty, whatever they say
    missing: frozenset[str] = frozenset()  # those of them whose key is not there: nobody knows what they hold


def parse_profile(body: Mapping[str, Any]) -> LeadProfile | None:
    """The profile of an answer; None if its details name no lead by id or email."""
    details = found(body, "lead_details")
    if not isinstance(details, Mapping):
        return None
    identifier, email = text_of(details.get("id")), text_of(details.get("email"))
    if not identifier and not email:
        return None
    unread = frozenset(part for part in PARTS if not _is_readable(details.get(part), part))
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
        unread=unread,
        garbled=frozenset(part for part in unread if details.get(part) not in (None, 0, False)),
        missing=frozenset(part for part in unread if part not in details),
    )


def _is_readable(value: object, part: str) -> bool:
    """Whether every row of a part has a name. A missing part is not an empty one: it proves nothing."""
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
    # Nothing says that the lead has left it: an inactive row would say so (§10.13).
    if not isinstance(row, Mapping) or "active" not in row:
        return True
    # Seen as true, 1, "1" and "active" (§6.2).
    return str(row["active"]).strip().lower() in ("1", "true", "active")


def _sequences(value: object) -> dict[str, str]:
    return {
        name: text_of(row.get("step")) if isinstance(row, Mapping) else ""
        for row in rows_of(value)
        if (name := _name(row))
    }


def _left_sequences(value: object) -> Iterator[str]:
    """The sequences that are marked as left. One without a status counts as not left."""
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
    """The value of a field by its type: a text may look like JSON, and an empty choice may be ""."""
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
    """The options of a field, chosen or all: rows of option_id and option_value, or bare labels."""
    value = decoded(value)
    if isinstance(value, Mapping) and "option_value" in value:
        return [value]
    return [value] if isinstance(value, str | int) and value != "" else rows_of(value)


def moment_of(value: object) -> datetime | None:
    """A time by Kartra's clock, without a zone; None for zeros, `N/A` and anything else."""
    try:
        return datetime.strptime(text_of(value), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - it has none
    except ValueError:
        return None


def _names(value: object) -> list[str]:
    return [name for row in rows_of(value) if (name := _name(row))]


def _name(row: object) -> str:
    """The name in a row, which is the name itself or a map with `tag_name`, `list_name`, ... or `name`."""
    if not isinstance(row, Mapping):
        return text_of(row)
    keys = ("tag_name", "list_name", "sequence_name", "page_name", "name")
    return next((name for key in keys if (name := text_of(row.get(key)))), "")


def maps_of(value: object) -> list[Mapping[str, Any]]:
    return [row for row in rows_of(value) if isinstance(row, Mapping)]


def read_rows(value: object) -> list[Any] | None:
    """A list as PHP may write it, also an empty one; None for anything that is not a list of rows."""
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
    """The value as text; "" for an empty one, which PHP writes as null, "" or []."""
    return "" if value is None or isinstance(value, list | Mapping) else str(value)


def clean(value: object) -> str | None:
    """The value as text, None where Kartra has none."""
    text = text_of(value)
    return None if text.strip() in NOTHING else text


def _whole(value: object) -> int | None:
    try:
        return int(text_of(value))
    except ValueError:
        return None
