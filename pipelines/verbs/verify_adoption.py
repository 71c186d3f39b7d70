"""The check of `adopt --verify`: leads that were taken over are read back and compared with their records.

The numbers of leads are kept. A lead that Kartra does not have is no longer taken over, so that the next run
sends it. What differs is reported and left alone; it is drift from then on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from connectors.kartra.error_types import LEAD_DELETED
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import ProfileRead
from pipelines.changes.drift import Drift, find_drift
from pipelines.changes.spelling import Names, in_our_words, names_known
from pipelines.contacts.lead import Snapshot
from pipelines.contacts.wishes import ONCE_ONLY, WISH
from pipelines.state.store import Store
from pipelines.verbs.read_leads import read_leads
from pipelines.verbs.work import Work


# As in `verbs.drift` a lead and what was found of it: but by the row that a person looks up, and not kept.
@dataclass(frozen=True, slots=True)
class Differing:
    """A lead that is not in Kartra as its record says; `row` is that of the source."""

    key: str
    row: int | None
    lead_id: str
    found: tuple[Drift, ...]


@dataclass(slots=True)
class Verified:
    """What the check found: `unknown` leads never were in Kartra, `failed` leads gave no answer."""

    asked: int = 0
    same: int = 0
    unknown: int = 0
    deleted: int = 0
    failed: int = 0
    differing: list[Differing] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return self.same == self.asked


def differences(snapshot: Snapshot, profile: LeadProfile) -> Iterator[Drift]:
    """What a lead was taken over with and its profile does not show. Points and classes are in no profile."""
    yield from find_drift(snapshot, profile)
    for wish in ONCE_ONLY:
        if wish.when_missing:
            for name in sorted(wish.given(snapshot).difference(wish.in_profile(profile))):
                yield Drift(wish.collection, name)


def message_of(difference: Drift) -> str:
    """In words for people, without values."""
    match difference.kind:
        case "email":
            return "another address"
        case "custom_fields":
            return f"custom field {difference.name} differs"
        case "fields":
            return f"field {difference.name} differs"
        case wish:
            return f'{WISH[wish].when_missing} "{difference.name}"'


def verify(verified: Verified, work: Work, count: int, seed: int) -> None:
    """Read back `count` of the leads that were taken over; the same `seed` chooses the same leads.

    `verified` counts as it goes, so that what was read before a FatalApiError is kept.
    """
    run = work.context
    total = run.store.adoption.count()
    wanted = min(count, total)
    # In order: the leads stream past once, and none of them is kept.
    places = sorted(Random(seed).sample(range(total), wanted))  # noqa: S311 - a sample, not a secret
    leads = _at(places, run.store.adoption.adopted())
    listed = run.store.inventories.names(run.account)
    asked = ((key, row, _snapshot(run.store, key)) for key, row in leads)
    for (key, row, snapshot), read in read_leads(run, asked, lambda lead: lead[2]):
        verified.asked += 1
        _see(run.store, listed, verified, key, row, snapshot, read)
        run.show(verified.asked, wanted)
        work.between()


def _see(
    store: Store,
    listed: Names,
    verified: Verified,
    key: str,
    row: int | None,
    snapshot: Snapshot,
    read: ProfileRead | None,
) -> None:
    if read is None:
        verified.failed += 1
    elif read.profile is not None:
        if not snapshot.lead_id and read.profile.id:
            store.leads.learn_id(key, read.profile.id)
        profile = in_our_words(read.profile, (names_known(snapshot),), listed)
        if found := tuple(differences(snapshot, profile)):
            verified.differing.append(Differing(key, row, read.profile.id, found))
        else:
            verified.same += 1
    elif read.type == LEAD_DELETED:
        verified.deleted += 1
    else:
        verified.unknown += 1
        store.adoption.give_up(key)


def _at(places: Iterable[int], leads: Iterator[tuple[str, int | None]]) -> Iterator[tuple[str, int | None]]:
    passed = 0
    for place in places:
        yield from islice(leads, place - passed, place - passed + 1)
        passed = place + 1


def _snapshot(store: Store, key: str) -> Snapshot:
    held = store.leads.get(key)
    assert held is not None  # noqa: S101 - this process alone works on the pipeline
    return held.snapshot
