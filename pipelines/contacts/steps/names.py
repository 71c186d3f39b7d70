"""Parts of people's full names. Pure."""

from typing import Literal, assert_never

from nameparser import HumanName


def name_part(part: Literal["title", "first", "middle", "last", "suffix"], text: str) -> str:
    """ "" where the name has no such part. "Smith, Ann" is read as "Ann Smith"."""
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
