"""Addresses that change owners within one run: chains go from their free end, circles are told."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.load.addresses import Turns, order_of
from pipelines.load.task import begin
from pipelines.state.staging import AddressMove
from tests.load.answers import RULES, entry


def move(key: str, held: str | None, wanted: str) -> AddressMove:
    return AddressMove(key, int(key), held, wanted)


def test_who_takes_an_address_waits_for_the_lead_that_gives_it_up() -> None:
    order = order_of([move("1", "a", "b"), move("2", "b", "c"), move("3", "c", "new")])
    assert order.waits_for == {"1": "2", "2": "3"}
    assert order.circles == {}


def test_a_new_lead_waits_for_the_address_it_is_to_have() -> None:
    assert order_of([move("1", "a", "b"), move("2", None, "a")]).waits_for == {"2": "1"}


def test_a_circle_is_told_with_its_rows_and_nobody_waits_in_it() -> None:
    order = order_of([move("2", "b", "a"), move("1", "a", "b"), move("3", "c", "new")])
    assert order.circles.keys() == {"1", "2"}
    assert all(
        reason.startswith("the rows 1, 2 exchange their addresses") for reason in order.circles.values()
    )
    assert order.waits_for == {}


def test_nobody_waits_for_a_lead_of_a_circle() -> None:
    order = order_of([move("1", "a", "b"), move("2", "b", "a"), move("3", "c", "a")])
    assert order.circles.keys() == {"1", "2"}
    assert order.waits_for == {}


def test_nobody_waits_for_a_lead_that_is_left_alone() -> None:
    moves = [move("1", "a", "b"), move("2", "b", "a")]
    order = order_of(moves, unmoved={"2"})
    assert (order.waits_for, order.circles) == ({}, {})


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_whatever_is_exchanged_every_lead_has_its_turn_or_is_told(
    wanted: list[int], staying: set[int]
) -> None:
    """Leads 0 to 7 hold the addresses 0 to 7 and are to have others, but for those that stay."""
    moves = [
        AddressMove(str(number), number, str(number), str(wanted[number]))
        for number in range(8)
        if number not in staying and wanted[number] != number
    ]
    order = order_of(moves)
    turns = Turns(order)
    waiting = [begin(entry(key=move.key), RULES) for move in moves if move.key not in order.circles]
    ready = [task for task in waiting if not turns.has_to_wait(task)]
    held = {move.held for move in moves}
    done = []
    while ready:
        task = ready.pop()
        done.append(task.entry.key)
        ready += turns.settled(task.entry.key)
    assert sorted(done) == sorted(task.entry.key for task in waiting)
    takes = {move.key: move.wanted for move in moves}
    for place, key in enumerate(done):
        assert takes[key] not in held or takes[key] in done[:place]
