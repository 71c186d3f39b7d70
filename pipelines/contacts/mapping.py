"""Maps one record to a desired lead, or to a reason why not. Pure: sees no file, clock, account or state."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from dateutil import parser as date_parser

from pipelines.config.load import LoadConfig
from pipelines.config.values import Value
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.contacts.asked import asked
from pipelines.contacts.columns import can_be_read, check_used, needed_columns, used_columns
from pipelines.contacts.lead import DesiredLead, Record
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.opt_outs import Standing, Standings
from pipelines.contacts.parts import Part, Parts
from pipelines.contacts.steps.dates import numeric_offset_s
from pipelines.contacts.values import UnusableError, reader


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapped record with its sync key. `blocked` says why it may not be sent; `unclear` is its Standing's.

    Of several records with one key the one with the highest `rank` counts.
    """

    key: str
    lead: DesiredLead
    rank: float
    blocked: str | None = None
    unclear: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that cannot become a lead. Its `key`, if readable, still counts as present in the source."""

    reason: str
    key: str | None = None


def mapper(load: LoadConfig, columns: tuple[str, ...]) -> Callable[[Record, int], Mapped | Invalid]:
    """The mapping of `load` for a source with these columns: a function of a record and its row number.

    Raises ConfigError if the mapping names a column that the source lacks or has twice.
    """
    parts = parts_of(load, columns)
    clears = load.blank == "clear"

    def lead(record: Record, email: str) -> DesiredLead:
        texts = {name: part.read(record) for name, part in parts.fields.items()}
        values = {name: part.read(record) for name, part in parts.custom_fields.items()}
        return replace(
            parts.asked.read(record),
            email=email,
            fields={name: text for name, text in texts.items() if text or clears},
            custom_fields={name: value for name, value in values.items() if value != "" or clears},
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
        standing = parts.standings.read(record)
        return Mapped(
            key=key,
            lead=desired,
            rank=rank(load, row, changed, standing),
            blocked=standing.blocked,
            unclear=standing.unclear,
        )

    return map_record


def parts_of(load: LoadConfig, columns: tuple[str, ...]) -> Parts:
    """The parts of a mapping for a source with these columns; parts that need a missing one are left out.

    Raises ConfigError if the mapping names a column that the source lacks or has twice.
    """
    check_used(list(needed_columns(load, columns)), columns)
    newest = load.duplicates.column if load.duplicates.how == "newest" else None
    return Parts(
        key=None if load.key.column is None else _key(load.key.column),
        address=_text_part(load.fields["email"]),
        changed=None if newest is None else Part((newest,), partial(_instant, newest)),
        fields={
            name: _text_part(value)
            for name, value in load.fields.items()
            if name != "email" and can_be_read(value, columns)
        },
        custom_fields={
            name: Part(value.columns, reader(value), _is_cell(value))
            for name, value in load.custom_fields.items()
            if can_be_read(value, columns)
        },
        asked=asked(load, columns),
        standings=Standings(load, columns),
    )


def rank(load: LoadConfig, row: int, changed: float | None, standing: Standing) -> float:
    """The rank of a record among those of its key. An opting out ranks highest, so that it always counts."""
    if standing.has_opted_out:
        return math.inf
    if changed is not None:
        return changed
    return -row if load.duplicates.how == "first" else row


def read_columns(load: LoadConfig, columns: tuple[str, ...]) -> frozenset[str]:
    """Every column, by its name in a frame, that can change what a record maps to."""
    used = {column for place, column in used_columns(load) if place != "load.only"}
    return frozenset(used) | Standings(load, columns).named


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
    """A date or a number as a comparable value. A blank is the oldest; a time without a zone counts as
    UTC."""
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
        # dateutil fills what a cell leaves out with today: the same file would rank its records otherwise
        # each day.
        midnight = datetime(1970, 1, 1)  # noqa: DTZ001 - a cell without a zone has none
        moment: datetime = date_parser.parse(cell, default=midnight, tzinfos=numeric_offset_s)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
