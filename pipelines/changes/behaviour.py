"""How an account behaves where Kartra's documentation leaves it open, as a doctor found it. Pure.

The JSON form is kept in the state and stands in the report for maintainers, which a sandbox plays. It holds
numbers, commands and words of this program alone: nothing in it says whose account it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from pipelines.changes.diff import Change
from pipelines.config.kartra import Mode

Kept = Literal["kept", "cut", "dropped", "changed", "refused"]
"""What becomes of characters in a field: all stays; the text ends before them; it goes on without them;
others stand in their place; or something on the way refuses the whole call."""

AT_ONCE_S = 1.0
SETTLE_TIMES = 2.0
"""Effects that took so long once may take this many times as long on a bad day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything that was found out; None and a missing key say that it was not."""

    mode: Mode | None = None
    permissions: Mapping[str, bool] = field(default_factory=dict)
    """By command, whether the App may call it."""
    chain_answer: Literal["flat", "nested"] | None = None
    """How a chain is answered that has an action which is refused."""
    chain_goes_on: bool | None = None
    """Whether the actions behind a refused one are carried out."""
    chain_stays: bool | None = None
    """Whether what stands before a refused one stays done."""
    wording: Literal["current", "older", "other"] | None = None
    other_words: Mapping[str, str] = field(default_factory=dict)
    """Messages that are neither, by their type; words that no message of Kartra's has are starred."""
    types: Literal["text", "number"] | None = None
    lone_actions: Literal["actions", "flat", "fragment"] | None = None
    """The shape of the answer to a single action."""
    inventories: Literal["top", "actions", "fragment"] | None = None
    """Where the lists of the account sit in an answer."""
    rows: Literal["list", "object"] | None = None
    left_out: tuple[str, ...] | None = None
    """The parts that are missing from a profile where they are empty, such as sequences."""
    unsubscribe_type: str | None = None
    shows_within_s: Mapping[str, float | None] = field(default_factory=dict)
    """By what was changed, the seconds until a profile showed it; None: not while it was waited for."""
    tried_length: int = 0
    lengths: Mapping[str, int] = field(default_factory=dict)
    """How many characters of `tried_length` a field kept; a custom field by its type."""
    characters: Mapping[str, Kept] = field(default_factory=dict)
    clock_s: float | None = None
    """How far Kartra's clock is ahead of this machine's."""
    zone_hours: float | None = None
    """The offset of Kartra's times from UTC on that day."""
    latency_ms: Mapping[str, int] = field(default_factory=dict)
    """`median`, `most` of 95 in 100, and the `longest` answer."""
    calls: int = 0
    throttled: int = 0
    names_by_case: bool | None = None
    address_by_case: bool | None = None
    finds_sent_address: bool | None = None
    """Whether Test mode finds a lead by the address that was sent."""
    blank_clears: bool | None = None
    """Whether an empty text clears a standard field."""
    create_again: str | None = None
    """What a second creation of the same address is answered: a type, or "done"."""

    def to_json(self) -> str:
        return _adapter().dump_json(self).decode()

    @staticmethod
    def from_json(text: str | None) -> "Behaviour | None":
        """None as well for a text of a later version that this one cannot read."""
        try:
            return None if text is None else _adapter().validate_json(text)
        except ValidationError:
            return None

    @property
    def forbidden(self) -> tuple[str, ...]:
        return tuple(cmd for cmd, may in self.permissions.items() if not may)

    @property
    def slowest_s(self) -> float:
        """Seconds until the last effect showed; where one never did, nothing is known of it."""
        return max((shown for shown in self.shows_within_s.values() if shown is not None), default=0.0)

    @property
    def limits(self) -> dict[str, int]:
        """The fields that keep less than was tried."""
        return {name: kept for name, kept in self.lengths.items() if 0 < kept < self.tried_length}

    @property
    def is_chain_known(self) -> bool:
        """Whether nothing behind a refused action is carried out, and what was shows within a second."""
        return self.chain_goes_on is False and bool(self.shows_within_s) and self.slowest_s <= AT_ONCE_S

    def settle_s(self, configured: float) -> float:
        """How long to wait for effects: only ever longer than the file says, because days differ."""
        # 600 is as high as settle_s may be set in a file: one bad measurement must not make runs wait for
        # hours.
        return max(configured, min(600.0, round(SETTLE_TIMES * self.slowest_s, 1)))


@cache
def _adapter() -> TypeAdapter[Behaviour]:
    return TypeAdapter(Behaviour)


def too_long(
    change: Change, limits: Mapping[str, int], types: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """(field, characters kept) of the values of a change that the account would cut.

    `types` are those of the custom fields; a choice is sent by its number, and cut nowhere.
    """
    for name, value in change.fields.items():
        if name in limits and len(value) > limits[name]:
            yield name, limits[name]
    for name, wanted in change.custom_fields.items():
        kept = limits.get(types.get(name, ""))
        if kept and isinstance(wanted, str) and len(wanted) > kept:
            yield name, kept
