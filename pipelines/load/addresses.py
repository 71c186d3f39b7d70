"""Addresses that change owners within one run: in which order, and where there is none. Pure.

Kartra gives an address to one lead at a time. Who takes an address that another lead gives up has to wait
until that lead has it no more: chains go from their free end. In a circle none is free, and an address in
between would be seen by automations and by people: its rows are told before anything is sent.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from pipelines.load.task import Task
from pipelines.state.staging import AddressMove


@dataclass(frozen=True, slots=True)
class AddressOrder:
    """By the key of a lead: whose address it takes, and why it cannot take it."""

    waits_for: Mapping[str, str] = field(default_factory=dict)
    circles: Mapping[str, str] = field(default_factory=dict)


def order_of(moves: Iterable[AddressMove], unmoved: Collection[str] = ()) -> AddressOrder:
    """`unmoved`: keys of leads that are left alone in this run, so that nobody waits for them."""
    moving = [move for move in moves if move.key not in unmoved]
    holders = {move.held: move for move in moving if move.held is not None}
    takes = {move.key: holders[move.wanted] for move in moving if move.wanted in holders}
    circles: dict[str, str] = {}
    for move in moving:
        if move.key not in circles:
            circle = _circle(move, takes)
            circles |= dict.fromkeys((one.key for one in circle), _told(circle))
    waits_for = {
        key: holder.key for key, holder in takes.items() if key not in circles and holder.key not in circles
    }
    return AddressOrder(waits_for, circles)


def _circle(start: AddressMove, takes: Mapping[str, AddressMove]) -> list[AddressMove]:
    """The moves from one back to itself; none where its chain ends, or runs into a circle of others."""
    passed = [start]
    while (following := takes.get(passed[-1].key)) is not None and following not in passed:
        passed.append(following)
    return passed if following is start else []


def _told(circle: list[AddressMove]) -> str:
    rows = ", ".join(f"{row:,}" for row in sorted(move.row for move in circle))
    return (
        f"the rows {rows} exchange their addresses, and Kartra gives an address to one lead at a time."
        " Give one of them another address, run, and then the one it is to have"
    )


def address_cause(email: str) -> str:
    """What a refusal is remembered by that holds only as long as another lead has the address."""
    return f"address {blake2b(email.encode(), digest_size=16).hexdigest()}"


class Turns:
    """Who has to wait in a delivery, and for whom."""

    def __init__(self, order: AddressOrder) -> None:
        self._order = order
        self._settled: set[str] = set()
        self._waiting: dict[str, list[Task]] = {}

    def has_to_wait(self, task: Task) -> bool:
        """Keeps a task until the lead whose address it takes is settled."""
        holder = self._order.waits_for.get(task.entry.key)
        if holder is None or holder in self._settled:
            return False
        self._waiting.setdefault(holder, []).append(task)
        return True

    def settled(self, key: str) -> list[Task]:
        """The tasks that waited for this lead."""
        self._settled.add(key)
        return self._waiting.pop(key, [])

    def begin_anew(self) -> None:
        """Those that wait are asked for once more."""
        self._waiting.clear()
