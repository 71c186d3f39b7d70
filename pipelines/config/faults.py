"""What pydantic found wrong with a document, in our words and with its positions."""

from functools import cache
from typing import Any

from pydantic_core import ErrorDetails

from pipelines.config.document import Document
from pipelines.config.scalars import Section
from pipelines.config.yaml_text import Fault, Where
from pipelines.words.nearest import nearest

WORDS = {
    "missing": "missing",
    "model_type": "a map is expected",
    "dict_type": "a map is expected",
    "tuple_type": "a list is expected",
    "string_type": "text is expected",
}
"""Pydantic's own error types in our words; the models phrase all others themselves."""
MISSING = ("missing", "absent")


@cache
def schema_of(model: type[Section]) -> dict[str, Any]:
    """The JSON schema of a model, made once per process: that of a pipeline takes 0.1 s."""
    return model.model_json_schema()


def faults_of(document: Document, errors: list[ErrorDetails], model: type[Section]) -> list[Fault]:
    """All faults without their consequences: a misspelt key is reported once, not as a missing one as
    well."""
    schema = schema_of(model) if errors else {}
    faults = list(document.faults)
    refused: set[Where] = set()
    meant = set(document.settled)
    # Unknown keys first: a key that was probably meant is not reported as missing afterwards.
    for error in sorted(errors, key=lambda error: error["type"] in MISSING):
        text = WORDS.get(error["type"], error["msg"])
        is_name = error["loc"][-1] == "[key]"
        where: Where = error["loc"][:-1] if is_name else error["loc"]
        found = document.known(where)
        if error["type"] in MISSING and found != where:
            if where not in meant:
                faults.append(document.fault(where, text, at_key=True))
            continue
        if error["type"] in MISSING:
            text = "must not be empty"
        if error["type"] == "extra_forbidden" or is_name:
            known = _keys_at(schema, where[:-1])
            near = nearest(str(where[-1]), known)
            meant.add((*where[:-1], near or ""))
            text = text if is_name else _unknown_key(near, known)
        at_key = is_name or error["type"] in ("extra_forbidden", "misplaced")
        if at_key:
            refused.add(where)
        if found not in document.settled:
            faults.append(document.fault(found, text, at_key=at_key))
    return [
        fault for fault in faults if not any(fault.where[:end] in refused for end in range(len(fault.where)))
    ]


def _unknown_key(near: str | None, known: list[str]) -> str:
    return f'unknown key; did you mean "{near}"?' if near else f"unknown key; known are {', '.join(known)}"


def _keys_at(schema: dict[str, Any], where: Where) -> list[str]:
    shapes = _shapes(schema, schema)
    for step in where:
        inner = [_inside(shape, step) for shape in shapes]
        shapes = [shape for found in inner if found for shape in _shapes(found, schema)]
    return [key for shape in shapes for key in shape.get("properties", {})]


def _inside(shape: dict[str, Any], step: str | int) -> dict[str, Any] | None:
    found = shape.get("items") if isinstance(step, int) else shape.get("properties", {}).get(step)
    return found or shape.get("additionalProperties") or None


def _shapes(shape: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The plain alternatives of a part of the schema: references and `anyOf` resolved."""
    if "$ref" in shape:
        return _shapes(schema["$defs"][shape["$ref"].rpartition("/")[2]], schema)
    return [inner for choice in shape.get("anyOf", ()) for inner in _shapes(choice, schema)] or [shape]
