"""The lease of a pipeline: one process at a time runs it.

A lease is a row in the state and a lock of the operating system on a file beside it. The lock decides: it
ends with its process however that dies, it holds across host names and namespaces of process ids, and no
clock can make it old. Where a file system has no locks, and for rows of versions that took none, the process
behind the row and its heartbeat decide.
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
"""A holder without a lock counts as dead after this silence, if its process cannot be looked up."""
DEAD_AFTER_ON_A_SERVER = timedelta(seconds=40)
"""As above, in a state on a server: it refuses whatever a holder commits that was only slow, so that its run
need not wait for long."""
_PROBED_FOR_S = 0.3
"""How long a lock is tried for: a process that only checks it holds it for a moment."""
_WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease. `process_started` distinguishes it from a later process with its pid.

    `namespace` is where its pid is valid, empty if unknown. `by_lock`: it also holds the lock, which then
    says whether it is alive.
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
        """The message that it runs this pipeline, since when and where."""
        return (
            f"{pipeline} has been running since {self.taken_at:%Y-%m-%d %H:%M:%S} UTC in process"
            f" {self.pid} on {self.host} (run {self.run_id})"
        )

    def is_alive(self, now: datetime, dead_after: timedelta = DEAD_AFTER) -> bool:
        """Whether a holder without a lock is alive. A heartbeat in the future came from a wrong clock and is
        void."""
        beats = -dead_after < now - self.heartbeat_at < dead_after
        if self.host != socket.gethostname() or self.namespace not in ("", _namespace()):
            return beats
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # A pid is reused; the start time is compared with some slack, because its source is rounded.
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
    """The lock of one pipeline's lease. This process keeps it until `release`, or until it dies."""

    def __init__(self, state: Path | None, pipeline: str, clock: Clock = SYSTEM_CLOCK) -> None:
        """A state in memory (None) belongs to its process alone and has no lock."""
        self._clock = clock
        # Resolved, so that a state that is reached through a link has the same lock.
        beside = state and state.resolve()
        self._path = beside and beside.with_name(f"{beside.name}-{pipeline}.lock")
        self._descriptor: int | None = None

    def take(self) -> bool | None:
        """Tries to take the lock; None if the file system has no locks."""
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
        """Whether any process holds the lock, this one included; None as for `take`."""
        if self._descriptor is not None:
            return True
        taken = self.take()
        if taken:
            self.release()
        return None if taken is None else not taken

    def release(self) -> None:
        """Gives up the lock and removes its file."""
        if self._descriptor is not None and self._path is not None:
            with suppress(OSError):
                # Removed while it is still locked: whoever waits notices that it is another file by then.
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> bool | None:
        if self._path is None:
            return None
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None  # a read-only folder: no other process can hold a lock there either
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, self._path):
                self._descriptor, descriptor = descriptor, -1
                return True
            return False  # the file was removed meanwhile: a lock on it keeps nobody out
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
    """Where the id of this process is valid: the boot and, on Linux, the namespace of process ids."""
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return " ".join(parts)
