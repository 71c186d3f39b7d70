"""The parts of a mapping: each reads a few columns and gives one piece of a lead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.contacts.lead import CustomValue, DesiredLead, Record
from pipelines.contacts.opt_outs import Standings

ValueT = TypeVar("ValueT", bound=CustomValue)
PartT = TypeVar("PartT", covariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[PartT]):
    """A value that depends on these columns of a record alone. `read` may raise UnusableError.

    `is_cell`: the value is the normal cell of its only column.
    """

    columns: tuple[str, ...]
    read: Callable[[Record], PartT]
    is_cell: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of a mapping. Faults are reported in this order."""

    key: Part[str] | None
    """None if the address is the key."""
    address: Part[str]
    """The address as the source writes it."""
    changed: Part[float] | None
    """The rank under `duplicates: newest`."""
    fields: Mapping[str, Part[str]]
    custom_fields: Mapping[str, Part[CustomValue]]
    asked: Part[DesiredLead]
    """The lead without its address and the values of its fields."""
    standings: Standings
