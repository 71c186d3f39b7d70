"""The heartbeat of a run."""

import math
from collections.abc import Callable
from datetime import timedelta

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.state.lease import DEAD_AFTER, HEARTBEAT_S


def silent_after_s(dead_after: timedelta) -> float:
    """Long before another process may take the lease of one that does not beat."""
    return dead_after.total_seconds() / 2


class Heartbeat:
    """Beats at intervals, however often it is asked to."""

    def __init__(self, beat: Callable[[], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._beat = beat
        self._clock = clock
        self._beaten_at = -math.inf

    def beat_when_due(self) -> None:
        if self._clock.monotonic() - self._beaten_at > HEARTBEAT_S:
            # A beat is a commit, and the loop asks several times a second.
            self._beat()
            self._beaten_at = self._clock.monotonic()


class Pulse:
    """Whether a run beat lately enough to be sure of its lease, where no lock keeps it. Any thread may ask.

    A process that was stopped, or a machine that was asleep, goes on where it was: with calls whose intents
    another run has settled meanwhile.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, dead_after: timedelta = DEAD_AFTER) -> None:
        self._clock = clock
        self._silent_after_s = silent_after_s(dead_after)
        self._beaten_at = (clock.monotonic(), clock.now())

    def beat(self) -> None:
        self._beaten_at = (self._clock.monotonic(), self._clock.now())

    @property
    def is_silent(self) -> bool:
        """By either clock: the one stands still while a machine is asleep, the other may be set."""
        monotonic_s, at = self._beaten_at
        silent_s = max(self._clock.monotonic() - monotonic_s, (self._clock.now() - at).total_seconds())
        return silent_s > self._silent_after_s
