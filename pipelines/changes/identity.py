"""Whether an account is the one that was known under other credentials. Pure.

A renewed key, another spelling of the URL or another `mode:` must not make everything new; another client's
account must not be taken for a known one. Numbers of leads and transactions are an account's own: a known
lead that is read back under its number with its address is a proof. Names of tags and lists are none, because
agencies copy them from account to account.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

ENOUGH_TO_REFUTE = 3
"""Known leads or names that have to be absent altogether before an account is taken for another one."""


class Verdict(StrEnum):
    SAME = "same"
    OTHER = "other"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found of what is known: counts of things read back by number, and names listed by the account.

    `matched`: there, and as known. `differing`: there, but of somebody else. `absent`: not there.
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
        """People change an address and delete leads, so one that matches outweighs as many that do not."""
        if self.matched:
            return Verdict.SAME if self.matched >= self.differing else Verdict.UNSURE
        if self.differing + self.absent >= ENOUGH_TO_REFUTE:
            return Verdict.OTHER
        if len(self.names_known) >= ENOUGH_TO_REFUTE and not self.names_shared:
            return Verdict.OTHER
        return Verdict.UNSURE

    def describe(self) -> str:
        """The evidence in words, without a name of anybody."""
        said = []
        if self.asked:
            said.append(f"{self.matched} of {self.asked} known leads are there as they are known")
        if self.names_known:
            said.append(f"{self.names_shared} of {len(self.names_known)} known names are in its lists")
        return " and ".join(said) or "nothing is known that could be looked up"


def names_of(*inventories: Collection[str]) -> frozenset[str]:
    """Names of several inventories as one set, apart by kind: a tag and a list may share a name."""
    return frozenset(f"{number} {name}" for number, names in enumerate(inventories) for name in names)
