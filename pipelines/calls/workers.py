"""The loop of everything that calls Kartra: workers call, one thread commits.

The thread that owns the store launches jobs and commits their results. A task goes on only after the result
of its last call was committed, so that a kill loses at most the calls in flight.
"""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

from connectors.errors import SyncError
from connectors.kartra.sender import Sender
from pipelines.calls.context import RunContext
from pipelines.calls.heartbeat import Heartbeat
from pipelines.calls.patience import STOP_WITHIN_S
from pipelines.calls.pool import MAX_WORKERS, Pool, Threads
from pipelines.config.kartra import KartraConfig

Task = TypeVar("Task")
Given = TypeVar("Given")

Job = Callable[[], Given]
Launch = Callable[[list[Task]], list[tuple[Task, Job[Given]]]]
"""Gives the jobs of tasks, with each task as it is from now on; a task without a call is left out. Whatever
has to be committed before the calls leave is committed when this returns."""
Take = Callable[[list[tuple[Task, Future[Given]]]], None]
"""Takes the results of finished jobs, in the order in which they finished."""


def width_of(kartra: KartraConfig, client: Sender) -> int:
    """The number of calls in flight: rate times latency, and a few that wait for a permit."""
    if kartra.workers != "auto":
        return kartra.workers
    # Little's law: with fewer, the permits of a second would not be used up; with many more, calls would only
    # wait inside the client, their intents open.
    return min(MAX_WORKERS, math.ceil(kartra.calls_per_second * client.counts.latency_s) + 4)


class Workers(Generic[Task, Given]):
    """One loop: `launch` gives jobs for tasks, `take` what became of them, and which tasks go on.

    `failure` is what stopped it early. Once no further call may leave, calls in flight are still collected if
    they end in time; the remaining tasks are dropped.
    """

    def __init__(
        self,
        run: RunContext,
        launch: Launch[Task, Given],
        take: Take[Task, Given],
        *,
        is_used_up: Callable[[], bool] = lambda: False,
        first_alone: bool = False,
    ) -> None:
        """`is_used_up` says that no further call should leave although nobody asked for a stop. `first_alone`
        sends the first call of a client alone, so that a bad credential costs one call."""
        self._run = run
        self._launch = launch
        self._take = take
        self._is_used_up = is_used_up
        self._is_first_alone = first_alone
        self._ready: deque[Task] = deque()
        self._waiting: list[tuple[float, int, Task]] = []
        self._ticket = itertools.count()
        self._flying: dict[Future[Given], Task] = {}
        self._heart = Heartbeat(run.beat, run.clock)
        self._settled = self._total = 0
        self.failure: SyncError | None = None

    @property
    def is_halted(self) -> bool:
        """Whether no further call may leave."""
        return self.failure is not None or self._run.stopping()

    def fail(self, error: SyncError) -> None:
        """Stops: no further call leaves. The first error is kept."""
        # Those that follow are mostly the same trouble, met by calls that were under way.
        self.failure = self.failure or error
        self._run.halt()

    def expect(self, total: int) -> None:
        """Sets the number of tasks that the progress counts up to."""
        self._settled, self._total = 0, total

    def work(self, tasks: Iterable[Task]) -> None:
        """Does all tasks, and those that they turn into."""
        coming = iter(tasks)
        pool = self._run.pool()
        try:
            while not self.is_halted:
                self._launch_some(pool, coming)
                if not self._flying and (not self._waiting or self._is_used_up()):
                    self._show()  # what came to its end without a call counts, too
                    break
                self._collect(pool, self._until_next_s(pool.check_every_s))
            deadline = self._run.clock.monotonic() + STOP_WITHIN_S
            while self._flying and self._run.clock.monotonic() < deadline:
                self._collect(pool, 0.2)
        except BaseException:
            self._run.halt()  # calls that wait for their permits are not to leave any more
            raise
        finally:
            # After a stop nobody waits for calls that do not end; their intents are open and the next run
            # settles them.
            self._ready.clear()
            self._waiting.clear()
            self._flying.clear()
            pool.close()

    def again(self, task: Task, delay_s: float = 0.0) -> None:
        """Puts a task back, after a delay."""
        if delay_s <= 0:
            self._ready.append(task)
        else:
            at = self._run.clock.monotonic() + delay_s
            # The ticket keeps tasks of one moment in order: tasks themselves cannot be compared.
            heapq.heappush(self._waiting, (at, next(self._ticket), task))

    def settle(self, count: int = 1) -> None:
        """Counts tasks as settled in the progress."""
        self._settled += count

    def _launch_some(self, pool: Pool, coming: Iterator[Task]) -> None:
        """Launches as many tasks as may leave now."""
        while self._waiting and self._waiting[0][0] <= self._run.clock.monotonic():
            self._ready.append(heapq.heappop(self._waiting)[2])
        while self._may_launch and (batch := self._next(coming, self._room)):
            for task, job in self._launch(batch):
                self._flying[pool.submit(job)] = task

    @property
    def _may_launch(self) -> bool:
        return not self.is_halted and not self._is_used_up()

    @property
    def _room(self) -> int:
        """How many more jobs may be in flight."""
        if self._is_first_alone:
            # Per client, not per loop: a run has several loops, and its credentials are tried once.
            self._is_first_alone = not self._run.client.counts.sent
        width = 1 if self._is_first_alone else width_of(self._run.config.kartra, self._run.client)
        return width - len(self._flying)

    def _next(self, coming: Iterator[Task], count: int) -> list[Task]:
        """The next `count` tasks at most; tasks that were put back come first."""
        batch: list[Task] = []
        while len(batch) < count:
            # What was begun comes first: a chain of calls is finished before further leads are opened, so
            # that a stop leaves few of them half-way.
            if self._ready:
                batch.append(self._ready.popleft())
                continue
            batch += itertools.islice(coming, count - len(batch))
            break
        return batch

    def _until_next_s(self, longest_s: float) -> float:
        if not self._waiting:
            return longest_s
        return min(longest_s, max(0.0, self._waiting[0][0] - self._run.clock.monotonic()))

    def _collect(self, pool: Pool, timeout_s: float) -> None:
        if self._flying:
            ended = pool.finished(timeout_s)
        else:
            # Nothing is under way and something is delayed: the pool would have nothing to wait for.
            self._run.clock.sleep(timeout_s)
            ended = []
        if ended:
            self._take([(self._flying.pop(future), future) for future in ended])
        self._heart.beat_when_due()
        self._show()

    def _show(self) -> None:
        if self._total:
            self._run.show(self._settled, self._total)


def call_each(
    items: Iterable[Task],
    do: Callable[[Task], Given],
    *,
    width: Callable[[], int],
    pool: Callable[[], Pool] = Threads,
) -> Iterator[tuple[Task, Given]]:
    """The result of `do` for each item, in their order; at most `width` run at a time.

    An exception of `do` is raised in its turn; nothing further is begun then.
    """
    coming = iter(items)
    crew = pool()
    begun: deque[tuple[Task, Future[Given]]] = deque()
    flying = 0
    try:
        while True:
            for item in itertools.islice(coming, max(0, width() - flying)):
                begun.append((item, crew.submit(partial(do, item))))
                flying += 1
            if not begun:
                return
            flying -= len(crew.finished(crew.check_every_s))
            while begun and begun[0][1].done():
                item, future = begun.popleft()
                yield item, future.result()
    finally:
        crew.close()
