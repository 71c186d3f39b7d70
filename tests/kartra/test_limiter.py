"""Pacing: never 21 permits in a second, whoever asks, and no process that dies stops the others.

Over 400 lines: one promise, asked of threads, processes, clocks, broken files and a window without a clock.
"""

import math
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.kartra import commands
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call, Lead, get_lead
from connectors.kartra.limiter import (
    LEARNED_AGAIN_S,
    LEARNED_HALF_LIFE_S,
    LEARNED_MAX_S,
    LEARNED_STEP_S,
    MARGIN_S,
    SPREAD_FACTOR,
    SPREAD_FROM,
    SPREAD_MAX_S,
    STAMPS,
    THROTTLED_PAUSE_S,
    CallLimiter,
    HostBucket,
    Spread,
    Window,
)
from connectors.kartra.sandbox import Sandbox
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials, encode_call

HERE = Path(__file__).parents[2]
BUDGET = {"permits": 20, "seconds": 1.0}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.window"


@contextmanager
def limiter(path: Path, rate: float = 20) -> Iterator[CallLimiter]:
    opened = CallLimiter(path, calls_per_second=rate)
    yield opened
    opened.close()


def stamps(path: Path) -> set[int]:
    """When the last permits of this App were given, in milliseconds of CLOCK_MONOTONIC."""
    bucket = HostBucket(path, **BUDGET)

    def look() -> list[int]:
        return [item.timestamp for index in range(STAMPS) if (item := bucket.peek(index))]

    seen = look()
    while seen != (again := look()):  # somebody wrote meanwhile
        seen = again
    return set(seen)


def most_in_a_second(given_at: set[int]) -> int:
    return max(sum(at <= other < at + 1000 for other in given_at) for at in given_at)


def take(limiter: CallLimiter, path: Path, count: int, threads: int) -> set[int]:
    """So many permits by so many threads; gives every stamp that was seen after one of them."""

    def one(_: int) -> set[int]:
        assert limiter.acquire(timeout_s=60)
        return stamps(path)

    with ThreadPoolExecutor(threads) as pool:
        return set().union(*pool.map(one, range(count)))


PROCESS = """
import sys
from pathlib import Path
from tests.kartra.test_limiter import limiter, take
path = Path(sys.argv[1])
with limiter(path) as opened:
    print("ready", flush=True)
    sys.stdin.readline()
    print(*take(opened, path, int(sys.argv[2]), 3))
"""


def start(*words: object, script: str = PROCESS, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=HERE,
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str]) -> str:
    """Let a process that waits for a line go on; gives what it says until it ends."""
    told, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return told


# --- who asks


def test_twelve_threads_never_get_21_permits_in_a_second(path: Path) -> None:
    with limiter(path) as opened:
        given_at = take(opened, path, 50, threads=12)
    assert len(given_at) == 50
    assert most_in_a_second(given_at) <= 20


def test_four_processes_of_one_app_never_get_21_permits_in_a_second(path: Path) -> None:
    processes = [start(path, 11) for _ in range(4)]
    assert [line(process) for process in processes] == ["ready"] * 4
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(ended, processes))
    given_at = {int(word) for words in told for word in words.split()}
    assert len(given_at) == 4 * 11
    assert most_in_a_second(given_at) <= 20


def test_two_apps_do_not_wait_for_each_other(tmp_path: Path) -> None:
    paths = [tmp_path / "one.window", tmp_path / "other.window"]

    def run(path: Path) -> set[int]:
        with limiter(path) as opened:
            return take(opened, path, 30, threads=4)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, paths)
    assert max(most_in_a_second(one), most_in_a_second(other)) <= 20
    window = [sum(at <= stamp < at + 1000 for stamp in one) for at in one]
    beside = [sum(at <= stamp < at + 1000 for stamp in other) for at in one]
    assert max(mine + theirs for mine, theirs in zip(window, beside, strict=True)) > 20


def test_a_slower_rate_is_kept(path: Path) -> None:
    with limiter(path, 2.5) as opened:
        given_at = sorted(take(opened, path, 5, threads=3))
    assert len(given_at) == 5
    assert all(later - earlier >= 800 for earlier, later in zip(given_at, given_at[2:], strict=False))


def test_an_app_at_one_endpoint_has_one_window_and_no_file_tells_its_name(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom connectors.kartra.limiter import limiter_for\n"
        "for url, app in (word.split('|') for word in sys.argv[1:]):\n"
        "    limiter = limiter_for(url, app, calls_per_second=20)\n"
        "    assert limiter.acquire(timeout_s=30)\n    limiter.close()\n"
    )
    api = "https://app.kartra.com/api"
    apps = [f"{api}|SECRETAPP", f"{api}/|SECRETAPP", f"{api}|OTHERAPP", "http://127.0.0.1:1/api|SECRETAPP"]
    ended(start(*apps, script=script, KARTRA_SYNC_PACING=str(tmp_path)))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    windows = [file for file in files if file.suffix == ".window"]
    assert sorted(len(stamps(window)) for window in windows) == [1, 1, 2]
    told = " ".join(f"{file.name} {file.read_bytes()!r}" for file in files)
    assert [word for word in ("SECRETAPP", "OTHERAPP", "kartra.com") if word in told] == []


def test_another_user_of_this_host_may_use_the_same_window(tmp_path: Path) -> None:
    script = (
        "import os\nfrom connectors.kartra.limiter import limiter_for\nos.umask(0o022)\n"
        "limiter = limiter_for('https://app.kartra.com/api', 'APP', calls_per_second=20)\n"
        "assert limiter.acquire(timeout_s=30)\nlimiter.close()\n"
    )
    ended(start(script=script, KARTRA_SYNC_PACING=str(tmp_path)))
    modes = {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {".window": 0o666}


# --- clocks


def test_a_permit_is_stamped_by_the_clock_that_no_step_moves(path: Path) -> None:
    with limiter(path) as opened:
        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1000
        given_at = take(opened, path, 1, threads=1)
        after = time.clock_gettime(time.CLOCK_MONOTONIC) * 1000
    (stamp,) = given_at
    assert before - 1 <= stamp <= after + 1


def test_a_permit_is_stamped_after_the_wait_for_it(path: Path) -> None:
    with limiter(path) as opened:
        assert opened.acquire()
        for _ in range(3):
            opened.throttled()
        asked_at = time.monotonic()
        assert opened.acquire()
    assert max(stamps(path)) >= 1000 * (asked_at + 1.0)


# --- processes that die, files that are broken

HOLDER = """
import fcntl, pathlib, sys
held = [open(file, "r+b") for file in pathlib.Path(sys.argv[1]).iterdir()]
for file in held:
    fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


def test_the_window_reckons_from_the_moment_a_call_has_left(path: Path) -> None:
    with limiter(path, rate=1) as opened:
        permit = opened.acquire()
        time.sleep(0.3)
        opened.sent(permit)
        left_at = time.monotonic()
        assert opened.acquire() >= left_at + 1.0
    assert permit < left_at


def test_a_permit_that_is_forgotten_already_moves_no_other() -> None:
    window = Window().stamped(1.0).stamped(2.0)
    assert window.sent(0.5, 3.0) == window
    assert window.sent(1.0, 3.0).stamps[-2:] == (2.0, 3.0)


def test_a_process_killed_while_it_holds_the_lock_blocks_nobody(path: Path) -> None:
    with limiter(path) as opened:
        assert opened.acquire(timeout_s=30)
        holder = start(path.parent, script=HOLDER)
        assert line(holder) == "held"
        waiting = threading.Thread(target=opened.acquire, daemon=True)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()  # the lock was held, so nothing is given
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
        waiting.join(30)
        assert not waiting.is_alive()
    assert len(stamps(path)) == 2


def test_processes_killed_at_any_instant_leave_a_window_that_holds(path: Path) -> None:
    chance = random.Random(7)
    for _ in range(2):
        process = start(path, 1000)
        assert line(process) == "ready"
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        time.sleep(chance.uniform(0.05, 0.3))
        process.kill()
        process.communicate()
    before = stamps(path)
    assert before
    with limiter(path) as opened:
        assert most_in_a_second(before | take(opened, path, 22, threads=4)) <= 20


FORM = struct.Struct(f"<4s{STAMPS + 3}d")
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda whole: whole[:50],
    "too long": lambda whole: whole + b"\0",
    "foreign": lambda whole: b"PK\x03\x04" + whole[4:],
    "zeros": lambda whole: bytes(len(whole)),
    "text": lambda _: b"Email,City\n" * 50,
    "not a number": lambda whole: whole[:4] + struct.pack("<d", float("nan")) * (STAMPS + 3),
    "infinite": lambda whole: whole[:4] + struct.pack("<d", float("inf")) * (STAMPS + 3),
    "huge": lambda whole: whole[:4] + struct.pack("<d", 1e300) * (STAMPS + 3),
    "below zero": lambda whole: whole[:4] + struct.pack("<d", -1e300) * (STAMPS + 3),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_window_file_is_survived(path: Path, name: str) -> None:
    with limiter(path) as opened:
        assert opened.acquire(timeout_s=30)
        path.write_bytes(BROKEN[name](path.read_bytes()))
        assert opened.acquire(timeout_s=10)
        assert opened.acquire(timeout_s=10)
    now = time.monotonic() * 1000 + 1
    assert sum(now - 20_000 <= stamp <= now for stamp in stamps(path)) == 2


# --- 429


def test_after_three_429s_of_one_second_every_process_waits(path: Path) -> None:
    processes = [start(path, 1) for _ in range(2)]
    assert [line(process) for process in processes] == ["ready"] * 2
    with limiter(path) as opened:
        throttled_at = time.monotonic()
        for _ in range(3):
            opened.throttled()
        with ThreadPoolExecutor(3) as pool:
            told = pool.map(ended, processes)
            assert opened.acquire()
            given_at = {int(word) for words in told for word in words.split()} | stamps(path)
    assert len(given_at) == 3
    assert min(given_at) >= 1000 * (throttled_at + 1.0)


def learned_in(path: Path) -> float:
    """Seconds of extra window that lie in the file now."""
    _, *told = FORM.unpack(path.read_bytes())
    return Window(tuple(told[:STAMPS]), *told[STAMPS:]).learned(time.monotonic())


def test_a_new_process_starts_with_what_was_learned(path: Path) -> None:
    with limiter(path) as opened:
        assert opened.acquire(timeout_s=30)
    path.write_bytes(FORM.pack(b"ksw1", *[0.0] * STAMPS, 0.0, LEARNED_MAX_S, time.monotonic()))
    process = start(path, 3)
    assert line(process) == "ready"
    first, second, third = sorted(int(word) for word in ended(process).split())
    assert min(second - first, third - second) >= 1000 * learned_in(path) / STAMPS > 80


def test_beside_another_program_on_the_app_refusals_become_rare(path: Path) -> None:
    """The other one knows nothing of our window and makes 8 calls a second the whole time.

    While we learn, a call in ten or so is refused. Of the last 40 at most 4 are, and every one is done.
    """
    with Sandbox(latency_s=0.1) as sandbox:
        given = sandbox.credentials
        credentials = Credentials(given.app_id, given.api_key, given.api_password)
        client = Sender(sandbox.url, credentials, CallLimiter(path, calls_per_second=20))
        ours = Call((commands.assign_tag("VIP"),), Lead(email="jo@example.com"))
        theirs = encode_call(credentials, get_lead(email="jo@example.com"))
        stop = threading.Event()

        def other_program() -> None:
            with requests.Session() as session:
                while not stop.wait(0.25):
                    session.post(sandbox.url, data=theirs, headers=FORM_TYPE, timeout=30)

        with ThreadPoolExecutor(10) as pool:
            others = [pool.submit(other_program) for _ in range(3)]
            try:
                answers = [pool.submit(client.send, ours) for _ in range(160)]
                effects = [answer.result(timeout=120).effect for answer in answers]
            finally:
                stop.set()
            for other in others:
                other.result(timeout=30)
        client.close()
        tried = [call for call in sandbox.calls if "assign_tag" in call.commands]
    assert effects == [Effect.DONE] * 160
    assert sum(call.executed for call in tried) == 160
    assert sum(call.http_status == 429 for call in tried[-40:]) <= 4
    assert learned_in(path) > 0.2


# --- waiting in vain


def test_a_permit_is_not_given_when_it_would_be_too_late(path: Path) -> None:
    with limiter(path) as opened:
        for _ in range(3):
            opened.throttled()
        assert not opened.acquire(timeout_s=0.1)
        assert not opened.acquire(timeout_s=0)
    assert stamps(path) == set()


def test_a_call_that_is_given_up_gets_no_permit(path: Path) -> None:
    with limiter(path) as opened:
        assert not opened.acquire(given_up=lambda: True)
        stop = threading.Event()
        for _ in range(3):
            opened.throttled()
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(opened.acquire, given_up=stop.is_set) for _ in range(3)]
            for _ in range(20):
                opened.throttled()  # nobody gets a permit as long as this goes on
                time.sleep(0.01)
            stop.set()
            for _ in range(120):
                opened.throttled()
                time.sleep(0.01)
            assert [call.result(timeout=30) for call in waiting] == [False] * 3
    assert stamps(path) == set()


# --- the window, without a clock


def full(last: float, *, apart: float = 0.04) -> Window:
    """20 permits, so far apart, the newest at `last`."""
    return Window(tuple(last - apart * back for back in reversed(range(STAMPS))))


def test_a_fresh_window_gives_a_permit_at_once() -> None:
    assert Window().wait(1000.0, **BUDGET) <= 0


def test_the_twenty_first_permit_waits_until_the_first_has_left_the_window() -> None:
    window = full(1000.0)
    first = window.stamps[0]
    assert window.wait(1000.0, **BUDGET) == pytest.approx(first + 1.0 + MARGIN_S - 1000.0)
    assert window.wait(first + 1.0 + MARGIN_S + 1e-6, **BUDGET) <= 0


def test_permits_are_spread_over_the_second() -> None:
    window = Window().stamped(1000.0)
    assert 0 < window.wait(1000.0, **BUDGET) < 0.05
    assert window.wait(1000.05, **BUDGET) <= 0


def test_a_stamp_takes_the_place_of_the_oldest() -> None:
    window = full(1000.0)
    assert window.stamped(1001.0).stamps == (*window.stamps[1:], 1001.0)


def test_stamps_of_another_boot_do_not_hold_anybody_up() -> None:
    another_boot = replace(full(900_000.0), paused_until=900_001.0, learned_s=0.2, learned_at=900_000.0)
    assert another_boot.wait(1000.0, **BUDGET) <= 0
    assert another_boot.learned(1000.0) == 0.0


def test_stamps_of_another_boot_do_not_hide_those_of_this_one() -> None:
    window = full(900_000.0)
    for number in range(STAMPS):
        window = window.stamped(1000.0 + 0.04 * number)
    assert window.wait(1000.9, **BUDGET) == pytest.approx(0.1 + MARGIN_S)


def test_a_429_teaches_a_step_that_fades_and_stops_nobody_else() -> None:
    window = full(1000.0).throttled(1000.0)
    assert window.wait(1000.0, **BUDGET) == pytest.approx(
        full(1000.0).wait(1000.0, **BUDGET) + LEARNED_STEP_S
    )
    assert window.learned(1000.0) == LEARNED_STEP_S
    assert window.learned(1000.0 + LEARNED_HALF_LIFE_S) == pytest.approx(LEARNED_STEP_S / 2)
    assert window.learned(1000.0 + 20 * LEARNED_HALF_LIFE_S) < 1e-7


@pytest.mark.parametrize(
    ("spread_s", "extra_s"),
    [
        (0.1, SPREAD_FACTOR * 0.1 - MARGIN_S),
        (0.015, LEARNED_STEP_S),
        (0.9, SPREAD_MAX_S - MARGIN_S),
    ],
)
def test_a_429_teaches_how_unevenly_answers_came(spread_s: float, extra_s: float) -> None:
    assert Window().throttled(1000.0, spread_s).learned(1000.0) == pytest.approx(extra_s)


def test_what_the_way_has_taught_is_renewed_once_it_has_faded_and_doubled_before() -> None:
    taught_s = SPREAD_FACTOR * 0.1 - MARGIN_S
    window = Window().throttled(1000.0, 0.1)
    assert window.throttled(1040.0, 0.1).learned(1040.0) == pytest.approx(taught_s)
    at_once = replace(window, learned_at=1005.0).throttled(1007.0, 0.02)
    assert at_once.learned(1007.0) == pytest.approx(2 * taught_s + LEARNED_STEP_S, rel=0.05)


def test_how_uneven_the_way_is_shows_in_the_answers_but_for_a_few_slow_ones() -> None:
    spread = Spread()
    for number in range(SPREAD_FROM - 1):
        spread.answered(0.3 + 0.005 * number)
    assert spread.seconds == 0.0
    for number in range(200):
        spread.answered(0.3 + 0.0005 * number)
    for _ in range(5):
        spread.answered(4.0)
    assert 0.09 < spread.seconds < 0.1


def test_what_was_learned_widens_the_window() -> None:
    window = replace(full(1000.0), learned_s=0.1, learned_at=1000.0)
    assert window.wait(1000.0, **BUDGET) == pytest.approx(full(1000.0).wait(1000.0, **BUDGET) + 0.1)


def test_the_answers_of_one_storm_teach_one_step_and_the_third_pauses_everyone() -> None:
    second = Window().throttled(1000.0).throttled(1000.1)
    assert second.wait(1000.1, **BUDGET) <= 0
    window = second.throttled(1000.9)
    assert (window.learned_s, window.learned_at) == (LEARNED_STEP_S, 1000.0)
    assert window.wait(1000.9, **BUDGET) == pytest.approx(THROTTLED_PAUSE_S)
    later = window.throttled(1002.0)
    assert later.learned(1002.0) == pytest.approx(3 * LEARNED_STEP_S, rel=0.05)


def after_storms(count: int, *, apart_s: float) -> tuple[Window, float]:
    """The window after so many 429s, and the moment of the last one."""
    window, now = Window(), 1000.0
    for number in range(count):
        now = 1000.0 + apart_s * number
        window = window.throttled(now)
    return window, now


def test_429s_that_go_on_coming_double_what_is_learned() -> None:
    learned = [window.learned(now) for window, now in (after_storms(n, apart_s=2.0) for n in range(1, 8))]
    steps = [(2**n - 1) * LEARNED_STEP_S for n in range(1, 8)]
    assert learned == pytest.approx(steps, rel=0.15)  # a little fades between two storms


@pytest.mark.parametrize("apart_s", [LEARNED_AGAIN_S, 60.0, 3600.0])
def test_a_429_now_and_then_costs_next_to_nothing(apart_s: float) -> None:
    window, now = after_storms(1000, apart_s=apart_s)
    fades_to = math.exp2(-apart_s / LEARNED_HALF_LIFE_S)
    assert window.learned(now) == pytest.approx(LEARNED_STEP_S / (1 - fades_to))
    assert window.learned(now) < 0.1


def test_storm_after_storm_never_widens_the_window_beyond_its_limit() -> None:
    window, now = after_storms(200, apart_s=2.0)
    assert window.learned(now) == LEARNED_MAX_S


@pytest.mark.parametrize("permits", [20, 5, 2, 1])
def test_at_its_widest_the_window_still_gives_a_third_of_the_rate(permits: int) -> None:
    window, started = after_storms(200, apart_s=2.0)
    now = started
    for _ in range(permits + 10):
        now += max(0.0, window.wait(now, permits=permits, seconds=1.0)) + 1e-9
        window = replace(window.stamped(now), learned_at=now)  # nothing fades
    windows = (now - started) * permits / (permits + 10)
    assert 1 <= windows <= 3.6  # the pause of the last storm is in it


def test_what_was_learned_spreads_the_calls_as_well() -> None:
    """A burst of ours would be refused together with the calls of the other program."""
    window = replace(Window().stamped(1000.0), learned_s=1.0, learned_at=1000.0)
    assert Window().stamped(1000.0).wait(1000.0, **BUDGET) == pytest.approx(0.030)
    assert window.wait(1000.0, **BUDGET) == pytest.approx(0.030 + 1.0 / 20)


def test_when_the_other_program_has_stopped_the_rate_comes_back() -> None:
    window, stopped_at = after_storms(7, apart_s=2.0)
    assert window.learned(stopped_at) > 1.0
    window, given_at = window, []
    now = stopped_at
    while now < stopped_at + 5 * LEARNED_HALF_LIFE_S:
        now += max(0.0, window.wait(now, **BUDGET)) + 1e-9
        window = window.stamped(now)
        given_at.append(now - stopped_at)

    def a_second_before(end: float) -> float:
        return sum(end - LEARNED_HALF_LIFE_S <= at < end for at in given_at) / LEARNED_HALF_LIFE_S

    by_half_life = [a_second_before(LEARNED_HALF_LIFE_S * number) for number in range(1, 6)]
    assert by_half_life == sorted(by_half_life)
    assert by_half_life[0] < 13.3 < 18.3 < by_half_life[-1]


def test_what_another_boot_has_learned_does_not_keep_this_one_from_learning() -> None:
    another_boot = Window(learned_s=0.05, learned_at=900_000.0)
    assert another_boot.throttled(1000.0).learned(1000.0) == LEARNED_STEP_S


numbers = st.floats()
windows = st.builds(
    Window,
    stamps=st.lists(numbers, min_size=STAMPS, max_size=STAMPS).map(tuple),
    paused_until=numbers,
    learned_s=numbers,
    learned_at=numbers,
)


@given(window=windows, now=st.floats(1.0, 1e7))
@example(window=replace(full(1000.0), learned_s=1e300, learned_at=1000.0), now=1000.0)
@example(window=replace(full(1000.0), learned_s=math.inf, learned_at=1000.0), now=1000.0)
@example(window=replace(full(1000.0), paused_until=math.inf), now=1000.0)
def test_whatever_a_window_holds_it_holds_nobody_up_for_long(window: Window, now: float) -> None:
    assert window.wait(now, **BUDGET) <= 1.0 + MARGIN_S + LEARNED_MAX_S + 1e-6


HALF_A_SECOND_AGO = [0.5] * STAMPS


@given(
    window=windows, now=st.floats(100.0, 1e6), ages=st.lists(st.floats(0.0, 0.99), min_size=20, max_size=20)
)
@example(window=Window(learned_s=math.nan), now=1000.0, ages=HALF_A_SECOND_AGO)
@example(window=Window(learned_s=-1.0, learned_at=1000.0), now=1000.0, ages=HALF_A_SECOND_AGO)
@example(window=Window(learned_at=math.nan), now=1000.0, ages=HALF_A_SECOND_AGO)
@example(window=Window(paused_until=math.nan), now=1000.0, ages=HALF_A_SECOND_AGO)
def test_whatever_else_a_window_holds_no_21st_permit_is_given(
    window: Window, now: float, ages: list[float]
) -> None:
    used = replace(window, stamps=tuple(now - age for age in sorted(ages, reverse=True)))
    assert used.wait(now, **BUDGET) > 0


@given(pauses=st.lists(st.floats(0.0, 0.3), min_size=60, max_size=60), storms=st.sets(st.integers(0, 59)))
def test_whenever_permits_are_asked_for_no_second_has_21(pauses: list[float], storms: set[int]) -> None:
    window, now, given_at = Window(), 1000.0, []
    for number, pause_s in enumerate(pauses):
        now += pause_s
        if number in storms:
            window = window.throttled(now)
        now += max(0.0, window.wait(now, **BUDGET)) + 1e-9
        window = window.stamped(now)
        given_at.append(now)
    assert all(later - earlier >= 1.0 for earlier, later in zip(given_at, given_at[STAMPS:], strict=False))
