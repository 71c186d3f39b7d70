"""Building blocks of the models of a pipeline file: scalars that arrive as text, and faults in our words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.sources.names import column_name
from pipelines.words.nearest import nearest

Fault = tuple[tuple[str | int, ...], PydanticCustomError]
"""The place below the checked value, and what is wrong there."""

VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
TEXT = {"type": ["string", "number", "boolean"]}
AnyText = Annotated[Any, WithJsonSchema(TEXT)]
"""The schema of a text for editors: in YAML `2024` and `yes` are not texts, here they are."""


def wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", message)


def misplaced(message: str) -> PydanticCustomError:
    """Like `wrong`, but shown at the key instead of the value."""
    return PydanticCustomError("misplaced", message)


def unknown_key() -> PydanticCustomError:
    return PydanticCustomError("extra_forbidden", "unknown key")


def absent(message: str = "missing") -> PydanticCustomError:
    return PydanticCustomError("absent", message)


def offer(word: object, known: Iterable[str]) -> str:
    """The end of a message, `; did you mean "x"?`; empty if no known word is near."""
    match = nearest(word, known) if isinstance(word, str) else None
    return f'; did you mean "{match}"?' if match else ""


def read_by(parse: Callable[..., object], schema: dict[str, Any]) -> BeforeValidator:
    return BeforeValidator(parse, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


def also(check: Callable[[Any], Iterator[Fault]]) -> WrapValidator:
    """Adds the faults of the value as a whole to those of its parts, so that all are listed at once."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        faults: list[InitErrorDetails] = []
        result: object = None
        try:
            result = handler(value)
        except ValidationError as error:
            faults = restated(error)
        faults += [detail(where, fault) for where, fault in check(value)]
        if faults:
            raise ValidationError.from_exception_data("pipeline", faults)
        return result

    return WrapValidator(validate)


def restated(error: ValidationError, *below: str | int) -> list[InitErrorDetails]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        detail((*below, *fault["loc"]), PydanticCustomError(fault["type"], fault["msg"])) for fault in faults
    ]


def detail(where: tuple[str | int, ...], fault: PydanticCustomError) -> InitErrorDetails:
    return InitErrorDetails(type=fault, loc=where, input=None)


# Scalars


def plain_text(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        raise wrong("text is expected")
    if value is None or not str(value).strip():
        raise wrong("must not be empty")
    return str(value)


def cell_text(value: object) -> str:
    """Like `plain_text`, but a blank is allowed."""
    return "" if value is None else plain_text(value) if str(value).strip() else str(value)


def truth(value: object) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise wrong("true or false is expected")
    return str(value).lower() == "true"


def one_of(kind: object) -> BeforeValidator:
    words: tuple[str, ...] = get_args(kind)

    def parse(value: object) -> object:
        if value not in words:
            raise wrong(f"not one of {', '.join(words)}{offer(value, words)}")
        return value

    return read_by(parse, {"anyOf": [{"enum": list(words)}, VARIABLE]})


def number_between(low: int, high: int, *, whole: bool = False, word: str | None = None) -> BeforeValidator:
    kind = "whole number" if whole else "number"
    expected = f"a {kind} from {low} to {high}{f', or {word},' if word else ''} is expected"

    def parse(value: object) -> object:
        if word is not None and value == word:
            return value
        if re.fullmatch(r"[0-9]{1,9}" if whole else r"[0-9]{1,9}(\.[0-9]{1,9})?", str(value)):
            number = int(str(value)) if whole else float(str(value))
            if low <= number <= high:
                return number
        raise wrong(expected)

    number = {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
    text = {"type": "string", "pattern": rf"^{word or '[0-9.]+'}$|^[0-9.]+$|\$\{{[A-Za-z_]"}
    return read_by(parse, {"anyOf": [number, text]})


def beside(value: object, info: ValidationInfo) -> Path:
    """The path relative to the pipeline file's folder, which the reader passes as context."""
    folder = (info.context or {}).get("folder", Path.cwd())
    return Path(folder / plain_text(value)).absolute()


Text = Annotated[str, read_by(plain_text, TEXT)]


def _column(value: object) -> str:
    return column_name(plain_text(value))


Column = Annotated[str, read_by(_column, TEXT)]
"""The name of a column, in the form in which sources give them."""


class Section(BaseModel):
    # defer_build: a verb builds only the models that its file needs, which halves the time to read one.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


_PERIOD = r"([0-9]{1,5}) ?(s|m|h|d|w)"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def period(value: object) -> timedelta:
    """The span of a text such as 30m, 12h or 1d."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(_PERIOD, str(value))
    if not found:
        raise wrong("a span of time is expected, such as 30m, 12h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Period = Annotated[
    timedelta, read_by(period, {"type": "string", "pattern": rf"^{_PERIOD}$|\\$\\{{[A-Za-z_]"})
]
