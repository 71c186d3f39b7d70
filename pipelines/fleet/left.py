"""The states in the folder of a fleet that belong to none of its accounts."""

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.fleet import NAME
from pipelines.config.fleet_file import FleetFile
from pipelines.config.yaml_text import shown_path
from pipelines.errors import GuardError, StateError
from pipelines.state.overview import owner_of


@dataclass(frozen=True, slots=True)
class Left:
    """A state in the folder of the fleet that belongs to none of its accounts."""

    name: str
    state: Path

    @property
    def error(self) -> GuardError:
        return GuardError(
            f"{shown_path(self.state)} is the state of an account that is not in the fleet any more: put"
            f" {self.name} back into the accounts, rename the state where the account was renamed, or move it"
            " away"
        )


def left_states(file: FleetFile, names: Iterable[str]) -> Iterator[Left]:
    """The states whose account is not in the table any more: it was removed or renamed, or the table is not
    whole."""
    # No path can contain this character, so it can hold the place of the name in the template.
    mark = "\0"
    template = file.state_of(mark)
    if "://" in template:
        return
    known = set(names)
    first, *rest = (re.escape(part) for part in template.split(mark))
    # A template may use ${account} twice, for folder and file: both must be the same name.
    named = re.compile(f"{first}(?P<name>{NAME.pattern})" + "(?P=name)".join(rest))
    pattern = "*".join(glob.escape(part) for part in template.split(mark))
    for found in sorted(glob.glob(pattern)):  # noqa: PTH207 - the name may be of a folder
        match = named.fullmatch(found)
        if match and match["name"] not in known and _was_account(Path(found), match["name"]):
            yield Left(match["name"], Path(found))


def _was_account(state: Path, name: str) -> bool:
    """Whether something was done for an account of that name: other pipelines may keep their states there."""
    try:
        owner = owner_of(state)
    except StateError:
        return False
    return owner.is_used and name in owner.names
