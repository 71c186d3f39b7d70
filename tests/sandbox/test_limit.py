"""The limit as the server counts it: accepted calls in any sliding second."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.sandbox import Account
from connectors.kartra.sandbox.limit import SlidingSecond, most_in_a_second
from tests.sandbox.conftest import Api, Form, StartApi, wait_for

SEARCH: Form = {"lead": {"email": "jo@example.com"}, "actions": [{"cmd": "search_lead"}]}


def statuses_of(api: Api, count: int) -> list[int]:
    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(lambda _: api.post(SEARCH).status_code, range(count)))


def test_of_25_calls_at_once_20_are_accepted_and_5_are_429(api: Api) -> None:
    assert statuses_of(api, 25) == [200] * 20 + [429] * 5
    assert api.sandbox.throttled == 5
    assert api.sandbox.worst_second() == 25
    assert sum(call.executed for call in api.sandbox.calls) == 20


def test_a_429_is_plain_text_and_nothing_was_done(start: StartApi) -> None:
    api = start(calls_per_second=1)
    api.ask(SEARCH)
    refused = api.post({"lead": {"email": "new@example.com"}, "actions": [{"cmd": "create_lead"}]})
    assert (refused.status_code, refused.text) == (429, "Too many requests")
    assert refused.headers["Content-Type"].startswith("text/html")
    assert api.sandbox.account.lead("new@example.com") is None


def test_refused_calls_do_not_prolong_the_wait(start: StartApi) -> None:
    api = start(calls_per_second=2)
    statuses_of(api, 2)
    wait_for(lambda: api.post(SEARCH).status_code == 200, within_s=2)
    assert api.sandbox.throttled > 2


def test_without_a_limit_every_call_is_accepted(start: StartApi) -> None:
    assert statuses_of(start(calls_per_second=0), 40) == [200] * 40


def test_calls_with_bad_credentials_are_answered_before_the_limit(start: StartApi) -> None:
    api = start(calls_per_second=1)
    assert [api.ask({**SEARCH, "app_id": "ANOTHER"})["type"] for _ in range(3)] == ["239"] * 3
    assert api.ask(SEARCH)["status"] == "Success"


def test_all_accounts_of_an_app_share_its_limit(start: StartApi) -> None:
    first, second = Account(), Account(api_key="SECONDKEY")
    api = start(first, others=(second,), calls_per_second=4)
    keys = [key for key in (first.api_key, second.api_key) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: api.post({**SEARCH, "api_key": key}).status_code, keys))
    assert sorted(answers) == [200] * 4 + [429] * 4
    assert api.sandbox.worst_second(first.app_id) == 8


def test_no_app_counts_for_another(start: StartApi) -> None:
    first, second = Account(), Account(app_id="SECONDAPP")
    api = start(first, others=(second,), calls_per_second=4)
    apps = [app_id for app_id in (first.app_id, second.app_id) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda app_id: api.post({**SEARCH, "app_id": app_id}).status_code, apps))
    assert answers == [200] * 8
    assert [api.sandbox.worst_second(app_id) for app_id in (first.app_id, second.app_id, None)] == [4, 4, 8]


@given(
    arrivals=st.lists(st.integers(0, 2000), max_size=80),
    limit=st.integers(1, 5),
)
def test_no_second_ever_holds_more_accepted_calls_than_the_limit(arrivals: list[int], limit: int) -> None:
    window = SlidingSecond()
    accepted = [ms / 1000 for ms in arrivals if window.admits(ms / 1000, limit)]
    for start in accepted:
        assert sum(start <= at < start + 1 for at in accepted) <= limit


@pytest.mark.parametrize(
    ("arrivals", "most"),
    [([], 0), ([5.0], 1), ([1.0, 2.0], 1), ([1.0, 1.999], 2), ([3.0, 1.0, 3.5, 1.5, 3.9], 3)],
)
def test_the_worst_second_is_counted_over_every_sliding_window(arrivals: list[float], most: int) -> None:
    assert most_in_a_second(arrivals) == most
