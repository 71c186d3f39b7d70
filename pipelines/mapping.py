"""One record becomes one desired lead, or a reason why not. Pure: sees no file, clock, account or state."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from dateutil import parser as date_parser

from connectors.errors import ConfigError
from pipelines.config import LoadConfig
from pipelines.config_values import Value
from pipelines.lead import CalendarClass, CustomValue, DesiredLead, Points
from pipelines.nearest import nearest
from pipelines.normalise import InvalidAddressError, normal_address, normal_cell
from pipelines.values import Read, Record, UnusableError, reader

_T = TypeVar("_T", bound=CustomValue)

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
FLAG_COLUMNS = frozenset({"opted out", "opted-out", "email_blacklisted"})
"""Columns where a yes says the same."""
TRUE = frozenset({"true", "yes", "y", "1"})
FILLED_COLUMNS = frozenset({"unsub_time"})
"""Columns where any value does: Mailchimp gives the time a person left."""


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


def mapper(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record, int], Mapped | Invalid]:
    """The mapping of `load` for a source with these columns; takes a record and its row number.

    Raises ConfigError where the mapping names a column that the source lacks or has twice.
    """
    _check_columns(load, columns)
    says_opted_out = _opt_out_columns(load, columns)
    desired = _desired(load)
    address = reader(load.fields["email"])

    def map_record(record: Record, row: int) -> Mapped | Invalid:
        key = None
        try:
            key = _key_in_column(load, record)
            email = normal_address(str(address(record)))
            key = key or email
            rank = _rank(load, record, row)
            lead = desired(record, email)
        except (InvalidAddressError, UnusableError) as error:
            return Invalid(str(error), key)
        opted_out = _opted_out(record, says_opted_out)
        return Mapped(
            key=key,
            lead=lead,
            rank=math.inf if opted_out else rank,
            blocked=opted_out or _without_consent(load, record),
        )

    return map_record


def read_columns(load: LoadConfig, columns: tuple[str, ...]) -> frozenset[str]:
    """Every column, by its name in a frame, that makes a difference to what a record maps to."""
    return frozenset({column for _, column in used_columns(load)} | set(_opt_out_columns(load, columns)))


def merge_leads(earlier: DesiredLead, later: DesiredLead) -> DesiredLead:
    """Two records of one key under `duplicates: merge`: later values win, blanks do not, names add up."""
    return DesiredLead(
        email=later.email,
        fields=_merged(earlier.fields, later.fields),
        custom_fields=_merged(earlier.custom_fields, later.custom_fields),
        tags=_distinct((*earlier.tags, *later.tags)),
        lists=_distinct((*earlier.lists, *later.lists)),
        sequences=later.sequences,
        points=later.points or earlier.points,
        calendars=later.calendars,
        silent=earlier.silent & later.silent,
    )


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


def _values(load: LoadConfig) -> Iterator[tuple[str, Value]]:
    for name, value in load.fields.items():
        yield f"load.fields.{name}", value
    for name, value in load.custom_fields.items():
        yield f"load.custom_fields.{name}", value
    for place, elements in (("tags", load.tags), ("lists", load.lists)):
        for element in elements:
            if isinstance(element, Value):
                yield f"load.{place}", element


def _check_columns(load: LoadConfig, columns: tuple[str, ...]) -> None:
    problems = []
    holds_address = any("@" in name for name in columns)
    is_header = not holds_address and any(column in columns for _, column in used_columns(load))
    others = f"; it has: {', '.join(columns)}" if is_header else "; is its first line a header?"
    for place, column in used_columns(load):
        if column not in columns:
            near = None if holds_address else nearest(column, columns)
            # Where no column is known the header is not shown: it may be somebody's row.
            hint = f'; did you mean "{near}"?' if near else others
            problems.append(f'{place}: the source has no column "{column}"{hint}')
        elif columns.count(column) > 1:
            problems.append(f'{place}: the source has the column "{column}" more than once')
    if problems:
        raise ConfigError("\n".join(problems))


def _key_in_column(load: LoadConfig, record: Record) -> str | None:
    if load.key.column is None:
        return None
    key = normal_cell(record[load.key.column])
    if not key:
        raise UnusableError(f'no key: the column "{load.key.column}" is blank')
    return key


def _rank(load: LoadConfig, record: Record, row: int) -> float:
    match load.duplicates.how:
        case "first":
            return -row
        case "newest":
            return _instant(normal_cell(record[load.duplicates.column or ""]), load.duplicates.column)
        case _:
            return row


def _instant(cell: str, column: str | None) -> float:
    """A date or a number as something to compare; blank is the oldest. Without a zone, UTC is taken."""
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


def _opted_out(record: Record, columns: Mapping[str, Callable[[str], bool]]) -> str | None:
    for column, says_so in columns.items():
        word = normal_cell(record.get(column, "")).casefold()
        if says_so(word):
            return f'opted out: "{word}" in the column "{column}"'
    return None


def _without_consent(load: LoadConfig, record: Record) -> str | None:
    if load.consent.column is None:
        return None
    accepted = {word.strip().casefold() for word in load.consent.accepted}
    if normal_cell(record[load.consent.column]).casefold() in accepted:
        return None
    return f'no consent in the column "{load.consent.column}"'


def _desired(load: LoadConfig) -> Callable[[Record, str], DesiredLead]:
    """What a record asks for beside its address. Raises UnusableError for one that cannot be read."""
    fields = {name: reader(value) for name, value in load.fields.items() if name != "email"}
    custom_fields = {name: reader(value) for name, value in load.custom_fields.items()}
    tags, lists = _names(load, load.tags), _names(load, load.lists)
    clears = load.blank == "clear"
    sequences = tuple((sequence.name, sequence.step) for sequence in load.sequences)
    calendars = tuple(
        CalendarClass(one.name, one.class_name, one.starting_at or "") for one in load.calendars
    )

    def desired(record: Record, email: str) -> DesiredLead:
        texts = {name: str(read(record)) for name, read in fields.items()}
        values = {name: read(record) for name, read in custom_fields.items()}
        (tag_names, tags_silent), (list_names, lists_silent) = tags(record), lists(record)
        silent = {"tags": tags_silent, "lists": lists_silent}
        return DesiredLead(
            email=email,
            fields={name: text for name, text in texts.items() if text or clears},
            custom_fields={name: value for name, value in values.items() if value != "" or clears},
            tags=tag_names,
            lists=list_names,
            sequences=sequences,
            points=_points(load, record),
            calendars=calendars,
            silent=frozenset(name for name, is_silent in silent.items() if is_silent),
        )

    return desired


def _points(load: LoadConfig, record: Record) -> Points | None:
    """A blank cell asks for nothing and takes nothing back."""
    wish = load.points
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
    load: LoadConfig, elements: tuple[str | Value, ...]
) -> Callable[[Record], tuple[tuple[str, ...], bool]]:
    """The names a record asks for, and whether it is silent on some of them."""
    readers: list[str | Read] = [
        element if isinstance(element, str) else reader(element) for element in elements
    ]

    def names_of(record: Record) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        silent = not readers
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
