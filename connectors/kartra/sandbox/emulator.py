"""What happens to a call between its arrival and its answer, without any network.

Order of checks: connection, credentials, address, limit, then the call itself (reference §4).
"""

import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.kartra.sandbox.account import Account, est_of
from connectors.kartra.sandbox.call import Call, Entry, LateEffects
from connectors.kartra.sandbox.commands import access_error, answer, commands_in, error_type_of
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.faults import (
    BEFORE_THE_EFFECT,
    FIREWALL,
    Answer,
    FaultDraw,
    spoiled_answer,
    spoiled_body,
)
from connectors.kartra.sandbox.limit import LimitPerApp
from connectors.kartra.sandbox.options import FaultName, SandboxOptions
from connectors.kartra.sandbox.php_form import Form, child, form_of_json, parse_form, text

_CREDENTIALS = ("app_id", "api_key", "api_password")


@dataclass(slots=True)
class ReceivedCall:
    """One call as the server saw it; filled in as it proceeds."""

    number: int  # from 1
    at: float  # time.monotonic() when the request's headers had arrived
    commands: tuple[str, ...] = ()  # ("get_lead",) for a profile read
    form: Form = field(default_factory=dict, repr=False)  # the decoded body without its credentials
    http_status: int | None = None  # None: not answered (yet), or the connection was cut or stayed silent
    fault: FaultName | None = None
    executed: bool = False  # reached the commands: not refused by credentials or limit, not cut before
    error_type: str | None = None  # also of an error nested in a chain
    app_id: str = ""  # of the App that counts the call; empty where no App here has the given id
    account: Account | None = field(default=None, repr=False, compare=False)  # None: access was refused


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came over the wire."""

    content_type: str
    body: str = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    remote: str
    secure: bool


class Emulator:
    """The accounts and everything that is counted about calls; `lock` is held while a call is carried out.

    A call is for the account with its App id and API key. An App is active as the first of its accounts says.
    """

    def __init__(
        self,
        account: Account,
        options: SandboxOptions,
        others: Sequence[Account] = (),
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`now` is the server's clock; options may put it ahead."""
        self._now = now
        self.accounts = (account, *others)
        if len({(each.app_id, each.api_key) for each in self.accounts}) < len(self.accounts):
            raise ValueError("no two accounts share App id and API key")
        self.lock = threading.RLock()
        self.calls: list[ReceivedCall] = []
        self.throttled = 0
        self.options = options
        self._draw = FaultDraw(options.faults)
        self._limit = LimitPerApp()
        self._late = [LateEffects() for _ in self.accounts]  # in the order of the accounts: ids may be equal
        self._jitter = random.Random(options.faults.seed)  # noqa: S311 - repeatable on purpose

    def set_options(self, options: SandboxOptions) -> None:
        with self.lock:
            if options.faults is not self.options.faults:
                self._draw = FaultDraw(options.faults)
            self.options = options

    def reset_calls(self) -> None:
        with self.lock:
            self.calls = []
            self.throttled = 0

    def way_s(self) -> float:
        """The seconds that the next call is on its way."""
        with self.lock:
            return self._jitter.uniform(0, self.options.way_jitter_s)

    def receive(self, at: float) -> ReceivedCall:
        with self.lock:
            call = ReceivedCall(number=len(self.calls) + 1, at=at)
            self.calls.append(call)
            return call

    def answer(self, received: ReceivedCall, arrived: Arrived) -> Answer:
        with self.lock:
            form = self._form(arrived)
            credentials = {key: form.pop(key, "") for key in _CREDENTIALS}
            received.form = form
            received.commands = commands_in(form)
            reply = self._answer(received, credentials, arrived)
            latency_s = self.options.latency_s + self._jitter.uniform(0, self.options.latency_jitter_s)
            if reply.fate == "sent":
                received.http_status = reply.status
            return replace(reply, delay_s=reply.delay_s + latency_s)

    def _form(self, arrived: Arrived) -> Form:
        """PHP leaves the form empty when the body is of another type; then there is no App id either."""
        if arrived.content_type == "application/x-www-form-urlencoded":
            form = parse_form(arrived.body)
        elif arrived.content_type == "application/json" and self.options.allow_json:
            form = _json_form(arrived.body)
        else:
            form = {}
        if self.options.allow_json:
            form = {key: arrived.query[key] for key in _CREDENTIALS if key in arrived.query} | form
        return form

    def _answer(self, received: ReceivedCall, credentials: Form, arrived: Arrived) -> Answer:
        try:
            place = self._place(received, credentials, arrived)
        except Refused as refused:
            received.error_type = refused.type
            return Answer(_php_json(access_error(refused.type, self.options)))
        received.account = self.accounts[place]
        is_silent = self.accounts[place].silent
        fault = "silence" if is_silent else self._draw.draw(received.number, received.commands)
        limit = self.options.calls_per_second
        # §2.1: the limit counts calls of an App, whatever they ask for; a refused call is not carried out.
        if fault == "throttle" or not self._limit.admits(received.app_id, received.at, limit):
            received.fault = fault if fault == "throttle" else None
            self.throttled += 1
            return Answer("Too many requests", status=429)
        received.fault = fault
        if self.options.firewall and _has_markup(received.form):
            return FIREWALL
        body = "" if fault in BEFORE_THE_EFFECT else self._carried_out(received, place)
        return spoiled_answer(Answer(body), fault, self.options.faults)

    def _carried_out(self, received: ReceivedCall, place: int) -> str:
        call = Call(
            account=self.accounts[place],
            options=self.options,
            late=self._late[place],
            at=received.at,
            now=est_of(self._now(), self.options.est) + timedelta(seconds=self.options.clock_offset_s),
            lead_form=child(received.form, "lead"),
        )
        received.executed = True
        body = answer(received.form, call)
        received.error_type = error_type_of(body)
        spoiled = spoiled_body(body, received.fault)
        return _php_json(_php_lists(spoiled) if self.options.php_lists else spoiled)

    def _place(self, received: ReceivedCall, credentials: Form, arrived: Arrived) -> int:
        """The place in `accounts` of the account that the call may act on. Raises Refused where it may on
        none."""
        if self.options.require_https and not arrived.secure:
            raise Refused("201")
        app_id, api_key, api_password = (text(credentials, key) for key in _CREDENTIALS)
        # §4: the App is checked before the key and the key before the password; each has an error of its own.
        if not app_id:
            raise Refused("238")
        of_app = [place for place, account in enumerate(self.accounts) if account.app_id == app_id]
        if not of_app:
            raise Refused("239")
        received.app_id = app_id
        if not self.accounts[of_app[0]].developer_active:
            raise Refused("240")
        if not api_key:
            raise Refused("202")
        place = next((place for place in of_app if self.accounts[place].api_key == api_key), None)
        if place is None:
            raise Refused("203")
        account = self.accounts[place]
        if api_password != account.api_password:
            raise Refused("233")
        if not account.user_active:
            raise Refused("204")
        if account.allowed_ips is not None and arrived.remote not in account.allowed_ips:
            raise Refused("242")
        return place


def _has_markup(form: Form) -> bool:
    return any(
        _has_markup(value) if isinstance(value, dict) else "<" in value or ">" in value
        for value in form.values()
    )


def _json_form(body: str) -> Form:
    try:
        return form_of_json(json.loads(body))
    except ValueError:
        return {}


def _php_lists(value: Any) -> Any:
    """Lists as PHP writes those whose keys have gaps, and empty ones as an empty text."""
    if isinstance(value, dict):
        return {key: _php_lists(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return {str(2 * place): _php_lists(entry) for place, entry in enumerate(value)} or ""
    return value


def _php_json(body: Entry) -> str:
    """A body as PHP's json_encode writes it: without blanks, with slashes escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/")
