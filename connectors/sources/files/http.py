"""A file behind http or https: one GET, whole or not at all, and never from where nobody sent us.

Redirects are followed here, one by one: no library sends a password on to another host, or follows from https
to http or to this machine itself. What a message says of a URL is its host; its query and its user may be
secrets.
"""

import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.cookies import extract_cookies_to_jar
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from connectors.answer_lines import bounded_response
from connectors.certificates import chain_of, named_bundle
from connectors.errors import SourceError
from connectors.sources.files.archives import Expansion
from connectors.sources.files.url_kinds import BY_HTTP, fault_of_url, kind_of

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
MAX_REDIRECTS = 5
BLOCK_BYTES = 64 * 1024
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_TELLS_ITS_END = (".gz", ".bz2", ".xz", ".zip", ".xlsx", ".xlsm", ".parquet")
"""Files that are damaged where they are cut off, so that nothing else has to tell."""
_PACKED_BY = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib calls the ways in which a body may be packed."""
_LENGTH = re.compile("[0-9]{1,18}")
_WORDS = {
    401: "the server asks for a user name and a password, or refuses those of the URL",
    403: "the server refuses it to us: is the link still valid, and meant for this machine?",
    404: "it is not there",
    407: "the proxy asks for a user name and a password",
    408: "the server took too long",
    410: "it is not there any more",
    429: "the server was asked too often: try again later",
}


class ForbiddenPeerError(OSError):
    """The address that a name stands for is none that a source may be read from."""


def blocks_of(url: str, name: str, stop: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
    """The bytes of the file, all of them. Raises SourceError; `name` is what a message calls the file."""
    guard = _Guard()
    with closing(_session(guard)) as session:
        response = _answer(session, guard, url, name)
        with closing(response):
            host = _host(response.url)
            _refuse_other_than_whole(response, name, host)
            try:
                for block in _body(response, name):
                    yield block
                    if stop():
                        return
            except (urllib3.exceptions.HTTPError, HTTPException, OSError, zlib.error, ValueError) as error:
                raise SourceError(
                    f"{name} cannot be fetched from {host}: it broke off before its end, so nothing of it is"
                    " read. Try again"
                ) from error


def _body(response: requests.Response, name: str) -> Iterator[bytes]:
    """Unpacked here: urllib3 takes a packed body that was cut off for a whole one, and bounds no bomb."""
    blocks: Iterator[bytes] = response.raw.stream(BLOCK_BYTES, decode_content=False)
    how = response.headers.get("Content-Encoding", "").strip().lower()
    return _unpacked(blocks, _PACKED_BY[how], Expansion(name)) if how in _PACKED_BY else blocks


def _unpacked(blocks: Iterator[bytes], way: int, expansion: Expansion) -> Iterator[bytes]:
    """Raises SourceError for a bomb, zlib.error for what is damaged or ends before its end."""
    unpacking = None
    for block in blocks:
        expansion.packed += len(block)
        while block:
            if unpacking is None:
                is_bare = way == 15 and block[0] & 15 != 8  # without the header of zlib
                unpacking = zlib.decompressobj(-15 if is_bare else way)
            part = unpacking.decompress(block, BLOCK_BYTES)
            expansion.take(len(part))
            yield part
            block = unpacking.unconsumed_tail or unpacking.unused_data
            if unpacking.eof:
                unpacking = None
    while unpacking is not None and (part := unpacking.decompress(b"", BLOCK_BYTES)):
        expansion.take(len(part))
        yield part
    if unpacking is not None and not unpacking.eof:
        raise zlib.error("it ends before its end")


def _answer(session: requests.Session, guard: "_Guard", url: str, name: str) -> requests.Response:
    """The answer at the end of all redirects."""
    try:
        guard.check_name(urlsplit(url).hostname or "")
    except ForbiddenPeerError as error:
        raise SourceError(f"{name} cannot be fetched from {_host(url)}: {error}") from error
    for _ in range(MAX_REDIRECTS + 1):
        response = _asked(session, url, name)
        if response.status_code not in _REDIRECTS:
            return response
        here = _host(url)
        with closing(response):
            place = response.headers.get("Location")
        if not place:
            raise SourceError(f"{name} cannot be fetched from {here}: it is elsewhere, and nobody says where")
        url = _followed(url, place, f"{name} cannot be fetched: {here} redirects")
        guard.is_redirected = True
        try:
            guard.check_name(urlsplit(url).hostname or "")
        except ForbiddenPeerError as error:
            raise SourceError(f"{name} cannot be fetched: {here} redirects, and {error}") from error
    raise SourceError(f"{name} cannot be fetched from {_host(url)}: more than {MAX_REDIRECTS} redirects")


def _followed(url: str, place: str, told: str) -> str:
    """Where a redirect leads, without the user of the URL before. Raises SourceError."""
    try:
        target = urljoin(url, place.strip())
    except ValueError:  # of brackets that do not close
        target = ""
    if fault_of_url(target) or kind_of(target) not in BY_HTTP:
        raise SourceError(f"{told} to something that is no http or https URL, which is not followed")
    if _is_https(url) and not _is_https(target):
        raise SourceError(f"{told} from https to http, where anybody could change it: not followed")
    return target


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"  # however it is written


def _asked(session: requests.Session, url: str, name: str) -> requests.Response:
    proxies = get_environ_proxies(url)
    host = _host(url)
    try:
        user, password = get_auth_from_url(url)
        auth = HTTPBasicAuth(user, password) if user or password else None
        request = session.prepare_request(requests.Request("GET", url, auth=auth))
        # Not session.send, which reads the whole body of a redirect into memory before it gives it back.
        response = session.get_adapter(url).send(
            request,
            stream=True,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            proxies=proxies,
            verify=(named_bundle()[1] if _is_https(url) else "") or True,
        )
        extract_cookies_to_jar(session.cookies, request, response.raw)  # type: ignore[no-untyped-call]
        return response
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        via = urlsplit(select_proxy(url, proxies) or "").hostname
        through = f" through the proxy {via}" if via else ""
        raise SourceError(f"{name} cannot be fetched from {host}{through}: {_why(error)}") from error


def _why(error: BaseException) -> str:
    """In the words of whoever has to mend it; a library's own may hold the whole URL."""
    for one in chain_of(error):
        if isinstance(one, ForbiddenPeerError):
            return str(one)
        if isinstance(one, ssl.SSLCertVerificationError):
            reason = (one.verify_message or "it is not valid").rstrip(".")
            return f"its certificate cannot be verified ({reason}), so it may be somebody else"
        if isinstance(one, socket.gaierror):
            return "there is no host of that name. Is it written rightly, and is there a network?"
        if isinstance(one, ConnectionRefusedError):
            return "it refuses the connection"
        if isinstance(one, TimeoutError | urllib3.exceptions.ReadTimeoutError):
            return "it does not answer"
        if isinstance(one, ssl.SSLError):
            return "it speaks no TLS that can be used"
        if isinstance(one, requests.exceptions.InvalidURL | urllib3.exceptions.LocationParseError):
            return "its name is not that of a host"
        if isinstance(one, ConnectionError):
            return "it closed the connection"
        if isinstance(one, OSError) and one.errno and one.strerror:
            return f"it cannot be reached: {one.strerror}"
    return "its answer is not HTTP" if _is_protocol(error) else f"no answer ({type(error).__name__})"


def _is_protocol(error: BaseException) -> bool:
    return any(isinstance(one, urllib3.exceptions.ProtocolError) for one in chain_of(error))


def _refuse_other_than_whole(response: requests.Response, name: str, host: str) -> None:
    """Raises SourceError for any answer but the file, and for one whose end nobody could tell."""
    status = response.status_code
    told = f"{name} cannot be fetched from {host}"
    if status != 200:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "a status that is not known"
        words = _WORDS.get(status, "the server failed: try again later" if status >= 500 else phrase)
        raise SourceError(f"{told}: {words} (HTTP {status})")
    headers = response.headers
    packed = headers.get("Content-Encoding", "").strip().lower()
    if "," in packed:
        raise SourceError(f"{told}: it is packed several times over, which is not unpacked")
    if packed not in ("", "identity", *_PACKED_BY):
        raise SourceError(f"{told}: it is packed in a way that is not known, although nobody asked for that")
    sent = headers.get("Transfer-Encoding", "").strip().lower()
    if sent not in ("", "identity", "chunked"):
        raise SourceError(f"{told}: it is sent in a way that is not known (Transfer-Encoding)")
    lengths = {length.strip() for length in headers.get("Content-Length", "").split(",")}
    if sent == "chunked" or (len(lengths) == 1 and _LENGTH.fullmatch(min(lengths))):
        return
    if not name.lower().endswith(_TELLS_ITS_END):
        raise SourceError(
            f"{told}: the server does not say how long it is, so a part of it would look like the whole. Let"
            " it send Content-Length, or the file as .gz"
        )


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname or 'no host'}{port}"
    except ValueError:
        return "a host that cannot be"


# --- connections that look at whom they reach


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_KEYS_OF_CLOUDS = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Beside the link-local ones: Alibaba, Oracle, and Amazon and Google over IPv6."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_NUMBER = "(?:0x[0-9a-f]*|[0-9]+)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}")


def _meant(address: _Address) -> _Address:
    """The address of IPv4 that one of IPv6 stands for, in any of the ways to write one in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    bare = int(address)
    if address in _TRANSLATED or 1 < bare < 1 << 32:
        return ipaddress.IPv4Address(bare & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class _Guard:
    """Where connections may lead: never to an address where clouds keep keys, and by a redirect to this
    machine only from this machine."""

    def __init__(self) -> None:
        self.is_redirected = False
        self._began_here = False

    def check_name(self, host: str) -> None:
        """Of a host that is written as an address: a proxy would connect to it for us."""
        host = host.rstrip(".").lower()
        if _NUMBERS.fullmatch(host):  # 2852039166, 0xa9fea9fe and 0251.0376.43518 are addresses, too
            with suppress(OSError):
                host = socket.inet_ntoa(socket.inet_aton(host))
        try:
            self.check("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            return

    def check_before(self, host: str, port: int) -> None:
        """Raises ForbiddenPeerError, OSError: not even a connection is made where one of them leads."""
        for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            self.check(str(where[0]))

    def check(self, peer: str) -> None:
        """Raises ForbiddenPeerError, and ValueError for what is no address."""
        address = _meant(ipaddress.ip_address(peer.partition("%")[0]))
        if address.is_link_local:
            raise ForbiddenPeerError("it is a link-local address, where no file of contacts is")
        if address in _KEYS_OF_CLOUDS:
            raise ForbiddenPeerError("it is an address where clouds keep keys, and no file of contacts is")
        is_here = address.is_loopback or address.is_unspecified
        if not self.is_redirected:
            self._began_here = is_here
        elif is_here and not self._began_here:
            raise ForbiddenPeerError("a redirect leads to this machine itself, which is not followed")


def _session(guard: _Guard) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no password of .netrc; proxies and certificates are handed over
    session.headers = requests.structures.CaseInsensitiveDict(
        {"User-Agent": "kartra-sync", "Accept": "*/*", "Accept-Encoding": "identity"}
        | {"Connection": "close"}  # one that is kept may be closed by the time of the next request
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Guarded(guard))
    return session


class _Guarded(HTTPAdapter):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        manager = self.poolmanager
        manager.pool_classes_by_scheme = {
            scheme: _guarded(pool, self._guard) for scheme, pool in manager.pool_classes_by_scheme.items()
        }


def _guarded(pool: type, guard: _Guard) -> type:
    """By the address that was connected to: a name may stand for another one at each look."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        response_class = staticmethod(bounded_response)

        def _new_conn(self) -> socket.socket:
            try:
                guard.check_before(self._dns_host, self.port)
            except socket.gaierror as error:
                raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
            sock: socket.socket = super()._new_conn()
            try:
                guard.check(sock.getpeername()[0])
            except ForbiddenPeerError:
                sock.close()
                raise
            return sock

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
