"""The window of an App on the server: no host's clock counts, and no host's calls come between another's."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import URL

from connectors.kartra.hosts_limiter import HostsLimiter, Moment, WindowLostError
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.shares import Limiter, SharedLimiter
from pipelines.config.server_state import ServerState
from pipelines.state.store import Store
from pipelines.state.windows import AHEAD, HELD_S, ServerWindow, window_of
from tests.state.places import beside, new_schema

GAP_S = 0.05


@pytest.fixture
def server(postgresql_server: URL) -> ServerState:
    place = new_schema(postgresql_server)
    with Store(place):
        pass
    return place


def taken(window: ServerWindow, share: float = 1.0, *, waits_on: bool = True) -> float:
    """The next moment that is given to this host, by its own clock; asked for until it is."""
    while True:
        asked = window.ask(share, GAP_S, waits_on=waits_on)
        if asked.is_ours:
            return time.monotonic() + asked.wait_s
        time.sleep(asked.wait_s)


def test_no_two_moments_are_nearer_than_the_gap_whoever_asks(server: ServerState) -> None:
    ((begun,),) = beside(server)("SELECT extract(epoch FROM clock_timestamp())::double precision")
    with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
        hosts = [window_at(server) for _ in range(4)]
        for host in hosts:
            opened.callback(host.close)
        given = list(pool.map(lambda host: [taken(host) for _ in range(10)], hosts))
        told = "SELECT next_at FROM kartra_sync_windows.windows WHERE app = :app"
        ((next_at,),) = beside(server)(told, app=f"{server.schema} ")
    assert sum(map(len, given)) == 40
    assert next_at - begun >= 40 * GAP_S


def test_apps_do_not_wait_for_each_other(server: ServerState) -> None:
    window, other = window_at(server), window_at(server, "other")
    while window.ask(1, GAP_S, waits_on=True).is_ours:
        pass
    assert other.ask(1, GAP_S, waits_on=True).wait_s <= GAP_S
    window.close()
    other.close()


def test_moments_are_given_by_share_and_nobody_waits_long(server: ServerState) -> None:
    """As many in a row as the database gives: what a host asks again at once, it asks like all others."""
    shares = [1.0, 1.0, 2.0, 4.0]
    order = served(server, shares, 160)
    had = Counter(order)
    for place, share in enumerate(shares):
        fair = sum(shares) / share
        assert abs(had[place] - 160 / fair) <= 2 + AHEAD
        turns = [number for number, one in enumerate(order) if one == place]
        assert max(after - before for before, after in pairwise(turns)) <= 3 * fair


def served(server: ServerState, shares: list[float], count: int) -> list[int]:
    """Who got each moment, where all of them ask one after the other, again and again."""
    with ExitStack() as opened:
        hosts = [window_at(server) for _ in shares]
        for host in hosts:
            opened.callback(host.close)
        order: list[int] = []
        while len(order) < count:
            for place, (host, share) in enumerate(zip(hosts, shares, strict=True)):
                # No shorter gap: a moment that is nearer than a question takes goes to whoever asks.
                if host.ask(share, GAP_S / 2, waits_on=True).is_ours:
                    order.append(place)
        return order


def test_a_host_that_died_holds_no_place(server: ServerState) -> None:
    """It waited, and its turn came: others get its moments at once, and a second later it counts no more."""
    dead, alive = window_at(server), window_at(server)
    dead.ask(100, GAP_S, waits_on=True)
    for _ in range(5):
        taken(alive)
    waiting = "SELECT count(*) FROM kartra_sync_windows.waiting WHERE app = :app"
    app = f"{server.schema} "
    deadline = time.monotonic() + 60 * HELD_S
    still = f"{waiting} AND until > extract(epoch FROM clock_timestamp())"
    while beside(server)(still, app=app) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert beside(server)(still, app=app) == [(0,)]
    alive.close()
    assert beside(server)(waiting, app=app) == [(1,)]
    dead.close()
    assert beside(server)(waiting, app=app) == [(0,)]


def test_a_process_of_many_accounts_is_not_behind_one_of_a_single_account(
    server: ServerState, tmp_path: Path
) -> None:
    """One thread of it fetches permits for all: it asks ahead for the others, or it would have a fifth."""
    limiters = [
        HostsLimiter(
            window_at(server), CallLimiter(tmp_path / f"{number}", calls_per_second=20), calls_per_second=20
        )
        for number in range(2)
    ]
    fleet, single = SharedLimiter(limiters[0]), limiters[1]
    over, got = threading.Event(), Counter[str]()

    def take(name: str, limiter: Limiter) -> None:
        while not over.is_set():
            got[name] += bool(limiter.acquire(given_up=over.is_set))
            if sum(got.values()) >= 40:
                over.set()

    with ThreadPoolExecutor(8) as pool:
        accounts = [fleet.account(1) for _ in range(3)]
        done = [pool.submit(take, "fleet", account) for account in accounts for _ in range(2)]
        done += [pool.submit(take, "single", single) for _ in range(2)]
        for each in done:
            each.result()
    for limiter in limiters:
        limiter.close()
    assert got["fleet"] > got["single"] / 2
    assert got["single"] > 0


def test_what_a_429_teaches_one_host_all_heed(server: ServerState) -> None:
    window, other = window_at(server), window_at(server)
    other.ask(1, GAP_S, waits_on=False)
    for _ in range(3):  # the third of one second makes everyone wait
        window.throttled(0.0)
    after = other.ask(1, GAP_S, waits_on=False)
    assert not after.is_ours
    assert after.wait_s > GAP_S
    window.close()
    other.close()


def test_a_clock_of_the_server_that_was_wrong_keeps_nobody_waiting(server: ServerState) -> None:
    window = window_at(server)
    beside(server)(
        "UPDATE kartra_sync_windows.windows SET next_at = 9e9, paused_until = 9e9, learned_at = 9e9"
    )
    asked = window.ask(1, GAP_S, waits_on=False)
    assert (asked.is_ours, asked.wait_s <= GAP_S) == (True, True)
    window.close()


def test_without_the_database_no_call_gets_its_moment_and_with_it_they_go_on(
    server: ServerState, tmp_path: Path
) -> None:
    window = Breakable(window_at(server))
    limiter = HostsLimiter(window, CallLimiter(tmp_path / "window", calls_per_second=20), calls_per_second=20)
    assert limiter.acquire(timeout_s=60)
    window.is_lost.set()
    for _ in range(AHEAD):  # what it had asked for before it may use up
        limiter.acquire(timeout_s=0.5)
    assert limiter.acquire(timeout_s=0.5) == 0
    asked = time.monotonic()
    assert limiter.acquire(given_up=lambda: time.monotonic() > asked) == 0
    window.is_lost.clear()
    assert limiter.acquire(timeout_s=60)
    limiter.close()


def test_a_cut_connection_is_opened_anew(server: ServerState) -> None:
    window = window_at(server)
    beside(server)("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert window.ask(1, GAP_S, waits_on=False).is_ours
    window.close()


def window_at(server: ServerState, app: str = "") -> ServerWindow:
    """Of an App of this test alone: the table is one for all."""
    window = window_of(server, f"{server.schema} {app}")
    assert window is not None
    return window


class Breakable:
    """A window whose server may be out of reach."""

    def __init__(self, window: ServerWindow) -> None:
        self._window, self.is_lost = window, threading.Event()

    def _there(self) -> ServerWindow:
        if self.is_lost.is_set():
            raise WindowLostError("gone")
        return self._window

    def ask(self, share: float, gap_s: float, *, waits_on: bool) -> Moment:
        return self._there().ask(share, gap_s, waits_on=waits_on)

    def skip(self, gap_s: float) -> None:
        self._there().skip(gap_s)

    def throttled(self, spread_s: float) -> None:
        self._there().throttled(spread_s)

    def close(self) -> None:
        self._window.close()
