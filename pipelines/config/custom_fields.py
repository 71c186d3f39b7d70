"""Custom fields in a pipeline file: their values, and how a field that the account lacks is created.

A new field that Kartra would refuse (§5.4) is a fault of the file, reported before any call.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, TypeAdapter, ValidationError, ValidationInfo, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.kartra.commands import CHOICE_TYPES, CustomFieldType
from pipelines.config.scalars import (
    TEXT,
    VARIABLE,
    AnyText,
    Fault,
    Section,
    Text,
    absent,
    also,
    detail,
    misplaced,
    offer,
    one_of,
    plain_text,
    read_by,
    restated,
    wrong,
)
from pipelines.config.values import Value, value_of

MOST_OPTIONS = 200
"""A call stays well below the 1,000 form fields that PHP reads (§1.3)."""
_TYPES: tuple[str, ...] = get_args(CustomFieldType)


_NAMES = TypeAdapter(tuple[Text, ...])


def _options(value: object) -> object:
    if value == "from_source":
        return value
    if not isinstance(value, list | tuple):
        raise wrong("a list of options is expected, or from_source")
    # Checked here: as branches of a union, pydantic would report the faults of every branch.
    return _NAMES.validate_python(value)


def _listed_once(options: object) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, option in enumerate(options if isinstance(options, list | tuple) else ()):
        name = str(option).strip().casefold()
        if name in seen:
            yield (place,), wrong("listed twice")
        seen.add(name)
    if isinstance(options, list | tuple) and len(options) > MOST_OPTIONS:
        yield (), wrong(f"{MOST_OPTIONS} options at most; is it a text?")


class NewField(Section):
    """A custom field to be created if the account lacks it. `type` None: a text."""

    type: Annotated[CustomFieldType, one_of(CustomFieldType)] | None = None
    """input_field, text_area, drop_down, radio_button or checkbox."""
    options: Annotated[
        tuple[str, ...] | Literal["from_source"],
        read_by(
            _options, {"anyOf": [{"enum": ["from_source"]}, {"type": "array", "items": TEXT, "minItems": 2}]}
        ),
        also(_listed_once),
    ] = ()
    """The options, two or more; from_source: the values of the first load. Later options can only be added by
    hand in Kartra."""


def _new_field(value: object) -> NewField | None:
    """The field of `true`, a type or a map; None for `false`."""
    if not isinstance(value, Mapping):
        word = plain_text(value)
        if word.lower() in ("true", "false"):
            return NewField() if word.lower() == "true" else None
        if word not in _TYPES:
            raise wrong(f"not one of true, {', '.join(_TYPES)}{offer(word, _TYPES)}")
        value = {"type": word}
    faults: list[InitErrorDetails] = []
    field = None
    try:
        field = NewField.model_validate(value)
    except ValidationError as error:
        faults = restated(error)
    faults += [detail(where, fault) for where, fault in _misfits(value)]
    if faults or field is None:
        raise ValidationError.from_exception_data("create", faults)
    return field


def _misfits(value: Mapping[str, object]) -> Iterator[Fault]:
    """Faults of options that do not fit the type."""
    kind, options = value.get("type"), value.get("options")
    if kind is None and value.keys() <= {"type", "options"}:
        yield ("type",), absent(f"missing; one of {', '.join(_TYPES)}")
    if kind in CHOICE_TYPES and options is None:
        yield ("options",), absent(f"missing; a {kind} takes two options or more, or from_source")
    elif kind in CHOICE_TYPES and isinstance(options, list | tuple) and len(options) < 2:
        yield ("options",), wrong("two options or more are needed")
    elif kind in ("input_field", "text_area") and options is not None:
        yield ("options",), wrong(f"a {kind} takes no options")


class CreatableField(Value):
    """A custom field's value, and how the field is made where the account lacks it."""

    create: NewField | None = None
    """How it is created: true (a text), a type, or {type, options}; false: never."""


_Create = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"enum": [True, False, "true", "false", *_TYPES]}, VARIABLE]}),
]


class WrittenField(Value):
    """A custom field's value, and how the field is made where the account lacks it."""

    create: _Create | NewField | None = None
    """How it is created: true (a text), a type, or {type, options: [S, M, L]}; false: never."""


def custom_field_of(value: object, info: ValidationInfo) -> Value:
    """Like `value_of`, with `create` in the same map."""
    if not isinstance(value, Mapping) or "create" not in value:
        return value_of(value, info)
    faults: list[InitErrorDetails] = []
    read, create = Value(constant="-"), None
    try:
        read = value_of({key: one for key, one in value.items() if key != "create"}, info)
    except ValidationError as error:
        faults += restated(error)
    try:
        create = _new_field(value["create"])
    except ValidationError as error:
        faults += restated(error, "create")
    except PydanticCustomError as error:
        faults.append(detail(("create",), error))
    if create is not None and create.type in ("drop_down", "radio_button") and read.is_several:
        fault = wrong(f"several values are given, and a {create.type} takes one; a checkbox takes them")
        faults.append(detail(("create",), fault))
    if faults:
        raise ValidationError.from_exception_data("custom field", faults)
    return CreatableField(**{name: getattr(read, name) for name in Value.model_fields}, create=create)


def can_be_created(load: Mapping[str, object]) -> Iterator[Fault]:
    """Faults of names in a raw load section that Kartra would not accept for a custom field."""
    fields = load.get("custom_fields")
    for name, value in fields.items() if isinstance(fields, Mapping) else ():
        own = value.get("create") if isinstance(value, Mapping) else None
        asked = load.get("create_custom_fields", False) if own is None else own
        if name == "create" and str(value).lower() == "true":
            yield (
                ("custom_fields", name),
                misplaced("to create what is missing, say create_custom_fields: true beside custom_fields"),
            )
        elif str(asked).lower() != "false" and not re.fullmatch(r"[A-Za-z0-9_-]+", str(name)):
            yield (
                ("custom_fields", name),
                misplaced(
                    "cannot be created under this name: only the letters A-Z, digits, - and _ are possible;"
                    " {column: …, create: false} if the account has it"
                ),
            )


CustomField = Annotated[
    Value, BeforeValidator(custom_field_of, json_schema_input_type=AnyText | WrittenField)
]
