"""Pacing: one sliding window per App, shared by every thread and every process of this host.

The waiting is pyrate-limiter's. The bucket is ours, because the ones it ships stamp a permit with the
moment it was asked for, and two of three kinds live in one process: here a permit carries the moment
it was *given*, after the sleep, and then that at which its call was *sent*. The last permits of an App
lie in one small file under a lock that the operating system drops when a process dies. Times are
CLOCK_MONOTONIC, which all processes of a host share and which no clock step moves.

A program that is not ours may use the same App; only its 429s tell. So the window learns: a stray 429
makes it a little wider, one that comes soon after the last doubles what was learned, up to a third of
the rate. What was learned halves each minute, so the rate comes back when the other program stops. It
lies in the file too: the next process starts with it.
"""

import math
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock
from pyrate_limiter import AbstractBucket, Limiter, Rate, RateItem, SingleBucketFactory

MARGIN_S = 0.020
"""Added to the window: calls reach the server with jitter, and it is the server that counts."""
LEARNED_STEP_S = 0.010
"""What a 429 adds to the window: next to nothing, for it may be jitter on the way."""
LEARNED_AGAIN_S = 10.0
"""A 429 within so long of the last one doubles what was learned before it adds its step."""
LEARNED_MAX_S = 2.0
"""20 calls in 3 s. Below that the pause after each 429 does the rest: calls lost at random, in an outage
say, are no second program. A slower rate takes its share of it."""
LEARNED_HALF_LIFE_S = 60.0
_FORGOTTEN_S = 20 * LEARNED_HALF_LIFE_S
THROTTLED_PAUSE_S = 1.05
"""Kartra asks for a wait of one second after a 429 (§2.1); everyone waits."""
GAP_SHARE = 0.6
"""Calls are spread: the next one waits at least this share of the mean interval, never a burst.

What was learned counts whole: beside another program a burst is what gets refused."""

LEFT_AT_ONCE_S = 0.002
"""A call that left so soon after its permit left with it: a tenth of the margin, and one write less."""
LOCK_POLL_S = 0.001
"""The lock is held for about 50 µs; filelock's own 50 ms between two tries would cost permits."""
STAMPS = 20
_LAYOUT = struct.Struct(f"<4s{STAMPS + 3}d")
_MAGIC = b"ksw1"


@dataclass(frozen=True, slots=True)
class Window:
    """What the file holds: the last permits (oldest first, 0 is none), the pause, what 429s taught."""

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
        """Seconds until a permit may be given, 0 or less for now. Stamps of another boot are ignored."""
        learned_s = min(self.learned(now), LEARNED_MAX_S * permits / STAMPS)
        window_s = seconds + MARGIN_S + learned_s
        past = [stamp for stamp in self.stamps if 0 < stamp <= now]
        free_at = self.paused_until if self.paused_until <= now + THROTTLED_PAUSE_S else 0.0
        if past:
            free_at = max(free_at, past[-1] + (GAP_SHARE * seconds + learned_s) / permits)
        if len(past) >= permits:
            free_at = max(free_at, past[-permits] + window_s)
        return free_at - now

    def stamped(self, now: float) -> "Window":
        return replace(self, stamps=(*self.stamps[1:], now))

    def sent(self, permit: float, now: float) -> "Window":
        """The call of a permit has left only now: what counts is when."""
        return replace(self, stamps=tuple(sorted(now if at == permit else at for at in self.stamps)))

    def throttled(self, now: float) -> "Window":
        """After a 429. Several answers of one storm teach one step only."""
        paused = replace(self, paused_until=now + THROTTLED_PAUSE_S)
        since_last_s = now - self.learned_at if self.learned_at else math.inf
        if 0 <= since_last_s < THROTTLED_PAUSE_S:
            return paused
        again = 0 <= since_last_s < LEARNED_AGAIN_S
        learned_s = self.learned(now) * (2 if again else 1) + LEARNED_STEP_S
        return replace(paused, learned_s=min(learned_s, LEARNED_MAX_S), learned_at=now)


class HostBucket(AbstractBucket):
    """The window of one App as a pyrate-limiter bucket, kept in `path`."""

    is_async = False

    def __init__(self, path: Path, *, permits: int, seconds: float) -> None:
        self.rates = [Rate(permits, max(1, round(seconds * 1000)))]
        self._permits = permits
        self._seconds = seconds
        self._path = path
        self._lock = FileLock(path.with_suffix(".lock"), mode=0o666, poll_interval=LOCK_POLL_S)
        self._wait_ms = 0
        self.last_permit = 0.0

    def put(self, item: RateItem) -> bool:
        """Give a permit now, or remember how long there is none."""
        with self._lock:
            now = time.monotonic()
            window = self._read()
            wait_s = window.wait(now, permits=self._permits, seconds=self._seconds)
            if wait_s <= 0:
                self._write(window.stamped(now))
                self.failing_rate = None
                self.last_permit = now
                return True
        self._wait_ms = max(1, round(wait_s * 1000 + 0.499))
        self.failing_rate = self.rates[0]
        return False

    def waiting(self, item: RateItem) -> int:
        return self._wait_ms

    def sent(self, permit: float) -> None:
        if time.monotonic() - permit < LEFT_AT_ONCE_S:
            return
        with self._lock:
            self._write(self._read().sent(permit, time.monotonic()))

    def throttled(self) -> None:
        with self._lock:
            self._write(self._read().throttled(time.monotonic()))

    def leak(self, current_timestamp: int | None = None) -> int:
        return 0  # the file holds a fixed number of stamps

    def flush(self) -> None:
        with self._lock:
            self._write(Window())
        self.failing_rate = None

    def count(self) -> int:
        now = time.monotonic()
        since = max(0.0, now - self._seconds)  # the host may be up for less; a stamp of 0 is none
        return sum(since < stamp <= now for stamp in self._read().stamps)

    def peek(self, index: int) -> RateItem | None:
        stamp = self._read().stamps[-1 - index] if index < STAMPS else 0.0
        return RateItem("call", round(stamp * 1000)) if stamp else None

    def _read(self) -> Window:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return Window()
        if len(raw) != _LAYOUT.size or not raw.startswith(_MAGIC):
            return Window()
        _, *numbers = _LAYOUT.unpack(raw)
        if not all(map(math.isfinite, numbers)):
            return Window()
        return Window(tuple(numbers[:STAMPS]), *numbers[STAMPS:])

    def _write(self, window: Window) -> None:
        raw = _LAYOUT.pack(_MAGIC, *window.stamps, window.paused_until, window.learned_s, window.learned_at)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            os.ftruncate(descriptor, len(raw))  # whatever else was there is gone
            os.pwrite(descriptor, raw, 0)
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, 0o666)  # the umask aside: other users share the App's rate
        finally:
            os.close(descriptor)


class CallLimiter:
    """`acquire()` gives a permit when a call may leave at once; `sent()` says that it has left only now.

    `throttled()` makes everyone wait after a 429.
    """

    def __init__(self, path: Path, *, calls_per_second: float) -> None:
        permits = max(1, int(calls_per_second))
        self._bucket = HostBucket(path, permits=permits, seconds=permits / calls_per_second)
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False), buffer_ms=0)
        self._next = threading.Lock()  # one thread waits for the permit, the others for their turn

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        """A permit; 0 only when `timeout_s` passed or `given_up()` (asked at least each second) was true."""
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
        """On a busy machine a call can leave long after its permit; the next ones reckon from here."""
        self._bucket.sent(permit)

    def throttled(self) -> None:
        self._bucket.throttled()

    def close(self) -> None:
        self._limiter.close()


def limiter_for(url: str, app_id: str, *, calls_per_second: float) -> CallLimiter:
    """The limiter every process of this host shares for this App at this endpoint.

    Kartra counts per App, whatever account the calls act upon. The file's name is a hash: no
    credential is written down.
    """
    name = blake2b(f"{url.rstrip('/')}\n{app_id}".encode(), digest_size=12).hexdigest()
    folder = Path(tempfile.gettempdir()) / "kartra-sync"
    folder.mkdir(exist_ok=True)
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o1777)
    return CallLimiter(folder / f"{name}.window", calls_per_second=calls_per_second)
