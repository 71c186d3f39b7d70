"""`only`: which records of a source are loaded."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from pipelines.config.scalars import TEXT, VARIABLE, Section, cell_text, truth, wrong

_WORDS = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
_SCHEMA = {
    "anyOf": [
        *_WORDS["anyOf"],
        {
            "type": "object",
            "properties": {"not": _WORDS, "blank": {"enum": [True, False, "true", "false"]}},
            "additionalProperties": False,
            "minProperties": 1,
        },
        VARIABLE,
    ]
}


class ChoiceConfig(Section):
    """The condition on one column; all of its parts must hold."""

    one_of: tuple[str, ...] | None = None
    """The cell is one of these, in any case."""
    none_of: tuple[str, ...] | None = None
    """The cell is none of these."""
    blank: bool | None = None
    """The cell is blank, or is not."""


def _cells(value: object) -> tuple[str, ...]:
    cells = value if isinstance(value, list | tuple) else [value]
    if not cells:
        raise wrong("at least one value is needed")
    texts = tuple(cell_text(one).strip() for one in cells)
    if not all(texts):
        raise wrong("a blank cell is chosen with {blank: true}")
    return texts


def _choice(value: object) -> ChoiceConfig:
    if isinstance(value, ChoiceConfig):
        return value
    if not isinstance(value, Mapping):
        return ChoiceConfig(one_of=_cells(value))
    if not value or not value.keys() <= {"not", "blank"}:
        raise wrong("a value or a list of values is expected, {not: …} or {blank: true}")
    return ChoiceConfig(
        none_of=_cells(value["not"]) if "not" in value else None,
        blank=truth(value["blank"]) if "blank" in value else None,
    )


Choice = Annotated[
    ChoiceConfig,
    BeforeValidator(_choice, json_schema_input_type=Annotated[Any, WithJsonSchema(_SCHEMA)]),
]
