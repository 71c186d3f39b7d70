"""Work of one thread that others ask for: workers make calls, and the thread of the store commits."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class ClosedDeskError(Exception):
    """Nobody works at the desk any more: what was asked for is not done."""


class Desk:
    """`ask` from any thread, `serve` in one. What raises there raises for the one who asked."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False

    def ask(self, work: Callable[[], T]) -> T:
        """What `work` gives, when it is done. Raises ClosedDeskError."""
        done: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise ClosedDeskError
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
                done.set_exception(ClosedDeskError())
