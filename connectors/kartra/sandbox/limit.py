"""The strict limit: so many accepted calls in any sliding second, by the time of arrival."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

WINDOW_S = 1.0


@dataclass(slots=True)
class SlidingSecond:
    _accepted: list[float] = field(default_factory=list)  # in order, the last two windows

    def admits(self, at: float, limit: int) -> bool:
        """Accepts a call unless a window would hold more than `limit`; a refused call leaves no trace.

        Calls are judged when their body is complete, so not always in the order in which they arrived.
        """
        old = sum(1 for _ in takewhile(lambda earlier: earlier < at - 2 * WINDOW_S, self._accepted))
        del self._accepted[:old]
        bisect.insort(self._accepted, at)
        if limit and _fullest(self._accepted) > limit:
            self._accepted.remove(at)
            return False
        return True


def most_in_a_second(arrivals: Iterable[float]) -> int:
    return _fullest(sorted(arrivals))


def _fullest(ordered: list[float]) -> int:
    """The most instants in any half-open window."""
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most
