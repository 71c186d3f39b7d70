"""Pacing over many hosts: one row per App in a database gives out the moments at which calls may leave.

A process asks for as many moments as it has threads that wait, a few at most, and learns how long it is until
each of them: by the clock of the database, so that the clocks of hosts do not matter. Moments lie so far
apart that no second holds more than the limit, however the calls of hosts mix. A call that could not leave at
its moment lets it pass and asks for another one. Without the database there are no moments: nothing leaves.

The window of this host's file is asked as well: programs without the database keep to that one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from connectors.kartra.limiter import CallLimiter

MARGIN_S = 0.028
"""Added to the second, because calls leave and arrive with jitter: 97.3 % of the rate are left."""
LATE_S = 0.012
"""How late a call may leave at most; what is left of the margin is for its way."""
MOST_AT_ONCE = 4
"""Moments that are asked for at a time. A host that is cut off has no more than these to use up."""
AGAIN_S = 0.2


class WindowLostError(Exception):
    """The database of the window does not answer."""


@dataclass(frozen=True, slots=True)
class Moments:
    """`wait_s` from now to the first of them, `gap_s` from one to the next."""

    count: int
    wait_s: float
    gap_s: float


class WindowOfHosts(Protocol):
    """The row of an App. Its methods may be called by any thread, and raise WindowLostError."""

    def reserve(self, count: int, gap_s: float) -> Moments: ...
    def skip(self, gap_s: float) -> None:
        """A call has left late: the next one of anybody leaves later."""

    def throttled(self, spread_s: float) -> None: ...
    def close(self) -> None: ...


class HostsLimiter:
    """As `CallLimiter`, for all hosts that share a window."""

    def __init__(self, window: WindowOfHosts, host: CallLimiter, *, calls_per_second: float) -> None:
        permits = max(1, int(calls_per_second))
        self._gap_s = (permits / calls_per_second + MARGIN_S) / permits
        self._window, self._host = window, host
        self._moments: deque[float] = deque()
        self._lock = threading.Lock()
        self._waiting = 0
        self._taken: dict[float, float] = {}

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        """A permit, or 0 if `timeout_s` passed or `given_up()` (asked each second at least) was true."""
        deadline = time.monotonic() + timeout_s if timeout_s >= 0 else float("inf")
        with self._lock:
            self._waiting += 1
        try:
            while not given_up() and time.monotonic() < deadline:
                moment = self._moment()
                if not moment or not self._reached(moment, given_up):
                    continue
                # The window of the host is free as a rule; where it is not, the moment may pass.
                permit = self._host.acquire(given_up=given_up)
                if permit and time.monotonic() - moment <= LATE_S:
                    with self._lock:
                        self._taken[permit] = moment
                    return permit
            return 0.0
        finally:
            with self._lock:
                self._waiting -= 1

    def _moment(self) -> float:
        """The next moment of this process that has not passed; 0 where there is none now."""
        with self._lock:
            now = time.monotonic()
            while self._moments:
                if (moment := self._moments.popleft()) > now - LATE_S:
                    return moment
            asked_at = time.monotonic()
            try:
                given = self._window.reserve(min(self._waiting, MOST_AT_ONCE), self._gap_s)
            except WindowLostError:
                pass
            else:
                # The database answered about halfway between question and answer. A moment that passed on
                # the way was free: nobody else is waiting, and the call leaves now.
                now = time.monotonic()
                first = max(now, (asked_at + now) / 2 + given.wait_s)
                self._moments.extend(first + place * given.gap_s for place in range(given.count))
                return self._moments.popleft()
        time.sleep(AGAIN_S)
        return 0.0

    def _reached(self, moment: float, given_up: Callable[[], bool]) -> bool:
        """Waits for a moment; false where it was given up, or has passed before this thread could run."""
        while (left_s := moment - time.monotonic()) > 0 and not given_up():
            time.sleep(min(left_s, 1.0))
        return 0 <= time.monotonic() - moment <= LATE_S

    def sent(self, permit: float) -> None:
        """Notes when the call left: on a busy machine that can be long after its moment."""
        self._host.sent(permit)
        with self._lock:
            moment = self._taken.pop(permit, 0.0)
            if not moment or time.monotonic() - moment <= LATE_S:
                return
            if self._moments:  # one call less of ours in the second that follows
                self._moments.popleft()
                return
        with suppress(WindowLostError):  # then nobody gets a moment now
            self._window.skip(self._gap_s)

    def answered(self, took_s: float) -> None:
        self._host.answered(took_s)

    def throttled(self) -> None:
        self._host.throttled()
        with suppress(WindowLostError):
            self._window.throttled(self._host.spread_s)

    def close(self) -> None:
        self._host.close()
        self._window.close()
