"""Kartra's times, which name no offset, as instants in UTC; and its clock, beside this machine's.

Every page of Kartra writes "EST" and does not say what that is in summer (§8.5): the zone is a setting, and
the raw text is kept beside whatever is computed here.
"""

import logging
import re
import threading
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.errors import ConfigError

log = logging.getLogger("kartra_sync.client")

FAR_OFF = timedelta(minutes=2)
"""A `Date` is right to a second or two, and machines that ask a time server to less."""

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


class ServerClock:
    """The endpoint's own clock, as the `Date` of its last answer told it; any thread may ask.

    Whether a lead joined before or after a call left is a question to one clock, not to two. Until an answer
    came it is this machine's.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset: timedelta | None = None
        self._is_told = False

    @property
    def offset(self) -> timedelta | None:
        """What is to be added to this machine's time; None while nothing is known of it."""
        return self._offset

    def now(self) -> datetime:
        """In UTC."""
        return self._clock.now() + (self._offset or timedelta(0))

    def learn(self, offset_s: float | None) -> None:
        """Says once when the two are minutes apart."""
        if offset_s is None:
            return
        self._offset = offset = timedelta(seconds=offset_s)
        with self._lock:
            is_news = abs(offset) > FAR_OFF and not self._is_told
            self._is_told |= is_news
        if is_news:
            log.warning(
                "the clock of this machine is %s %s Kartra's: times are compared by Kartra's. Set it right",
                _span(abs(offset)),
                "behind" if offset > timedelta(0) else "ahead of",
            )


def _span(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60:,} hours" if minutes < 2880 else f"{minutes // 1440:,} days"
