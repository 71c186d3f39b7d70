"""Workers that make calls, and the thread of the store that does for them what belongs to it.

A worker may wait for a long time between two calls, until effects had time to show; so workers are many, and
what is bounded is how many calls are in flight.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from connectors.errors import SyncError
from pipelines.calls.patience import STOP_WITHIN_S

MAX_WORKERS = 64

Task = TypeVar("Task")
Given = TypeVar("Given")


class _ClosedError(Exception):
    """Nobody does for workers any more what belongs to the store: what was asked for is not done."""


class Workers:
    """`width`: how many calls may be in flight now. `meanwhile` is done in the thread that waits for them.

    `stopping` is asked between calls; `halt` is called once no further call may leave, and why is `failure`.
    """

    def __init__(
        self,
        *,
        width: Callable[[], int],
        stopping: Callable[[], bool],
        halt: Callable[[], None],
        meanwhile: Callable[[], None],
    ) -> None:
        self._width = width
        self._stopping = stopping
        self._halt = halt
        self._meanwhile = meanwhile
        self._turn = threading.Condition()
        self._in_flight = 0
        self._desk = _Desk()
        self.failure: SyncError | None = None

    @property
    def is_halted(self) -> bool:
        return self.failure is not None or self._stopping()

    def fail(self, error: SyncError) -> None:
        """Stop: no further call leaves. The first reason stays."""
        self.failure = self.failure or error
        self._halt()

    def work(self, do: Callable[[Task], None], tasks: list[Task]) -> None:
        """Do each task in a worker, and meanwhile here what they ask for. Nothing leaves after a stop.

        What does not end in time after a stop is left alone. A SyncError in a worker is a stop, a bug is
        raised here.
        """
        left = len(tasks)
        done: list[Future[None]] = []
        ended = threading.Semaphore(0)
        self._desk = _Desk()
        pool = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="operation")
        try:
            for task in tasks:
                done.append(pool.submit(self._guarded, do, task))
                done[-1].add_done_callback(lambda _: ended.release())
            deadline = math.inf
            while left and time.monotonic() < deadline:
                self._desk.serve(0.02)
                while ended.acquire(blocking=False):
                    left -= 1
                if self.is_halted and deadline == math.inf:
                    deadline = time.monotonic() + STOP_WITHIN_S
                self._meanwhile()
        finally:
            self._desk.close()
            pool.shutdown(wait=False, cancel_futures=True)
        for one in done:
            if one.done() and not one.cancelled():
                one.result()

    # --- for workers

    def ask(self, work: Callable[[], Given]) -> Given:
        """What `work` gives, done in the thread that waits for the workers."""
        return self._desk.ask(work)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """One of the calls that may be in flight."""
        with self._turn:
            while self._in_flight >= self._width():
                self._turn.wait(0.2)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._turn:
                self._in_flight -= 1
                self._turn.notify()

    def sleep(self, seconds: float) -> None:
        """Less where no further call may leave."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0 and not self.is_halted:
            time.sleep(min(left_s, 0.1))

    def _guarded(self, do: Callable[[Task], None], task: Task) -> None:
        if self.is_halted:
            return
        try:
            do(task)
        except SyncError as error:
            self.fail(error)
        except _ClosedError:
            return


class _Desk:
    """Work of one thread that others ask for: `ask` from any thread, `serve` in one."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False

    def ask(self, work: Callable[[], Given]) -> Given:
        """Raises what `work` raises, and _ClosedError."""
        done: Future[Given] = Future()
        with self._lock:
            if self._is_closed:
                raise _ClosedError
            self._asked.put((done, work))
        return done.result()

    def serve(self, timeout_s: float) -> None:
        """Do one piece of work, if one is asked for in time."""
        try:
            done, work = self._asked.get(timeout=timeout_s)
        except queue.Empty:
            return
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            done.set_exception(error)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            while not self._asked.empty():
                done, _ = self._asked.get()
                done.set_exception(_ClosedError())
