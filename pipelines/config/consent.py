"""Who may be mailed: the proof of consent, and the meaning of words in a status column."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema

from pipelines.config.scalars import (
    TEXT,
    VARIABLE,
    Column,
    Fault,
    Section,
    Text,
    absent,
    also,
    cell_text,
    read_by,
    wrong,
)


class ConsentConfig(Section):
    """The proof that these people agreed: a column, or your word for all of them."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["column", "accepted"]}, {"required": ["attested"]}]}
    )

    column: Column | None = None
    """The column with each person's answer."""
    accepted: tuple[Text, ...] = ()
    """The answers that count as consent; every other record is blocked."""
    attested: Text | None = None
    """Where and when all of them agreed, in your words."""


def proves_consent(consent: object) -> Iterator[Fault]:
    if not isinstance(consent, Mapping):
        return
    given = {key for key in ("column", "accepted", "attested") if consent.get(key) is not None}
    if "attested" in given and len(given) > 1:
        yield (), wrong("either column with accepted, or attested: not both")
    elif given == {"column"}:
        yield ("accepted",), absent("missing; list the answers that count as consent")
    elif given == {"accepted"}:
        yield ("column",), absent()
    elif not given and consent.keys() <= {"column", "accepted", "attested"}:
        yield (), wrong("column with accepted is needed, or attested")
    if consent.get("accepted") == []:
        yield ("accepted",), wrong("at least one answer is needed")


Cells = tuple[Annotated[str, read_by(cell_text, TEXT)], ...]


def _allowed(value: object) -> object:
    if value == "any":
        return value
    if not isinstance(value, list | tuple):
        raise wrong('a list of words is expected, or "any": then nothing in the column counts')
    return tuple(cell_text(one) for one in value)


class OptOutConfig(Section):
    """The meaning of a status column's words, where the program cannot know it or gets it wrong."""

    column: Column
    """The column of the source."""
    blocked: Cells = ()
    """Words of people who must not be mailed."""
    allowed: Annotated[
        Cells | Literal["any"],
        read_by(_allowed, {"anyOf": [{"enum": ["any"]}, {"type": "array", "items": TEXT}, VARIABLE]}),
    ] = ()
    """Words of people who may be mailed; any: the column says nothing about mail."""


def _declares_something(opt_outs: object) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, one in enumerate(opt_outs if isinstance(opt_outs, list | tuple) else ()):
        if not isinstance(one, Mapping):
            continue
        blocked, allowed = one.get("blocked"), one.get("allowed")
        if not blocked and not allowed and one.keys() <= {"column", "blocked", "allowed"}:
            yield (place,), wrong("blocked or allowed is needed: the words that mean it")
        both = declared_words(blocked) & declared_words(allowed)
        if both:
            yield (place, "allowed"), wrong("a word stands in blocked, too")
        # Two entries of one column could contradict each other, and who may be mailed is not left to their
        # order.
        column = str(one.get("column"))
        if column in seen:
            yield (place, "column"), wrong("listed twice")
        seen.add(column)


def declared_words(value: object) -> set[str]:
    """The words of a list as a pipeline file has them, in any case."""
    return {str(one).strip().casefold() for one in value} if isinstance(value, list | tuple) else set()


def _opt_outs(value: object) -> object:
    """One map may be written instead of a list of one."""
    return [value] if isinstance(value, Mapping) else value


OptOuts = Annotated[
    tuple[OptOutConfig, ...],
    also(_declares_something),
    BeforeValidator(
        _opt_outs,
        json_schema_input_type=OptOutConfig | list[OptOutConfig] | Annotated[Any, WithJsonSchema(VARIABLE)],
    ),
]
