"""Orders the leads whose addresses change owners within one run. Pure.

Kartra gives an address to one lead at a time. A lead that takes another lead's address has to wait until that
lead has given it up, so chains run from their free end. In a circle no end is free, and a temporary address
would be visible to automations and people: its rows are reported before anything is sent.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from pipelines.contacts.lead import Snapshot
from pipelines.load.task import Task
from pipelines.state.staging import AddressMove


@dataclass(frozen=True, slots=True)
class AddressOrder:
    """By the key of a lead: whose address it waits for, and why it is in a circle."""

    waits_for: Mapping[str, str] = field(default_factory=dict)
    circles: Mapping[str, str] = field(default_factory=dict)


def order_of(moves: Iterable[AddressMove], unmoved: Collection[str] = ()) -> AddressOrder:
    """The order of these moves. Leads in `unmoved` are left alone in this run, so nobody waits for them."""
    moving = [move for move in moves if move.key not in unmoved]
    holders = {move.held: move for move in moving if move.held is not None}
    # Only of those that move: an address that its lead keeps is refused by Kartra, and told with its owner.
    takes = {move.key: holders[move.wanted] for move in moving if move.wanted in holders}
    circles: dict[str, str] = {}
    for move in moving:
        if move.key not in circles:
            circle = _circle(move, takes)
            circles |= dict.fromkeys((one.key for one in circle), _message(circle))
    waits_for = {
        key: holder.key for key, holder in takes.items() if key not in circles and holder.key not in circles
    }
    return AddressOrder(waits_for, circles)


def _circle(start: AddressMove, takes: Mapping[str, AddressMove]) -> list[AddressMove]:
    """The moves from one back to itself; empty if its chain ends or runs into another circle."""
    passed = [start]
    while (following := takes.get(passed[-1].key)) is not None and following not in passed:
        passed.append(following)
    return passed if following is start else []


def _message(circle: list[AddressMove]) -> str:
    rows = ", ".join(f"{row:,}" for row in sorted(move.row for move in circle))
    return (
        f"the rows {rows} exchange their addresses, and Kartra gives an address to one lead at a time."
        " Give one of them another address, run, and then the one it is to have"
    )


def address_cause(email: str) -> str:
    """The cause of a refusal that holds only while another lead has the address."""
    return f"address {blake2b(email.encode(), digest_size=16).hexdigest()}"


def given_up(before: Snapshot | None, after: Snapshot | None) -> str | None:
    """The cause of refusals that hold no longer, because a lead has another address now."""
    if before is None or after is None or before.email == after.email:
        return None
    return address_cause(before.email)


class Turns:
    """The tasks that wait for each other in a delivery."""

    def __init__(self, order: AddressOrder) -> None:
        self._order = order
        self._settled: set[str] = set()
        self._waiting: dict[str, list[Task]] = {}

    def has_to_wait(self, task: Task) -> bool:
        """Whether a task has to wait; it is kept until the lead whose address it takes is settled."""
        if not self.waits(task):
            return False
        self._waiting.setdefault(self._order.waits_for[task.entry.key], []).append(task)
        return True

    def waits(self, task: Task) -> bool:
        """Whether its turn has not come."""
        holder = self._order.waits_for.get(task.entry.key)
        return holder is not None and holder not in self._settled

    def settled(self, key: str) -> list[Task]:
        """The tasks that waited for this lead."""
        # However it ended: if the address was not given up, Kartra refuses it and says so.
        self._settled.add(key)
        return self._waiting.pop(key, [])

    def begin_anew(self) -> None:
        """Forgets the waiting tasks: the delivery goes through them again."""
        self._waiting.clear()
