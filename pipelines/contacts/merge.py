"""Merges the records of one key to one lead."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.parts import ValueT, distinct


def merge_leads(earlier: DesiredLead, later: DesiredLead) -> DesiredLead:
    """Two records of one key under `duplicates: merge`: later values win, blanks do not, names add up.

    Where one asks for a name and the other wants it gone, the later one counts.
    """
    earlier = replace(
        earlier,
        tags=_without("tags", earlier.tags, later),
        lists=_without("lists", earlier.lists, later),
        sequences=tuple(one for one in earlier.sequences if ("sequences", one[0]) not in later.unwanted),
    )
    return DesiredLead(
        email=later.email,
        fields=_merged(earlier.fields, later.fields),
        custom_fields=_merged(earlier.custom_fields, later.custom_fields),
        tags=distinct((*earlier.tags, *later.tags)),
        lists=distinct((*earlier.lists, *later.lists)),
        sequences=tuple({**dict(earlier.sequences), **dict(later.sequences)}.items()),
        points=later.points or earlier.points,
        calendars=later.calendars,
        silent=earlier.silent & later.silent,
        unwanted=(earlier.unwanted - later.wanted) | later.unwanted,
    )


def _without(collection: str, names: tuple[str, ...], later: DesiredLead) -> tuple[str, ...]:
    return tuple(name for name in names if (collection, name) not in later.unwanted)


def _merged(earlier: Mapping[str, ValueT], later: Mapping[str, ValueT]) -> dict[str, ValueT]:
    return {**earlier, **{name: value for name, value in later.items() if value or name not in earlier}}
