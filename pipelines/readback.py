"""What a lead's profile proves: which actions of an open try landed, and what a lead had before us. Pure."""

from dataclasses import replace

from connectors.kartra.profile import LeadProfile
from pipelines.config import Existing
from pipelines.diff import Change, Step, apply_change, same_value
from pipelines.lead import DesiredLead, Snapshot
from pipelines.state import Origin


def landed(change: Change, profile: LeadProfile) -> tuple[bool, ...]:
    """Per command of the change whether the profile shows its effect."""
    head = (_profile_landed(change, profile),) if change.writes_profile else ()
    return (*head, *(_step_landed(step, profile) for step in change.steps))


def after_unknown(
    change: Change,
    desired: DesiredLead,
    snapshot: Snapshot | None,
    profile: LeadProfile,
    existing: Existing,
) -> tuple[Snapshot, Origin | None]:
    """The snapshot a profile proves after a try without an answer, and the origin where it is a new lead.

    A new lead whose profile is not what was sent was there before us: Kartra refused the creation.
    """
    flags = landed(change, profile)
    if change.create and not flags[0]:
        return adopt(desired, profile, existing), "adopted"
    before = snapshot or Snapshot(email=desired.email)
    after = apply_change(before, change, flags)
    after = replace(after, lead_id=profile.id or after.lead_id, kept=after.kept | _left(desired, profile))
    return after, "created" if change.create else None


def adopt(desired: DesiredLead, profile: LeadProfile, existing: Existing) -> Snapshot:
    """The snapshot of a lead that Kartra had before us, as far as the record speaks of it."""
    fields = {name: profile.fields.get(name, "") for name in desired.fields}
    custom_fields = {name: profile.custom_fields.get(name, "") for name in desired.custom_fields}
    kept = set(_left(desired, profile))
    if existing == "fill_blanks":
        kept |= {("fields", name) for name, value in fields.items() if value}
        kept |= {("custom_fields", name) for name, value in custom_fields.items() if value}
    return Snapshot(
        email=desired.email,
        lead_id=profile.id or None,
        fields=fields,
        custom_fields=custom_fields,
        tags=profile.tags.intersection(desired.tags),
        lists=frozenset(name for name in desired.lists if profile.lists.get(name)),
        sequences=frozenset(name for name, _ in desired.sequences if name in profile.sequences),
        kept=frozenset(kept),
    )


def _left(desired: DesiredLead, profile: LeadProfile) -> frozenset[tuple[str, str]]:
    """Lists the person has left: they stay in the profile, inactive."""
    return frozenset(("lists", name) for name in desired.lists if profile.lists.get(name) is False)


def _profile_landed(change: Change, profile: LeadProfile) -> bool:
    return (
        (change.create or change.email is None or _same_address(change.email, profile.email))
        and all(value == profile.fields.get(name, "") for name, value in change.fields.items())
        and all(
            same_value(value, profile.custom_fields.get(name, ""))
            for name, value in change.custom_fields.items()
        )
    )


def _same_address(sent: str, stored: str) -> bool:
    """Test mode stores the part before the @ with a domain of Kartra's (API reference, 2.2)."""
    local, _, domain = stored.lower().rpartition("@")
    return stored.lower() == sent or (domain == "kartra.com" and local == sent.rpartition("@")[0])


def _step_landed(step: Step, profile: LeadProfile) -> bool:
    match step.cmd:
        case "assign_tag":
            return step.name in profile.tags
        case "unassign_tag":
            return step.name not in profile.tags
        case "subscribe_lead_to_list":
            return profile.lists.get(step.name, False)
        case "unsubscribe_lead_from_list":
            return not profile.lists.get(step.name, False)
        case _:
            return step.name in profile.sequences
