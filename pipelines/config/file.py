"""Reads a pipeline file: YAML whose scalars stay text, variables, and every fault with its position.

The models of `config` say what a file may hold. No message shows a value, because it may be a secret or come
from the environment.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.kartra.wire import SHORTEST_SECRET, Credentials, bare_secret
from pipelines.config.document import SECRETS, Document, not_set
from pipelines.config.dotenv import Variables, read_dotenv, refuse_address_of_another
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.yaml_text import Fault, Where, config_error
from pipelines.words.nearest import nearest


def read_pipeline(path: Path, environ: Mapping[str, str]) -> PipelineConfig:
    """The checked pipeline. Raises ConfigError with one line for each fault of the file, in order of line.

    Credentials that are not set are None, so that work without calls stays possible: `require_credentials`.
    """
    dotenv = path.parent / ".env"
    variables = Variables(environ, read_dotenv(dotenv), dotenv)
    document = Document(path, variables.all)
    data = document.data
    errors: list[ErrorDetails] = []
    if "path" in data:  # a field of the model that no file may set
        errors.append(ErrorDetails(type="extra_forbidden", loc=("path",), msg="", input=None))
    here = path.absolute()
    context: dict[str, object] = {"folder": here.parent}
    if "kartra" not in data:
        context["account"] = document.account()
    config = None
    try:
        config = PipelineConfig.model_validate(data | {"path": here}, context=context)
    except ValidationError as error:
        # Without the input: pydantic would quote the value in its message.
        errors += error.errors(include_url=False, include_context=False, include_input=False)
    faults = [*_faults(document, errors), *_secrets_in_values(document, variables.all)]
    if faults or config is None:
        raise config_error(path, faults)
    _refuse_address_of_another(document, variables)
    return config


def _secrets_in_values(document: Document, variables: Mapping[str, str]) -> list[Fault]:
    """Values that would carry a credential to where people read: a tag, a list, a field."""
    names = set(document.secret_variables.values())
    secrets = {bare for name in names if len(bare := bare_secret(variables.get(name, ""))) >= SHORTEST_SECRET}
    text = "this is the value of a credential, which would be shown to everybody who sees it: write another"
    return [
        document.fault(where, text)
        for where, value in _texts_of(document.data, ())
        if where[0] != "kartra" and any(secret in value for secret in secrets)
    ]


def _texts_of(value: object, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*where, key), str(key)
            yield from _texts_of(inner, (*where, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts_of(inner, (*where, place))


def _refuse_address_of_another(document: Document, variables: Variables) -> None:
    """Checks an address that comes from a variable; one written into the file itself is meant by its
    author."""
    credentials = list(document.secret_variables.values())
    for name in document.variables_used.get(("kartra", "url"), ()):
        refuse_address_of_another(variables, name, credentials, _WAY_OUT)


_WAY_OUT = "Put them together, or write the address itself into the pipeline file as url:"


def require_credentials(config: PipelineConfig) -> Credentials:
    """Raises ConfigError naming each variable that is not set, and where the file asks for it."""
    secrets = {key: getattr(config.kartra, key) for key in SECRETS}
    values = {key: secret.get_secret_value() for key, secret in secrets.items() if secret is not None}
    missing = [key for key in SECRETS if not values.get(key)]
    if not missing:
        return Credentials(**values)
    # Read again, because a config keeps no positions.
    document = Document(config.path, {})
    if "kartra" not in document.data:
        document.account()
    faults = []
    for key in missing:
        where = ("kartra", key)
        name = document.secret_variables.get(where)
        text = not_set(name) if name else f"missing; write {key}: ${{KARTRA_{key.upper()}}}"
        faults.append(document.fault(where, text, at_key=name is None))
    raise config_error(config.path, faults)


# Words for what is wrong with the data

WORDS = {
    "missing": "missing",
    "model_type": "a map is expected",
    "dict_type": "a map is expected",
    "tuple_type": "a list is expected",
    "string_type": "text is expected",
}
"""Pydantic's own error types in our words; the models phrase all others themselves."""
MISSING = ("missing", "absent")


def _faults(document: Document, errors: list[ErrorDetails]) -> list[Fault]:
    """All faults without their consequences: a misspelt key is reported once, not as a missing one as
    well."""
    schema = PipelineConfig.model_json_schema() if errors else {}
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
