"""A run says that it is alive; and one that was silent for long is not sure of its lease any more."""

from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from pipelines.calls.heartbeat import Heartbeat, Pulse, silent_after_s
from pipelines.state.lease import DEAD_AFTER, DEAD_AFTER_ON_A_SERVER, HEARTBEAT_S
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


@pytest.mark.parametrize("dead_after", [DEAD_AFTER, DEAD_AFTER_ON_A_SERVER])
@pytest.mark.parametrize(("seconds", "is_silent"), [(-1, False), (1, True)])
def test_who_was_stopped_for_long_is_silent_until_it_beats(
    seconds: float, is_silent: bool, dead_after: timedelta
) -> None:
    time = VirtualTime()
    pulse = Pulse(time.clock, dead_after)
    time.pass_by(silent_after_s(dead_after) + seconds)
    assert pulse.is_silent is is_silent
    pulse.beat()
    assert not pulse.is_silent


@pytest.mark.parametrize("dead_after", [DEAD_AFTER, DEAD_AFTER_ON_A_SERVER])
def test_nobody_may_take_the_lease_of_who_is_not_silent_yet(dead_after: timedelta) -> None:
    assert dead_after.total_seconds() > silent_after_s(dead_after) + 2 * HEARTBEAT_S
