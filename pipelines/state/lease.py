"""Who runs a pipeline now: one load at a time.

A lease is a row in the state and a lock that the operating system keeps on a file beside it. The lock is
what counts: it ends with its process however that dies, it crosses host names and namespaces of process ids,
and no clock can make it old. Where a file system keeps no locks, and for rows of versions that took none, the
process behind the row and its heartbeat have to do.
"""

import errno
import fcntl
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from connectors.clock import SYSTEM_CLOCK, Clock

HEARTBEAT_S = 5.0
DEAD_AFTER = timedelta(minutes=2)
"""A holder without a lock whose process cannot be looked up, and that was silent for this long, is dead."""
_PROBED_FOR_S = 0.3
"""How long a lock is asked for: a process that only looks whether it is free takes it for a moment."""
_WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease. `process_started` tells a recycled pid from the process itself.

    `namespace` is where its pid means something; empty where that is unknown. `by_lock`: it holds the lock of
    the lease as well, so that whether it lives is asked of the lock.
    """

    run_id: str
    host: str
    pid: int
    process_started: float
    taken_at: datetime
    heartbeat_at: datetime
    namespace: str = ""
    by_lock: bool = False

    def message(self, pipeline: str) -> str:
        """That it runs this pipeline, since when and where."""
        return (
            f"{pipeline} has been running since {self.taken_at:%Y-%m-%d %H:%M:%S} UTC in process"
            f" {self.pid} on {self.host} (run {self.run_id})"
        )

    def is_alive(self, now: datetime) -> bool:
        """For a holder without a lock. A heartbeat of the future is that of a clock that was wrong: none."""
        beats = -DEAD_AFTER < now - self.heartbeat_at < DEAD_AFTER
        if self.host != socket.gethostname() or self.namespace not in ("", _namespace()):
            return beats
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.process_started) < 1.0
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return beats


def this_process(run_id: str, now: datetime) -> Holder:
    pid = os.getpid()
    created = psutil.Process(pid).create_time()
    return Holder(run_id, socket.gethostname(), pid, created, now, now, _namespace())


class LeaseLock:
    """The lock of one pipeline's lease. It belongs to this process until `release`, or until it dies."""

    def __init__(self, state: Path | None, pipeline: str, clock: Clock = SYSTEM_CLOCK) -> None:
        """A state in memory (None) is its process's alone, and has none."""
        self._clock = clock
        beside = state and state.resolve()  # one state, reached by a link and without, has one lock
        self._path = beside and beside.with_name(f"{beside.name}-{pipeline}.lock")
        self._descriptor: int | None = None

    def take(self) -> bool | None:
        """Whether it is ours now; None where the file system keeps no locks."""
        if self._descriptor is not None:
            return True
        deadline = self._clock.monotonic() + _PROBED_FOR_S
        while (taken := self._try()) is False and self._clock.monotonic() < deadline:
            self._clock.sleep(0.02)
        return taken

    @property
    def is_ours(self) -> bool:
        return self._descriptor is not None

    def is_held(self) -> bool | None:
        """Whether any process holds it, this one included; None as for `take`."""
        if self._descriptor is not None:
            return True
        taken = self.take()
        if taken:
            self.release()
        return None if taken is None else not taken

    def release(self) -> None:
        """The file goes while it is locked: whoever waits for it sees that it is another one by then."""
        if self._descriptor is not None and self._path is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> bool | None:
        if self._path is None:
            return None
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None  # a folder that can only be read: whoever writes there holds no lock either
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, self._path):
                self._descriptor, descriptor = descriptor, -1
                return True
            return False  # somebody deleted the file meanwhile: what was locked is not there any more
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _WITHOUT_LOCKS:
                return None
            raise
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _namespace() -> str:
    """Where this process's id means something: the boot and, on Linux, the namespace of process ids."""
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return " ".join(parts)
