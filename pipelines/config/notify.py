"""`notify`: who hears that a pipeline has begun to fail, or works again; `metrics`: for monitoring."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema

from pipelines.config.scalars import TEXT, Section, beside, one_of, plain_text, read_by, wrong

Occasion = Literal["failed", "stopped", "partial", "recovered", "late"]


def _channel(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not urlsplit(text).scheme:
        raise wrong("an address of the library apprise is expected, mailto://… or slack://…, from ${NAME}")
    return SecretStr(text)


def _web_address(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise wrong("an address that starts with https:// is expected")
    return SecretStr(text)


def _filled(addresses: object) -> object:
    """Without the addresses whose variable is empty: nobody is told there."""
    return [each for each in addresses if each] if isinstance(addresses, list) else addresses


_VARIABLE = WithJsonSchema({"type": "string", "pattern": r"\$\{"})
Channel = Annotated[SecretStr, AfterValidator(_channel), _VARIABLE]
WebAddress = Annotated[SecretStr, AfterValidator(_web_address), _VARIABLE]


class NotifyConfig(Section):
    """Who is told when a pipeline begins to fail, and when it works again: once each, not once a run."""

    to: Annotated[tuple[Channel, ...], BeforeValidator(_filled)] = ()
    """Addresses of the library apprise, from the environment: mail, Slack, Teams, Telegram, a webhook."""
    on: tuple[Annotated[Occasion, one_of(Occasion)], ...] = (
        "failed",
        "stopped",
        "partial",
        "recovered",
        "late",
    )
    """What they are told of. `late` comes from `status --max-age 26h --notify`."""
    ping: WebAddress | None = None
    """An address that is asked when a run starts, succeeds (also partly) or fails: healthchecks.io's way."""


class MetricsConfig(Section):
    """Figures of the last run for monitoring, replaced at each end."""

    file: Annotated[Path | None, read_by(beside, TEXT)] = None
    """A text file in Prometheus' format, relative to this one; for node_exporter's textfile collector."""
    otlp: WebAddress | None = None
    """The address of an OpenTelemetry collector that takes metrics over HTTP, …/v1/metrics."""


def written_metrics(value: object) -> object:
    """A path stands for {file: path}."""
    return {"file": plain_text(value)} if isinstance(value, str) else value
