"""Pacing over many hosts: one row per App in a database gives out the moments at which calls may leave.

A process that has calls to make asks for the next moment, and learns how long it is until then, or after how
long to ask again, because it is the turn of another one: each gets its share of them. It goes by the clock of
the database, so that the clocks of hosts do not matter. Moments lie so far apart that no second holds more
than the limit, however the calls of hosts mix. A call that could not leave at its moment lets it pass and
asks for another one. Without the database there are no moments: nothing leaves.

The window of this host's file is asked as well: programs without the database keep to that one.
"""

import math
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
AGAIN_S = 0.2
"""So long at most is the time between two questions, and after one that was not answered."""


class WindowLostError(Exception):
    """The database of the window does not answer."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`wait_s`: how long it is until the moment; where it is not ours, until one may be asked for again."""

    is_ours: bool
    wait_s: float


@dataclass(frozen=True, slots=True)
class Demand:
    """How many calls of a process wait, and what share of the App those who make them have together."""

    calls: int
    share: float


class WindowOfHosts(Protocol):
    """The row of an App. Its methods may be called by any thread, and raise WindowLostError."""

    def ask(self, share: float, gap_s: float, *, waits_on: bool) -> Moment:
        """The next moment, for one that waits; `waits_on`: for others after it, too."""

    def skip(self, gap_s: float) -> None:
        """A call has left late: the next one of anybody leaves later."""

    def throttled(self, spread_s: float) -> None: ...
    def close(self) -> None: ...


class HostsLimiter:
    """As `CallLimiter`, for all hosts that share a window."""

    def __init__(
        self, window: WindowOfHosts, host: CallLimiter, *, calls_per_second: float, share: float = 1.0
    ) -> None:
        permits = max(1, int(calls_per_second))
        self._gap_s = (permits / calls_per_second + MARGIN_S) / permits
        self._window, self._host = window, host
        self._moments: deque[float] = deque()
        self._lock = threading.Lock()
        # One thread asks, and the others wait for their turn: no thread is overtaken for ever.
        self._asking = threading.Lock()
        self._waiting = 0
        self._taken: dict[float, float] = {}
        self._demand: Callable[[], Demand] = lambda: Demand(self._waiting, share)

    def ask_for(self, demand: Callable[[], Demand]) -> None:
        """For whom it asks from now on, where more wait than the threads that it knows of."""
        self._demand = demand

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        """A permit, or 0 if `timeout_s` passed or `given_up()` (asked each second at least) was true."""
        deadline = time.monotonic() + timeout_s if timeout_s >= 0 else math.inf

        def is_over() -> bool:
            return given_up() or time.monotonic() >= deadline

        while not is_over():
            moment = self._moment(is_over)
            if not moment or not self._reached(moment, given_up):
                continue
            # The window of the host is free as a rule; where it is not, the moment may pass.
            permit = self._host.acquire(given_up=given_up)
            if permit and time.monotonic() - moment <= LATE_S:
                with self._lock:
                    self._taken[permit] = moment
                return permit
        return 0.0

    def _moment(self, is_over: Callable[[], bool]) -> float:
        """The next moment of this process that has not passed; 0 where it is over first, or soon."""
        with self._lock:
            self._waiting += 1
        try:
            if not self._asking.acquire(timeout=AGAIN_S):
                return 0.0
            try:
                return self._asked_for(is_over)
            finally:
                self._asking.release()
        finally:
            with self._lock:
                self._waiting -= 1

    def _asked_for(self, is_over: Callable[[], bool]) -> float:
        while not is_over():
            if moment := self._kept():
                self._ask_ahead(moment)
                return moment
            if again_s := self._ask():
                time.sleep(min(again_s, AGAIN_S))
        return 0.0

    def _ask_ahead(self, moment: float) -> None:
        """Until a moment comes, for calls whose threads come here only once that one has left."""
        while self._demand().calls > self._waiting and not self._moments:
            again_s = self._ask()
            if not again_s or time.monotonic() + again_s > moment - LATE_S:
                return
            time.sleep(again_s)

    def _kept(self) -> float:
        with self._lock:
            while self._moments:
                if (moment := self._moments.popleft()) > time.monotonic() - LATE_S:
                    return moment
        return 0.0

    def _ask(self) -> float:
        """Asks for a moment; gives 0, or after how long one may ask again."""
        demand, asked_at = self._demand(), time.monotonic()
        try:
            given = self._window.ask(demand.share, self._gap_s, waits_on=demand.calls > 1)
        except WindowLostError:
            return AGAIN_S
        if not given.is_ours:
            return given.wait_s
        # The database answered about halfway between question and answer. A moment that passed on the way
        # was free: nobody else is waiting, and the call leaves now.
        now = time.monotonic()
        with self._lock:
            self._moments.append(max(now, (asked_at + now) / 2 + given.wait_s))
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
