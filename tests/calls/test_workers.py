"""The loop of everything that calls Kartra, under a clock of its own and jobs that end in any order."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.clock import utc_now
from connectors.errors import SyncError
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from pipelines.calls.context import RunContext
from pipelines.calls.patience import STOP_WITHIN_S
from pipelines.calls.pool import MAX_WORKERS
from pipelines.calls.workers import Workers, call_each, width_of
from pipelines.config.file import read_pipeline
from pipelines.state.lease import HEARTBEAT_S, this_process
from pipelines.state.store import Store
from pipelines.summary import Progress
from tests.calls.virtual import VirtualPool, VirtualTime

PIPELINE = """\
pipeline: news
kartra: {app_id: "${ID}", api_key: "${KEY}", api_password: "${PASSWORD}", workers: 5}
pull: {into: tables.db, leads: {csv: roster.csv, email: Email}}
"""
WORKERS = 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunContext]:
    """A run that never calls Kartra."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    config = read_pipeline(folder / "p.yaml", dict.fromkeys(("ID", "KEY", "PASSWORD"), "x"))
    limiter = CallLimiter(Path(folder) / "app.window", calls_per_second=20)
    client = Sender("http://127.0.0.1:9", Credentials("x", "x", "x"), limiter)
    with Store(None) as store:
        yield RunContext(config, store, client, "account", run_id="")
    client.close()


class Loop:
    """Workers over numbers: each is worked on `rounds` times, and waits between two rounds."""

    def __init__(self, run: RunContext, seed: int, rounds: int = 1, **more: object) -> None:
        self.time = VirtualTime()
        self.pool = VirtualPool(self.time, Random(seed))
        self.seen: list[Progress] = []
        self.beats: list[float] = []
        self.rounds: Counter[int] = Counter()
        self.launched: list[int] = []
        self.committed: list[int] = []
        self.most_rounds = rounds
        self.pause_s = 0.0
        self.stops_at = math.inf
        self.job: Callable[[int], int] = lambda number: number
        looks = replace(
            run,
            clock=self.time.clock,
            pool=lambda: self.pool,
            stopping=lambda: self.time.seconds >= self.stops_at,
            progress=self.seen.append,
        )
        self.workers: Workers[int, int] = Workers(looks, self.launch, self.take, **more)  # type: ignore[arg-type]

    def launch(self, batch: list[int]) -> list[tuple[int, Callable[[], int]]]:
        self.launched += batch
        return [(number, partial(self.job, number)) for number in batch]

    def take(self, landed: list[tuple[int, Future[int]]]) -> None:
        for number, future in landed:
            try:
                assert future.result() == number
            except SyncError as error:
                self.workers.fail(error)
                continue
            self.committed.append(number)
            self.rounds[number] += 1
            if self.rounds[number] < self.most_rounds:
                self.workers.again(number, self.pause_s)
            else:
                self.workers.settle()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 40),
    rounds=st.integers(1, 4),
    pause_s=st.sampled_from([0.0, 3.0]),
    seed=st.integers(),
)
def test_every_task_is_done_in_any_order_of_ends(
    run: RunContext, count: int, rounds: int, pause_s: float, seed: int
) -> None:
    loop = Loop(run, seed, rounds)
    loop.pause_s = pause_s
    loop.workers.work(range(count))
    assert loop.rounds == Counter(dict.fromkeys(range(count), rounds))
    assert loop.pool.most_at_once <= WORKERS
    assert loop.workers.failure is None


def test_a_task_goes_on_only_after_what_its_last_call_brought_was_taken_up(run: RunContext) -> None:
    loop = Loop(run, 1, rounds=3)
    loop.job = lambda number: number if loop.launched.count(number) - loop.rounds[number] == 1 else -1
    loop.workers.work(range(20))
    assert loop.rounds == Counter(dict.fromkeys(range(20), 3))


def test_a_task_waits_for_its_time_and_meanwhile_others_go_on(run: RunContext) -> None:
    loop = Loop(run, 2, rounds=2)
    loop.pause_s = 100.0
    loop.workers.work(range(30))
    assert loop.launched[:30] == list(range(30))
    assert 100.0 < loop.time.seconds < 120.0


def test_after_a_failure_nothing_is_begun_and_what_is_in_flight_is_taken_up(run: RunContext) -> None:
    loop = Loop(run, 3)
    error = SyncError("no")

    def job(number: int) -> int:
        if number == 0:
            raise error
        return number

    loop.job = job
    loop.workers.work(range(100))
    assert loop.workers.failure is error
    assert loop.pool.begun < 20
    assert sorted([0, *loop.committed]) == sorted(loop.launched)


def test_after_a_stop_what_is_silent_is_waited_for_no_longer_than_it_may_take(run: RunContext) -> None:
    loop = Loop(run, 4)
    loop.pool.shortest_s = loop.pool.longest_s = 60.0
    loop.stops_at = stop_at = 1.0
    loop.workers.work(range(100))
    assert loop.committed == []
    assert loop.pool.begun == WORKERS
    assert stop_at + STOP_WITHIN_S <= loop.time.seconds < stop_at + STOP_WITHIN_S + 1.0


def test_what_was_in_flight_when_calls_are_used_up_is_waited_for_however_long_it_takes(
    run: RunContext,
) -> None:
    loop = Loop(run, 5, is_used_up=lambda: loop.pool.begun >= 7)
    loop.pool.longest_s = 300.0
    loop.workers.work(range(100))
    assert loop.pool.begun == len(loop.committed)
    assert 7 <= loop.pool.begun < 7 + WORKERS
    assert loop.workers.failure is None


def test_the_first_job_is_alone_while_nothing_was_sent(run: RunContext) -> None:
    loop = Loop(run, 6, first_alone=True)
    loop.workers.work(range(10))
    assert loop.pool.most_at_once == 1  # the client of this run never sends


def test_a_job_that_is_a_bug_is_raised(run: RunContext) -> None:
    loop = Loop(run, 7)
    loop.job = lambda number: number // 0
    with pytest.raises(ZeroDivisionError):
        loop.workers.work(range(3))


def test_a_long_run_says_that_it_is_alive_and_how_far_it_is(run: RunContext) -> None:
    with Store(None) as store:
        beating = replace(run, store=store, run_id="20260301T120000-000000")
        store.runs.take_lease("newsletter", this_process(beating.run_id, utc_now()))
        loop = Loop(beating, 8)
        loop.pool.shortest_s = loop.pool.longest_s = 10.0
        loop.workers.expect(20)
        loop.workers.work(range(20))
    assert loop.seen[-1].settled == loop.seen[-1].total == 20
    assert [one.settled for one in loop.seen] == sorted(one.settled for one in loop.seen)
    assert len(loop.seen) >= loop.time.seconds / HEARTBEAT_S


def test_the_width_is_rate_times_latency_and_never_more_than_the_pool_has(run: RunContext) -> None:
    auto = run.config.kartra.model_copy(update={"workers": "auto", "calls_per_second": 20.0})
    assert width_of(run.config.kartra, run.client) == WORKERS
    assert width_of(auto, run.client) == 10  # 20 calls a second of 0.3 s, and four that wait
    run.client.counts.latency_s = 30.0
    try:
        assert width_of(auto, run.client) == MAX_WORKERS
    finally:
        run.client.counts.latency_s = 0.3


@settings(max_examples=40)
@given(count=st.integers(0, 30), width=st.integers(1, 6), seed=st.integers())
def test_what_is_asked_for_each_comes_in_the_order_of_the_items(count: int, width: int, seed: int) -> None:
    pool = VirtualPool(VirtualTime(), Random(seed))
    read = list(call_each(range(count), lambda number: number * 2, width=lambda: width, pool=lambda: pool))
    assert read == [(number, number * 2) for number in range(count)]
    assert pool.most_at_once <= width


def test_after_an_error_nothing_further_is_asked_for() -> None:
    pool = VirtualPool(VirtualTime(), Random(9))

    def ask(number: int) -> int:
        if number == 5:
            raise SyncError("no")
        return number

    seen: list[int] = []
    asked = call_each(range(100), ask, width=lambda: 3, pool=lambda: pool)
    with pytest.raises(SyncError, match="no"):
        seen.extend(number for number, _ in asked)
    assert seen == list(range(5))
    assert pool.begun <= 12


def test_after_an_error_while_answers_are_taken_up_no_call_that_waits_may_leave(run: RunContext) -> None:
    halted: list[str] = []
    time = VirtualTime()

    def take(_: list[tuple[int, Future[int]]]) -> None:
        raise SyncError("the lease is lost")

    looks = replace(
        run,
        clock=time.clock,
        pool=lambda: VirtualPool(time, Random(1)),
        halt=lambda: halted.append("halted"),
    )
    workers: Workers[int, int] = Workers(looks, lambda batch: [(one, lambda: 1) for one in batch], take)
    with pytest.raises(SyncError):
        workers.work([1, 2, 3])
    assert halted == ["halted"]
