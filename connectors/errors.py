"""The exception tree, named for what the caller does next. Only the command turns one into an exit code.

A record that is refused is no exception: it is an outcome and goes to the rejects. No message ever
carries a field value, an address or a credential.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self


class Lines(str):
    """A message of several lines. A line end within one of them is somebody else's."""

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, parts: Iterable[str]) -> Self:
        parts = tuple(parts)
        made = super().__new__(cls, "\n".join(parts))
        made.parts = parts
        return made


def lines_of(message: object) -> tuple[str, ...]:
    """Of an error or a text, the lines it was made of."""
    text = message.args[0] if isinstance(message, Exception) and len(message.args) == 1 else message
    return text.parts if isinstance(text, Lines) else (str(message),)


class SyncError(Exception):
    """Root of every error this program raises on purpose."""


class ConfigError(SyncError):
    """The pipeline file, its environment or the names it uses are wrong: fix them, then run again."""


class SourceError(SyncError):
    """The contacts could not be read. Nothing was sent."""


class TablesError(SyncError):
    """The database a pull writes to cannot be used. What was committed before stays."""


class RefusedValueError(TablesError):
    """A value does not fit into its column. Nothing else of its transaction was written either."""


class ActionOutcome(NamedTuple):
    """What became of one action of a call; `effect` is done, refused, retry_later, fatal or unknown."""

    cmd: str
    effect: str
    type: str | None


class ApiError(SyncError):
    """A call to Kartra that did not do what it was meant to do. The subclass says what to do next.

    `type` is Kartra's error type as text, or None where the transport failed; `actions` are in the order of
    the call.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str | None = None,  # noqa: A002 - Kartra's own word
        actions: tuple[ActionOutcome, ...] = (),
    ) -> None:
        super().__init__(message)
        self.type = type
        self.actions = actions


class RefusedApiError(ApiError):
    """Fix the request: Kartra refuses the same one again. Nothing was done."""


class RetryableApiError(ApiError):
    """Wait and send it again: it was not executed, or it only reads and got no usable answer."""


class UnknownOutcomeError(ApiError):
    """Read back: Kartra may have carried out what was sent. `read_back` says where that shows."""

    def __init__(
        self,
        message: str,
        *,
        read_back: str,
        type: str | None = None,  # noqa: A002 - Kartra's own word
        actions: tuple[ActionOutcome, ...] = (),
    ) -> None:
        super().__init__(message, type=type, actions=actions)
        self.read_back = read_back


class FatalApiError(ApiError):
    """Stop: no call of this kind can succeed."""


class AccessRefusedError(FatalApiError):
    """Access is refused: mend the credentials, the App, the calling IP address or the certificates."""
