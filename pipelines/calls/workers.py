"""Workers call, one thread commits: the loop of everything that calls Kartra.

The thread that owns the store launches jobs, takes up what they bring and goes on from there. A task goes on
only after what its last call brought was taken up, so that a kill wastes at most the calls in flight.
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
"""What a worker is to do for these tasks, with each as it is from now on; a task without a call is left out.
What has to be committed before a call leaves is committed when this returns."""
Take = Callable[[list[tuple[Task, Future[Given]]]], None]
"""Takes up what workers brought since the last time, in the order in which they did."""

LOOK_UP_EVERY_S = 0.5
"""How long the loop waits for workers before it looks whether a stop was asked for."""


def width_of(kartra: KartraConfig, client: Sender) -> int:
    """Calls in flight: rate times latency, and a few that wait for their permit."""
    if kartra.workers != "auto":
        return kartra.workers
    return min(MAX_WORKERS, math.ceil(kartra.calls_per_second * client.counts.latency_s) + 4)


class Workers(Generic[Task, Given]):
    """One loop: `launch` gives jobs for tasks, `take` what became of them, and which tasks go on.

    `failure` is what stopped it early. Once no further call may leave, what is in flight is still taken up,
    as far as it ends in time; the tasks that are left are dropped.
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
        """`is_used_up`: no further call is to leave, though nobody asked for a stop. `first_alone`: while
        nothing was sent yet the first job is alone, so that a bad credential costs one call."""
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
        """Stop: no further call leaves. The first reason stays."""
        self.failure = self.failure or error
        self._run.halt()

    def expect(self, total: int) -> None:
        """So many tasks are to be settled, for people who look on."""
        self._settled, self._total = 0, total

    def work(self, tasks: Iterable[Task]) -> None:
        """Do all tasks, and those that they become."""
        coming = iter(tasks)
        pool = self._run.pool()
        try:
            while not self.is_halted:
                self._launch_some(pool, coming)
                if not self._flying and (not self._waiting or self._is_used_up()):
                    break
                self._collect(pool, self._until_next_s())
            deadline = self._run.clock.monotonic() + STOP_WITHIN_S
            while self._flying and self._run.clock.monotonic() < deadline:
                self._collect(pool, 0.2)
        finally:
            self._ready.clear()
            self._waiting.clear()
            self._flying.clear()
            pool.close()  # after a stop nobody waits for what is silent

    def again(self, task: Task, delay_s: float = 0.0) -> None:
        """A task goes on, after a while."""
        if delay_s <= 0:
            self._ready.append(task)
        else:
            at = self._run.clock.monotonic() + delay_s
            heapq.heappush(self._waiting, (at, next(self._ticket), task))

    def settle(self, count: int = 1) -> None:
        """So many tasks are done, for people who look on."""
        self._settled += count

    def _launch_some(self, pool: Pool, coming: Iterator[Task]) -> None:
        """Let go what may leave now."""
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
        """How many jobs more may be in flight."""
        if self._is_first_alone:
            self._is_first_alone = not self._run.client.counts.sent
        width = 1 if self._is_first_alone else width_of(self._run.config.kartra, self._run.client)
        return width - len(self._flying)

    def _next(self, coming: Iterator[Task], count: int) -> list[Task]:
        """The next tasks, at most so many; those that go on come first."""
        batch: list[Task] = []
        while len(batch) < count:
            if self._ready:
                batch.append(self._ready.popleft())
                continue
            batch += itertools.islice(coming, count - len(batch))
            break
        return batch

    def _until_next_s(self) -> float:
        if not self._waiting:
            return LOOK_UP_EVERY_S
        return min(LOOK_UP_EVERY_S, max(0.0, self._waiting[0][0] - self._run.clock.monotonic()))

    def _collect(self, pool: Pool, timeout_s: float) -> None:
        if self._flying:
            ended = pool.finished(timeout_s)
        else:
            self._run.clock.sleep(timeout_s)
            ended = []
        if ended:
            self._take([(self._flying.pop(future), future) for future in ended])
        self._heart.look_alive()
        if self._total:
            self._run.show(self._settled, self._total)


def call_each(
    items: Iterable[Task],
    do: Callable[[Task], Given],
    *,
    width: Callable[[], int],
    pool: Callable[[], Pool] = Threads,
) -> Iterator[tuple[Task, Given]]:
    """What `do` gives for each, in the order of the items; at most `width` are under way.

    Raises what `do` raises, after what came before; nothing further is begun then.
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
            flying -= len(crew.finished(LOOK_UP_EVERY_S))
            while begun and begun[0][1].done():
                item, future = begun.popleft()
                yield item, future.result()
    finally:
        crew.close()
