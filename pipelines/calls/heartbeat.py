"""The heartbeat of a run."""

import math
from collections.abc import Callable

from connectors.clock import SYSTEM_CLOCK, Clock
from pipelines.state.lease import HEARTBEAT_S


class Heartbeat:
    """Beats at intervals, however often it is asked to."""

    def __init__(self, beat: Callable[[], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._beat = beat
        self._clock = clock
        self._beaten_at = -math.inf

    def beat_when_due(self) -> None:
        if self._clock.monotonic() - self._beaten_at > HEARTBEAT_S:
            self._beat()
            self._beaten_at = self._clock.monotonic()
