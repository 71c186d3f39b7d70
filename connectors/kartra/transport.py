"""One endpoint over HTTPS: a request leaves once, and either a reply comes back or what that proves.

Not here: permits, credentials and what a reply means (`client`, `answers`). Nothing is sent again.
"""

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from connectors.errors import FatalApiError

KARTRA_URL = "https://app.kartra.com/api"
CONNECT_TIMEOUT_S = 10.0

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = field(repr=False)


class NotSentError(Exception):
    """No byte of the request can have arrived."""


class NoReplyError(Exception):
    """The request may have arrived, and nobody said what became of it."""


class Transport:
    """Any number of threads may post. `timeout_s` bounds the wait for a reply only."""

    def __init__(self, url: str, *, timeout_s: float, connections: int) -> None:
        self._url = secure_url(url)
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._session = requests.Session()
        # A proxy of the environment is right for Kartra and wrong for a sandbox on this machine.
        self._session.trust_env = not is_loopback(self._url)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._posting = threading.local()
        self._session.mount(self._url, _adapter(connections, self._has_left))
        # Proxies and certificates of the environment, as requests takes them for a request of its own.
        self._environment = self._session.merge_environment_settings(self._url, {}, False, None, None)

    def close(self) -> None:
        self._session.close()

    def prepare(self, body: str) -> requests.PreparedRequest:
        """What can be done before there is a permit, so that the call leaves at once when there is one."""
        return self._session.prepare_request(requests.Request("POST", self._url, data=body, headers=_HEADERS))

    def post(self, request: requests.PreparedRequest, has_left: Callable[[], None]) -> Reply:
        """`has_left` is called when the last byte is with the operating system.

        Raises NotSentError, NoReplyError, and FatalApiError where the certificate cannot be verified.
        """
        self._posting.has_left = has_left
        try:
            response = self._session.send(
                request, timeout=self._timeouts, allow_redirects=False, **self._environment
            )
        except requests.RequestException as error:
            raise _without_reply(error) from error
        return Reply(response.status_code, response.content)

    def _has_left(self) -> None:
        self._posting.has_left()


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


def _without_reply(error: requests.RequestException) -> Exception:
    """NotSentError only where no byte of the request can have arrived."""
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return FatalApiError(
            "the TLS certificate of the endpoint cannot be verified: nothing was sent. Is a proxy in between?"
        )
    kind = type(error).__name__
    if isinstance(error, requests.ConnectTimeout):
        return NotSentError(kind)
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return NotSentError(kind) if isinstance(reason, _NOT_SENT) else NoReplyError(kind)
