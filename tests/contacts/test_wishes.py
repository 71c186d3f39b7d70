"""Every wish is known wherever wishes are known by name."""

from dataclasses import fields
from typing import get_args

import pytest

from connectors.kartra.commands import LEAD_BOUND, REPEAT, InventoryName, Repeat
from pipelines.changes.inventory import Inventory
from pipelines.cli.adopt import adopt
from pipelines.config.load import LoadConfig
from pipelines.config.wishes import TAKEN_BY
from pipelines.contacts.lead import CalendarClass, DesiredLead, Points, Snapshot
from pipelines.contacts.wishes import ONCE_ONLY, WISHES, OnceOnly, Step, Wish, wanted

LEAD = DesiredLead(
    "ann@example.org",
    tags=("VIP",),
    lists=("News",),
    sequences=(("Course", "2"),),
    points=Points(5),
    calendars=(CalendarClass("Webinar", "Tuesday", "2030-01-16 18:00"),),
)
NOBODY = Snapshot("ann@example.org")


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.collection)
def test_a_wish_has_its_places(wish: Wish) -> None:
    for holder in (DesiredLead, Snapshot):
        assert wish.collection in {field.name for field in fields(holder)}
    assert wish.collection in LoadConfig.model_fields
    if wish.taken_by is not None:
        assert wish.taken_by in LoadConfig.model_fields
    if wish.listed_as is not None:
        assert wish.listed_as in get_args(InventoryName)
        assert getattr(Inventory(), wish.collection) == frozenset()


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.collection)
def test_a_wish_is_repeated_as_its_command_may_be(wish: Wish) -> None:
    assert wish.once_only == (REPEAT[wish.gives.cmd] is Repeat.ONCE_ONLY)
    for command in filter(None, (wish.gives, wish.takes, wish.corrects)):
        assert command.cmd in LEAD_BOUND


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.collection)
def test_a_step_knows_its_wish_and_becomes_its_command(wish: Wish) -> None:
    steps = list(wish.wanted(LEAD, NOBODY))
    assert len(steps) == 1  # the lead above asks for one of every kind
    for step in steps:
        assert (step.cmd, step.wish, step.takes, step.action().cmd) == (
            wish.gives.cmd,
            wish,
            False,
            wish.gives.cmd,
        )
    if wish.takes is not None:
        gone = Step(wish.takes.cmd, "VIP")
        assert (gone.effect, gone.takes, gone.action().cmd) == (
            (wish.collection, "VIP"),
            True,
            wish.takes.cmd,
        )
    if wish.corrects is not None:
        less = Step(wish.corrects.cmd, "3")
        assert (less.effect, less.takes, less.action().cmd) == (
            (wish.collection, "-3"),
            False,
            wish.corrects.cmd,
        )


def test_what_may_be_taken_is_told_as_the_key_that_takes_it_has_it() -> None:
    assert wanted(LEAD) == {("tags", "VIP"), ("lists", "News"), ("sequences", "Course")}
    assert {wish.collection: wish.taken_by for wish in WISHES if wish.takes} == TAKEN_BY


def test_adoption_asks_of_everything_that_is_given_once_whether_it_is_owed() -> None:
    once = {wish.collection for wish in ONCE_ONLY}
    assert set(get_args(OnceOnly)) == once
    owed = next(option for option in adopt.params if option.name == "owed")
    assert set(owed.type.choices) == once  # type: ignore[attr-defined]
