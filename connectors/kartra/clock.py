"""Converts Kartra's times, which name no offset, to UTC, and tracks Kartra's clock beside this machine's.

Kartra's pages write "EST" and do not say what that means in summer (§8.5). So the zone is a setting, and the
raw text is kept beside each computed time.
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
"""Far more than a `Date` can be wrong by (a second or two), or a machine that asks a time server."""

EST = timezone(timedelta(hours=-5), "EST")
"""Five hours behind UTC, in winter and in summer."""

# A year that begins with a zero is Kartra's way of writing no date (§8).
_ISO = re.compile(r"[12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
# Some older pages write times like this (§6.1). Months are looked up here, because strptime follows the
# machine's locale.
_NAMED = re.compile(r"(\d\d?) ([A-Za-z]{3}) ([12]\d{3}) (\d\d:\d\d:\d\d)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def zone_of(name: str) -> tzinfo:
    """The zone of a name: `EST` is UTC−5 all year, every other name is IANA's, such as America/New_York.

    Raises ConfigError.
    """
    if name == "EST":
        return EST
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no name at all; a folder of zones
        raise ConfigError("not a known time zone, such as EST or America/New_York") from error


def utc_of(raw: str, zone: tzinfo) -> datetime | None:
    """The time in UTC of `2024-11-03 01:30:00` or `03 Nov 2024 01:30:00` by the clocks of `zone`.

    None for the ways in which Kartra writes an absent time (``, `N/A`, zeros), and for every other text.
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
    """The instant of a local time. An hour that autumn repeats counts as the second one, in standard time; an
    hour that spring skips is moved forward."""
    # fold tells the two readings apart; the later one is what both cases want.
    readings = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(readings)


class ServerClock:
    """The endpoint's own clock, from the `Date` of its last answer; any thread may ask.

    Whether a lead joined before or after a call left can only be answered by one clock. Until the first
    answer it is this machine's.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset: timedelta | None = None
        self._has_warned = False

    @property
    def offset(self) -> timedelta | None:
        """Kartra's time minus this machine's; None before the first answer."""
        return self._offset

    def now(self) -> datetime:
        """In UTC."""
        return self._clock.now() + (self._offset or timedelta(0))

    def learn(self, offset_s: float | None) -> None:
        """Takes the offset of an answer; warns once if the clocks are minutes apart."""
        if offset_s is None:
            return
        self._offset = offset = timedelta(seconds=offset_s)
        with self._lock:
            is_news = abs(offset) > FAR_OFF and not self._has_warned
            self._has_warned |= is_news
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
