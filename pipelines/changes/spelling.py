"""Names that Kartra shows in other letters or with other blanks than the pipeline file has. Pure.

Whether capitals and blanks count in names is not documented (§10.12). A name that is shown otherwise is ours,
unless the account lists both spellings: then they are two, and only the exact one counts.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change
from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.contacts.wishes import WISHES

Names = Mapping[str, Collection[str]]
"""By collection, such as tags."""
NO_NAMES: Names = {}


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """What two spellings of one name have in common."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def in_our_words(profile: LeadProfile, ours: Iterable[Names], listed: Names = NO_NAMES) -> LeadProfile:
    """The profile with its names spelled as we know them.

    `ours` are names of ours: of several spellings of one name the first counts. `listed` is what the account
    lists, as far as that is known.
    """
    known = list(ours)
    tags, lists, sequences = (
        _spelled(there, _together(known, kind), listed.get(kind, ()))
        for kind, there in (
            ("tags", profile.tags),
            ("lists", profile.lists),
            ("sequences", profile.sequences),
        )
    )
    if not (tags or lists or sequences):
        return profile
    return replace(
        profile,
        tags=frozenset(tags.get(name, name) for name in profile.tags),
        lists={lists.get(name, name): is_on for name, is_on in profile.lists.items()},
        sequences={sequences.get(name, name): step for name, step in profile.sequences.items()},
        left_sequences=frozenset(sequences.get(name, name) for name in profile.left_sequences),
    )


def names_wished(desired: DesiredLead | None) -> Names:
    """The names that a record asks for, and those that it wants gone."""
    if desired is None:
        return NO_NAMES
    asked = ((wish.collection, name) for wish in WISHES for name in wish.names(desired))
    return _by_kind([*asked, *sorted(desired.unwanted)])


def names_changed(change: Change) -> Names:
    return _by_kind(step.effect for step in change.steps)


def names_known(snapshot: Snapshot | None) -> Names:
    """The names that a snapshot holds in any way."""
    if snapshot is None:
        return NO_NAMES
    given = ((wish.collection, name) for wish in WISHES for name in sorted(wish.given(snapshot)))
    others = sorted(snapshot.kept | snapshot.unproven | snapshot.unwanted)
    return _by_kind([*given, *others, *(("lists", name) for name in sorted(snapshot.taken))])


def alike(name: str, others: Iterable[str]) -> Iterator[str]:
    """Those that are the same name in another spelling."""
    return (other for other in others if other != name and folded(other) == folded(name))


def _by_kind(effects: Iterable[tuple[str, str]]) -> Names:
    found: dict[str, list[str]] = defaultdict(list)
    for kind, name in effects:
        found[kind].append(name)
    return found


def _together(known: Iterable[Names], kind: str) -> list[str]:
    return list(dict.fromkeys(name for names in known for name in names.get(kind, ())))


def _spelled(there: Collection[str], ours: Collection[str], listed: Collection[str]) -> dict[str, str]:
    """By a name of the profile the spelling that is ours."""
    strange = set(there).difference(ours)
    if not strange or not ours:
        return {}
    by_fold: dict[str, str] = {}
    for name in ours:
        by_fold.setdefault(folded(name), name)
    found: dict[str, str] = {}
    for name in sorted(strange):
        mine = by_fold.get(folded(name), name)
        # Shown in both spellings, or listed in both, they are two names of the account.
        if mine not in there and not {mine, name} <= set(listed):
            found[name] = mine
    return found
