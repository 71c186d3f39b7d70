"""Time as a value that is handed in, so that a run can be played under a clock of its own."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.state.clock import utc_now
from pipelines.state.lease import HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is an aware instant in UTC, `monotonic` seconds that never go back, `sleep` takes seconds."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class Heartbeat:
    """Says that the work is alive, once in a while however often it is asked to."""

    def __init__(self, beat: Callable[[], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._beat = beat
        self._clock = clock
        self._beaten_at = -math.inf

    def look_alive(self) -> None:
        if self._clock.monotonic() - self._beaten_at > HEARTBEAT_S:
            self._beat()
            self._beaten_at = self._clock.monotonic()
