"""Rewrites dates, as people and databases write them, in another form. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dateutil import parser as date_parser

from pipelines.words.months import with_numbers

_SAMPLES = (datetime(2000, 1, 1), datetime(2004, 2, 2))  # noqa: DTZ001 - what a text leaves out
"""A text that leaves out the day, the month or the year gives another date with each of them."""


_ZONE_IN_WORDS = re.compile(r"(?<=[+-]\d{4}) ?\([^()]*\)$|(?<=[Z\d])\[[^\[\]]*\]$")
"""The name of a zone behind its offset, as JavaScript and Java write it."""
_YEAR_FIRST_OR_LAST = re.compile(r"[0-3]\d-[01]?\d-[0-3]\d(?!\d)")
"""As `24-03-15`, which is of 2024 or of 2015."""
_FIRST_YEAR = 1000
"""Before it somebody mistyped, or a program stands for nothing, as 0001-01-01."""


class _Centuries(date_parser.parserinfo):
    """Years of two digits. The library's own rule is another one each year."""

    def convertyear(self, year: int, century_specified: bool = False) -> int:
        if century_specified or year > 99:
            return year
        if 30 <= year < 70:
            raise ValueError(year)  # 1950, or 2050
        return year + (2000 if year < 30 else 1900)


_PARSER = date_parser.parser(_Centuries())


def rewritten_date(
    text: str,
    *,
    forms: Sequence[str],
    day_first: bool | None,
    to: str,
    zone: str | None,
    to_zone: str | None,
) -> str | None:
    """The date in the form `to`; None if it has none of `forms`, or without forms could be two dates.

    A moment without a zone is in `zone`; without that, it is not converted.
    """
    moment = _in_forms(text, forms) if forms else _found_out(text, day_first)
    if moment is None:
        return None
    try:
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        if moment.tzinfo is not None and to_zone is not None:
            moment = moment.astimezone(ZoneInfo(to_zone))
        return moment.strftime(to) if moment.year >= _FIRST_YEAR else None
    except (ValueError, OverflowError):
        return None


def _in_forms(text: str, forms: Sequence[str]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the caller's
        except ValueError:
            continue
    return None


def _found_out(text: str, day_first: bool | None) -> datetime | None:
    text = with_numbers(_ZONE_IN_WORDS.sub("", text).replace("GMT+", "+").replace("GMT-", "-"))
    if day_first is None and _YEAR_FIRST_OR_LAST.match(text):
        return None
    if re.fullmatch(r"[0-9.]+", text) and not re.fullmatch(r"[0-9]{8}|[0-9]+\.[0-9]+\.[0-9]+", text):
        return None  # a number, such as a spreadsheet's serial day
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if re.match(r"[0-9]{4}\D", text):
        day_first = False  # the year, the month, the day
    orders = (True, False) if day_first is None else (day_first,)
    read = {moment for order in orders for moment in _parsed(text, day_first=order)}
    return read.pop() if len(read) == 1 else None


def _parsed(text: str, *, day_first: bool) -> list[datetime]:
    """The date, or two different ones if the text leaves a part out."""
    try:
        return [
            _PARSER.parse(text, default=sample, dayfirst=day_first, tzinfos=_offset_s) for sample in _SAMPLES
        ]
    except (ValueError, OverflowError):
        return []


def numeric_offset_s(_name: str | None, offset_s: int | None) -> int | None:
    """For dateutil's `tzinfos`: takes numeric offsets only, because zone names differ between machines."""
    return offset_s


def _offset_s(name: str | None, offset_s: int | None) -> int | None:
    """For dateutil's `tzinfos`: raises ValueError for short zone names, most of which mean several zones."""
    if name is not None and offset_s is None and name.upper() not in ("UTC", "GMT", "Z"):
        raise ValueError(name)
    return 0 if name is not None and offset_s is None else offset_s
