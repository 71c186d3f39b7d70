"""The strict limit: the accepted calls of an App in any sliding second, by their time of arrival."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

WINDOW_S = 1.0


@dataclass(slots=True)
class SlidingSecond:
    _accepted: list[float] = field(default_factory=list)  # in order, the last two windows

    def admits(self, at: float, limit: int) -> bool:
        """Accept a call unless a window would hold more than `limit`; a refused call leaves no trace.

        Calls are judged when their body is complete, so not always in the order in which they arrived.
        """
        # Two windows are kept, not one: a call with a long body is judged after calls that arrived later.
        old = sum(1 for _ in takewhile(lambda earlier: earlier < at - 2 * WINDOW_S, self._accepted))
        del self._accepted[:old]
        bisect.insort(self._accepted, at)
        if limit and _fullest(self._accepted) > limit:
            self._accepted.remove(at)
            return False
        return True


@dataclass(slots=True)
class LimitPerApp:
    """A sliding second for each App: all accounts of one share it, and no App counts for another."""

    _windows: dict[str, SlidingSecond] = field(default_factory=dict)

    def admits(self, app_id: str, at: float, limit: int) -> bool:
        return self._windows.setdefault(app_id, SlidingSecond()).admits(at, limit)


def most_in_a_second(arrivals: Iterable[float]) -> int:
    return _fullest(sorted(arrivals))


def _fullest(ordered: list[float]) -> int:
    """The most instants in any window of one second, its end not included."""
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most
