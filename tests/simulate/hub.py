"""Virtual time, and what happens in it: one thread, one heap of events, a seed that orders what is at once.

What blocks in the product (a sleep, a permit, an answer) blocks a greenlet here: it goes on when its event
is due. A process that dies goes on nowhere.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from greenlet import getcurrent, greenlet

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOST_EVENTS = 200_000
"""Of one life: one that has more of them never ends."""


class NeverEndsError(AssertionError):
    """A life goes on and on."""


@dataclass
class Hub:
    """Seconds since START, and what is still to happen. `met` counts situations by name."""

    chance: Random
    seconds: float = 1000.0
    events: int = 0
    met: Counter[str] = field(default_factory=Counter)
    trace: list[str] | None = None
    """What happened, in order, where somebody wants to read it."""
    _heap: list[tuple[float, float, int, Callable[[], None]]] = field(default_factory=list)
    _ticket: "itertools.count[int]" = field(default_factory=itertools.count)
    _main: greenlet = field(default_factory=getcurrent)

    @property
    def now(self) -> datetime:
        """The true time; Kartra's clock shows it."""
        return START + timedelta(seconds=self.seconds)

    def note(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.seconds:12.3f} {what}")

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """`action` happens then; of several at one time, the seed decides which is first."""
        order = self.chance.random()
        heapq.heappush(self._heap, (max(seconds, self.seconds), order, next(self._ticket), action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        self.at(self.seconds + delay_s, action)

    def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Until nothing is to happen any more, or it is over."""
        while self._heap and not is_over():
            seconds, _, _, action = heapq.heappop(self._heap)
            self.seconds = max(self.seconds, seconds)
            self.events += 1
            if self.events > MOST_EVENTS:
                raise NeverEndsError("a life does not end")
            action()

    def switch_away(self) -> None:
        """Let the others go on; comes back when somebody switches to this greenlet."""
        self._main.switch()

    @property
    def main(self) -> greenlet:
        return self._main
