"""Kartra's one endpoint over HTTPS. A call leaves only with a permit and comes back classified.

Nothing here is ever sent twice by itself, except after a 429, which Kartra refuses before executing
anything. Request bodies hold the credentials and are never logged.
"""

import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from connectors.errors import FatalApiError, RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import ActionAnswer, Answer, Effect, classify, uniform
from connectors.kartra.commands import Call
from connectors.kartra.error_types import error_type
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.profile import (
    CustomFieldDefinition,
    LeadProfile,
    parse_custom_fields,
    parse_names,
    parse_profile,
)
from connectors.kartra.wire import Credentials, encode_call

log = logging.getLogger("kartra_sync.client")

CONNECT_TIMEOUT_S = 10.0
READ_ATTEMPTS = 5
THROTTLED_PATIENCE_S = 600.0
"""How long one call goes on being refused with 429 before it is given back as not executed."""
LATENCY_WEIGHT = 0.1

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(slots=True)
class CallCounts:
    """What left this client: every call, those answered 429, those that only read a lead."""

    sent: int = 0
    throttled: int = 0
    read_back: int = 0
    latency_s: float = 0.3
    """A running mean over the answers."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, call: Call, *, throttled: bool, latency_s: float) -> None:
        with self._lock:
            self.sent += 1
            self.throttled += throttled
            self.read_back += call.get_lead is not None
            if not throttled:
                self.latency_s += LATENCY_WEIGHT * (latency_s - self.latency_s)


def is_clear(answer: Answer | ActionAnswer) -> bool:
    """Each action was done, or refused for good."""
    return answer.effect in (Effect.DONE, Effect.REFUSED)


def is_answered(answer: Answer) -> bool:
    """Kartra answered in its own words, whatever is missing in them."""
    return answer.effect is not Effect.RETRY_LATER and bool(answer.body)


@dataclass(frozen=True, slots=True)
class ProfileRead:
    """What reading a lead back gave: its profile, or why there is none (234 unknown, 245 deleted)."""

    profile: LeadProfile | None
    type: str | None = None


class KartraClient:
    """Kartra for one App and one account; any number of threads may send.

    `given_up` is asked while a call waits for its permit: once true, the call comes back as not
    executed. `timeout_s` bounds the wait for an answer; connecting is bounded apart.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        limiter: CallLimiter,
        *,
        timeout_s: float = 30.0,
        connections: int = 64,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.counts = CallCounts()
        self._url = secure_url(url)
        self._credentials = credentials
        self._limiter = limiter
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._given_up = given_up
        self._session = requests.Session()
        # A proxy of the environment is right for Kartra and wrong for a sandbox on this machine.
        self._session.trust_env = not is_loopback(self._url)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._sending = threading.local()
        self._readers = ThreadPoolExecutor(connections, thread_name_prefix="read")
        self._session.mount(self._url, _adapter(connections, self._has_left))
        # Proxies and certificates of the environment, as requests takes them for a request of its own.
        self._environment = self._session.merge_environment_settings(self._url, {}, False, None, None)

    def close(self) -> None:
        self._readers.shutdown(wait=False)
        self._session.close()
        self._limiter.close()

    def send(self, call: Call) -> Answer:
        """Send once. RETRY_LATER means it was proven not to have been executed, UNKNOWN that it may have."""
        body = encode_call(self._credentials, call)
        request = self._session.prepare_request(
            requests.Request("POST", self._url, data=body, headers=_HEADERS)
        )  # before the permit: a call leaves at once when it has one
        deadline = time.monotonic() + THROTTLED_PATIENCE_S
        while (permit := self._limiter.acquire(given_up=self._given_up)) and not self._given_up():
            self._sending.permit = permit
            answer = self._post(call, request)
            if not answer.throttled:
                return answer
            self._limiter.throttled()
            if time.monotonic() > deadline:
                return answer
        return uniform(call, Effect.RETRY_LATER)

    def read(self, call: Call, *, usable: Callable[[Answer], bool] = is_clear) -> Answer:
        """Send a call that only reads, again and again while nothing usable comes back.

        Raises FatalApiError, and RetryableApiError after READ_ATTEMPTS.
        """
        retrying = Retrying(
            retry=retry_if_result(lambda answer: answer.effect is not Effect.FATAL and not usable(answer)),
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5),
            sleep=self._sleep,
        )
        try:
            answer = retrying(self._send_or_give_up, call)
        except RetryError:
            raise RetryableApiError(
                f"Kartra gave no usable answer to {call.commands[0]} in {READ_ATTEMPTS} tries"
            ) from None
        if answer.effect is Effect.FATAL:
            raise fatal(answer)
        return answer

    def _send_or_give_up(self, call: Call) -> Answer:
        """An answer to a read that nobody wants any more is not waited for."""
        sent = self._readers.submit(self.send, call)
        while not sent.done() and not self._given_up():
            wait([sent], timeout=0.2)
        return sent.result() if sent.done() else uniform(call, Effect.RETRY_LATER)

    def names(self, call: Call, key: str) -> tuple[str, ...]:
        """An inventory of names, such as account_tags. Raises FatalApiError or RetryableApiError."""
        return parse_names(self.inventory(call).body, key)

    def custom_fields(self) -> tuple[CustomFieldDefinition, ...]:
        call = Call((commands.retrieve_custom_fields(),))
        return parse_custom_fields(self.inventory(call).body)

    def inventory(self, call: Call) -> Answer:
        """The answer to an account-wide read. Raises FatalApiError (refused), RetryableApiError."""
        answer = self.read(call)
        if answer.effect is not Effect.DONE:
            raise refusal(call.commands[0], answer.type)
        return answer

    def _has_left(self) -> None:
        """The last byte of this thread's call is with the operating system."""
        self._limiter.sent(self._sending.permit)

    def _post(self, call: Call, request: requests.PreparedRequest) -> Answer:
        started = time.monotonic()
        try:
            response = self._session.send(
                request, timeout=self._timeouts, allow_redirects=False, **self._environment
            )
        except requests.RequestException as error:
            effect = _without_answer(error)
            if effect is not Effect.RETRY_LATER:  # else it never left
                self.counts.count(call, throttled=False, latency_s=time.monotonic() - started)
            log.debug("%s: no answer (%s)", call.commands[0], type(error).__name__)
            return uniform(call, effect)
        throttled = response.status_code == 429
        self.counts.count(call, throttled=throttled, latency_s=time.monotonic() - started)
        return classify(call, response.status_code, response.content)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0 and not self._given_up():
            time.sleep(min(left_s, 0.2))


def profile_of(answer: Answer) -> ProfileRead:
    """The profile in the answer to get_lead."""
    if answer.effect is Effect.DONE:
        return ProfileRead(parse_profile(answer.body))
    return ProfileRead(None, answer.type)


def refusal(cmd: str, type: str | None) -> FatalApiError:  # noqa: A002 - Kartra's own word
    """For a refusal that would meet every further call of the kind."""
    known = error_type(type)
    return FatalApiError(f"Kartra refused {cmd}: {known.message} ({known.type}). {known.advice}", type=type)


def fatal(answer: Answer) -> FatalApiError:
    known = error_type(answer.type)
    return FatalApiError(f"Kartra: {known.message} ({known.type}). {known.advice}", type=answer.type)


def secure_url(url: str) -> str:
    """The endpoint; ValueError unless it is https, or http to this machine."""
    if "\\" in url or "@" in urlsplit(url).netloc:  # read in two ways by two parsers
        raise ValueError("Kartra is reached over https, at a URL without user names and backslashes")
    if not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        raise ValueError("Kartra is reached over https; http:// is for loopback addresses only")
    return url


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _adapter(connections: int, has_left: Callable[[], None]) -> HTTPAdapter:
    """An adapter that tells when a request was written to its connection, handshake and all."""

    class Connection(urllib3.connection.HTTPConnection):
        def request(self, *args: Any, **options: Any) -> None:
            super().request(*args, **options)
            has_left()

    class SecureConnection(urllib3.connection.HTTPSConnection):
        def request(self, *args: Any, **options: Any) -> None:
            super().request(*args, **options)
            has_left()

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}

    return Adapter(pool_maxsize=connections, max_retries=0)


_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


def _without_answer(error: requests.RequestException) -> Effect:
    """RETRY_LATER only where no byte of the call can have arrived."""
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise FatalApiError(
            "the TLS certificate of the endpoint cannot be verified: nothing was sent. Is a proxy in between?"
        ) from error
    if isinstance(error, requests.ConnectTimeout):
        return Effect.RETRY_LATER
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return Effect.RETRY_LATER if isinstance(reason, _NOT_SENT) else Effect.UNKNOWN
