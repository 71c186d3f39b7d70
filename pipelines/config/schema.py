"""The JSON Schema of a pipeline and a fleet file, for editors. The text under each field describes its key.

The texts are read from the source here. pydantic could do that as well, but each time a model is made, which
is a tenth of every verb's start.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.config.fleet import FleetConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.scalars import Section


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what one writes in a pipeline file."""
    return _schema_of(PipelineConfig, "kartra-sync pipeline")


def fleet_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what one writes in a fleet file."""
    return _schema_of(FleetConfig, "kartra-sync fleet")


def _schema_of(root: type[Section], title: str) -> dict[str, Any]:
    schema = root.model_json_schema()
    described = {model.__name__: model for model in _models(Section)}
    for name, definition in ((root.__name__, schema), *schema["$defs"].items()):
        if name in described:
            _describe(definition, described[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": title,
    }


def _describe(definition: dict[str, Any], model: type[Section]) -> None:
    texts = {name: text for base in reversed(model.__mro__) for name, text in _texts(base).items()}
    for name, field in model.model_fields.items():
        place = definition.get("properties", {}).get(field.alias or name)
        if place is not None and name in texts:
            place.setdefault("description", texts[name])


def _models(base: type[Section]) -> Iterator[type[Section]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _texts(model: type) -> dict[str, str]:
    """The text under each field."""
    if not issubclass(model, Section):
        return {}
    return _texts_of(inspect.getfile(model)).get(model.__name__, {})


@cache
def _texts_of(file: str) -> dict[str, dict[str, str]]:
    """The texts of a file by class and field."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {one.name: dict(_pairs(one)) for one in classes}


def _pairs(model: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(model.body, model.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as description)),
            ):
                yield name, inspect.cleandoc(description)
