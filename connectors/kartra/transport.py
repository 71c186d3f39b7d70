"""One endpoint over HTTPS: a request leaves once, and gets a reply, NotSentError or NoReplyError.

A request counts as not sent only if it never began to leave, whatever the exception is called: the
connections note when they begin to write. No library below repeats a request, follows a redirect, adds a
credential of `.netrc` or keeps a cookie. Not here: permits, credentials and what a reply means (`sender`,
`answers`).
"""

import http.client
import io
import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from connectors.answer_lines import BoundedLines
from connectors.errors import AccessRefusedError
from connectors.kartra.route import certificate_fault, is_loopback, route_to, why_no_answer, why_not_sent

KARTRA_URL = "https://app.kartra.com/api"
CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 16 * 2**20
"""Far more than the tags of the largest account take; an endless answer would fill the memory."""
_CHUNK_BYTES = 65536
_CENTURY_S = 100 * 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = field(repr=False)
    clock_offset_s: float | None = None
    """The endpoint's clock minus ours, by the reply's `Date`: right to a second. None without one."""


class NotSentError(Exception):
    """No byte of the request began to leave; the message says why."""


class NoReplyError(Exception):
    """The request may have arrived, and no answer says what became of it."""


class Endpoint(Protocol):
    """Where calls go. Any number of threads may post."""

    def prepare(self, body: str) -> requests.PreparedRequest:
        """Prepares what needs no permit."""
        ...

    def post(self, request: requests.PreparedRequest, has_left: Callable[[], None]) -> Reply:
        """Raises NotSentError, NoReplyError, AccessRefusedError."""
        ...

    def close(self) -> None: ...


class _Posting(threading.local):
    """The state of a thread's current request, written by the connection itself."""

    has_begun = False  # the first byte of the request may have left
    is_tunnelled = False  # the proxy let us through
    deadline = math.inf  # of whatever is read next, by time.monotonic
    has_left: Callable[[], None] = staticmethod(lambda: None)


class Transport:
    """Any number of threads may post. `timeout_s` bounds the whole answer; connecting is bounded apart.

    Raises ConfigError where the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, url: str, *, timeout_s: float, connections: int) -> None:
        self._url = secure_url(url)
        self._timeout_s = timeout_s
        self._connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
        self._route = route_to(self._url)
        self._posting = _Posting()
        self._adapter = _Adapter(self._posting, connections)
        self._headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            # Not br or zstd, which requests accepts where their libraries happen to be installed.
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": user_agent(),
        }

    def close(self) -> None:
        self._adapter.close()

    def prepare(self, body: str) -> requests.PreparedRequest:
        """Does everything that needs no permit, so that the call leaves at once when it has one."""
        return requests.Request("POST", self._url, data=body, headers=self._headers).prepare()

    def post(self, request: requests.PreparedRequest, has_left: Callable[[], None]) -> Reply:
        """`has_left` is called when the last byte is with the operating system.

        Raises NotSentError, NoReplyError, and AccessRefusedError where the certificate cannot be verified.
        """
        posting = self._posting
        posting.has_begun = posting.is_tunnelled = False
        posting.deadline = time.monotonic() + self._connect_s
        posting.has_left = self._answer_due(has_left)
        try:
            with self._adapter.send(
                request,
                stream=True,
                timeout=(self._connect_s, self._timeout_s),
                verify=self._route.bundle or True,
                proxies=dict(self._route.via),
            ) as response:
                offset_s = _clock_offset_s(response.headers.get("Date"))
                return Reply(response.status_code, _whole_body(response), offset_s)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,  # of a name that is none, or a header that cannot be written
        ) as error:
            raise self._without_reply(error) from error

    def _answer_due(self, has_left: Callable[[], None]) -> Callable[[], None]:
        def left() -> None:
            self._posting.deadline = time.monotonic() + self._timeout_s
            has_left()

        return left

    def _without_reply(self, error: Exception) -> Exception:
        posting = self._posting
        if posting.has_begun:
            # First of all: after the first byte no exception proves that Kartra did nothing.
            return NoReplyError(why_no_answer(error, within_s=self._timeout_s))
        if fault := certificate_fault(error, self._route):
            return AccessRefusedError(fault)
        return NotSentError(
            why_not_sent(error, self._route, is_tunnelled=posting.is_tunnelled, within_s=self._connect_s)
        )


def secure_url(url: str) -> str:
    """The endpoint; ValueError unless it is https, or http to this machine."""
    if "\\" in url or "@" in urlsplit(url).netloc:  # read in two ways by two parsers
        raise ValueError("Kartra is reached over https, at a URL without user names and backslashes")
    scheme = urlsplit(url).scheme  # in small letters, as every comparison below expects it
    if scheme != "https" and not (scheme == "http" and is_loopback(url)):
        raise ValueError("Kartra is reached over https; http:// is for loopback addresses only")
    return scheme + url[len(scheme) :]


def user_agent() -> str:
    """Kartra's firewall is said to refuse the agents that script languages send by default (§1.1)."""
    try:
        return f"kartra-sync/{version('kartra-sync')}"
    except PackageNotFoundError:  # run from a folder that was never installed
        return "kartra-sync"


def _whole_body(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise NoReplyError(f"an answer of more than {MAX_ANSWER_BYTES // 2**20} MB")
    return b"".join(parts)


def _clock_offset_s(date: str | None) -> float | None:
    """Their clock minus ours by a `Date`; half a second is added because a `Date` is truncated.

    None for one that is a century away: times reckoned with it would be in no year.
    """
    try:
        theirs = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):  # of a year of twenty digits
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    offset_s = (theirs - datetime.now(UTC)).total_seconds() + 0.5
    return offset_s if abs(offset_s) < _CENTURY_S else None


# --- connections that note what they do


class _Adapter(HTTPAdapter):
    """Pools, direct and through a proxy, whose connections write to the thread's `_Posting`."""

    def __init__(self, posting: _Posting, connections: int) -> None:
        self._posting = posting
        # urllib3 would repeat a request by itself after a lost connection.
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._note(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            self._note(manager)
        return manager

    def _note(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {
            scheme: _noting(pool, self._posting) for scheme, pool in manager.pool_classes_by_scheme.items()
        }


def _noting(pool: type, posting: _Posting) -> type:
    """A subclass of `pool` whose connections note when a request begins to leave and when it has left."""

    # The exceptions of urllib3 do not tell a request that was half written from one that never left.
    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]  # direct, TLS or SOCKS
        _is_connecting = False

        @staticmethod
        def response_class(sock: socket.socket, *args: Any, **options: Any) -> http.client.HTTPResponse:
            return http.client.HTTPResponse(_Deadlined(sock, posting), *args, **options)  # type: ignore[arg-type]

        def connect(self) -> None:
            self._is_connecting = True
            try:
                super().connect()
            finally:
                self._is_connecting = False

        def _tunnel(self) -> None:
            super()._tunnel()
            posting.is_tunnelled = True

        def send(self, data: Any) -> None:
            """Bytes written while connecting go to the proxy and hold nothing of the request."""
            if self.sock is None and self.auto_open:
                self.connect()
            if not self._is_connecting:
                posting.has_begun = True
            super().send(data)

        def request(self, *args: Any, **options: Any) -> None:
            try:
                super().request(*args, **options)
            finally:
                if posting.has_begun:
                    posting.has_left()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class _Deadlined:
    """A socket for HTTPResponse whose reads end at the posting's deadline."""

    def __init__(self, sock: socket.socket, posting: _Posting) -> None:
        self._sock, self._posting = sock, posting

    def makefile(self, _mode: str) -> io.BufferedReader:
        return BoundedLines(_UntilDeadline(self._sock, self._posting))


class _UntilDeadline(io.RawIOBase):
    def __init__(self, sock: socket.socket, posting: _Posting) -> None:
        self._sock, self._posting = sock, posting
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._posting.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer did not end in time")
        # The timeout of requests is per read: a byte every 20 seconds would keep a call waiting for ever.
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
