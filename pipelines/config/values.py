"""Values in a pipeline file: a column, a constant or a template, and the steps that shape it.

The steps are a small, closed set; nothing in a pipeline file is ever evaluated. `contacts.values` carries
them out.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, WithJsonSchema

from connectors.sources.names import column_name
from pipelines.config.scalars import (
    TEXT,
    AnyText,
    Column,
    Fault,
    Section,
    Text,
    cell_text,
    detail,
    number_between,
    offer,
    one_of,
    plain_text,
    read_by,
    restated,
    truth,
    wrong,
)
from pipelines.words.countries import country_code

PLACEHOLDER = re.compile(r"\{\{|\}\}|(?<!\$)\{([^{}]+)\}")
"""`{Column}` in a template; `{{` and `}}` are braces. `${…}` is text: variables were replaced before."""


def _date_format(value: object) -> str:
    text = plain_text(value)
    try:
        # A form that loses the day, the month or the year does not read this day back.
        sample = datetime(2027, 10, 16, tzinfo=UTC)
        read = datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007 - only the day is compared
    except ValueError:
        read = None
    if read is None or read.date() != sample.date():
        raise wrong("a form with the day, the month and the year is expected, such as %d.%m.%Y")
    return text


def _written_format(value: object) -> str:
    text = plain_text(value)
    if "%" not in text:
        raise wrong("a form such as %Y-%m-%d is expected")
    return text


def _date_formats(value: object) -> object:
    if value == "any":
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _characters(value: object) -> str:
    """Text that may consist of blanks and line ends."""
    return value if isinstance(value, str) and value else plain_text(value)


def _zone(value: object) -> str:
    name = plain_text(value)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise wrong("the name of a time zone is expected, such as Europe/Berlin") from None
    return name


def _region(value: object) -> str:
    code = country_code(plain_text(value))
    if code is None:
        raise wrong("a country is expected, such as DE")
    return code


Otherwise = Literal["reject", "keep", "blank"]
Else = Annotated[Otherwise, one_of(Otherwise)]
CountryForm = Literal["name", "code", "code3"]
PhonePart = Literal["number", "country_code", "+country_code", "international"]
NamePart = Literal["title", "first", "middle", "last", "suffix"]
Characters = Annotated[str, read_by(_characters, TEXT)]
CellText = Annotated[str, read_by(cell_text, TEXT)]
Zone = Annotated[str, read_by(_zone, TEXT)]


class WordStep(Section):
    """A step without parameters, written as its name."""

    word: Literal["lower", "upper", "title", "first", "last", "time_zone"]
    """Its name."""


class StripStep(Section):
    """Removes characters from both ends."""

    strip: Characters
    """The characters, as one text."""


class CutStep(Section):
    """Keeps the beginning of a text."""

    cut: Annotated[int, number_between(1, 1_000_000, whole=True)]
    """How many characters it keeps."""


class SplitStep(Section):
    """Splits one value into several."""

    split: Characters
    """The separator; csv: the cell is a CSV of its own, with quotes; json: the cell is a list in JSON."""


class ReplaceStep(Section):
    """Replaces parts of the text, in this order."""

    replace: dict[Characters, CellText]
    """{old: new}."""


class DefaultStep(Section):
    """Fills in a blank."""

    default: Text
    """The text that replaces a blank."""


class MapStep(Section):
    """Replaces whole values."""

    map: dict[Text, CellText]
    """{value: other}, without regard to case."""
    otherwise: Else = Field("reject", alias="else")
    """What happens to other values: reject (the record is not sent), keep, blank."""


class DateStep(Section):
    """Reads a date or a moment, and writes it in another form."""

    date: Annotated[
        tuple[Annotated[str, read_by(_date_format, TEXT)], ...],
        BeforeValidator(_date_formats, json_schema_input_type=AnyText | list[AnyText]),
    ]
    """The form in the source, such as %d.%m.%Y, or a list of forms; any: recognised automatically."""
    day_first: Annotated[bool, read_by(truth, {"enum": [True, False, "true", "false"]})] | None = None
    """For any: whether 3/4/2027 is in April. Without it such a date is refused."""
    to: Annotated[str, read_by(_written_format, TEXT)] = "%Y-%m-%d"
    """The form in Kartra."""
    zone: Zone | None = None
    """The time zone of moments that name none."""
    to_zone: Zone | None = None
    """The time zone to convert them to."""
    otherwise: Else = Field("reject", alias="else")
    """What happens to a value that is not a date: reject, keep, blank."""


class CountryStep(Section):
    """Writes a country, given by code or by name in many languages, in one form."""

    country: Annotated[CountryForm, one_of(CountryForm)]
    """name (in English), code (DE), code3 (DEU)."""
    otherwise: Else = Field("reject", alias="else")
    """What happens to a value that is not a country: reject, keep, blank."""


class PhoneStep(Section):
    """A part of a telephone number."""

    phone: Annotated[PhonePart, one_of(PhonePart)]
    """number (without the country code), country_code (49), +country_code, international."""
    region: Annotated[str, read_by(_region, TEXT)] | None = None
    """The country of numbers without a country code: DE, or its name."""
    country: Column | None = None
    """The column with the country of each number; region applies where it is blank or not a country."""
    otherwise: Else = Field("reject", alias="else")
    """What happens to a value that is not a telephone number: reject, keep, blank."""


class NameStep(Section):
    """A part of a person's full name."""

    name: Annotated[NamePart, one_of(NamePart)]
    """title, first, middle, last or suffix."""


MapOfStep = (
    StripStep
    | CutStep
    | SplitStep
    | ReplaceStep
    | DefaultStep
    | MapStep
    | DateStep
    | CountryStep
    | PhoneStep
    | NameStep
)
ValueStep = WordStep | MapOfStep
STEPS: dict[str, type[MapOfStep]] = {
    "strip": StripStep,
    "cut": CutStep,
    "split": SplitStep,
    "replace": ReplaceStep,
    "default": DefaultStep,
    "map": MapStep,
    "date": DateStep,
    "country": CountryStep,
    "phone": PhoneStep,
    "name": NameStep,
}
"""The steps by the key that a pipeline file has for them; those of WordStep stand alone."""
WORDS: tuple[str, ...] = get_args(WordStep.model_fields["word"].annotation)
_AnyWord = Annotated[Any, WithJsonSchema({"enum": list(WORDS)})]


def _step(value: object, info: ValidationInfo) -> ValueStep:
    if isinstance(value, ValueStep):
        return value
    if not isinstance(value, Mapping):
        word = plain_text(value)
        if word in WORDS:
            return WordStep.model_validate({"word": word})
        needs = "; it needs a value, such as {" + word + ": …}" if word in STEPS else offer(word, WORDS)
        raise wrong(f"not one of {', '.join(WORDS)}{needs}")
    kinds = [key for key in value if key in STEPS]
    if len(kinds) != 1 and not ("country" in kinds and "phone" in kinds and len(kinds) == 2):
        raise wrong(f"one of {', '.join(STEPS)} is expected, each step in a map of its own")
    kind = "phone" if "phone" in kinds else kinds[0]
    return STEPS[kind].model_validate(value, context=info.context)


def _template(value: object) -> str:
    """The template with the names of its columns in one form."""
    return PLACEHOLDER.sub(
        lambda match: f"{{{column_name(match[1])}}}" if match[1] else match[0], plain_text(value)
    )


class Value(Section):
    """A value: a column, a constant or a template, and the steps that shape it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["column"]}, {"required": ["constant"]}, {"required": ["template"]}]
        }
    )

    column: Column | None = None
    """The column of the source."""
    constant: Text | None = None
    """The same for every record."""
    template: Annotated[str, read_by(_template, TEXT)] | None = None
    """Text with columns in it, such as "{First} {Last}"; blank if all of them are."""
    split: Characters | None = None
    """The separator of several values in one cell; csv: a CSV of its own, with quotes; json: a list in
    JSON."""
    do: tuple[
        Annotated[ValueStep, BeforeValidator(_step, json_schema_input_type=_AnyWord | MapOfStep)], ...
    ] = ()
    """Steps, in their order: lower, upper, title, first, last, time_zone, or a map such as {replace: …}."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the value is made from."""
        own = () if self.column is None else (self.column,)
        named = PLACEHOLDER.findall(self.template or "")
        of_steps = (step.country for step in self.do if isinstance(step, PhoneStep) and step.country)
        return tuple(dict.fromkeys((*own, *(name for name in named if name), *of_steps)))

    @property
    def is_several(self) -> bool:
        """Whether it gives several values instead of one."""
        several = self.split is not None
        for step in self.do:
            several = isinstance(step, SplitStep) or (several and not _picks_one(step))
        return several


def _picks_one(step: ValueStep) -> bool:
    return isinstance(step, WordStep) and step.word in ("first", "last")


def value_of(value: object, info: ValidationInfo) -> Value:
    """A text alone is a column, or a template where it has `{Column}` in it."""
    if isinstance(value, Value):
        return value
    if not isinstance(value, Mapping):
        text = plain_text(value)
        is_template = any(PLACEHOLDER.findall(text))
        return Value(template=text) if is_template else Value(column=text)
    faults = [detail(where, fault) for where, fault in _one_origin(value)]
    read: Value | None = None
    try:
        read = Value.model_validate(value, context=info.context)
    except ValidationError as error:
        faults += restated(error)
    if read is None or faults:
        raise ValidationError.from_exception_data("value", faults)
    return read


def one_value(value: object, info: ValidationInfo) -> Value:
    """As `value_of`, for what holds a single value."""
    read = value_of(value, info)
    if read.is_several:
        raise wrong("gives several values; the step first or last picks one")
    return read


def name_or_value(value: object, info: ValidationInfo) -> str | Value:
    """A name as it stands, or what it is made from."""
    if isinstance(value, Mapping | Value):
        return value_of(value, info)  # here, so that no branch of a union speaks
    read = value_of(value, info)
    return read if read.template is not None else plain_text(value)


def _one_origin(value: Mapping[str, object]) -> Iterator[Fault]:
    origins = ("column", "constant", "template")
    if value.keys() <= {*origins, "do", "split"}:
        given = [key for key in origins if value.get(key) is not None]
        if len(given) != 1:
            yield (), wrong("one of column, constant and template is needed, and only one")
    template = value.get("template")
    if isinstance(template, str) and not any(PLACEHOLDER.findall(template)):
        yield ("template",), wrong('holds no column, such as "{First} {Last}"')


AnyValue = AnyText | Value
"""The schema of a value, for editors."""
