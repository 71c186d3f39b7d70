"""What is served, to whom, and under which name: one value that guards and views share."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from connectors.errors import ConfigError
from pipelines.config.pipeline import PipelineConfig
from pipelines.serve.access import OneTimeLinks, Sessions
from pipelines.serve.clients import Clients
from pipelines.serve.connecting import Connecting
from pipelines.serve.jobs import Jobs
from pipelines.verbs.saved_plans import who

COME_IN = "come in"
"""The purpose of a link that begins a session."""
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One pipeline on the page. `name` is its part of addresses, of a fleet ACCOUNT.PIPELINE.

    `file` is how the command names it: a path, or FLEET@ACCOUNT/PIPELINE. `read` reads it as it is now: what
    is sent is what the file says at that moment, not when the server began.
    """

    name: str
    config: PipelineConfig
    file: str
    read: Callable[[], PipelineConfig]
    account: str = ""


@dataclass(slots=True)
class Site:
    """The pipelines by name, and by account why it has none.

    `origin` is where browsers find it, a proxy's own where there is one.

    `user_header`: in which header a proxy says who asks; it names people for what is written down, and lets
    nobody in.

    `reread` gives entries and problems as the files have them now: an account that was connected has
    pipelines from then on.
    """

    entries: Mapping[str, Entry]
    origin: str
    problems: Mapping[str, str] = field(default_factory=dict)
    is_behind_proxy: bool = False
    user_header: str = ""
    connecting: Connecting = field(default_factory=Connecting)
    reread: Callable[[], tuple[Mapping[str, Entry], Mapping[str, str]]] | None = None
    now: Callable[[], float] = time.monotonic  # setting the clock back must not prolong a link
    links: OneTimeLinks = field(init=False)
    sessions: Sessions = field(init=False)
    clients: Clients = field(init=False)
    jobs: Jobs = field(default_factory=Jobs)

    def __post_init__(self) -> None:
        self.links, self.sessions = OneTimeLinks(self.now), Sessions(self.now)
        self.clients = Clients(self.now)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a request may name as its host."""
        address = urlsplit(self.origin)
        if self.is_behind_proxy:
            return (address.netloc,)
        return tuple(f"{name}:{address.port}" for name in ("127.0.0.1", "localhost"))

    def origin_of(self, host: str) -> str:
        return f"{urlsplit(self.origin).scheme}://{host}"

    @property
    def cookie(self) -> str:
        """Its name. Cookies know no ports: another server of this machine gets one of its own."""
        if self.is_behind_proxy:
            # Browsers accept this prefix only with Secure, which plain http on this machine cannot have.
            return "__Host-kartra-sync"
        return f"kartra-sync-{urlsplit(self.origin).port}"

    @property
    def client_cookie(self) -> str:
        """That of a client: who has a session, too, keeps it beside."""
        return f"{self.cookie}-client"

    def set_cookie(
        self, response: web.StreamResponse, name: str, value: str, *, max_age: int | None = None
    ) -> None:
        """Scripts do not see it, and pages of others do not send it along."""
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self.is_behind_proxy,
        )

    def drop_cookie(self, response: web.StreamResponse, name: str) -> None:
        # On the terms on which it was set: a browser drops no other one.
        response.del_cookie(name, path="/", httponly=True, samesite="Strict", secure=self.is_behind_proxy)

    def new_client_link(self, account: str, *, is_renewal: bool) -> str:
        """An address at which one client types the key of one account, once."""
        return f"{self.origin}/connect?link={self.clients.invite(account, is_renewal=is_renewal)}"

    def new_link(self) -> str:
        """An address that lets one browser in, once."""
        return f"{self.origin}/enter?link={self.links.make(COME_IN)}"

    def person(self, request: web.Request) -> str:
        """Who asks, for what is written down; empty where the proxy should have said it and has not."""
        if not self.user_header:
            return f"{who()}, on the page"
        named = request.headers.getall(self.user_header, [])
        # Two values mean that the proxy added its header to one that the user had sent.
        name = named[0].strip() if len(named) == 1 else ""
        return name if name.isprintable() and len(name) <= LONGEST_NAME else ""


SITE = web.AppKey("site", Site)


def public_origin(url: str) -> str:
    """The origin of a proxy's address. Raises ConfigError for anything else."""
    parts = urlsplit(url)
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    # Over http the cookie, which is Secure behind a proxy, would never come back.
    if parts.scheme != "https" or not parts.hostname or not plain:
        raise ConfigError(
            f"--behind-proxy {url}: write the address that browsers use, as https://sync.example.org"
        )
    # Browsers send the name of a host in small letters, and it is compared as it comes.
    return f"https://{parts.netloc.lower()}"
