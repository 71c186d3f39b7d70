"""Time as a value that is handed in, so that everything can be played under a clock of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is an aware instant in UTC, `monotonic` seconds that never go back, `sleep` takes seconds."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


def steady(clock: Clock) -> Clock:
    """The clock, but from now on it goes on evenly, whoever sets the machine's meanwhile."""
    started_at, started = clock.now(), clock.monotonic()
    return replace(clock, now=lambda: started_at + timedelta(seconds=clock.monotonic() - started))
