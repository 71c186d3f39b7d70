"""What the wishes of `load` look like in the file: sequences, points, classes, names."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema

from connectors.kartra.commands import LEAD_FIELDS
from pipelines.config.scalars import (
    TEXT,
    Fault,
    Section,
    Text,
    absent,
    also,
    number_between,
    offer,
    plain_text,
    read_by,
    wrong,
)
from pipelines.config.values import PLACEHOLDER, AnyValue, Value, name_or_value, one_value

TAKEN_BY = {"tags": "untag", "lists": "unsubscribe", "sequences": "unsubscribe_from_sequences"}
"""The key of a wish: the key that asks for the same to be gone."""

_TOLD_BY = ("name", "column", "template", "constant")


def _lead_field(value: object) -> str:
    field = plain_text(value)
    known = ("email", *LEAD_FIELDS)
    if field not in known:
        raise wrong(f"not a field of a lead{offer(field, known) or '; known are ' + ', '.join(known)}")
    return field


def _step(value: object, info: ValidationInfo) -> str | Value:
    if isinstance(value, Mapping | Value) or PLACEHOLDER.search(str(value)):
        return one_value(value, info)
    step = plain_text(value)
    if not re.fullmatch(r"[A-Za-z0-9]+", step):
        raise wrong("the number of a step is expected")
    return step


def _moment(value: object) -> str:
    try:
        return datetime.fromisoformat(plain_text(value)).replace(tzinfo=None).isoformat(" ", "minutes")
    except ValueError:
        raise wrong("a date and an hour are expected, such as 2027-01-16 18:00") from None


class SequenceConfig(Section):
    """A sequence that leads are subscribed to."""

    name: Annotated[str | Value, BeforeValidator(name_or_value, json_schema_input_type=AnyValue)]
    """The sequence's name, exactly as Kartra shows it; or {column}, "Course {Course}". Blank: none."""
    step: Annotated[str | Value, BeforeValidator(_step, json_schema_input_type=AnyValue)] = "1"
    """The number of the box of the step that leads start at; or {column}. Blank: it is not started."""


class PointsConfig(Section):
    """Points that leads are given, once: a number, or what a column says."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["constant"]}, {"required": ["column"]}]}
    )

    constant: Annotated[int, number_between(1, 999_999_999, whole=True)] | None = None
    """The same number for every lead."""
    column: Text | None = None
    """The column that holds the number. What it rises by later is given, what it falls by is taken back."""
    expiration_days: Annotated[int, number_between(0, 99_999, whole=True)] = 0
    """After so many days Kartra takes exactly these points off again; 0: never."""


class CalendarConfig(Section):
    """A class of a calendar that leads are subscribed to, once."""

    name: Text
    """The calendar's name, exactly as Kartra shows it."""
    class_name: Annotated[str, read_by(plain_text, TEXT)] = Field(alias="class")
    """The class's name."""
    starting_at: Annotated[str, read_by(_moment, TEXT)] | None = None
    """When the class starts, by Kartra's own clock (EST): 2027-01-16 18:00. Left out: Kartra decides."""


def points_of(value: object) -> object:
    if isinstance(value, Mapping | PointsConfig):
        return value
    return {"constant": value}


def one_of_points(points: object) -> Iterator[Fault]:
    if isinstance(points, Mapping) and points.keys() <= {"constant", "column", "expiration_days"}:
        given = [key for key in ("constant", "column") if points.get(key) is not None]
        if len(given) != 1:
            yield (), wrong("either constant or column is needed")


def listed_once(elements: object) -> Iterator[Fault]:
    seen: set[tuple[bool, str]] = set()
    for place, element in enumerate(elements if isinstance(elements, list | tuple) else ()):
        is_map = isinstance(element, Mapping)
        what = next(filter(None, map(element.get, _TOLD_BY)), None) if is_map else element
        if is_map and isinstance(what, str):
            what = f"{what.strip()}\n{element.get('class', '')}\n{element.get('do', '')}"
        if isinstance(what, str):
            if (is_map, what.strip()) in seen:
                yield (place,), wrong("listed twice")
            seen.add((is_map, what.strip()))


def _maps_email(fields: object) -> Iterator[Fault]:
    if isinstance(fields, Mapping) and "email" not in fields:
        yield ("email",), absent("missing; Kartra knows a new lead by the address")


class _FieldNames:
    """Tells editors the names that lead fields have."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(schema)
        names = dict.fromkeys(("email", *LEAD_FIELDS), written["additionalProperties"])
        return {"type": "object", "properties": names, "additionalProperties": False, "required": ["email"]}


LeadFields = Annotated[
    dict[
        Annotated[str, BeforeValidator(_lead_field)],
        Annotated[Value, BeforeValidator(one_value, json_schema_input_type=AnyValue)],
    ],
    also(_maps_email),
    _FieldNames(),
]
Names = Annotated[
    tuple[Annotated[str | Value, BeforeValidator(name_or_value, json_schema_input_type=AnyValue)], ...],
    also(listed_once),
]
