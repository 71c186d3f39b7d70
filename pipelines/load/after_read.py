"""The next step after a lead was read: its profile proves what landed. Pure; see `next_step`."""

from collections.abc import Sequence
from dataclasses import replace

from connectors.kartra.answers import Answer, Effect
from connectors.kartra.error_types import LEAD_DELETED, LEAD_EXISTS, NO_LEAD, NO_LEAD_READ, error_type
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import ProfileRead, profile_of
from connectors.privacy import mask_address
from pipelines.calls.patience import MAX_TRIES, pause_s
from pipelines.changes.before_call import (
    found_again,
    kept_as_left,
    left_by_its_person,
    there_by_another_spelling,
    unproven_of,
    unread_before_call,
)
from pipelines.changes.diff import apply_change, landed_commands
from pipelines.changes.modes import other_mode, shown_mode, wrong_mode
from pipelines.changes.readback import (
    adopt,
    after_unknown,
    joined_after,
    joined_since,
    landed,
    unclear_parts,
)
from pipelines.changes.spelling import in_our_words, names_changed, names_known, names_wished
from pipelines.contacts.wishes import WISH, StepEffect
from pipelines.errors import WrongModeError
from pipelines.load.addresses import address_cause
from pipelines.load.steps import (
    BeginAnew,
    Leave,
    NextStep,
    ReadBack,
    Send,
    Settle,
    Stop,
    anew,
    is_disproven,
    search,
    settled,
)
from pipelines.load.task import WRITES, Now, Rules, Stage, Task, owing
from pipelines.state.outbox import Outcome

_LEFT = frozenset({Stage.LEFT, Stage.LEFT_SHOWN})
_COMPARED = _LEFT | {Stage.UNKNOWN, Stage.SHOWN}
_SHOWN = {Stage.UNKNOWN: Stage.SHOWN, Stage.LEFT: Stage.LEFT_SHOWN}


def asks_owner(task: Task, answer: Answer) -> tuple[str, str] | None:
    """(lead id, address) of a lead that was read, where it may be the lead of another record."""
    if task.entry.kind != "load" or task.stage in WRITES or task.stage is Stage.PREPARING:
        return None
    if task.snapshot is not None and task.stage not in (Stage.SEARCHING, Stage.TAKEN):
        return None
    profile = profile_of(answer).profile
    if profile is None or not profile.id:
        return None
    return profile.id, task.entry.desired.email if task.entry.desired else ""


def after_read(task: Task, answer: Answer, now: Now, rules: Rules) -> NextStep:
    if answer.effect in (Effect.RETRY_LATER, Effect.UNKNOWN):
        task = replace(task, reads=task.reads + 1)
        if task.reads < MAX_TRIES and not now.is_halted:
            return ReadBack(task, pause_s(task.reads))
        # Its creation was acknowledged; that it could not be read afterwards changes nothing.
        return settled(task) if task.stage is Stage.STORED else Leave(task)
    read = _in_our_words(task, profile_of(answer), now)
    if task.stage is Stage.STORED:
        return _stored(task, read.profile, now, rules)
    if read.profile is not None and _is_from_test_mode(task, read.profile, now, rules):
        read = ProfileRead(None, NO_LEAD_READ)
    task = replace(task, reads=0, score=read.profile.score if read.profile else None)
    if read.profile is None:
        return _without_profile(task, read, now, rules)
    if task.stage is Stage.TAKEN:
        return _address_of_another(task, read.profile, now)
    if task.stage not in _COMPARED and (error := _in_other_mode(task, read.profile, rules)):
        return Stop(error, Leave(task))
    if task.stage is Stage.PREPARING:
        return _prepared(task, read.profile, rules)
    if asks_owner(task, answer) is not None and now.owner not in (None, task.entry.key):
        if task.stage in _LEFT:
            return Settle(task, Outcome("recovered"))
        reason = "the address belongs to the lead of another record"
        return Settle(task, Outcome("rejected", LEAD_EXISTS, reason, cause=_cause(task)))
    if task.stage is Stage.ADOPTING:
        return _adopt(task, read.profile, rules)
    if task.stage is Stage.SEARCHING:
        return _found(task, read.profile, rules)
    return _compare(task, read.profile, now, rules)


def _in_our_words(task: Task, read: ProfileRead, now: Now) -> ProfileRead:
    if read.profile is None:
        return read
    ours = (names_wished(task.entry.desired), names_changed(task.change), names_known(task.snapshot))
    return replace(read, profile=in_our_words(read.profile, ours, now.listed))


def _is_from_test_mode(task: Task, profile: LeadProfile, now: Now, rules: Rules) -> bool:
    """Whether a lead under its address of Test mode says nothing of a creation that has no outcome.

    An App that went Live leaves such leads behind. Only one that joined after the intent tells that the App
    is in Test mode. Where its clock leaves that open, the creation is sent again, and refused if the App is.
    """
    desired = task.entry.desired
    if task.stage not in _COMPARED or not task.change.create or rules.mode != "live" or desired is None:
        return False
    if shown_mode(desired.email, profile.email) != "test":
        return False
    intended_at = task.intended_at or now.at
    return not joined_since(profile.joined, intended_at, is_clock_known=not task.by_own_clock)


def _in_other_mode(task: Task, profile: LeadProfile, rules: Rules) -> WrongModeError | None:
    """What the profile of a lead says against the mode of the file, where the address is one that we sent."""
    known, desired = task.snapshot, task.entry.desired
    sent = known.email if known else desired.email if desired else ""
    shown = other_mode(sent, profile.email, task.origin, rules.mode)
    if shown is None:
        return None
    is_new = task.entry.snapshot is None and task.origin == "created"
    return wrong_mode(sent, shown, task.entry.key if is_new else None)


def _stored(task: Task, profile: LeadProfile | None, now: Now, rules: Rules) -> NextStep:
    """The first creation for a day; what it was is settled whatever it shows."""
    if profile is None and task.is_window_open(now) and not now.is_halted:
        return ReadBack(task, task.left_s(now))
    step = settled(task)
    if profile is None or not isinstance(step, Settle):
        return step
    if error := _in_other_mode(task, profile, rules):
        return Stop(error, step)
    sent = task.snapshot.email if task.snapshot else ""
    return replace(step, mode=shown_mode(sent, profile.email))


def _prepared(task: Task, profile: LeadProfile, rules: Rules) -> Send | Settle:
    """With its score, and without taking back what its person has left: that is kept."""
    snapshot = task.snapshot
    assert snapshot is not None  # noqa: S101 - a new lead is not read before it is made
    if unread := unread_before_call(task.change, snapshot, profile):
        return Settle(task, Outcome("deferred", reason=_unread(unread)))
    if not snapshot.lead_id:
        snapshot = replace(snapshot, lead_id=profile.id or None)
    task = replace(task, snapshot=snapshot, stage=Stage.FRESH)
    left = left_by_its_person(task.change, snapshot, profile) | there_by_another_spelling(
        task.change, snapshot, profile
    )
    if not left:
        return Send(task)
    return Send(owing(replace(task, snapshot=kept_as_left(snapshot, left, task.entry.desired)), rules))


def _unread(parts: Sequence[str]) -> str:
    named = ", ".join(parts)
    return f"its profile came without its {named}, or they cannot be read: the next run looks again"


def _found(task: Task, profile: LeadProfile, rules: Rules) -> Send | Settle | BeginAnew:
    """Another lead has the address of one whose number is gone: it stands in its place."""
    known, desired = task.snapshot, task.entry.desired
    assert known is not None and desired is not None  # noqa: S101, PT018 - only of a lead that is known
    # The very number that was said to be gone, or none: nobody stands in its place.
    if not profile.id or profile.id == known.lead_id:
        return gone(task, rules)
    if unclear := unclear_parts(desired, profile, rules.existing, rules.left_out):
        return Settle(task, Outcome("deferred", reason=_unread(unclear)))
    task = replace(task, snapshot=found_again(desired, known, profile, rules.existing), gone=None)
    return Send(owing(replace(task, stage=Stage.FRESH, tries=0), rules))


def _address_of_another(task: Task, profile: LeadProfile, now: Now) -> Settle:
    """A lead of another record may give its address up later, and then this is sent again."""
    desired = task.entry.desired
    email = desired.email if desired else ""
    number = f" (number {profile.id})" if profile.id else ""
    is_ours = now.owner not in (None, task.entry.key)
    whose = "the lead of another record" if is_ours else "a lead that Kartra had before"
    reason = f"the new address {mask_address(email)} belongs to {whose}{number}"
    return Settle(task, Outcome("rejected", LEAD_EXISTS, reason, cause=_cause(task) if is_ours else None))


def _cause(task: Task) -> str | None:
    """By which the refusal goes once the other record's lead has another address."""
    return address_cause(task.entry.desired.email) if task.entry.desired else None


def _address_free(task: Task, number: str | None, rules: Rules) -> Send | Settle:
    """Nobody has it any more; a deleted lead keeps its address."""
    if number in NO_LEAD and task.tries < MAX_TRIES:
        refused = {cause: why for cause, why in task.refused.items() if why != LEAD_EXISTS}
        return Send(owing(replace(task, stage=Stage.DUE, refused=refused), rules))
    return Settle(task, Outcome("rejected", LEAD_EXISTS, error_type(LEAD_EXISTS).explanation))


def gone(task: Task, rules: Rules) -> Settle | BeginAnew:
    """Kartra has no more a lead that was ours, and no other has its address."""
    if rules.on_gone == "recreate" and rules.sync_mode != "update_only":
        return anew(task, rules)
    if rules.on_gone == "forget":
        task = replace(task, origin="skipped")
        return Settle(task, Outcome("skipped", reason="gone from Kartra"), complete=True)
    reason = (
        f"{error_type(task.gone).message}: the lead was there and is gone, and no other has its address."
        " load.on_gone says what is to become of such leads: recreate or forget"
    )
    return Settle(task, Outcome("rejected", task.gone, reason))


def _without_profile(task: Task, read: ProfileRead, now: Now, rules: Rules) -> NextStep:
    is_open = task.is_window_open(now)
    if task.stage in _LEFT:
        if is_open and read.type != LEAD_DELETED:
            return ReadBack(task, task.left_s(now))
        # Kept for this run: should the lead show up after all, its second creation must not give twice.
        given_up_at = task.intended_at if task.change.create else None
        return Settle(_unproven(task), Outcome("recovered", read.type), given_up_at=given_up_at)
    if task.stage is Stage.ADOPTING and rules.sync_mode == "update_only" and read.type != LEAD_DELETED:
        return Settle(task, Outcome("skipped", reason="not in Kartra, and sync_mode is update_only"))
    if task.stage is Stage.SEARCHING:
        return gone(task, rules)
    if task.stage is Stage.TAKEN:
        return _address_free(task, read.type, rules)
    if task.is_gone(read.type) and task.stage is not Stage.ADOPTING:
        return search(_unproven(task), read.type)
    if task.stage is Stage.ADOPTING and task.entry.origin == "skipped":
        known = replace(task, snapshot=task.entry.snapshot, gone=read.type)
        return gone(known if rules.on_gone == "forget" else replace(task, gone=read.type), rules)
    if is_disproven(task, read.type, rules):  # its new address may not show yet
        return ReadBack(task, task.left_s(now)) if is_open else anew(task, rules)
    if read.type == LEAD_DELETED or not task.change.create:
        return Settle(task, Outcome("rejected", read.type, error_type(read.type).explanation))
    if task.stage is Stage.ADOPTING:
        reason = "the address exists in Kartra, but its lead cannot be read"
        return Settle(task, Outcome("rejected", LEAD_EXISTS, reason))
    return ReadBack(task, task.left_s(now)) if is_open else _send_again(task, now)


def _unproven(task: Task) -> Task:
    """What its open try gives may have landed on a lead that is gone: it is not given again by itself."""
    # A creation that does not show was no lead to land on.
    if task.snapshot is None or task.change.create or task.stage in (Stage.PREPARING, Stage.ADOPTING):
        return task
    unproven = task.snapshot.unproven | unproven_of(task.change)
    return replace(task, snapshot=replace(task.snapshot, unproven=unproven))


def _adopt(
    task: Task, profile: LeadProfile, rules: Rules, unproven: frozenset[StepEffect] = frozenset()
) -> Send | Settle:
    desired = task.entry.desired
    assert desired is not None  # noqa: S101 - a removal is never at ADOPTING
    if rules.sync_mode == "create_only" or rules.existing == "skip":
        task = replace(task, snapshot=adopt(desired, profile, "update"), origin="skipped")
        return Settle(task, Outcome("skipped", reason="was in Kartra before"), complete=True)
    unclear = unclear_parts(desired, profile, rules.existing, rules.left_out)
    if unclear and not unproven:
        name = "recovered" if task.stage in _LEFT else "deferred"
        return Settle(task, Outcome(name, reason=_unread(unclear)))
    # What its open try may have given has to be remembered, so it cannot wait: a person looks it up.
    unproven |= {(kind, name) for kind in unclear if kind in WISH for name in WISH[kind].names(desired)}
    known = adopt(desired, profile, rules.existing)
    known = replace(known, unproven=unproven, kept=known.kept | task.left)
    if rules.is_restored:
        may_have = unproven_of(owing(replace(task, snapshot=known), rules).change)
        known = replace(known, unproven=unproven | may_have)
    task = replace(task, snapshot=known, origin="adopted")
    if task.stage in _LEFT:
        return Settle(task, Outcome("recovered"))
    return Send(owing(replace(task, stage=Stage.FRESH, tries=0), rules))


def _compare(task: Task, profile: LeadProfile, now: Now, rules: Rules) -> NextStep:
    """After a try without an answer: keep what landed, send the rest once it is proven missing."""
    desired = task.entry.desired
    if desired is None:
        return _compare_removal(task, profile, now, rules)
    intended_at = task.intended_at or now.at
    after, origin = after_unknown(
        task.change,
        desired,
        task.snapshot,
        profile,
        rules.existing,
        intended_at,
        now.at,
        is_clock_known=not task.by_own_clock,
        has_died=task.stage in _LEFT,
    )
    if origin == "adopted":
        if task.is_window_open(now) and joined_after(profile.joined, intended_at) is not False:
            return ReadBack(task, task.left_s(now))  # it may be ours after all, with effects to come
        if error := _in_other_mode(task, profile, rules):
            outcome = Outcome("recovered" if task.stage in _LEFT else "deferred", reason="stopped")
            return Stop(error, Settle(task, outcome))
        if task.stage in _LEFT and not after.unproven:
            return Settle(task, Outcome("recovered"))  # not ours: the next plan adopts it
        return _adopt(task, profile, rules, after.unproven)
    if task.change.create and task.stage in _SHOWN:  # it may have been carried out only just now
        open_until = max(task.open_until, now.monotonic_s + rules.settle_s)
        task = replace(task, stage=_SHOWN[task.stage], open_until=open_until)
    after = replace(after, kept=after.kept | task.left)
    found = replace(task, snapshot=after, origin=origin or task.origin)
    return _after_comparison(task, found, profile, now, rules)


def _compare_removal(task: Task, profile: LeadProfile, now: Now, rules: Rules) -> NextStep:
    if task.snapshot is None:
        return Settle(task, Outcome("recovered"))
    # What cannot be proven is taken once more: that does no harm (§5.2).
    gone = [bool(flag) for flag in landed(task.change, profile)]
    found = replace(task, snapshot=apply_change(task.snapshot, task.change, gone))
    return _after_comparison(task, found, profile, now, rules)


def _after_comparison(task: Task, found: Task, profile: LeadProfile, now: Now, rules: Rules) -> NextStep:
    """`found` is the task with the snapshot that its profile proves."""
    owed = owing(found, rules).change
    may_show = owed or (task.change.gives_points and found.unproven)
    # Whether it is still wished for or not: what lands after the look is in no snapshot.
    may_land = task.stage in _LEFT and False in landed(task.change, profile)
    if (may_show or may_land) and task.is_window_open(now):
        return ReadBack(task, task.left_s(now))  # the next read decides
    if error := _in_other_mode(found, profile, rules):
        outcome = Outcome("recovered" if task.stage in _LEFT else "deferred", reason="stopped")
        return Stop(error, Settle(found, outcome))
    unproven = found.snapshot.unproven if found.snapshot else ()
    done = (*task.done, *landed_commands(task.change, owed, unproven))
    found = replace(found, done=done, change=owed)
    if task.stage in _LEFT:
        return Settle(found, Outcome("recovered"), complete=not owed and not found.unproven)
    return _send_again(found, now) if owed else settled(found)


def _send_again(task: Task, now: Now) -> Send | Settle:
    """What was proven not to have landed; not what is refused on its way to Kartra for the second run."""
    barrier = task.barrier
    if barrier is not None and barrier == now.barred_before and now.others_pass and len(task.barriers) > 1:
        reason = f"{task.trouble}: something in front of Kartra refuses this record, in two runs now"
        return Settle(task, Outcome("rejected", reason=reason))
    if task.tries < MAX_TRIES:
        return Send(replace(task, stage=Stage.FRESH))
    reason = f"no usable answer in {MAX_TRIES} tries; what is left has not landed, the next run sends it"
    return Settle(task, Outcome("deferred", barrier, reason))
