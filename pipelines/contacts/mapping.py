"""One record becomes one desired lead, or a reason why not. Pure: sees no file, clock, account or state."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

from dateutil import parser as date_parser

from connectors.privacy import mask_text
from pipelines.config.load import LoadConfig, PointsConfig
from pipelines.config.values import Value
from pipelines.contacts.columns import check_used
from pipelines.contacts.lead import CalendarClass, CustomValue, DesiredLead, Points, Unwanted
from pipelines.contacts.normalise import InvalidAddressError, normal_address, normal_cell
from pipelines.contacts.values import Read, Record, UnusableError, reader

_T = TypeVar("_T", bound=CustomValue)
_Part = TypeVar("_Part", covariant=True)

STATUS_COLUMNS = frozenset(
    {"status", "email status", "e-mail status", "subscription status", "subscriber status", "opt-in status"}
)
OPTED_OUT = frozenset(
    {
        "unsubscribed",
        "opted out",
        "opted-out",
        "bounced",
        "complained",
        "cleaned",
        "cancelled",
        "removed",
        "blocked",
        "archived",
    }
)
"""Words by which exports of other platforms say that a person must not be mailed."""
FLAG_COLUMNS = frozenset(
    {
        *("opted out", "opted-out", "opted out of email", "email opt out", "email opt-out", "unsubscribed"),
        *("unsubscribed from all email", "email_blacklisted", "do not email", "bounced"),
    }
)
"""Columns where a yes says the same."""
TRUE = frozenset({"true", "yes", "y", "1"})
FILLED_COLUMNS = frozenset({"unsub_time", "unsubscribed at", "unsubscribed_at", "bounced_at"})
"""Columns where any value does: Mailchimp gives the time a person left."""


INDISPENSABLE = ("load.fields.email", "load.key", "load.consent", "load.duplicates")
"""Places of the mapping whose columns have to be there, whatever the contract says."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A record with its sync key. `blocked` is why it may not be sent.

    `rank` decides between records of one key: the highest speaks for the person.
    """

    key: str
    lead: DesiredLead
    rank: float
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that cannot become a lead. Its `key`, where that can be read, is still in the source."""

    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a record's person opted out, and why it may not be sent, if that is so."""

    has_opted_out: bool = False
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class Part(Generic[_Part]):
    """What is made of some columns of a record and of nothing else. `read` may raise UnusableError.

    `is_cell`: it is the cell of its only column, as `normal_cell` gives it.
    """

    columns: tuple[str, ...]
    read: Callable[[Record], _Part]
    is_cell: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a mapping makes of a record. Those that cannot be read are told in this order."""

    key: Part[str] | None
    """None: the address is."""
    address: Part[str]
    """As it is written."""
    changed: Part[float] | None
    """The rank under `duplicates: newest`."""
    fields: Mapping[str, Part[str]]
    custom_fields: Mapping[str, Part[CustomValue]]
    asked: Part[DesiredLead]
    """The lead without its address and what stands in its fields."""
    standing: Part[Standing]


def mapper(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record, int], Mapped | Invalid]:
    """The mapping of `load` for a source with these columns; takes a record and its row number.

    Raises ConfigError where the mapping names a column that the source lacks or has twice.
    """
    parts = parts_of(load, columns)
    clears = load.blank == "clear"

    def lead(record: Record, email: str) -> DesiredLead:
        texts = {name: part.read(record) for name, part in parts.fields.items()}
        values = {name: part.read(record) for name, part in parts.custom_fields.items()}
        asked = parts.asked.read(record)
        return DesiredLead(
            email=email,
            fields={name: text for name, text in texts.items() if text or clears},
            custom_fields={name: value for name, value in values.items() if value != "" or clears},
            tags=asked.tags,
            lists=asked.lists,
            sequences=asked.sequences,
            points=asked.points,
            calendars=asked.calendars,
            silent=asked.silent,
            unwanted=asked.unwanted,
        )

    def map_record(record: Record, row: int) -> Mapped | Invalid:
        key = None
        try:
            key = parts.key.read(record) if parts.key else None
            email = normal_address(parts.address.read(record))
            key = key or email
            changed = parts.changed.read(record) if parts.changed else None
            desired = lead(record, email)
        except (InvalidAddressError, UnusableError) as error:
            return Invalid(str(error), key)
        standing = parts.standing.read(record)
        return Mapped(
            key=key,
            lead=desired,
            rank=rank(load, row, changed, standing),
            blocked=standing.blocked,
        )

    return map_record


def parts_of(load: LoadConfig, columns: tuple[str, ...]) -> Parts:
    """For a source with these columns. What needs one that is not among them is not asked for.

    Raises ConfigError where the mapping names a column that the source lacks or has twice.
    """
    check_used(list(_needed_columns(load, columns)), columns)
    newest = load.duplicates.column if load.duplicates.how == "newest" else None
    return Parts(
        key=None if load.key.column is None else _key(load.key.column),
        address=_text_part(load.fields["email"]),
        changed=None if newest is None else Part((newest,), partial(_instant, newest)),
        fields={
            name: _text_part(value)
            for name, value in load.fields.items()
            if name != "email" and _can_be_read(value, columns)
        },
        custom_fields={
            name: Part(value.columns, reader(value), _is_cell(value))
            for name, value in load.custom_fields.items()
            if _can_be_read(value, columns)
        },
        asked=_asked(load, columns),
        standing=_standing(load, columns),
    )


def rank(load: LoadConfig, row: int, changed: float | None, standing: Standing) -> float:
    """Who opted out in one record has opted out in all of their key."""
    if standing.has_opted_out:
        return math.inf
    if changed is not None:
        return changed
    return -row if load.duplicates.how == "first" else row


def read_columns(load: LoadConfig, columns: tuple[str, ...]) -> frozenset[str]:
    """Every column, by its name in a frame, that makes a difference to what a record maps to."""
    return frozenset({column for _, column in used_columns(load)} | set(_opt_out_columns(load, columns)))


def merge_leads(earlier: DesiredLead, later: DesiredLead) -> DesiredLead:
    """Two records of one key under `duplicates: merge`: later values win, blanks do not, names add up.

    Where one asks for a name and the other wants it gone, the later one counts.
    """
    earlier = replace(
        earlier,
        tags=_without("tags", earlier.tags, later),
        lists=_without("lists", earlier.lists, later),
        sequences=tuple(one for one in earlier.sequences if ("sequences", one[0]) not in later.unwanted),
    )
    return DesiredLead(
        email=later.email,
        fields=_merged(earlier.fields, later.fields),
        custom_fields=_merged(earlier.custom_fields, later.custom_fields),
        tags=_distinct((*earlier.tags, *later.tags)),
        lists=_distinct((*earlier.lists, *later.lists)),
        sequences=tuple({**dict(earlier.sequences), **dict(later.sequences)}.items()),
        points=later.points or earlier.points,
        calendars=later.calendars,
        silent=earlier.silent & later.silent,
        unwanted=(earlier.unwanted - later.wanted) | later.unwanted,
    )


def _without(collection: str, names: tuple[str, ...], later: DesiredLead) -> tuple[str, ...]:
    return tuple(name for name in names if (collection, name) not in later.unwanted)


def used_columns(load: LoadConfig) -> Iterator[tuple[str, str]]:
    """Each (place in the pipeline file, column) that the mapping reads."""
    for place, value in _values(load):
        yield from ((place, column) for column in value.columns)
    if load.points is not None and load.points.column is not None:
        yield "load.points", load.points.column
    if load.key.column is not None:
        yield "load.key", load.key.column
    if load.consent.column is not None:
        yield "load.consent", load.consent.column
    if load.duplicates.column is not None:
        yield "load.duplicates", load.duplicates.column


def _needed_columns(load: LoadConfig, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """As `used_columns`, without what is missing and may be."""
    for place, column in used_columns(load):
        if column in columns or load.contract.missing == "error" or place in INDISPENSABLE:
            yield place, column


def _values(load: LoadConfig) -> Iterator[tuple[str, Value]]:
    for name, value in load.fields.items():
        yield f"load.fields.{name}", value
    for name, value in load.custom_fields.items():
        yield f"load.custom_fields.{name}", value
    for place, elements in (
        ("tags", load.tags),
        ("lists", load.lists),
        ("sequences", [part for one in load.sequences for part in (one.name, one.step)]),
        ("untag", load.untag),
        ("unsubscribe", load.unsubscribe),
        ("unsubscribe_from_sequences", load.unsubscribe_from_sequences),
    ):
        for element in elements:
            if isinstance(element, Value):
                yield f"load.{place}", element


def _is_cell(value: Value) -> bool:
    return value.column is not None and value.split is None and not value.do


def _text_part(value: Value) -> Part[str]:
    read = reader(value)
    return Part(value.columns, lambda record: str(read(record)), _is_cell(value))


def _key(column: str) -> Part[str]:
    def key(record: Record) -> str:
        cell = normal_cell(record[column])
        if not cell:
            raise UnusableError(f'no key: the column "{column}" is blank')
        return cell

    return Part((column,), key, is_cell=True)


def _instant(column: str, record: Record) -> float:
    """A date or a number as something to compare; blank is the oldest. Without a zone, UTC is taken."""
    cell = normal_cell(record[column])
    if not cell:
        return -math.inf
    try:
        instant = _number_or_date(cell)
    except (ValueError, OverflowError):
        instant = math.nan
    if not math.isfinite(instant):
        raise UnusableError(f'the column "{column}" holds neither a date nor a number')
    return instant


def _number_or_date(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        midnight = datetime(1970, 1, 1)  # noqa: DTZ001 - a cell without a zone has none
        moment: datetime = date_parser.parse(cell, default=midnight, tzinfos=_offset)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _offset(_name: str | None, offset_s: int | None) -> int:
    """Names of zones are not trusted, they mean another thing on every machine; numbers are."""
    return offset_s or 0


def _opt_out_columns(load: LoadConfig, columns: tuple[str, ...]) -> dict[str, Callable[[str], bool]]:
    """The columns that can say a person opted out, each with what says so there."""
    asked: dict[str, Callable[[str], bool]] = {}
    for place, header in enumerate(columns):
        earlier = columns[:place].count(header)
        column = f"{header} ({earlier + 1})" if earlier else header  # as a source names repeated ones
        name = header.strip().casefold()
        if name in STATUS_COLUMNS or column == load.consent.column:
            asked[column] = OPTED_OUT.__contains__
        elif name in FLAG_COLUMNS:
            asked[column] = TRUE.__contains__
        elif name in FILLED_COLUMNS:
            asked[column] = bool
    return asked


def _standing(load: LoadConfig, columns: tuple[str, ...]) -> Part[Standing]:
    says_opted_out = _opt_out_columns(load, columns)
    consent = load.consent.column
    accepted = {word.strip().casefold() for word in load.consent.accepted}

    def standing(record: Record) -> Standing:
        for column, says_so in says_opted_out.items():
            word = normal_cell(record.get(column, "")).casefold()
            if says_so(word):
                return Standing(has_opted_out=True, blocked=f'opted out: "{word}" in the column "{column}"')
        if consent is None or normal_cell(record[consent]).casefold() in accepted:
            return Standing()
        return Standing(blocked=f'no consent in the column "{consent}"')

    return Part(_distinct((*says_opted_out, *((consent,) if consent else ()))), standing)


def _asked(load: LoadConfig, columns: tuple[str, ...]) -> Part[DesiredLead]:
    tags, lists = _names(load, load.tags, columns), _names(load, load.lists, columns)
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
        for collection, name in sorted(lead.unwanted & lead.wanted) if lead.unwanted else ():
            what = f'{_ONE[collection]} "{mask_text(name)}"'
            raise UnusableError(f"the {what} is asked for and is to be taken off as well")
        return lead

    elsewhere = ("load.fields.", "load.custom_fields.", *INDISPENSABLE)
    read = [column for place, column in used_columns(load) if not place.startswith(elsewhere)]
    return Part(_distinct(column for column in read if column in columns), asked)


_ONE = {"tags": "tag", "lists": "list", "sequences": "sequence"}


def _sequences(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record], tuple[tuple[str, str], ...]]:
    """(name, step) of each; blank names and steps start nothing. The first step of a name counts."""
    if not any(isinstance(part, Value) for one in load.sequences for part in (one.name, one.step)):
        constant = tuple((str(one.name), str(one.step)) for one in load.sequences)
        return lambda _: constant
    readers = [
        (_texts(one.name), _texts(one.step), one.step)
        for one in load.sequences
        if _can_be_read(one.name, columns) and _can_be_read(one.step, columns)
    ]

    def sequences_of(record: Record) -> tuple[tuple[str, str], ...]:
        started: dict[str, str] = {}
        for names, steps, said in readers:
            for step in steps(record):
                if not re.fullmatch(r"[A-Za-z0-9]+", step):
                    raise UnusableError(f"the step of a sequence, {_told(said)}, is no number of a step")
                for name in names(record):
                    started.setdefault(name, step)
        return tuple(started.items())

    return sequences_of


def _unwanted(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record], frozenset[Unwanted]]:
    readers = [
        (collection, _texts(element))
        for collection, elements in (
            ("tags", load.untag),
            ("lists", load.unsubscribe),
            ("sequences", load.unsubscribe_from_sequences),
        )
        for element in elements
        if _can_be_read(element, columns)
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
        return ((value,) if value else ()) if isinstance(value, str) else value

    return texts_of


def _told(said: str | Value) -> str:
    if isinstance(said, str):
        return f'"{said}"'
    return f'in the column "{said.column}"' if said.column else f'"{said.template or said.constant}"'


def _can_be_read(value: str | Value, columns: tuple[str, ...]) -> bool:
    return isinstance(value, str) or all(column in columns for column in value.columns)


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
        raise UnusableError(f'the column "{wish.column}" holds no whole number of points')
    return Points(int(cell), wish.expiration_days)


def _names(
    load: LoadConfig, elements: tuple[str | Value, ...], columns: tuple[str, ...]
) -> Callable[[Record], tuple[tuple[str, ...], bool]]:
    """The names a record asks for, and whether it is silent on some of them."""
    readable = [one for one in elements if _can_be_read(one, columns)]
    readers: list[str | Read] = [one if isinstance(one, str) else reader(one) for one in readable]
    always_silent = not readers or len(readable) < len(elements)

    def names_of(record: Record) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        silent = always_silent
        for element in readers:
            value = element if isinstance(element, str) else element(record)
            if value == "":
                silent = silent or load.blank == "ignore"
            names += [value] if isinstance(value, str) else value
        return _distinct(name for name in names if name), silent

    return names_of


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _merged(earlier: Mapping[str, _T], later: Mapping[str, _T]) -> dict[str, _T]:
    return {**earlier, **{name: value for name, value in later.items() if value or name not in earlier}}
