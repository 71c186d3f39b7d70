"""What a pipeline file gives to every lead by name, and what has left it since. Pure.

A name that stands in the file itself is the file's wish, whatever a record's cells say: once it is taken out,
it is taken back from everybody we gave it to. A mapping that is gone altogether says nothing, and takes
nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.config.load import LoadConfig
from pipelines.config.values import Value
from pipelines.contacts.lead import Snapshot, Unwanted
from pipelines.contacts.values import reader
from pipelines.contacts.wishes import KEPT_UP, WISH, WISHES


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What has left the file: `names` that it gave to all, `emptied` collections, of which it gives none."""

    names: frozenset[Unwanted] = frozenset()
    emptied: frozenset[str] = frozenset()
    unmapped: frozenset[str] = frozenset()
    """Collections that the file does not mention any more: what was given of them stays."""
    begun: frozenset[str] = frozenset()
    """Sequences that the file does not give any more: who is in one stays in it."""

    def of_lead(self, snapshot: Snapshot) -> frozenset[Unwanted]:
        """What of it one lead has from us, without what stays."""
        emptied = {(kind, name) for kind in self.emptied for name in WISH[kind].given(snapshot)}
        return frozenset(
            emptied | {(kind, name) for kind, name in self.names if name in WISH[kind].given(snapshot)}
        )


def given_to_all(load: LoadConfig) -> frozenset[Unwanted]:
    """The names that the file gives to everybody; an empty one for each collection that it maps."""
    return frozenset(_given(load))


def _given(load: LoadConfig) -> Iterator[Unwanted]:
    for wish in WISHES:
        if wish.is_amount or wish.listed_as is None:
            continue
        elements = wish.elements(load) if wish.elements else getattr(load, wish.collection)
        if wish in KEPT_UP and wish.is_asked_for(load):
            yield wish.collection, ""
        if wish.collection == "sequences":
            elements = [one.name for one in load.sequences]
        for element in elements:
            yield from ((wish.collection, name) for name in _constant(element))


def _constant(element: object) -> tuple[str, ...]:
    """The names that stand in the file itself."""
    if not isinstance(element, Value):
        return (element,) if isinstance(element, str) and element else ()
    if element.columns:
        return ()
    said = reader(element)({})
    return tuple(filter(None, (said,) if isinstance(said, str) else said))


def withdrawn_of(load: LoadConfig, known: frozenset[Unwanted]) -> Withdrawn:
    """`known`: what files gave to all before, as `given_to_all` has it."""
    now = given_to_all(load)
    # `tags: []` and no `tags:` at all are two things: the one takes back, the other says nothing.
    mentioned = {wish.collection for wish in KEPT_UP if wish.collection in load.model_fields_set}
    mapped = {kind for kind, _ in known if WISH[kind] in KEPT_UP}
    gone = known - now
    return Withdrawn(
        names=frozenset((kind, name) for kind, name in gone if name and kind in mentioned),
        emptied=frozenset(kind for kind, name in gone if not name and kind in mentioned),
        unmapped=frozenset(mapped - mentioned),
        begun=frozenset(name for kind, name in gone if kind == "sequences"),
    )
