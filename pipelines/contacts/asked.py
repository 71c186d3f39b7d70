"""What a record asks for beside its fields: tags, lists, sequences, points, classes."""

import re
from collections.abc import Callable
from dataclasses import replace

from pipelines.config.load import LoadConfig
from pipelines.config.values import Value
from pipelines.config.wishes import TAKEN_BY, PointsConfig
from pipelines.contacts.columns import INDISPENSABLE, can_be_read, used_columns
from pipelines.contacts.lead import CalendarClass, DesiredLead, Points, Record, Unwanted
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.parts import Part
from pipelines.contacts.values import Read, UnusableError, distinct, listed, reader
from pipelines.contacts.wishes import wanted


def asked(load: LoadConfig, columns: tuple[str, ...]) -> Part[DesiredLead]:
    tags, lists = _names(load, "tags", columns), _names(load, "lists", columns)
    points = load.points if load.points and load.points.column in (None, *columns) else None
    sequences, unwanted = _sequences(load, columns), _unwanted(load, columns)
    calendars = tuple(
        CalendarClass(one.name, one.class_name, one.starting_at or "") for one in load.calendars
    )

    def asked(record: Record) -> DesiredLead:
        (tag_names, tags_silent), (list_names, lists_silent) = tags(record), lists(record)
        silent = {"tags": tags_silent, "lists": lists_silent}
        lead = DesiredLead(
            email="",
            tags=tag_names,
            lists=list_names,
            sequences=sequences(record),
            points=_points(points, record),
            calendars=calendars,
            silent=frozenset(name for name, is_silent in silent.items() if is_silent),
            unwanted=unwanted(record),
        )
        overruled = lead.unwanted & wanted(lead) if lead.unwanted else frozenset()
        return _without(lead, overruled) if overruled else lead

    elsewhere = ("load.fields.", "load.custom_fields.", *INDISPENSABLE)
    read = [column for place, column in used_columns(load) if not place.startswith(elsewhere)]
    return Part(distinct(column for column in read if column in columns), asked)


def _without(lead: DesiredLead, overruled: frozenset[Unwanted]) -> DesiredLead:
    """What is to be taken off a person wins over what would give it to them."""
    return replace(
        lead,
        tags=tuple(name for name in lead.tags if ("tags", name) not in overruled),
        lists=tuple(name for name in lead.lists if ("lists", name) not in overruled),
        sequences=tuple(one for one in lead.sequences if ("sequences", one[0]) not in overruled),
        overruled=overruled,
    )


def _sequences(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record], tuple[tuple[str, str], ...]]:
    """(name, step) of each; blank names and steps start nothing. The first step of a name counts."""
    if not any(isinstance(part, Value) for one in load.sequences for part in (one.name, one.step)):
        constant = tuple((str(one.name), str(one.step)) for one in load.sequences)
        return lambda _: constant
    readers = [
        (_texts(one.name), _texts(one.step), one.step)
        for one in load.sequences
        if can_be_read(one.name, columns) and can_be_read(one.step, columns)
    ]

    def sequences_of(record: Record) -> tuple[tuple[str, str], ...]:
        started: dict[str, str] = {}
        for names, steps, said in readers:
            for step in steps(record):
                # Kartra would answer 229 to it (§5.2), when the actions before it may have been carried out.
                if not re.fullmatch(r"[A-Za-z0-9]+", step):
                    raise UnusableError(f"the sequence step {_describe(said)} is not a number")
                for name in names(record):
                    started.setdefault(name, step)
        return tuple(started.items())

    return sequences_of


def _unwanted(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record], frozenset[Unwanted]]:
    readers = [
        (collection, _texts(element))
        for collection, key in TAKEN_BY.items()
        for element in getattr(load, key)
        if can_be_read(element, columns)
    ]
    if not readers:
        return lambda _: frozenset()
    return lambda record: frozenset(
        (collection, name) for collection, names in readers for name in names(record)
    )


def _texts(element: str | Value) -> Callable[[Record], tuple[str, ...]]:
    """What is said, without blanks."""
    if isinstance(element, str):
        said = (element,)
        return lambda _: said
    read = reader(element)

    def texts_of(record: Record) -> tuple[str, ...]:
        value = read(record)
        return tuple(filter(None, _several(value))) if isinstance(value, str) else value

    return texts_of


def _several(value: str) -> list[str]:
    """An array of the source is several names by itself."""
    names = listed(value)
    return [value] if names is None else [normal_cell(name) for name in names]


def _describe(said: str | Value) -> str:
    if isinstance(said, str):
        return f'"{said}"'
    return f'in the column "{said.column}"' if said.column else f'"{said.template or said.constant}"'


def _points(wish: PointsConfig | None, record: Record) -> Points | None:
    """A blank cell asks for nothing and takes nothing back."""
    if wish is None:
        return None
    if wish.constant is not None:
        return Points(wish.constant, wish.expiration_days)
    cell = normal_cell(record[wish.column or ""])
    if not cell:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", cell):
        raise UnusableError(f'the column "{wish.column}" does not hold a whole number of points')
    return Points(int(cell), wish.expiration_days)


def _names(
    load: LoadConfig, collection: str, columns: tuple[str, ...]
) -> Callable[[Record], tuple[tuple[str, ...], bool]]:
    """The names a record asks for, and whether it is silent on some of them.

    An empty list in the file asks for none; without the key the file does not speak of them.
    """
    elements: tuple[str | Value, ...] = getattr(load, collection)
    readable = [one for one in elements if can_be_read(one, columns)]
    readers: list[str | Read] = [one if isinstance(one, str) else reader(one) for one in readable]
    always_silent = collection not in load.model_fields_set or len(readable) < len(elements)

    def names_of(record: Record) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        silent = always_silent
        for element in readers:
            value = element if isinstance(element, str) else element(record)
            if value == "":
                silent = silent or load.blank == "ignore"
            names += _several(value) if isinstance(value, str) else value
        return distinct(name for name in names if name), silent

    return names_of
