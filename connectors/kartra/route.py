"""The way to Kartra: the proxy and certificates that the environment names, and messages for their failures.

Nothing here opens a connection. A message names hosts, ports and variables, never a proxy's user or password.
"""

import http.client
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy

from connectors.certificates import chain_of, named_bundle
from connectors.errors import ConfigError

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3}) ?(.*)")  # as http.client words it


@dataclass(frozen=True, slots=True)
class Route:
    """How the endpoint is reached. `proxy` is fit for messages; `via` holds the proxy's password."""

    host: str
    proxy: str = ""
    bundle: str = ""
    """The file or folder of certificates that the environment names; empty for those that come with us."""
    bundle_variable: str = ""
    via: Mapping[str, str] = field(default_factory=dict, repr=False)


def route_to(url: str) -> Route:
    """The route that the environment asks for now. Raises ConfigError if no call could ever take it."""
    host = urlsplit(url).hostname or ""
    variable, bundle = named_bundle() if url.startswith("https:") else ("", "")
    # A proxy of the company cannot reach a sandbox on this machine.
    via = {} if is_loopback(url) else get_environ_proxies(url)
    return Route(host, _proxy(select_proxy(url, via)), bundle, variable, via)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(address: str | None) -> str:
    if not address:
        return ""
    # Found by its value, because which variable wins is for requests to say.
    variable = next((name for name in PROXY_VARIABLES if os.environ.get(name) == address), "")
    named = variable or "the proxy settings of this system"
    try:
        parsed = urllib3.util.parse_url(address if "://" in address else f"http://{address}")
        scheme, host = parsed.scheme or "", parsed.host or ""
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
        scheme, host = "", ""
    if not host or scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        raise ConfigError(
            f"{named}: not the address of a proxy; write it as http://host:port or, with a password,"
            " http://user:password@host:port (a blank is %20, an @ is %40)"
        )
    if scheme.startswith("socks") and find_spec("socks") is None:
        raise ConfigError(
            f"{named} names a SOCKS proxy, and the library for it is not installed:"
            " pip install requests[socks]"
        )
    port = f":{parsed.port}" if parsed.port else ""
    return f"the proxy {host}{port} ({named})"


# --- what went wrong


def certificate_fault(error: BaseException, route: Route) -> str | None:
    """The message for a certificate that could not be verified; None where it was something else."""
    refused = next((one for one in chain_of(error) if isinstance(one, ssl.SSLCertVerificationError)), None)
    if refused is None:
        return None
    reason = (getattr(refused, "verify_message", "") or str(refused)).rstrip(".")
    message = f"the TLS certificate of {route.host} cannot be verified ({reason}): nothing was sent."
    if "expired" in reason or "not yet valid" in reason:
        return f"{message} Is the clock of this machine right?"
    if "mismatch" in reason or "not valid for" in reason:
        return f"{message} Another machine answered for this name."
    used = f"; now {route.bundle_variable} names {route.bundle}" if route.bundle else ""
    return (
        f"{message} Is a proxy or firewall of your company in between? Then name the file with the"
        f" certificate of its authority in REQUESTS_CA_BUNDLE{used}"
    )


def why_not_sent(error: BaseException, route: Route, *, is_tunnelled: bool, within_s: float) -> str:
    """A message for a request that never began to leave: which hop refused it."""
    hop = route.proxy if route.proxy and not is_tunnelled else route.host
    for one in chain_of(error):
        if isinstance(one, OSError) and (refused := _TUNNEL_REFUSED.match(str(one))):
            return _tunnel_refused(route, int(refused[1]), refused[2])
        if isinstance(one, socket.gaierror):
            return f"the name of {hop} cannot be resolved. Is there a network, and a name server?"
        if isinstance(one, ConnectionRefusedError):
            return f"{hop} refused the connection"
        if isinstance(one, TimeoutError):
            return f"{hop} took no connection within {within_s:g} s"
        # The two exceptions are a connection that was closed, whatever TLS calls it.
        if isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return f"{hop} speaks no TLS that can be used ({one.reason or type(one).__name__})"
        if isinstance(one, ConnectionError | http.client.HTTPException | ssl.SSLError):
            return f"{hop} closed the connection before anything was sent"
        if isinstance(one, OSError) and one.errno and one.strerror:
            return f"{hop} cannot be reached: {one.strerror}"
    return f"{hop} cannot be reached ({type(error).__name__})"


def why_no_answer(error: BaseException, *, within_s: float) -> str:
    """What became of the answer to a request that may have arrived."""
    for one in chain_of(error):
        if isinstance(one, TimeoutError | urllib3.exceptions.ReadTimeoutError):
            return f"no whole answer within {within_s:g} s"
        if isinstance(one, urllib3.exceptions.IncompleteRead | http.client.IncompleteRead):
            return "the answer broke off"
        if isinstance(one, requests.exceptions.ContentDecodingError):
            return "the answer cannot be unpacked"
        if isinstance(one, ConnectionError | ssl.SSLError):
            return "the connection was closed before an answer came"
        if isinstance(one, http.client.HTTPException):
            return "the answer is not HTTP"
    return f"no answer ({type(error).__name__})"


def _tunnel_refused(route: Route, status: int, words: str) -> str:
    if status == 407:
        return (
            f"{route.proxy} asks for a user name and a password (407): write them into the variable as"
            " http://user:password@host:port"
        )
    return f"{route.proxy} refused to connect to {route.host} (HTTP {status} {words.strip()})"
