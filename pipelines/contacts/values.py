"""Reads a value of the mapping off a record: a column, constant or template, shaped step by step. Pure.

A blank passes every step untouched except `default`. A step that cannot make sense of a value raises
UnusableError, unless its `else` keeps or blanks the value.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from pipelines.config.values import (
    PLACEHOLDER,
    CountryStep,
    CutStep,
    DateStep,
    DefaultStep,
    MapStep,
    NameStep,
    Otherwise,
    PhoneStep,
    ReplaceStep,
    SplitStep,
    StripStep,
    Value,
    ValueStep,
    WordStep,
)
from pipelines.contacts.lead import CustomValue, Record
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.steps.by_library import Shape, shape_by_library
from pipelines.contacts.steps.dates import rewritten_date
from pipelines.words.countries import country_in

Read = Callable[[Record], CustomValue]


class UnusableError(ValueError):
    """A record that cannot be used; the text says why, without its values."""


def reader(value: Value) -> Read:
    """A function that reads the value off a record: "" if blank, a tuple if several.

    It raises UnusableError if a step can make no sense of the record.
    """
    origin = _origin(value)
    first = () if value.split is None else (SplitStep(split=value.split),)
    steps = [_compiled(step, value) for step in (*first, *value.do)]
    if not steps:
        return origin

    def read(record: Record) -> CustomValue:
        shaped: CustomValue = origin(record)
        for step in steps:
            shaped = step(shaped, record)
        return shaped or ""  # several of which none is left are a blank

    return read


def split_cell(cell: str, separator: str, origin: str = "the cell") -> tuple[str, ...]:
    """The values of a cell. With the separator `csv` it is a CSV of its own, with `json` a list in JSON.

    A JSON list, as arrays of a source are written, is split whatever the separator. `origin` is named in an
    UnusableError.
    """
    pieces = listed(cell)
    if pieces is None and separator == "json" and cell:
        raise UnusableError(f"{origin} does not hold a list in JSON")
    if pieces is None:
        pieces = _cells_of(cell, origin) if separator == "csv" else cell.split(separator)
    return distinct(part for piece in pieces if (part := normal_cell(piece)))


def listed(cell: str) -> list[str] | None:
    """The elements of a JSON list of texts and numbers; None for any other cell."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        # Numbers stay as they are written: a version 1.10 is not the number 1.1.
        several = json.loads(cell, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    words = {True: "true", False: "false", None: ""}
    if not all(isinstance(one, str | bool | None) for one in several):
        return None
    return [one if isinstance(one, str) else words[one] for one in several]


def _cells_of(cell: str, origin: str) -> list[str]:
    """The cells of a CSV inside a cell, over all of its lines."""
    try:
        rows = list(csv.reader(io.StringIO(cell, newline=""), skipinitialspace=True))
    except csv.Error:
        raise UnusableError(f"{origin} cannot be split as CSV") from None
    return [piece for row in rows for piece in row]


def _origin(value: Value) -> Callable[[Record], str]:
    if value.constant is not None:
        constant = normal_cell(value.constant)
        return lambda _: constant
    if value.template is not None:
        return _template(value.template)
    column = value.column or ""
    return lambda record: normal_cell(record[column])


def _template(template: str) -> Callable[[Record], str]:
    """A function that fills the template: blank if all columns are, without double spaces for blank ones."""
    names = [name for name in PLACEHOLDER.findall(template) if name]

    def filled(record: Record) -> str:
        cells = {name: normal_cell(record[name]) for name in names}
        if not any(cells.values()):
            return ""
        text = PLACEHOLDER.sub(lambda found: cells[found[1]] if found[1] else found[0][0], template)
        return normal_cell(re.sub(r" {2,}", " ", text))

    return filled


def _compiled(step: ValueStep, value: Value) -> Callable[[CustomValue, Record], CustomValue]:
    match step:
        case DefaultStep():
            return lambda shaped, _: shaped or step.default
        case SplitStep():
            where = _describe(value)
            return lambda shaped, _: (
                split_cell(shaped, step.split, where) if isinstance(shaped, str) else shaped
            )
        case WordStep(word="first"):
            return lambda shaped, _: shaped if isinstance(shaped, str) else next(iter(shaped), "")
        case WordStep(word="last"):
            return lambda shaped, _: shaped if isinstance(shaped, str) else next(reversed(shaped), "")
    shape = _shape(step)
    otherwise: Otherwise = getattr(step, "otherwise", "reject")
    message = _fault_message(step, value)

    def one(text: str, record: Record) -> str:
        shaped = shape(text, record)
        if shaped is not None:
            return normal_cell(shaped)
        match otherwise:
            case "keep":
                return text
            case "blank":
                return ""
            case "reject":
                raise UnusableError(message)
        assert_never(otherwise)

    def every(shaped: CustomValue, record: Record) -> CustomValue:
        if isinstance(shaped, str):
            return one(shaped, record) if shaped else ""
        return distinct(filter(None, (one(text, record) for text in shaped)))

    return every


def _shape(step: ValueStep) -> Shape:
    """What a step does to one text that is not blank."""
    match step:
        case WordStep(word="lower"):
            return lambda text, _: text.lower()
        case WordStep(word="upper"):
            return lambda text, _: text.upper()
        case WordStep(word="title"):
            return lambda text, _: _titled(text)
        case StripStep():
            return lambda text, _: text.strip(step.strip)
        case CutStep():
            return lambda text, _: text[: step.cut].rstrip()
        case ReplaceStep():
            return lambda text, _: _replaced(text, step.replace)
        case MapStep():
            others = {normal_cell(one).casefold(): other for one, other in step.map.items()}
            return lambda text, _: others.get(text.casefold())
        case DateStep():
            return lambda text, _: rewritten_date(
                text,
                forms=step.date,
                day_first=step.day_first,
                to=step.to,
                zone=step.zone,
                to_zone=step.to_zone,
            )
        case CountryStep():
            return lambda text, _: country_in(step.country, text)
        case PhoneStep() | NameStep() | WordStep(word="time_zone"):
            return shape_by_library(step)
    raise TypeError(f"no step of one text: {step!r}")


_FAULTS: dict[type[ValueStep], str] = {
    MapStep: "has a value that is not in its map",
    DateStep: "does not hold a date, or holds one that can be read in two ways",
    CountryStep: "does not hold a known country",
    PhoneStep: "does not hold a telephone number of a known country",
    WordStep: "does not hold a known time zone",
}
"""The message of each step that can fail; of the WordSteps only time_zone can."""


def _fault_message(step: ValueStep, value: Value) -> str:
    return f"{_describe(value)} {_FAULTS.get(type(step), '')}"


def _describe(value: Value) -> str:
    return f'the column "{value.column}"' if value.column else f'"{value.template or "the constant"}"'


def _titled(text: str) -> str:
    """Title case for names: O'Neil, Anne-Marie, not Don'T. A word in mixed case, such as McDonald, stays."""
    return re.sub(r"[^\W\d_]+(?:['\u2019][^\W\d_]{1,2}\b)?", lambda word: _title_word(word[0]), text)


def _title_word(word: str) -> str:
    return word.capitalize() if word in (word.lower(), word.upper()) else word


def _replaced(text: str, replacements: Mapping[str, str]) -> str:
    # In the order of the file: a later one sees what an earlier one has made.
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts without repetitions, in the order of their first occurrence."""
    return tuple(dict.fromkeys(texts))
