"""A pool of worker threads, behind a protocol: tests with a clock of their own pass another pool."""

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

MAX_WORKERS = 64
"""The most calls in flight, and the connections that a client keeps."""


CHECK_EVERY_S = 0.5


class Pool(Protocol):
    """Used by one thread."""

    @property
    def check_every_s(self) -> float:
        """How long its user may wait at a time before it asks whether the work is to stop."""
        ...

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        """Begin a job."""
        ...

    def finished(self, timeout_s: float) -> list[Future[Any]]:
        """The jobs that ended since the last call, in that order; waits for the first one."""
        ...

    def close(self) -> None:
        """Take no more jobs, and wait for none."""
        ...


class Threads:
    """A pool of threads."""

    check_every_s = CHECK_EVERY_S

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="call")
        self._finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        # A thread begins without the context of who asked, and the log would not say of which pipeline it
        # speaks.
        future = self._executor.submit(copy_context().run, job)
        future.add_done_callback(self._finished.put)
        return future

    def finished(self, timeout_s: float) -> list[Future[Any]]:
        ended: list[Future[Any]] = []
        with suppress(queue.Empty):
            ended.append(self._finished.get(timeout=timeout_s))
            # All that ended meanwhile, so that one transaction commits the results together.
            while True:
                ended.append(self._finished.get_nowait())
        return ended

    def close(self) -> None:
        # Not waited for: after a stop a call may hang for as long as its time limit, and its intent is open
        # anyway.
        self._executor.shutdown(wait=False, cancel_futures=True)
