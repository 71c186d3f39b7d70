"""Pacing: one sliding window per App, shared by every thread and every process of this host.

The waiting is pyrate-limiter's. The bucket is ours, because the shipped ones stamp a permit with the moment
it was asked for, and two of the three kinds live in one process. Here a permit carries the moment it was
*given*, after the sleep, and then the moment at which its call was *sent*. The last permits of an App are
kept in one small file under a lock that the operating system drops when a process dies. Times are
CLOCK_MONOTONIC, which all processes of a host share and which no clock step moves.

Calls that take 0 to 100 ms to arrive are counted in bunches, and another program may use the same App: only
429s show either. So the window learns. A 429 teaches it how unevenly the answers came of late, because two
calls may be as far apart on their way; one that comes soon after the last doubles what was learned, down to a
third of the rate. What was learned fades, so the rate recovers. The file keeps it for the next process.

After a 429 its call waits a second, as Kartra asks. Everyone else waits as long as the window, which is wider
at once, demands; and for a whole second after the third 429 of one second, because then the window is wrong.
"""

import logging
import math
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

from pyrate_limiter import AbstractBucket, Limiter, Rate, RateItem, SingleBucketFactory

from connectors.kartra.window_file import PLACE_VARIABLE, WindowFile, file_in, own_folders, shared_folder

log = logging.getLogger("kartra_sync.client")

MARGIN_S = 0.020
"""Added to the window, because calls reach the server with jitter and the server counts arrivals."""
LEARNED_STEP_S = 0.010
"""What a 429 adds to the window. Little, because it may be jitter on the way."""
LEARNED_AGAIN_S = 10.0
"""A 429 within this time after the last one doubles what was learned, then adds its step."""
LEARNED_MAX_S = 2.0
"""Slows 20 calls a second down to 20 in 3 s and no further: 429s at random, as in an outage, do not mean a
second program, and the pause after each does the rest. A lower rate takes its share."""
LEARNED_HALF_LIFE_S = 64.0
SPREAD_OF = 256
"""So many answers of this process tell how uneven the way is."""
SPREAD_FROM = 20
SPREAD_SHARE = 0.96
"""The share of answers that lies within the spread; the last few of a hundred are slow for other reasons."""
SPREAD_FACTOR = 1.1
"""Learned is a little more than what was seen, because it begins to fade at once."""
SPREAD_MAX_S = 0.15
"""Answers that are further apart show how uneven Kartra's work is, and not the way to it."""
# Less than a millionth of it is left by then.
_FORGOTTEN_S = 20 * LEARNED_HALF_LIFE_S
THROTTLED_PAUSE_S = 1.05
"""Kartra asks for a wait of one second after a 429 (§2.1)."""
GAP_SHARE = 0.6
"""The least gap between two calls, as a share of the mean interval: calls are spread, never in a burst.

What was learned counts in full: beside another program a burst is what gets refused."""

LEFT_AT_ONCE_S = 0.002
"""A call that left so soon after its permit keeps the permit's stamp: a tenth of the margin, one write
less."""
LOCKED_AGAIN_S = 0.05
LOCKED_WARNED_S = 10.0
"""After so long a warning says who holds the lock. Without the lock the window is unknown: calls wait for
it."""
ALONE_FACTOR = 2.0
"""The slowdown of a process that cannot share the window: two of them stay within the limit together."""
# The highest rate looks back over so many (§2.1).
STAMPS = 20
_LAYOUT = struct.Struct(f"<4s{STAMPS + 3}d")
_MAGIC = b"ksw1"


@dataclass(frozen=True, slots=True)
class Window:
    """The content of the file: the last permits (oldest first, 0 for none), the pause, what 429s taught.

    A pause without a length marks the second 429 of a second: the third makes everyone wait.
    """

    stamps: tuple[float, ...] = (0.0,) * STAMPS
    paused_until: float = 0.0
    learned_s: float = 0.0
    learned_at: float = 0.0

    def learned(self, now: float) -> float:
        """Seconds of extra window still in force."""
        age = now - self.learned_at
        if not 0 <= age <= _FORGOTTEN_S or not 0 <= self.learned_s < math.inf:
            return 0.0
        return min(self.learned_s, LEARNED_MAX_S) * math.exp2(-age / LEARNED_HALF_LIFE_S)

    def wait(self, now: float, *, permits: int, seconds: float) -> float:
        """Seconds until a permit may be given; 0 or less means now."""
        learned_s = min(self.learned(now), LEARNED_MAX_S * permits / STAMPS)
        window_s = seconds + MARGIN_S + learned_s
        # CLOCK_MONOTONIC begins anew with each boot: a stamp of the boot before lies in the future.
        past = [stamp for stamp in self.stamps if 0 < stamp <= now]
        # No pause ends later than that: one that does is of the boot before, too.
        free_at = self.paused_until if self.paused_until <= now + THROTTLED_PAUSE_S else 0.0
        if past:
            free_at = max(free_at, past[-1] + (GAP_SHARE * seconds + learned_s) / permits)
        if len(past) >= permits:
            free_at = max(free_at, past[-permits] + window_s)
        return free_at - now

    def stamped(self, now: float) -> "Window":
        return replace(self, stamps=(*self.stamps[1:], now))

    def sent(self, permit: float, now: float) -> "Window":
        """Moves the stamp of a permit to the moment at which its call left."""
        # Sorted, because `wait` counts from the end, and a call that left late may belong behind later
        # permits.
        return replace(self, stamps=tuple(sorted(now if at == permit else at for at in self.stamps)))

    def throttled(self, now: float, spread_s: float = 0.0) -> "Window":
        """The window after a 429. `spread_s`: how unevenly answers came of late; 0 where that is unknown.

        Several answers of one burst teach as one.
        """
        since_last_s = now - self.learned_at if self.learned_at else math.inf
        if 0 <= since_last_s < THROTTLED_PAUSE_S:
            is_third = self.learned_at <= self.paused_until <= now + THROTTLED_PAUSE_S
            return replace(self, paused_until=now + THROTTLED_PAUSE_S if is_third else now)
        known_s = self.learned(now)
        again = 0 <= since_last_s < LEARNED_AGAIN_S
        stepped_s = known_s * (2 if again else 1) + LEARNED_STEP_S
        uneven_s = min(SPREAD_FACTOR * spread_s, SPREAD_MAX_S) - MARGIN_S
        learned_s = uneven_s if uneven_s > known_s else stepped_s
        return replace(self, learned_s=min(learned_s, LEARNED_MAX_S), learned_at=now)

    def to_bytes(self) -> bytes:
        return _LAYOUT.pack(_MAGIC, *self.stamps, self.paused_until, self.learned_s, self.learned_at)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Window":
        """The window in `raw`; an empty one for anything else, because all users may write the file."""
        if len(raw) != _LAYOUT.size or not raw.startswith(_MAGIC):
            return cls()
        _, *numbers = _LAYOUT.unpack(raw)
        if not all(map(math.isfinite, numbers)):
            return cls()
        return cls(tuple(numbers[:STAMPS]), *numbers[STAMPS:])


class HostBucket(AbstractBucket):
    """The window of one App as a pyrate-limiter bucket, kept in a file that all processes of the host share.

    If the file becomes unusable (a full disk, a folder that is gone), this process goes on alone at half the
    rate, and warns once.
    """

    is_async = False

    def __init__(self, path: Path, *, permits: int, seconds: float) -> None:
        self.rates = [Rate(permits, max(1, round(seconds * 1000)))]
        self._permits = permits
        self._seconds = seconds
        self._file = WindowFile(path)
        self._own: Window | None = None  # in force once the file cannot be used
        self._own_lock = threading.Lock()
        self._waiting_since = 0.0
        self._wait_ms = 0
        self.last_permit = 0.0

    def put(self, item: RateItem) -> bool:
        """Give a permit now, or remember how long there is none."""
        wait_s, given_at = LOCKED_AGAIN_S, 0.0

        def give(window: Window) -> Window | None:
            nonlocal wait_s, given_at
            now = time.monotonic()
            seconds = self._seconds * (ALONE_FACTOR if self._own is not None else 1)
            wait_s = window.wait(now, permits=self._permits, seconds=seconds)
            if wait_s > 0:
                return None
            given_at = now
            return window.stamped(now)

        is_asked = self._change(give)
        self._note_lock(is_free=is_asked)
        if is_asked and wait_s <= 0:
            self.failing_rate = None
            self.last_permit = given_at
            return True
        # Rounded up: a wait that is a fraction too short is one more turn under the lock.
        self._wait_ms = max(1, round(wait_s * 1000 + 0.499))
        self.failing_rate = self.rates[0]
        return False

    def waiting(self, item: RateItem) -> int:
        return self._wait_ms

    def sent(self, permit: float) -> None:
        if time.monotonic() - permit >= LEFT_AT_ONCE_S:
            self._change(lambda window: window.sent(permit, time.monotonic()))

    def throttled(self, spread_s: float) -> None:
        self._change(lambda window: window.throttled(time.monotonic(), spread_s))

    # pyrate-limiter lets a bucket forget old items; this one holds a fixed number of stamps.
    def leak(self, current_timestamp: int | None = None) -> int:
        return 0

    def flush(self) -> None:
        self._change(lambda _: Window())
        self.failing_rate = None

    def count(self) -> int:
        now = time.monotonic()
        return sum(now - self._seconds < stamp <= now for stamp in self._seen().stamps)

    def peek(self, index: int) -> RateItem | None:
        stamp = self._seen().stamps[-1 - index] if index < STAMPS else 0.0
        return RateItem("call", round(stamp * 1000)) if stamp else None

    def _seen(self) -> Window:
        return self._own if self._own is not None else Window.from_bytes(self._file.read())

    def _change(self, change: Callable[[Window], Window | None]) -> bool:
        """False while another process holds the lock and does not let go."""
        if self._own is None:
            try:
                return self._file.update(lambda raw: _changed(change, raw))
            except OSError as error:
                self._go_on_alone(error)
        with self._own_lock:
            self._own = change(self._own or Window()) or self._own
        return True

    def _go_on_alone(self, error: OSError) -> None:
        with self._own_lock:
            if self._own is not None:
                return
            # As if all permits had been given just now: nobody knows which ones others took meanwhile.
            now = time.monotonic()
            self._own = Window(stamps=(now,) * STAMPS)
        log.warning(
            "%s cannot be used any more (%s): this process paces its calls alone, at half the rate",
            self._file.path,
            error.strerror or type(error).__name__,
        )

    def _note_lock(self, *, is_free: bool) -> None:
        if is_free:
            self._waiting_since = 0.0
            return
        now = time.monotonic()
        if not self._waiting_since:
            self._waiting_since = now
        elif now - self._waiting_since > LOCKED_WARNED_S:
            self._waiting_since = math.inf
            log.warning(
                "waiting for a permit: another process holds %s and does not let go. Is one stopped?",
                self._file.path,
            )


class Spread:
    """How uneven the way to Kartra is, by how long answers took. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._took_s: deque[float] = deque(maxlen=SPREAD_OF)

    def answered(self, took_s: float) -> None:
        with self._lock:
            self._took_s.append(took_s)

    @property
    def seconds(self) -> float:
        """From the quickest answer to almost the slowest; 0 as long as there are only a few."""
        with self._lock:
            took_s = sorted(self._took_s)
        return took_s[int(SPREAD_SHARE * len(took_s))] - took_s[0] if len(took_s) >= SPREAD_FROM else 0.0


def _changed(change: Callable[[Window], Window | None], raw: bytes) -> bytes | None:
    window = change(Window.from_bytes(raw))
    return None if window is None else window.to_bytes()


class CallLimiter:
    """`acquire()` gives a permit when a call may leave at once; `sent()` says that it has left only now.

    `answered()` says how long an answer took, `throttled()` that it was a 429: from then on permits wait as
    long as the wider window demands.
    """

    def __init__(self, path: Path, *, calls_per_second: float) -> None:
        # What is left of a fraction goes into the length of the window: 2.5 a second are 2 in 0.8 s.
        permits = max(1, int(calls_per_second))
        self._bucket = HostBucket(path, permits=permits, seconds=permits / calls_per_second)
        # Without its leaking thread, for which there is nothing to do here, and without its 50 ms on top of
        # each wait: the bucket knows exactly when the next permit is free.
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False), buffer_ms=0)
        # One thread waits for the permit and the others for their turn: no thread is overtaken for ever.
        self._spread = Spread()
        self._next = threading.Lock()

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        """A permit, or 0 if `timeout_s` passed or `given_up()` (asked each second at least) was true."""
        deadline = time.monotonic() + timeout_s if timeout_s >= 0 else math.inf
        while not given_up() and (left_s := deadline - time.monotonic()) > 0:
            if not self._next.acquire(timeout=min(1.0, left_s)):
                continue
            try:
                if self._limiter.try_acquire("call", timeout=min(1.0, left_s)):
                    return self._bucket.last_permit
            finally:
                self._next.release()
        return 0.0

    def sent(self, permit: float) -> None:
        """Notes when the call left: on a busy machine that can be long after its permit was given."""
        self._bucket.sent(permit)

    def answered(self, took_s: float) -> None:
        """An answer that is no 429; the time counts from when its call had left."""
        self._spread.answered(took_s)

    def throttled(self) -> None:
        self._bucket.throttled(self._spread.seconds)

    @property
    def spread_s(self) -> float:
        """How unevenly answers came of late."""
        return self._spread.seconds

    def close(self) -> None:
        self._limiter.close()


def limiter_for(url: str, app_id: str, *, calls_per_second: float) -> CallLimiter:
    """The limiter every process of this host shares for this App at this endpoint.

    Kartra counts per App, whatever account the calls act upon (§2.1). The name of the file is a hash, so no
    credential is written down. If the shared folder cannot be used, one of this user's own is, at half the
    rate: two such users stay within the limit together.
    """
    name = name_of(url, app_id)
    folder = shared_folder()
    try:
        return CallLimiter(file_in(folder, name), calls_per_second=calls_per_second)
    except OSError as error:
        slower = calls_per_second / ALONE_FACTOR
        log.warning(
            "%s cannot be used to pace the calls of all users of this machine (%s): they are paced for this"
            " user alone, at %g a second. %s may name a folder that all can write",
            folder,
            error.strerror or type(error).__name__,
            slower,
            PLACE_VARIABLE,
        )
    return CallLimiter(_own_file(name), calls_per_second=slower)


def name_of(url: str, app_id: str) -> str:
    """By which an App at an endpoint is known, in files and tables: a hash."""
    parts = urlsplit(url)
    # A port that is spelt out is the same endpoint: with a window for each spelling one App would get twice
    # its rate.
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    return blake2b(f"{parts.hostname}:{port}\n{app_id}".encode(), digest_size=12).hexdigest()


def _own_file(name: str) -> Path:
    for folder in own_folders():
        try:
            return file_in(folder, f"{os.geteuid()}-{name}")
        except OSError:
            continue
    return Path(os.devnull, name)  # no folder at all: the bucket goes on in memory
