"""Parts of people's full names. Pure."""

from typing import Literal, assert_never

from nameparser import HumanName

from pipelines.config.values import NameStep
from pipelines.contacts.steps.by_library import Shape


def shape_of(step: NameStep) -> Shape:
    return lambda text, _: name_part(step.name, text)


def name_part(part: Literal["title", "first", "middle", "last", "suffix"], text: str) -> str:
    """The part of a full name, or "". "Smith, Ann" is read as "Ann Smith"."""
    name = HumanName(text)
    match part:
        case "title":
            return name.title
        case "first":
            return name.first
        case "middle":
            return name.middle
        case "last":
            return name.last
        case "suffix":
            return name.suffix
    assert_never(part)
