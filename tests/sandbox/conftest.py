"""A started sandbox, and a client that knows nothing but HTTP."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
import requests

from connectors.kartra.sandbox import Account, Sandbox, SandboxLead

Form = dict[str, Any]  # nested maps, lists and text, as a test writes them


class Api:
    """Posts nested forms to one sandbox with its credentials."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        given = sandbox.credentials
        self.credentials = {
            "app_id": given.app_id,
            "api_key": given.api_key,
            "api_password": given.api_password,
        }

    def post(self, form: Form, timeout: float = 10) -> requests.Response:
        """Every call over a connection of its own; keys of the form replace the credentials."""
        with requests.Session() as session:
            return session.post(self.sandbox.url, data=flat({**self.credentials, **form}), timeout=timeout)

    def ask(self, form: Form) -> Any:
        response = self.post(form)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        return response.json()

    def act(self, *actions: Form, **lead: Any) -> Any:
        return self.ask({"lead": lead, "actions": list(actions)})

    def stored(self, email: str) -> SandboxLead:
        """What the account holds."""
        lead = self.sandbox.account.lead(email)
        assert lead is not None
        return lead

    def lead(self, email: str) -> Any:
        """What get_lead shows."""
        return self.ask({"get_lead": {"email": email}})["lead_details"]


class StartApi(Protocol):
    def __call__(self, account: Account | None = None, **options: Any) -> Api: ...


@pytest.fixture
def start() -> Iterator[StartApi]:
    with ExitStack() as stack:
        yield lambda account=None, **options: Api(stack.enter_context(Sandbox(account, **options)))


@pytest.fixture
def api(start: StartApi) -> Api:
    return start()


def flat(form: Form) -> dict[str, str]:
    """Nested maps and lists as PHP's bracket notation."""
    return dict(_pairs("", form))


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        yield prefix, str(value)
        return
    for key, item in value.items():
        yield from _pairs(f"{prefix}[{key}]" if prefix else str(key), item)


def wait_for(promise: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not promise():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
