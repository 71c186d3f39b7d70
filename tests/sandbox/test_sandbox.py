"""Starting, stopping, looking in, and the account as a file."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from pydantic import ValidationError

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
    with pytest.raises(ValidationError, match="tagz"):
        Account.from_yaml(path)


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
