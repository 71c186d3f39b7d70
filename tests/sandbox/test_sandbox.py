"""Starting, stopping, looking in, and the account as a file."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from connectors.kartra.sandbox import Account, Sandbox, SandboxOptions, demo_account, serve_forever
from tests.sandbox.conftest import Api, Form, StartApi

READ: Form = {"get_lead": {"email": "jo@example.com"}}


def test_a_call_is_on_record_without_credentials(api: Api) -> None:
    before = time.monotonic()
    api.act({"cmd": "search_lead"}, email="jo@example.com")
    (call,) = api.sandbox.calls
    assert (call.number, call.commands, call.http_status) == (1, ("search_lead",), 200)
    assert (call.executed, call.fault, call.error_type) == (True, None, None)
    assert before < call.at < time.monotonic()
    assert call.form == {"lead": {"email": "jo@example.com"}, "actions": {"0": {"cmd": "search_lead"}}}
    assert not any(secret in repr((call, api.sandbox.credentials)) for secret in ("SANDBOXK", "SANDBOXPASSW"))
    api.sandbox.reset_calls()
    assert (api.sandbox.calls, api.sandbox.throttled, api.sandbox.worst_second()) == ([], 0, 0)


FIRST = {"app_id": "ONE", "api_key": "KEY1", "api_password": "PASS1"}
SAME_APP = {"app_id": "ONE", "api_key": "KEY2", "api_password": "PASS2"}
OTHER_APP = {"app_id": "TWO", "api_key": "KEY1", "api_password": "PASS3"}


@pytest.fixture
def three(start: StartApi) -> Api:
    """Two accounts of one App and one of another at one endpoint, each with a lead of its own."""
    accounts = [Account(**given, tags=["VIP"]) for given in (FIRST, SAME_APP, OTHER_APP)]
    for place, account in enumerate(accounts):
        account.add_lead(f"lead{place}@example.com")
    return start(accounts[0], others=accounts[1:])


def test_app_and_key_choose_the_account_a_call_acts_upon(three: Api) -> None:
    accounts = three.sandbox.accounts
    for place, given in enumerate((FIRST, SAME_APP, OTHER_APP)):
        lead = {"email": f"lead{place}@example.com"}
        assign = {"lead": lead, "actions": [{"cmd": "assign_tag", "tag_name": "VIP"}]}
        assert three.ask({**given, **assign})["status"] == "Success"
    assert [[(lead.email, lead.tags) for lead in account.leads.values()] for account in accounts] == [
        [(f"lead{place}@example.com", {"VIP"})] for place in range(3)
    ]
    assert three.sandbox.account is accounts[0]
    calls = three.sandbox.calls
    assert [call.app_id for call in calls] == ["ONE", "ONE", "TWO"]
    assert all(call.account is account for call, account in zip(calls, accounts, strict=True))
    assert not any(secret in repr(calls) for secret in ("KEY1", "KEY2", "PASS1", "PASS2", "PASS3"))


@pytest.mark.parametrize(
    ("given", "error", "app_id"),
    [
        ({"app_id": "THREE", "api_key": "KEY1", "api_password": "PASS1"}, "239", ""),
        ({"app_id": "TWO", "api_key": "KEY2", "api_password": "PASS2"}, "203", "TWO"),
        ({"app_id": "ONE", "api_key": "KEY2", "api_password": "PASS1"}, "233", "ONE"),
        ({"app_id": "TWO", "api_key": "", "api_password": "PASS3"}, "202", "TWO"),
        ({"app_id": "", "api_key": "KEY1", "api_password": "PASS1"}, "238", ""),
    ],
)
def test_credentials_of_different_accounts_do_not_mix(
    three: Api, given: dict[str, str], error: str, app_id: str
) -> None:
    assert three.ask({**given, **READ})["type"] == error
    (call,) = three.sandbox.calls
    assert (call.error_type, call.app_id, call.account) == (error, app_id, None)


def test_what_switches_one_account_off_leaves_the_others_on(three: Api) -> None:
    _, same_app, other_app = three.sandbox.accounts
    same_app.user_active = False
    other_app.developer_active = False
    answers = [three.ask({**given, **READ}) for given in (FIRST, SAME_APP, OTHER_APP)]
    assert [answer.get("type") for answer in answers] == ["234", "204", "240"]


def test_late_effects_of_one_account_do_not_show_in_another(start: StartApi) -> None:
    """Both accounts have a lead with the same id."""
    accounts = [Account(**given, lists=["News"]) for given in (FIRST, SAME_APP)]
    for account in accounts:
        account.add_lead("jo@example.com").lists["News"] = True
    api = start(accounts[0], others=accounts[1:], effect_delay_s=30.0)
    leave = {"cmd": "unsubscribe_lead_from_list", "list_name": "News"}
    api.ask({**FIRST, "lead": {"email": "jo@example.com"}, "actions": [leave]})
    accounts[1].leads["39260"].lists["News"] = False
    shown = [api.ask({**given, **READ})["lead_details"]["lists"] for given in (FIRST, SAME_APP)]
    assert [[entry["active"] for entry in lists] for lists in shown] == [["1"], ["0"]]


def test_no_two_accounts_share_app_and_key() -> None:
    with pytest.raises(ValueError, match="share App id and API key"):
        Sandbox(Account(**FIRST), others=(Account(**FIRST),))


def test_latency_costs_time_but_no_concurrency(start: StartApi) -> None:
    api = start(latency_s=0.2, latency_jitter_s=0.1, calls_per_second=0)
    asked_at = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda _: api.ask(READ)["status"] == "Success", range(20)))
    assert 0.2 <= time.monotonic() - asked_at < 2.0


def test_a_sandbox_can_be_stopped_and_started_again(start: StartApi) -> None:
    sandbox = start().sandbox
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(RuntimeError, match="not started"):
        _ = sandbox.url
    sandbox.start()
    assert Api(sandbox).ask(READ)["status"] == "Success"


def test_a_taken_port_is_an_error(api: Api) -> None:
    taken = Sandbox(port=int(api.sandbox.url.rsplit(":", 1)[1].removesuffix("/api")))
    with pytest.raises(OSError, match="address already in use"):
        taken.start()


def test_an_account_survives_json(api: Api) -> None:
    api.act({"cmd": "create_lead"}, {"cmd": "assign_tag", "tag_name": "VIP"}, email="new@example.com")
    again = Account.from_json(api.sandbox.account.to_json())
    assert again == api.sandbox.account
    assert again.add_lead("next@example.com").id == "39265"


def test_an_account_starts_from_yaml(tmp_path: Path, start: StartApi) -> None:
    path = tmp_path / "account.yaml"
    path.write_text(
        """
app_id: MYAPP
tags: [VIP]
sequences: {Onboarding: [1, 2]}
calendars: {Coaching: {classes: [Call]}}
custom_fields: [{id: 1, identifier: size, type: drop_down, options: {612: large}}]
leads:
  7: {email: jo@example.com, tags: [VIP], lists: {News: true}, custom_fields: {size: ["612"]}}
"""
    )
    account = Account.from_yaml(path)
    lead = start(account).lead("jo@example.com")
    assert (lead["id"], lead["tags"]) == ("7", [{"tag_name": "VIP"}])
    assert account.sequences == {"Onboarding": ["1", "2"]}
    path.write_text("tagz: [VIP]")
    with pytest.raises(ValueError, match=r"^tagz: Unexpected keyword argument$"):
        Account.from_yaml(path)


SALE = "transactions: {5: {lead_id: 7, amount: 20}}"


def test_a_sale_in_yaml_is_refunded_and_knows_its_buyer(tmp_path: Path, start: StartApi) -> None:
    path = tmp_path / "account.yaml"
    path.write_text("leads: {7: {email: jo@example.com}}\n" + SALE)
    api = start(Account.from_yaml(path))
    assert api.act({"cmd": "refund_transaction", "transaction_id": "5"})["status"] == "Success"
    answer = api.act({"cmd": "retrieve_transactions_from_lead"}, id="7")["actions"][0]
    rows = answer["retrieve_transactions_from_lead"]["transaction_list"]
    assert [row["lead_email"] for row in rows] == ["jo@example.com"] * 2


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (SALE.replace("7", "8"), "transaction 5: no such lead"),
        (SALE.replace("20", "20 EUR"), "transaction 5: an amount is like 97.00"),
        (SALE.replace("20", "20, date: yesterday"), "transaction 5: a date is like"),
        (SALE.replace("20", "20, subscription_id: 9"), "transaction 5: no such subscription"),
        ("subscriptions: {9: {lead_id: 8}}", "subscription 9: no such lead"),
    ],
)
def test_a_mistake_in_an_account_file_is_told_before_it_is_served(
    tmp_path: Path, written: str, told: str
) -> None:
    path = tmp_path / "account.yaml"
    path.write_text("leads: {7: {email: jo@example.com}}\n" + written)
    with pytest.raises(ValueError, match=f"^{told}") as mistake:
        Account.from_yaml(path)
    assert "jo@" not in str(mistake.value)


def test_no_two_leads_share_an_address() -> None:
    account = demo_account()
    with pytest.raises(ValueError, match="share an address"):
        account.add_lead("JO@example.com")


def test_serving_ends_with_a_signal() -> None:
    answers = []

    def announce(sandbox: Sandbox) -> None:
        answers.append(requests.post(sandbox.url, timeout=5).json()["type"])
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    before = signal.getsignal(signal.SIGTERM)
    serve_forever(SandboxOptions(), None, announce)
    assert answers == ["238"]
    assert signal.getsignal(signal.SIGTERM) is before
