"""A run says that it is alive; and one that was silent for long is not sure of its lease any more."""

from itertools import pairwise
from random import Random

import pytest

from pipelines.calls.heartbeat import SILENT_AFTER_S, Heartbeat, Pulse
from pipelines.state.lease import DEAD_AFTER, HEARTBEAT_S
from tests.calls.virtual import VirtualTime


def test_a_beat_now_and_then_however_often_it_is_asked_for() -> None:
    time, beats = VirtualTime(), list[float]()
    heart = Heartbeat(lambda: beats.append(time.seconds), time.clock)
    chance = Random(1)
    while time.seconds < 60:
        heart.beat_when_due()
        time.pass_by(chance.uniform(0.1, 1.0))
    apart = [later - earlier for earlier, later in pairwise(beats)]
    assert beats[0] == 0.0
    assert all(HEARTBEAT_S < seconds < HEARTBEAT_S + 1.0 for seconds in apart)


@pytest.mark.parametrize(("seconds", "is_silent"), [(SILENT_AFTER_S - 1, False), (SILENT_AFTER_S + 1, True)])
def test_who_was_stopped_for_long_is_silent_until_it_beats(seconds: float, is_silent: bool) -> None:
    time = VirtualTime()
    pulse = Pulse(time.clock)
    time.pass_by(seconds)
    assert pulse.is_silent is is_silent
    pulse.beat()
    assert not pulse.is_silent


def test_nobody_may_take_the_lease_of_who_is_not_silent_yet() -> None:
    assert DEAD_AFTER.total_seconds() > SILENT_AFTER_S + 2 * HEARTBEAT_S
