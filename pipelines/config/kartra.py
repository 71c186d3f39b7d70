"""`kartra`: the account, its credentials, and how fast it is called."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from connectors.kartra.wire import bare_secret
from pipelines.config.scalars import TEXT, Section, Text, number_between, one_of, plain_text, read_by, wrong

REFERENCE_PATTERN = r"^\$\{([A-Za-z_][A-Za-z0-9_]*(:-)?|(file|keyring):[^${}]+)\}$"
Secret = Annotated[
    SecretStr,
    AfterValidator(lambda secret: SecretStr(bare_secret(secret.get_secret_value()))),
    WithJsonSchema({"type": "string", "pattern": REFERENCE_PATTERN}),
]
Mode = Literal["live", "test"]


def web_url(value: object) -> str:
    text = plain_text(value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise wrong("not a valid URL") from None
    if not host or re.search(r"[\s\\\x00-\x1f]", text):
        raise wrong("not a valid URL")
    if "@" in parts.netloc:
        raise wrong("no user name or password may stand in the URL; credentials go into app_id and api_key")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise wrong(
            "must start with https://, because credentials are sent; http:// only for a loopback host"
        )
    if "?" in text or "#" in text:
        raise wrong(
            "a query or fragment is not possible here, because calls are sent as POST to the bare URL"
        )
    return parts.scheme + text[len(parts.scheme) :]  # HTTPS:// is https://


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == ipaddress.ip_address("::1") or (address.version == 4 and address.is_loopback)


class KartraConfig(Section):
    """The account, and how fast it is called."""

    url: Annotated[str, read_by(web_url, TEXT)] = "https://app.kartra.com/api"
    """Where calls are sent. http:// only for a loopback host such as the sandbox."""
    app_id: Secret | None = None
    """The App's id, from the environment: ${KARTRA_APP_ID}."""
    api_key: Secret | None = None
    """The API key, from the environment: ${KARTRA_API_KEY}."""
    api_password: Secret | None = None
    """The API password, from the environment: ${KARTRA_API_PASSWORD}."""
    account: Annotated[Text | None, Field(max_length=64)] = None
    """A name of the account for people, shown by every verb."""
    mode: Annotated[Mode, one_of(Mode)] = "live"
    """Whether the App is live; Test mode rewrites stored addresses to @kartra.com."""
    calls_per_second: Annotated[float, number_between(1, 20)] = 20
    """Calls a second, 1 to 20, for all processes that use the App."""
    share: Annotated[float, number_between(1, 100)] = 1
    """Its part of these calls beside pipelines of the App that wait at the same time, on whatever host, where
    the state is on a server: 2 gets twice as many as 1."""
    timeout_s: Annotated[float, number_between(1, 300)] = 30
    """How long to wait for an answer, in seconds."""
    settle_s: Annotated[float, number_between(1, 600)] = 10
    """How long the effects of an unanswered call may take to show, in seconds; Kartra says "in a few
    moments". Only what does not show by then is sent again."""
    workers: Annotated[Literal["auto"] | int, number_between(1, 64, whole=True, word="auto")] = "auto"
    """Calls in flight; auto follows the rate and the latency."""
