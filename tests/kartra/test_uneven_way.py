"""Calls that take unevenly long to arrive: the window under a clock of its own, a server that counts them.

`python -m tests.bench paced --jitter 0 30 100` measures it on sockets, where a busy machine has its say.
"""

import heapq
from dataclasses import dataclass, field
from random import Random

import pytest

from connectors.kartra.limiter import THROTTLED_PAUSE_S, Spread, Window
from connectors.kartra.sandbox.limit import SlidingSecond

LATENCY_S = 0.3
CALLERS = 12
WAKES_LATE_S = 0.0015
"""By how much a sleep of a real machine is too long, about."""
RATE = 20


@dataclass
class Way:
    """Callers that send as fast as they get permits, until the server has accepted so many calls."""

    jitter_s: float
    chance: Random
    window: Window = field(default_factory=Window)
    spread: Spread = field(default_factory=Spread)
    server: SlidingSecond = field(default_factory=SlidingSecond)
    accepted: list[float] = field(default_factory=list)
    refused: int = 0
    _events: list[tuple[float, int, str, float]] = field(default_factory=list)
    _ready: list[float] = field(default_factory=lambda: [1.0] * CALLERS)
    _ticket: int = 0

    def play(self, calls: int) -> "Way":
        now = 1.0
        while len(self.accepted) < calls:
            leaves_at = self._next_permit(now)
            if self._events and self._events[0][0] <= leaves_at:
                now, _, what, sent_at = heapq.heappop(self._events)
                (self._arrived if what == "arrives" else self._answered)(now, sent_at)
            else:
                now = leaves_at
                heapq.heappop(self._ready)
                self.window = self.window.stamped(now)
                self._after(now + self.chance.uniform(0, self.jitter_s), "arrives", now)
        return self

    @property
    def a_second(self) -> float:
        return (len(self.accepted) - 1) / (self.accepted[-1] - self.accepted[0])

    @property
    def share_refused(self) -> float:
        return self.refused / (self.refused + len(self.accepted))

    def _next_permit(self, now: float) -> float:
        if not self._ready:
            return float("inf")
        asked_at = max(now, self._ready[0])
        wait_s = self.window.wait(asked_at, permits=RATE, seconds=1.0)
        return asked_at + (wait_s + abs(self.chance.gauss(0, WAKES_LATE_S)) if wait_s > 0 else 0.0)

    def _arrived(self, now: float, sent_at: float) -> None:
        if self.server.admits(now, RATE):
            self._after(now + LATENCY_S, "answered", sent_at)
            self.accepted.append(now)
        else:
            self._after(now + LATENCY_S, "refused", -1.0)

    def _answered(self, now: float, sent_at: float) -> None:
        if sent_at < 0:
            self.refused += 1
            self.window = self.window.throttled(now, self.spread.seconds)
            heapq.heappush(self._ready, now + THROTTLED_PAUSE_S)
        else:
            self.spread.answered(now - sent_at)
            heapq.heappush(self._ready, now)

    def _after(self, at: float, what: str, sent_at: float) -> None:
        self._ticket += 1
        heapq.heappush(self._events, (at, self._ticket, what, sent_at))


@pytest.mark.parametrize(("jitter_s", "least"), [(0.0, 19.4), (0.03, 19.2), (0.1, 18.2)])
def test_on_an_uneven_way_few_calls_are_refused_and_most_of_the_rate_is_used(
    jitter_s: float, least: float
) -> None:
    ways = [Way(jitter_s, Random(seed)).play(1_200) for seed in range(4)]
    assert sum(way.a_second for way in ways) / len(ways) >= least
    assert sum(way.share_refused for way in ways) / len(ways) <= 0.003


def test_on_an_even_way_no_call_is_refused() -> None:
    assert Way(0.0, Random(1)).play(600).refused == 0


def test_of_the_answers_of_an_uneven_way_a_window_has_learned_next_to_nothing_an_hour_later() -> None:
    way = Way(0.1, Random(1)).play(600)
    assert way.window.learned(way.accepted[-1] + 3600) < 1e-9
