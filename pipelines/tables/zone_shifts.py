"""When the clocks of a zone change, written out: SQLite and MariaDB know no zones of their own. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

FIRST, LAST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
"""Kartra is younger; after the last year the clocks stay as they are then."""
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)

Shift = tuple[datetime, int]
"""From when on, and how many seconds the clocks of the zone are ahead of UTC."""


@cache
def shifts_of(zone: tzinfo) -> tuple[Shift, ...]:
    """The latest first. The last one holds for all time before."""
    return tuple(reversed(list(_shifts(zone))))


def _shifts(zone: tzinfo) -> Iterator[Shift]:
    yield FIRST, _offset_s(FIRST, zone)
    if zone.utcoffset(None) is not None:
        return  # a fixed offset, which has no days to look at
    day = FIRST
    while day < LAST:
        if _offset_s(day, zone) != _offset_s(day + _DAY, zone):
            begins = _change_within(day, day + _DAY, zone)
            yield begins, _offset_s(begins, zone)
        day += _DAY


def _change_within(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first second of the new offset."""
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset_s(middle, zone) == _offset_s(before, zone):
            before = middle
        else:
            after = middle
    return after


def _offset_s(at: datetime, zone: tzinfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
