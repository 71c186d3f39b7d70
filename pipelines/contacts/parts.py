"""Parts of a mapping: each reads few columns and gives a piece of a lead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.contacts.lead import CustomValue, DesiredLead, Record
from pipelines.contacts.opt_outs import Standings

ValueT = TypeVar("ValueT", bound=CustomValue)
PartT = TypeVar("PartT", covariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[PartT]):
    """What is made of some columns of a record and of nothing else. `read` may raise UnusableError.

    `is_cell`: it is the cell of its only column, as `normal_cell` gives it.
    """

    columns: tuple[str, ...]
    read: Callable[[Record], PartT]
    is_cell: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a mapping makes of a record. What cannot be read is reported in this order."""

    key: Part[str] | None
    """None: the address is."""
    address: Part[str]
    """As it is written."""
    changed: Part[float] | None
    """The rank under `duplicates: newest`."""
    fields: Mapping[str, Part[str]]
    custom_fields: Mapping[str, Part[CustomValue]]
    asked: Part[DesiredLead]
    """The lead without its address and what stands in its fields."""
    standings: Standings
