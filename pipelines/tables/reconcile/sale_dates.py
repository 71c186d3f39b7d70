"""Reads the dates of an export, whose form is not documented. Pure. Ambiguous dates are refused, not
guessed."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from functools import cache

from dateutil import parser as date_parser

from connectors.errors import ConfigError
from connectors.kartra.clock import in_utc, local_of
from pipelines.contacts.steps.dates import numeric_offset_s

_DAY_OR_MONTH = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-][0-9]{4}")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{1,2}(?![0-9])")

ReadDate = Callable[[str], datetime]
"""Turns a text into an instant in UTC. Raises ValueError, whose message does not repeat the text."""


def date_reader(dates: Callable[[], Iterable[str]], zone: tzinfo, date_format: str | None = None) -> ReadDate:
    """A reader of the dates of a file: by `date_format` (strptime), else ISO, else as people write them.

    `dates` gives all dates of the file, and is called once one is not ISO: other dates show whether
    03/04/2024 is in March or in April. If none does, reading raises ConfigError.
    """
    if date_format is not None:
        return _by_format(date_format, zone)

    @cache
    def is_day_first() -> bool:
        return _is_day_first(dates())

    def read(text: str) -> datetime:
        try:
            local = local_of(text) or datetime.fromisoformat(text)
        except ValueError:
            if _SHORT_YEAR.match(text):
                raise ValueError(
                    "has a year of two digits; say how it is written with --date-format"
                ) from None
            day_first = bool(_DAY_OR_MONTH.match(text)) and is_day_first()
            local = _as_people_write(text, day_first=day_first)
        return _utc(local, zone)

    return read


def _by_format(date_format: str, zone: tzinfo) -> ReadDate:
    def read(text: str) -> datetime:
        try:
            return _utc(datetime.strptime(text, date_format), zone)  # noqa: DTZ007 - the zone is beside
        except ValueError:
            raise ValueError("is not written as --date-format says") from None

    return read


def _is_day_first(dates: Iterable[str]) -> bool:
    ambiguous = 0
    orders: set[bool] = set()
    for text in dates:
        match = _DAY_OR_MONTH.match(text.strip())
        if match is None:
            continue
        first, second = int(match[1]), int(match[2])
        if first > 12 or second > 12:
            orders.add(first > 12)
        elif first != second:
            ambiguous += 1
    if ambiguous and len(orders) != 1:
        raise ConfigError(
            f"day and month of {ambiguous:,} dates are ambiguous:"
            " say how they are written, such as --date-format '%d/%m/%Y %H:%M:%S'"
        )
    return True in orders


def _as_people_write(text: str, *, day_first: bool) -> datetime:
    """The date. Raises ValueError if a part is missing, which dateutil would fill in."""
    defaults = datetime(2000, 1, 1), datetime(2001, 2, 2)  # noqa: DTZ001 - a date without a zone has none
    try:
        one, other = (
            date_parser.parse(text, default=default, dayfirst=day_first, tzinfos=numeric_offset_s)
            for default in defaults
        )
    except (ValueError, OverflowError):
        raise ValueError("cannot be read; say how it is written with --date-format") from None
    if one != other:
        raise ValueError("is not a whole date")
    return one


def _utc(moment: datetime, zone: tzinfo) -> datetime:
    if not 1000 <= moment.year <= 9998:  # what every database holds, in every zone
        raise ValueError("has an impossible year")
    at = moment.astimezone(UTC) if moment.tzinfo else in_utc(moment, zone)
    return at.replace(microsecond=0)
