"""Workers of a pull: they make the calls, one thread commits what they bring.

A worker goes on only when its last answer is committed, so a kill wastes at most the call each of them had in
flight.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from connectors.kartra.profile import LeadProfile
from pipelines.tables.answers import Pulled

MAX_WORKERS = 32

Result = TypeVar("Result")


class PullStoppedError(Exception):
    """No further call is to be made: a stop was asked for, the budget is used up, or a worker failed."""


@dataclass(slots=True)
class Brought:
    """An answer on its way into the tables; its worker waits. `seen` is the profile in it, as it was then."""

    pulled: Pulled
    seen: tuple[LeadProfile, datetime] | None = None
    committed: threading.Event = field(default_factory=threading.Event)
    is_lost: bool = False


class Workers:
    """Threads for tasks. `width`: how many calls may be in flight. `keep` commits, in the calling thread."""

    def __init__(
        self,
        keep: Callable[[Sequence[Brought]], None],
        *,
        width: Callable[[], int],
        stopping: Callable[[], bool],
    ) -> None:
        self._keep = keep
        self._width = width
        self._stopping = stopping
        self._halted = threading.Event()
        self._brought: queue.Queue[Brought | None] = queue.Queue()

    @property
    def may_go_on(self) -> bool:
        return not self._halted.is_set() and not self._stopping()

    def halt(self) -> None:
        """No further call is to be made."""
        self._halted.set()

    def work(self, tasks: Iterable[Callable[[], Result]], settle: Callable[[Result], None]) -> None:
        """Do the tasks in workers; commit what they bring, and `settle` what they give, in this thread.

        Once no further call is to be made, what flies is still committed. Raises PullStoppedError then.
        """
        flying: set[Future[list[Result]]] = set()
        waiting = iter(tasks)
        with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="pull") as pool:
            try:
                while True:
                    while self.may_go_on and len(flying) < self._width() and (task := next(waiting, None)):
                        flying.add(pool.submit(self._done, task))
                    if not flying:
                        break
                    self._commit()
                    done = {future for future in flying if future.done()}
                    flying -= done
                    for result in [result for future in done for result in future.result()]:
                        settle(result)
            finally:  # after an error of ours or a fatal answer, workers may still wait
                while flying:
                    self.halt()
                    self._release()
                    flying = wait(flying, timeout=0.02, return_when=FIRST_COMPLETED).not_done
        if not self.may_go_on:
            raise PullStoppedError

    def bring(self, pulled: Pulled, seen: tuple[LeadProfile, datetime] | None = None) -> None:
        """In a worker: hand an answer over and wait until it is in the tables."""
        brought = Brought(pulled, seen)
        self._brought.put(brought)
        brought.committed.wait()
        if brought.is_lost:
            raise PullStoppedError

    def _done(self, task: Callable[[], Result]) -> list[Result]:
        """In a worker: what a task gives; nothing where it was stopped on its way."""
        try:
            return [task()]
        except PullStoppedError:
            return []
        finally:
            self._brought.put(None)

    def _commit(self) -> None:
        """What workers brought until now; waits for the first."""
        brought = [self._brought.get()]
        while not self._brought.empty():
            brought.append(self._brought.get())
        answers = [one for one in brought if one is not None]
        try:
            if answers:
                self._keep(answers)
        except BaseException:
            for one in answers:
                one.is_lost = True
            raise
        finally:
            for one in answers:
                one.committed.set()

    def _release(self) -> None:
        """Let workers go whose answers will not be committed any more."""
        while not self._brought.empty():
            if (one := self._brought.get()) is not None:
                one.is_lost = True
                one.committed.set()
