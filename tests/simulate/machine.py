"""A host with its clock and its window, and the processes that run on it: clock, threads, state, and death.

A process that is killed does nothing any more: its database is closed under it, its locks fall, and every
seam it touches on the way out kills it again.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from connectors.clock import Clock
from connectors.kartra.limiter import Spread, Window
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from pipelines.config.file import require_credentials
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.lease import Holder
from pipelines.state.store import Store
from pipelines.verbs.world import World
from tests.simulate.disk import Disk, KeptDatabase, Unchecked
from tests.simulate.hub import START, Hub
from tests.simulate.source import open_records

_T = TypeVar("_T")
LONGEST_WAIT_S = 4.0
"""How long a thread waits at a time before it looks whether a stop was asked for."""


CRASHES = {
    "a permit was given": "crash between commit of an intent and its call",
    "before a call leaves": "crash between commit of an intent and its call",
    "after a call left": "crash between a call and its answer",
    "an answer came": "crash between an answer and its commit",
    "answers are taken up": "crash between an answer and its commit",
    "before a commit": "crash between an answer and its commit",
}


class KilledError(BaseException):
    """The process ends here. Nothing catches it: it is dead already when it is raised."""


@dataclass
class Host:
    """A machine: its wall clock may be off and drift; the window of an App is one for all its processes."""

    name: str
    hub: Hub
    ahead_s: float = 0.0
    drift: float = 0.0
    """Seconds that its wall clock gains in a second."""
    windows: dict[str, bytes] = field(default_factory=dict)
    disk: Disk = field(default_factory=Disk)

    def now(self) -> datetime:
        seconds = self.hub.seconds
        return START + timedelta(seconds=seconds + self.ahead_s + self.drift * seconds)

    def jump(self, seconds: float) -> None:
        self.ahead_s += seconds
        self.hub.note(f"{self.name}: the clock jumps by {seconds:+.0f} s")


@dataclass
class Process:
    """One run of the command. `kill_at` is the number of the step that it does not survive."""

    name: str
    host: Host
    connect: Callable[["Process", PipelineConfig], Any]
    """Gives the endpoint of its calls."""
    kill_at: int | None = None
    pause_at: tuple[int, float] | None = None
    """At which step it is stopped, and for how many seconds."""
    verb: str = ""
    """What it does instead of a plain run."""
    kill_at_point: str | None = None
    """Not before that kind of step."""
    is_alive: bool = True
    steps: int = 0
    died_at: str = ""
    stop_at: float | None = None
    """The second at which a person asks it to stop."""
    result: Any = None
    error: BaseException | None = None
    crew: set[greenlet] = field(default_factory=set)
    stores: list[Store] = field(default_factory=list)
    has_ended: bool = False
    writing: int = 0
    """Its writes under way."""
    paused_until: float = 0.0

    @property
    def hub(self) -> Hub:
        return self.host.hub

    # --- to live, and to die

    def start(self, run: Callable[["Process"], Any]) -> None:
        """`run` goes on in a greenlet of its own from now on."""

        def whole() -> None:
            try:
                self.result = run(self)
            except KilledError:
                pass
            except BaseException as error:  # noqa: BLE001 - whatever ends a run is looked at
                if self.is_alive:
                    self.error = error
            finally:
                self.has_ended = True

        self._begin(whole)

    def _begin(self, body: Callable[[], None], delay_s: float = 0.0) -> None:
        def until_killed() -> None:
            with suppress(KilledError):
                body()

        born = greenlet(until_killed, parent=self.hub.main)
        self.crew.add(born)

        def go() -> None:
            if self.is_alive and self.paused_until > self.hub.seconds:
                self.hub.at(self.paused_until, go)
            elif self.is_alive:
                born.switch()

        self.hub.after(delay_s, go)

    @property
    def is_gone(self) -> bool:
        """Dead, or all of its threads have ended."""
        if not self.is_alive:
            return True
        return self.has_ended and all(one.dead for one in self.crew)

    def step(self, point: str) -> None:
        """Something is about to happen, or has just happened: it may die here, or be stopped for a while."""
        if not self.is_alive:
            raise KilledError
        self.steps += 1
        if self.kill_at is not None and self.steps >= self.kill_at and self.kill_at_point in (None, point):
            self.die(point)
            raise KilledError

    def die(self, point: str) -> None:
        """As by kill -9."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.died_at = point
        self.hub.met[f"killed: {point}"] += 1
        if point in CRASHES:
            self.hub.met[CRASHES[point]] += 1
        self.hub.note(f"{self.name} is killed: {point}")
        for store in self.stores:
            store.database._connection.close()
            for lock in store.runs._locks.values():
                if lock._descriptor is not None:
                    os.close(lock._descriptor)
                    lock._descriptor = None
        here = getcurrent()
        for one in list(self.crew):
            if one is not here and not one.dead and one:
                with suppress(KilledError, Exception):
                    one.throw(KilledError)
        self.crew.clear()

    def end(self) -> None:
        """It has ended by itself: what it held is let go."""
        if self.is_alive:
            self.is_alive = False
            for one in list(self.crew):
                if not one.dead and one:
                    with suppress(KilledError, Exception):
                        one.throw(KilledError)

    # --- time

    @property
    def clock(self) -> Clock:
        return Clock(self.host.now, lambda: self.hub.seconds, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.wait(seconds)
        self.step("after a sleep")

    def wait(self, seconds: float, until: "Waker | None" = None) -> None:
        """Until then, or until somebody wakes it."""
        if not self.is_alive:
            raise KilledError
        waker = until or Waker()
        waker.sleeper = getcurrent()
        waker.is_due = False
        self.hub.after(max(0.0, seconds), partial(self._wake, waker))
        self.hub.switch_away()
        if not self.is_alive:
            raise KilledError

    def wake(self, waker: "Waker") -> None:
        """As an event of its own."""
        if waker.sleeper is not None:
            self.hub.after(0.0, partial(self._wake, waker))

    def _wake(self, waker: "Waker") -> None:
        sleeper = waker.sleeper
        if not self.is_alive or sleeper is None or sleeper.dead or waker.is_due:
            return
        if self.paused_until > self.hub.seconds:
            self.hub.at(self.paused_until, partial(self._wake, waker))
            return
        waker.is_due = True
        waker.sleeper = None
        sleeper.switch()

    def pause(self, seconds: float) -> None:
        """As by SIGSTOP, or a lid that is closed."""
        self.paused_until = self.hub.seconds + seconds
        self.hub.met["a process is stopped and continued"] += 1
        self.hub.note(f"{self.name} is stopped for {seconds:.0f} s")

    @property
    def longest_wait_s(self) -> float:
        """A stop that is to come is noticed in time, though few looks are taken: each is an event."""
        if self.stop_at is None or self.stop_at <= self.hub.seconds:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, self.stop_at - self.hub.seconds + 0.001)

    def is_stopping(self) -> bool:
        return self.stop_at is not None and self.hub.seconds >= self.stop_at

    # --- the world of a run

    def world(self) -> World:
        return World(
            clock=self.clock,
            pool=lambda: SimPool(self),
            ahead=in_turn,
            open_records=open_records,
            open_store=self._open_store,
            open_client=self._open_client,
            this_process=self._this_process,
        )

    def _open_store(self, path: Path) -> Store:
        if not self.is_alive:
            raise KilledError
        store = Store(path, open_database=partial(SimDatabase, process=self), check=Unchecked)
        self.stores.append(store)
        return store

    def _open_client(self, config: PipelineConfig, stopping: Callable[[], bool]) -> Sender:
        credentials: Credentials = require_credentials(config)
        return Sender(
            config.kartra.url,
            credentials,
            SimLimiter(self, credentials.app_id, config.kartra.calls_per_second),  # type: ignore[arg-type]
            timeout_s=config.kartra.timeout_s,
            given_up=stopping,
            clock=self.clock,
            endpoint=self.connect(self, config),
            readers=SimExecutor(self),
        )

    def _this_process(self, run_id: str, now: datetime) -> Holder:
        return Holder(run_id, f"sim-{self.host.name}", os.getpid(), 0.0, now, now, self.name)


@dataclass(eq=False)
class Waker:
    """Who sleeps, and can be woken before its time."""

    sleeper: greenlet | None = None
    is_due: bool = False


class SimDatabase(KeptDatabase):
    """A real SQLite file; its process may die before a commit, and after it."""

    def __init__(self, path: Any, process: Process) -> None:
        self._process = process
        super().__init__(path, process.host.disk, process.clock)

    def change(self, sql: str, parameters: Any = ()) -> int:
        if sql != "COMMIT":
            return super().change(sql, parameters)
        self._process.step("before a commit")
        changed = super().change(sql, parameters)
        self._process.step("after a commit")
        return changed


# --- threads


@contextmanager
def in_turn(items: Generator[_T]) -> Iterator[Iterator[_T]]:
    """Each is made once it is asked for: all of it in one thread."""
    with closing(items):
        yield items


class SimFuture(Future[Any]):
    """Who waits for it lets the others go on."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process, self._waker = process, Waker()
        self.add_done_callback(lambda _: process.wake(self._waker))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if not self.done():
            # Who waits for a short time only wants to see a stop.
            self._process.wait(1e9 if timeout is None else self._process.longest_wait_s, self._waker)
        if not self.done():
            raise TimeoutError
        return super().exception(0)

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._process.wait(1e9 if timeout is None else timeout, self._waker)
        return super().result(0)


def _do(future: Future[Any], job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = job()
    except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
    else:
        future.set_result(result)


class SimExecutor(Executor):
    """Readers: a thread for each."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> SimFuture:
        future = SimFuture(self._process)
        self._process._begin(lambda: _do(future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass


class SimPool:
    """Workers, which begin and end in an order that the seed decides."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ended: deque[Future[Any]] = deque()
        self._waker = Waker()
        self._begun: list[Future[Any]] = []

    @property
    def check_every_s(self) -> float:
        return self._process.longest_wait_s

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._begun.append(future)

        def done(ended: Future[Any]) -> None:
            self._ended.append(ended)
            self._process.wake(self._waker)

        future.add_done_callback(done)
        delay_s = self._process.hub.chance.choice((0.0, 0.0, 0.0, 0.001, 0.02))
        self._process._begin(lambda: _do(future, job), delay_s)
        return future

    def finished(self, timeout_s: float) -> list[Future[Any]]:
        if not self._ended:
            self._process.wait(timeout_s, self._waker)
        self._process.step("answers are taken up")
        ended = list(self._ended)
        self._ended.clear()
        return [one for one in ended if not one.cancelled()]

    def close(self) -> None:
        for future in self._begun:
            future.cancel()


class SimLimiter:
    """The window of an App on this host: the real one, under this clock. Who asked first is first."""

    def __init__(self, process: Process, app_id: str, calls_per_second: float) -> None:
        self._process = process
        self._app_id = app_id
        self._permits = max(1, int(calls_per_second))
        self._window_s = self._permits / calls_per_second
        self._queue: deque[Waker] = deque()
        self._spread = Spread()

    def acquire(self, *, timeout_s: float = -1, given_up: Callable[[], bool] = lambda: False) -> float:
        process = self._process
        turn = Waker()
        self._queue.append(turn)
        try:
            while not given_up():
                if self._queue[0] is not turn:
                    process.wait(process.longest_wait_s, turn)
                    continue
                now = process.hub.seconds
                wait_s = self._window.wait(now, permits=self._permits, seconds=self._window_s)
                if wait_s > 0:
                    process.wait(min(process.longest_wait_s, wait_s + 0.0005))
                    continue
                self._change(self._window.stamped(now))
                process.step("a permit was given")
                return now
            return 0.0
        finally:
            self._queue.remove(turn)
            if self._queue and process.is_alive:
                process.wake(self._queue[0])

    def sent(self, permit: float) -> None:
        now = self._process.hub.seconds
        if now - permit >= 0.002:
            self._change(self._window.sent(permit, now))

    def answered(self, took_s: float) -> None:
        self._spread.answered(took_s)

    def throttled(self) -> None:
        self._change(self._window.throttled(self._process.hub.seconds, self._spread.seconds))

    def close(self) -> None:
        pass

    @property
    def _window(self) -> Window:
        return Window.from_bytes(self._process.host.windows.get(self._app_id, b""))

    def _change(self, window: Window) -> None:
        self._process.host.windows[self._app_id] = window.to_bytes()
