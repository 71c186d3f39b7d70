"""What was effected on a lead between two snapshots, by names and without values. Pure."""

from collections.abc import Iterator

from pipelines.changes.diff import same_value
from pipelines.contacts.lead import Snapshot
from pipelines.contacts.wishes import WISHES


def effects_of(was: Snapshot | None, became: Snapshot) -> Iterator[str]:
    """Names of fields, then tags, lists and the like with their kind; `no tag "VIP"` was taken off."""
    before = was or Snapshot(email=became.email if was else "")
    if before.email != became.email:
        yield "email"
    for name, value in became.fields.items():
        if value != before.fields.get(name, ""):
            yield name
    for name, custom in became.custom_fields.items():
        if not same_value(custom, before.custom_fields.get(name, "")):
            yield name
    for wish in WISHES:
        if wish.is_amount:
            amount = getattr(became, wish.collection) - getattr(before, wish.collection)
            if amount:
                yield f"{wish.collection} {amount:+d}"
            continue
        yield from (f'{wish.one} "{name}"' for name in sorted(wish.given(became) - wish.given(before)))
        gone = wish.given(before) - wish.given(became)
        if was is not None:
            # What others gave was in no snapshot of ours: that it is gone shows here alone.
            anew = became.unwanted - was.unwanted
            gone |= {name for kind, name in anew if kind == wish.collection}
        yield from (f'no {wish.one} "{name}"' for name in sorted(gone))
