"""`state: postgresql://…`: which server, and which schema of it. What lies there, the store knows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

DEFAULT_SCHEMA = "kartra_sync"
SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_OWN = frozenset({"schema", "role"})


@dataclass(frozen=True, slots=True)
class ServerState:
    """A schema of a PostgreSQL server. As text it has neither user nor password."""

    dsn: str = field(repr=False)
    """The address for the driver: TLS and everything else that it knows stands behind the question mark."""
    schema: str
    role: str | None
    password: str = field(repr=False)
    shown: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.shown

    def __str__(self) -> str:
        return self.shown


StatePlace = Path | ServerState


def server_state(text: str) -> ServerState | None:
    """What an address names; None where it is that of another database. Raises ValueError with what is wrong
    of it, without its values."""
    parts = urlsplit(text)
    if parts.scheme.lower() not in SCHEMES:
        return None
    try:
        # A port that is no number is noticed only by who asks for it.
        _ = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(
            "postgresql://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full is expected; in user and password"
            " other characters than letters and digits are written as %40"
        ) from None
    schema, role = options.get("schema", DEFAULT_SCHEMA), options.get("role")
    # A server cuts names after 63 bytes without an error: two accounts could then share one schema.
    for name in (schema, role):
        if name is not None and (not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]{0,62}", name)):
            raise ValueError("schema and role are names of letters, digits and _")
    if re.match(r"(?i)pg_|public$|information_schema$", schema):
        raise ValueError("the state needs a schema of its own, not one that others use")
    passed = {name: value for name, value in options.items() if name not in _OWN}
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path or "/", urlencode(passed), ""))
    place = options.get("host") or _host(parts.netloc)
    return ServerState(
        dsn,
        schema,
        role,
        unquote(parts.password or "") or options.get("password", ""),
        f"postgresql://{place}{parts.path or '/'}?schema={schema}",
        passed,
    )


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]
