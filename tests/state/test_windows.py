"""The window of an App on the server: no host's clock counts, and no host's calls come between another's."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from connectors.kartra.hosts_limiter import MOST_AT_ONCE, HostsLimiter, Moments, WindowLostError
from connectors.kartra.limiter import CallLimiter
from pipelines.config.server_state import ServerState
from pipelines.state.store import Store
from pipelines.state.windows import ServerWindow, window_of
from tests.state.places import beside, new_schema

GAP_S = 0.05


@pytest.fixture
def server(postgresql_server: URL) -> ServerState:
    place = new_schema(postgresql_server)
    with Store(place):
        pass
    return place


def test_no_two_moments_are_nearer_than_the_gap_whoever_asks(server: ServerState) -> None:
    ((begun,),) = beside(server)("SELECT extract(epoch FROM clock_timestamp())::double precision")
    with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
        hosts = [window_at(server) for _ in range(4)]
        for host in hosts:
            opened.callback(host.close)
        given = list(pool.map(lambda host: [host.reserve(3, GAP_S) for _ in range(10)], hosts))
    told = "SELECT next_at FROM kartra_sync_windows.windows WHERE app = :app"
    ((next_at,),) = beside(server)(told, app=f"{server.schema} ")
    assert all(moments.count == 3 for part in given for moments in part)
    assert next_at - begun >= 4 * 10 * 3 * GAP_S


def test_apps_do_not_wait_for_each_other(server: ServerState) -> None:
    window, other = window_at(server), window_at(server, "other")
    window.reserve(1000, GAP_S)
    assert window.reserve(1, GAP_S).wait_s > 900 * GAP_S
    assert other.reserve(1, GAP_S).wait_s <= GAP_S
    window.close()
    other.close()


def test_what_a_429_teaches_one_host_all_heed(server: ServerState) -> None:
    window, other = window_at(server), window_at(server)
    before = other.reserve(1, GAP_S).gap_s
    for _ in range(3):  # the third of one second makes everyone wait
        window.throttled(0.0)
    after = other.reserve(1, GAP_S)
    assert after.gap_s > before
    assert after.wait_s > GAP_S
    window.close()
    other.close()


def test_a_clock_of_the_server_that_was_wrong_keeps_nobody_waiting(server: ServerState) -> None:
    window = window_at(server)
    beside(server)(
        "UPDATE kartra_sync_windows.windows SET next_at = 9e9, paused_until = 9e9, learned_at = 9e9"
    )
    assert window.reserve(1, GAP_S).wait_s <= GAP_S
    window.close()


def test_without_the_database_no_call_gets_its_moment_and_with_it_they_go_on(
    server: ServerState, tmp_path: Path
) -> None:
    window = Breakable(window_at(server))
    limiter = HostsLimiter(window, CallLimiter(tmp_path / "window", calls_per_second=20), calls_per_second=20)
    assert limiter.acquire(timeout_s=60)
    window.is_lost.set()
    for _ in range(MOST_AT_ONCE):  # what it had asked for before it may use up
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
    assert window.reserve(1, GAP_S).count == 1
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

    def reserve(self, count: int, gap_s: float) -> Moments:
        return self._there().reserve(count, gap_s)

    def skip(self, gap_s: float) -> None:
        self._there().skip(gap_s)

    def throttled(self, spread_s: float) -> None:
        self._there().throttled(spread_s)

    def close(self) -> None:
        self._window.close()
