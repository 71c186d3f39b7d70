"""Faults on request, over a real connection."""

import threading
import time
from typing import Any

import pytest
import requests

from connectors.kartra.sandbox import Faults, Sandbox
from tests.sandbox.conftest import Api, Form, StartApi, flat, wait_for

CREATE: Form = {
    "lead": {"email": "new@example.com"},
    "actions": [{"cmd": "create_lead"}, {"cmd": "assign_tag", "tag_name": "VIP"}],
}


def created(api: Api) -> bool:
    return api.sandbox.account.lead("new@example.com") is not None


@pytest.mark.parametrize(
    ("faults", "fault", "effect"),
    [(Faults(cut_before=1), "cut_before", False), (Faults(cut_after=1), "cut_after", True)],
)
def test_a_cut_connection(start: StartApi, faults: Faults, fault: str, effect: bool) -> None:
    api = start(faults=faults)
    with pytest.raises(requests.ConnectionError):
        api.post(CREATE)
    call = api.sandbox.calls[0]
    assert (call.fault, call.http_status, call.executed) == (fault, None, effect)
    assert created(api) is effect


@pytest.mark.parametrize(
    ("faults", "fault", "status", "effect"),
    [
        (Faults(bad_gateway_before=1), "bad_gateway_before", 502, False),
        (Faults(bad_gateway_after=1), "bad_gateway_after", 502, True),
        (Faults(not_json=1), "not_json", 200, True),
        (Faults(throttle=1), "throttle", 429, False),
    ],
)
def test_an_answer_that_is_no_json(
    start: StartApi, faults: Faults, fault: str, status: int, effect: bool
) -> None:
    api = start(faults=faults)
    response = api.post(CREATE)
    assert response.status_code == status
    with pytest.raises(requests.JSONDecodeError):
        response.json()
    call = api.sandbox.calls[0]
    assert (call.fault, call.http_status, call.executed) == (fault, status, effect)
    assert created(api) is effect


def test_silence_lasts_until_the_client_gives_up(start: StartApi) -> None:
    api = start(faults=Faults(silence=1.0))
    with pytest.raises(requests.ReadTimeout):
        api.post(CREATE, timeout=0.1)
    assert created(api)
    assert api.sandbox.calls[0].fault == "silence"


@pytest.mark.parametrize("options", [{"faults": Faults(silence=1.0)}, {"latency_s": 30.0}])
def test_stopping_is_quick_with_calls_still_open(options: dict[str, Any]) -> None:
    ended = threading.Event()

    def wait_in_vain(api: Api) -> None:
        with pytest.raises(requests.ConnectionError):
            api.post(CREATE)
        ended.set()

    with Sandbox(**options) as sandbox:
        threading.Thread(target=wait_in_vain, args=(Api(sandbox),)).start()
        wait_for(lambda: bool(sandbox.calls) and sandbox.calls[0].executed)
        stopped_at = time.monotonic()
    assert time.monotonic() - stopped_at < 1.0
    assert ended.wait(5)


def test_a_slow_answer_is_the_right_answer(start: StartApi) -> None:
    api = start(faults=Faults(slow=1.0, slow_s=0.2))
    asked_at = time.monotonic()
    assert api.ask(CREATE)["status"] == "Success"
    assert time.monotonic() - asked_at >= 0.2


def test_an_answer_without_its_last_entry(start: StartApi) -> None:
    api = start(faults=Faults(missing_entry=1.0))
    assert [list(entry) for entry in api.ask(CREATE)["actions"]] == [["create_lead"]]
    lead = api.stored("new@example.com")
    assert lead.tags == {"VIP"}


def test_actions_as_an_object(start: StartApi) -> None:
    api = start(faults=Faults(object_actions=1.0))
    answer = api.ask(CREATE)["actions"]
    assert {index: list(entry) for index, entry in answer.items()} == {
        "0": ["create_lead"],
        "1": ["assign_tag"],
    }


def test_only_the_calls_and_commands_meant_are_hit(start: StartApi) -> None:
    faults = Faults(
        bad_gateway_after=1.0, commands=frozenset({"assign_tag", "get_lead"}), from_call=2, to_call=4
    )
    api = start(faults=faults)
    tag: Form = {"lead": {"email": "jo@example.com"}, "actions": [{"cmd": "assign_tag", "tag_name": "VIP"}]}
    search: Form = {"lead": {"email": "jo@example.com"}, "actions": [{"cmd": "search_lead"}]}
    read: Form = {"get_lead": {"email": "jo@example.com"}}
    assert [api.post(form).status_code for form in (tag, tag, search, read, tag)] == [200, 502, 200, 502, 200]


def test_the_same_seed_hits_the_same_calls(start: StartApi) -> None:
    faults = Faults(bad_gateway_before=0.3, not_json=0.3, seed=7)

    def hit(api: Api) -> list[str | None]:
        for _ in range(30):
            api.post({"get_lead": {"email": "jo@example.com"}})
        return [call.fault for call in api.sandbox.calls]

    api = start(calls_per_second=0, faults=faults)
    first = hit(api)
    assert set(first) == {None, "bad_gateway_before", "not_json"}
    api.sandbox.reset_calls()
    api.sandbox.set_faults(Faults(bad_gateway_before=0.3, not_json=0.3, seed=7))
    assert hit(api) == first


@pytest.mark.parametrize("shares", [{"silence": 0.6, "slow": 0.6}, {"silence": -0.1}])
def test_shares_are_checked(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares of faults"):
        Faults(**shares)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        ("maintenance", 503, "We are back soon"),
        ("firewall", 403, "Request blocked."),
        ("proxy", 407, "Proxy"),
    ],
)
def test_what_stands_in_front_answers_with_a_page_and_nothing_is_done(
    fault: str, status: int, says: str, start: StartApi
) -> None:
    api = start(faults=Faults(**{fault: 1.0}))  # type: ignore[arg-type]
    answer = api.post(CREATE)
    assert (answer.status_code, says in answer.text) == (status, True)
    assert not created(api)


def test_a_notice_of_php_stands_before_the_right_answer(start: StartApi) -> None:
    api = start(faults=Faults(php_notice=1.0))
    notice, _, rest = api.post(CREATE).text.partition("{")
    assert notice.startswith("<br />\n<b>Notice</b>:")
    assert rest.startswith('"status":"Success"')
    assert created(api)


def test_an_answer_that_trickles_is_the_right_answer_in_the_end(start: StartApi) -> None:
    api = start(faults=Faults(trickle=1.0, trickle_s=0.001))
    assert api.ask(CREATE)["status"] == "Success"
    api.sandbox.set_faults(Faults(trickle=1.0, trickle_s=0.2))
    body = flat({**api.credentials, **CREATE})
    started = time.monotonic()
    with (
        requests.Session() as session,
        session.post(api.sandbox.url, data=body, stream=True, timeout=10) as answer,
    ):
        assert answer.raw.read(4) == b'{"st'
    assert time.monotonic() - started >= 0.4
