"""Decides whether new credentials open an account that is known already. Pure.

A renewed key, another spelling of the URL or another `mode:` must not make everything new, and another
client's account must not be mistaken for a known one. Numbers of leads and transactions belong to one
account: a known lead that is read back under its number with its address proves the account. Names of tags
and lists prove nothing, because agencies copy them between accounts.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

ENOUGH_TO_REFUTE = 3
"""How many known leads or names must be absent before an account counts as another one."""


class Verdict(StrEnum):
    SAME = "same"
    OTHER = "other"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found of the known things: counts of those read back by number, and names in the account's
    lists.

    `matched`: exists as known. `differing`: exists, but belongs to somebody else. `absent`: does not exist.
    """

    matched: int = 0
    differing: int = 0
    absent: int = 0
    names_known: frozenset[str] = frozenset()
    names_listed: frozenset[str] = frozenset()

    @property
    def asked(self) -> int:
        return self.matched + self.differing + self.absent

    @property
    def names_shared(self) -> int:
        return len(self.names_known & self.names_listed)

    @property
    def verdict(self) -> Verdict:
        """The verdict. People change addresses and delete leads, so one match outweighs one that differs."""
        if self.matched:
            return Verdict.SAME if self.matched >= self.differing else Verdict.UNSURE
        if self.differing + self.absent >= ENOUGH_TO_REFUTE:
            return Verdict.OTHER
        # That names match proves nothing; that not one of them is there does.
        if len(self.names_known) >= ENOUGH_TO_REFUTE and not self.names_shared:
            return Verdict.OTHER
        return Verdict.UNSURE

    def describe(self) -> str:
        """The evidence in words, without personal data."""
        said = []
        if self.asked:
            said.append(f"{self.matched} of {self.asked} known leads are there as they are known")
        if self.names_known:
            said.append(f"{self.names_shared} of {len(self.names_known)} known names are in its lists")
        return " and ".join(said) or "nothing is known that could be looked up"


def names_of(*inventories: Collection[str]) -> frozenset[str]:
    """The names of several inventories in one set, marked by kind, because a tag and a list may share a
    name."""
    return frozenset(f"{number} {name}" for number, names in enumerate(inventories) for name in names)
