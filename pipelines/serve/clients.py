"""Clients who type the key of their account on a page: links that work once, and what came of them.

A client sees nothing but this. What was typed stays in memory until it is kept or thrown away.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.kartra.wire import Credentials
from pipelines.serve.access import OneTimeLinks, digest_of, new_token
from pipelines.verbs.connect import Seen

CLIENT_S = 30 * 60.0
"""How long a client has from the first click until the answer."""
TRIES = 5
"""How many keys one link may try: who guesses needs a new link, which somebody has to make."""
MOST_CLIENTS = 100


@dataclass(slots=True)
class Client:
    """A browser that came by a client's link. It is about one account, and about nothing else."""

    account: str
    is_renewal: bool
    """Whether a key was kept when the link was made."""
    csrf: str = field(repr=False)
    until: float
    tries: int = TRIES
    is_trying: bool = False
    message: str = ""
    typed: Credentials | None = field(default=None, repr=False)
    seen: Seen | None = None

    def forget(self) -> None:
        self.typed = self.seen = None


class Clients:
    """Links for clients, and the browsers that came by them, by the digest of their cookie."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._links = OneTimeLinks(now)
        self._open: dict[bytes, Client] = {}

    def invite(self, account: str, *, is_renewal: bool) -> str:
        """The token of a link for an account; what was made for it before opens nothing any more."""
        self.cancel(account)
        return self._links.make(_purpose(account, is_renewal=is_renewal))

    def cancel(self, account: str) -> None:
        """End every link and every browser of an account."""
        for is_renewal in (False, True):
            self._links.cancel(_purpose(account, is_renewal=is_renewal))
        self._open = {key: client for key, client in self._open.items() if client.account != account}

    def is_open(self, token: str) -> bool:
        """Whether a link can be used. It stays open: programs that look ahead ask, too."""
        return self._links.purpose_of(token) is not None

    def begin(self, token: str) -> str | None:
        """The value of the cookie of who used the link, which then is used up; None for no open link."""
        purpose = self._links.purpose_of(token)
        if purpose is None or not self._links.take(token, purpose):
            return None
        while len(self._open) >= MOST_CLIENTS:
            del self._open[next(iter(self._open))]
        kind, _, account = purpose.partition(" ")
        cookie = new_token()
        self._open[digest_of(cookie)] = Client(account, kind == _RENEW, new_token(), self._now() + CLIENT_S)
        return cookie

    def find(self, cookie: str) -> Client | None:
        # Every look throws away what is too old: nobody's key stays in memory because nobody came back.
        self._open = {key: client for key, client in self._open.items() if self._now() < client.until}
        return self._open.get(digest_of(cookie))

    def is_still_open(self, client: Client) -> bool:
        """Whether it was not cancelled meanwhile, nor took too long."""
        return self._now() < client.until and any(each is client for each in self._open.values())


_CONNECT, _RENEW = "connect", "renew"


def _purpose(account: str, *, is_renewal: bool) -> str:
    return f"{_RENEW if is_renewal else _CONNECT} {account}"
