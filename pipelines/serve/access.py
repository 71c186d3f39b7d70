"""Who may come in: links that work once, and the sessions that they begin. Pure but for chance."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

LINK_S = 24 * 3600.0
IDLE_S = 12 * 3600.0
SHOWN_S = 15 * 60.0
"""How long people's data stays unmasked once somebody asked for it."""
MOST_SESSIONS = 100
MOST_LINKS = 100
_TOKEN_BYTES = 32


class OneTimeLinks:
    """Tokens that open one thing once. Only their digests are kept."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: dict[bytes, tuple[str, float]] = {}

    def make(self, purpose: str, lifetime_s: float = LINK_S) -> str:
        token = new_token()
        # The oldest gives way: anyone who is in can make links endlessly and never use them.
        while len(self._open) >= MOST_LINKS:
            del self._open[next(iter(self._open))]
        self._open[digest_of(token)] = purpose, self._now() + lifetime_s
        return token

    def take(self, token: str, purpose: str) -> bool:
        """Whether the token was open for this, which it then no longer is."""
        found = self._open.get(digest_of(token))
        # A link for something else stays open for that: it was only shown at the wrong door.
        if found is None or found[0] != purpose:
            return False
        del self._open[digest_of(token)]
        return self._now() < found[1]

    def purpose_of(self, token: str) -> str | None:
        """What an open token is for; it stays open."""
        found = self._open.get(digest_of(token))
        return found[0] if found is not None and self._now() < found[1] else None

    def cancel(self, purpose: str) -> None:
        """Close every link for this."""
        self._open = {key: found for key, found in self._open.items() if found[0] != purpose}


@dataclass(slots=True)
class Session:
    """A browser that came in by a link."""

    csrf: str = field(repr=False)
    seen: float
    shown_until: dict[str, float] = field(default_factory=dict)
    """By pipeline: until when people's data is shown."""


class Sessions:
    """The browsers that are in, by the digest of their cookie."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: dict[bytes, Session] = {}

    def begin(self) -> str:
        """The value of the cookie of a new session."""
        while len(self._open) >= MOST_SESSIONS:
            del self._open[min(self._open, key=lambda key: self._open[key].seen)]
        cookie = new_token()
        self._open[digest_of(cookie)] = Session(new_token(), self._now())
        return cookie

    def find(self, cookie: str) -> Session | None:
        session = self._open.get(digest_of(cookie))
        if session is None:
            return None
        if self._now() - session.seen > IDLE_S:
            self.end(cookie)
            return None
        session.seen = self._now()
        return session

    def end(self, cookie: str) -> None:
        self._open.pop(digest_of(cookie), None)

    def show(self, session: Session, pipeline: str) -> None:
        session.shown_until[pipeline] = self._now() + SHOWN_S

    def shows(self, session: Session, pipeline: str) -> bool:
        return self._now() < session.shown_until.get(pipeline, 0.0)


def is_mark(token: str, csrf: str) -> bool:
    """Whether a form has the mark of this session."""
    # As bytes, because a form may send any text and compare_digest only takes ASCII strings; in constant
    # time, so that a guess does not learn how close it came.
    return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), csrf.encode())


def new_token() -> str:
    """Of a link, a cookie or a form: nobody guesses it."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    # A cookie may hold bytes that are not UTF-8: it is then simply unknown, not an error.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
