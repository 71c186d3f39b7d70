"""Kartra's times, which name no offset, as instants in UTC. Pure.

Every page of Kartra writes "EST" and does not say what that is in summer (§8.5): the zone is a setting, and
the raw text is kept beside whatever is computed here.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from connectors.errors import ConfigError

EST = timezone(timedelta(hours=-5), "EST")
"""Winter and summer alike."""

_ISO = re.compile(r"[12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NAMED = re.compile(r"(\d\d?) ([A-Za-z]{3}) ([12]\d{3}) (\d\d:\d\d:\d\d)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def zone_of(name: str) -> tzinfo:
    """`EST` is UTC−5 the whole year; every other name is one of IANA, such as America/New_York.

    Raises ConfigError.
    """
    if name == "EST":
        return EST
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no name at all; a folder of zones
        raise ConfigError("not a known time zone, such as EST or America/New_York") from error


def utc_of(raw: str, zone: tzinfo) -> datetime | None:
    """`2024-11-03 01:30:00` or `03 Nov 2024 01:30:00` by the clocks of `zone`, in UTC.

    None for what Kartra writes where there is no time (``, `N/A`, zeros), and for every other text.
    """
    local = local_of(raw)
    return None if local is None else in_utc(local, zone)


def local_of(raw: str) -> datetime | None:
    """The time as the clock showed it, without a zone."""
    text = raw.strip()
    named = _NAMED.fullmatch(text)
    if named and named[2].lower() in _MONTHS:
        month = _MONTHS.index(named[2].lower()) + 1
        text = f"{named[3]}-{month:02}-{named[1]:0>2} {named[4]}"
    if not _ISO.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # such as 30 February
        return None


def in_utc(local: datetime, zone: tzinfo) -> datetime:
    """The hour that comes twice in autumn counts as the second, in standard time; an hour that spring skips
    is moved on by what the clocks were: the later of the two readings is right for both."""
    readings = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(readings)
