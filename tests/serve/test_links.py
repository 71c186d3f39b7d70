"""Links and browsers of clients, and how long each is open."""

import pytest

from pipelines.serve.access import OneTimeLinks
from pipelines.serve.clients import Clients

DAY_S = 24 * 3600


class Time:
    """Seconds that pass when a test says so."""

    s = 1_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.mark.parametrize(("after_s", "is_open"), [(DAY_S - 1, True), (DAY_S, False), (DAY_S * 30, False)])
def test_a_client_s_link_is_open_for_a_day(after_s: float, is_open: bool) -> None:
    time = Time()
    clients = Clients(time)
    token = clients.invite("bolt", is_renewal=False)
    time.s += after_s
    assert clients.is_open(token) is is_open
    assert (clients.begin(token) is not None) is is_open
    assert clients.begin(token) is None  # once


@pytest.mark.parametrize(("after_s", "is_open"), [(DAY_S - 1, True), (DAY_S, False)])
def test_a_link_to_the_page_is_open_for_a_day(after_s: float, is_open: bool) -> None:
    time = Time()
    links = OneTimeLinks(time)
    token = links.make("come in")
    time.s += after_s
    assert links.take(token, "come in") is is_open


def test_a_client_who_does_not_come_back_is_forgotten_after_half_an_hour() -> None:
    time = Time()
    clients = Clients(time)
    cookie = clients.begin(clients.invite("bolt", is_renewal=False))
    assert cookie is not None
    client = clients.find(cookie)
    assert client is not None
    time.s += 30 * 60
    assert clients.find(cookie) is None
    assert not clients.is_still_open(client)
