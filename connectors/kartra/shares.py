"""One App's permits among accounts that wait at the same time: by their share, and nobody waits long.

Whose turn it is goes by a clock of each account that a permit moves on by 1/share, and by a common one that
all permits move on (worst-case fair weighted queueing, WF2Q+): who is ahead of that waits. Who comes back
after a pause starts at the clock of now, so that nobody saves up permits. The permits themselves are the
limiter's, which knows nothing of accounts.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from connectors.kartra.hosts_limiter import Demand, HostsLimiter

GIVEN_UP_ASKED_S = 0.5
ROUNDING = 1e-9
"""Clocks are sums of fractions."""


class Limiter(Protocol):
    """What a sender needs of a limiter: `CallLimiter`, or the part of one that an account has."""

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = ...) -> float: ...

    def sent(self, permit: float) -> None: ...

    def answered(self, took_s: float) -> None: ...

    def throttled(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Party:
    """An account at the limiter. `clock` is how much it has had, in permits of share 1."""

    share: float
    clock: float = 0.0
    waiting: deque[threading.Event] = field(default_factory=deque)


class Turns:
    """Whose turn it is. Pure; its user holds a lock."""

    def __init__(self) -> None:
        self._now = 0.0
        self._waiting: list[Party] = []

    def come(self, party: Party) -> None:
        """A party waits, that did not wait before."""
        party.clock = max(party.clock, self._now)
        self._waiting.append(party)

    def leave(self, party: Party) -> None:
        """A party does not wait any more."""
        self._waiting.remove(party)

    def next(self) -> Party | None:
        """The party whose turn it is; of equals the one that came first.

        Of those that are not ahead of the common clock the one whose own would be furthest behind after the
        permit: so one with a large share need not wait for each of many small ones, nor they for it.
        """
        now = max(self._now, min((party.clock for party in self._waiting), default=0.0))
        due = [party for party in self._waiting if party.clock <= now + ROUNDING]
        return min(due, key=lambda party: party.clock + 1 / party.share, default=None)

    def demand(self, party: Party | None) -> Demand:
        """Of all who wait, and of the party that fetches a permit now."""
        calls = sum(len(each.waiting) for each in self._waiting)
        share = sum(each.share for each in self._waiting)
        if party is None:
            return Demand(calls, share)
        return Demand(calls + 1, share + (0.0 if party in self._waiting else party.share))

    def served(self, party: Party) -> None:
        """A party has got a permit, and waits on or has left."""
        # An account whose last thread was elected has left the line already; its share counts for this permit
        # all the same.
        at_it = self._waiting if party in self._waiting else [*self._waiting, party]
        self._now = max(self._now, min(each.clock for each in at_it)) + 1 / sum(each.share for each in at_it)
        party.clock += 1 / party.share


class SharedLimiter:
    """The limiter of one App in this process, for any number of accounts and threads.

    One thread at a time waits for a permit, on behalf of the account whose turn it is; the others sleep.
    """

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._lock = threading.Lock()
        self._turns = Turns()
        self._fetching: threading.Event | None = None
        self._fetching_for: Party | None = None
        if isinstance(limiter, HostsLimiter):
            limiter.ask_for(self._demand)

    def account(self, share: float, before_call: Callable[[], None] = lambda: None) -> "AccountLimiter":
        """The limiter of one account. `before_call` is called before each call waits."""
        return AccountLimiter(self, self._limiter, Party(share), before_call)

    def close(self) -> None:
        self._limiter.close()

    def _demand(self) -> Demand:
        with self._lock:
            return self._turns.demand(self._fetching_for)

    def enter(self, party: Party) -> threading.Event:
        """Wait in line; the event is set once it is this thread that fetches the permit."""
        ticket = threading.Event()
        with self._lock:
            if not party.waiting:
                self._turns.come(party)
            party.waiting.append(ticket)
            if self._fetching is None:
                self._elect()
        return ticket

    def leave(self, party: Party, ticket: threading.Event, *, is_served: bool) -> None:
        """Out of the line, with a permit or without; the next one's turn."""
        with self._lock:
            if ticket is not self._fetching:
                party.waiting.remove(ticket)
                if not party.waiting:
                    self._turns.leave(party)
                return
            if is_served:
                self._turns.served(party)
            self._fetching = self._fetching_for = None
            self._elect()

    def _elect(self) -> None:
        party = self._turns.next()
        if party is None:
            return
        self._fetching, self._fetching_for = party.waiting.popleft(), party
        if not party.waiting:
            self._turns.leave(party)
        self._fetching.set()


class AccountLimiter:
    """The limiter of an account: `acquire()` waits for its turn, and then for a permit of the App."""

    def __init__(
        self, shared: SharedLimiter, limiter: Limiter, party: Party, before_call: Callable[[], None]
    ) -> None:
        self._shared, self._limiter, self._party = shared, limiter, party
        self._before_call = before_call

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        """A permit, or 0 if `timeout_s` passed or `given_up()` (asked each second at least) was true."""
        self._before_call()
        deadline = time.monotonic() + timeout_s if timeout_s >= 0 else math.inf
        ticket = self._shared.enter(self._party)
        permit = 0.0
        try:
            while not ticket.wait(min(GIVEN_UP_ASKED_S, max(0.0, deadline - time.monotonic()))):
                if given_up() or time.monotonic() >= deadline:
                    return 0.0
            left_s = deadline - time.monotonic() if deadline < math.inf else -1
            permit = self._limiter.acquire(timeout_s=left_s, given_up=given_up)
            return permit
        finally:
            # Whatever happened: a ticket that stayed in the line would be elected one day, and all would wait
            # for it.
            self._shared.leave(self._party, ticket, is_served=bool(permit))

    def sent(self, permit: float) -> None:
        self._limiter.sent(permit)

    def answered(self, took_s: float) -> None:
        self._limiter.answered(took_s)

    def throttled(self) -> None:
        self._limiter.throttled()

    def close(self) -> None:
        """The App's limiter stays open for the other accounts."""
