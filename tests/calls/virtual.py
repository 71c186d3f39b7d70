"""Time that passes only when a loop waits, and workers whose jobs end in an order that a seed decides."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from connectors.clock import Clock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class VirtualTime:
    """Seconds since START."""

    seconds: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: START + timedelta(seconds=self.seconds), lambda: self.seconds, self.pass_by)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class VirtualPool:
    """A job is done when it ends, `shortest_s` to `longest_s` after it was begun."""

    time: VirtualTime
    chance: Random
    shortest_s: float = 0.05
    longest_s: float = 1.0
    check_every_s: float = 0.5
    most_at_once: int = 0
    begun: int = 0
    _flying: list[tuple[float, int, Future[Any], Callable[[], Any]]] = field(default_factory=list)
    _ticket: Iterator[int] = field(default_factory=itertools.count)

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        ends_at = self.time.seconds + self.chance.uniform(self.shortest_s, self.longest_s)
        heapq.heappush(self._flying, (ends_at, next(self._ticket), future, job))
        self.begun += 1
        self.most_at_once = max(self.most_at_once, len(self._flying))
        return future

    def finished(self, timeout_s: float) -> list[Future[Any]]:
        until = self.time.seconds + timeout_s
        if not self._flying or self._flying[0][0] > until:
            self.time.seconds = until
            return []
        self.time.seconds = max(self.time.seconds, self._flying[0][0])
        ended = []
        while self._flying and self._flying[0][0] <= self.time.seconds:
            _, _, future, job = heapq.heappop(self._flying)
            self._do(future, job)
            ended.append(future)
        return ended

    def close(self) -> None:
        self._flying.clear()

    def _do(self, future: Future[Any], job: Callable[[], Any]) -> None:
        try:
            future.set_result(job())
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            with suppress(Exception):
                future.set_exception(error)
