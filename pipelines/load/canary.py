"""A few leads go first, of every kind there is; they are read back, and a difference stops the others."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

from connectors.kartra.commands import CHOICE_TYPES
from connectors.privacy import mask_value
from pipelines.calls.context import RunContext
from pipelines.calls.profiles import read_lead
from pipelines.calls.workers import call_each, width_of
from pipelines.changes.canary import Finding, Sample, findings
from pipelines.changes.readback import reads_of
from pipelines.changes.spelling import in_our_words, names_changed, names_known
from pipelines.config.load import LoadConfig
from pipelines.errors import GuardError
from pipelines.load.account_names import AccountInventory
from pipelines.load.choosing import Choice
from pipelines.load.delivery import Delivery
from pipelines.load.plan import Plan
from pipelines.load.planned import Planned, planned_changes
from pipelines.words.numbers import counted

SHOWN = 10
LOOK_AGAIN_S = 1.0
UNREAD = Finding("the lead", "Kartra gave no usable answer when it was read back", "Run again later")
LOST = Finding("the lead", "Kartra does not show it, though it took it", "Look it up in Kartra")
Found = Mapping[str, tuple[Finding, ...]]
"""By the key of a lead what Kartra stored otherwise."""


@dataclass(frozen=True, slots=True)
class Others:
    """Who is none of the plan: leads whose last call has no outcome, and who was not chosen."""

    unknown: frozenset[str]
    choice: Choice


def send_canary(
    run: RunContext,
    load: LoadConfig,
    plan: Plan,
    delivery: Delivery,
    inventory: AccountInventory,
    count: int,
    others: Others,
) -> GuardError | None:
    """Send so many of the planned leads and read them back; gives why the others are not to be sent.

    Leads whose addresses change owners in this run wait for each other, and are not among the first.
    """
    first = _first(run, load, plan, count, others)
    delivery.deliver_first(list(first))
    if delivery.failure is not None or run.stopping() or not first:
        return None
    sent = {key: one for key, one in first.items() if _is_sent(run, one)}
    if not sent:
        return GuardError(
            f"Kartra took none of the {len(first):,} leads that were sent first: the other"
            f" {plan.changes - len(first):,} were not sent"
        )
    known = inventory.current().custom_fields if load.custom_fields else {}
    found = _looked_at(run, sent, {name: field.type in CHOICE_TYPES for name, field in known.items()})
    if run.stopping():  # what did not show yet may show later
        return None
    if not found:
        run.summary.notes.append(
            f"canary: {counted(len(sent), 'lead was', 'leads were')} sent first and came back as sent"
        )
        return None
    back = f"kartra-sync undo {run.config.path.name} {run.run_id}"
    return GuardError(_message(first, found, plan.changes - len(first), back))


def _first(run: RunContext, load: LoadConfig, plan: Plan, count: int, others: Others) -> dict[str, Planned]:
    waiting = {*plan.addresses.waits_for, *plan.addresses.waits_for.values()}
    sample = Sample()
    for one in _changes(run, load, plan, others):
        if one.key not in waiting:
            sample.see(one.key, one.change, count)
    # Gone through twice: the changes of a million leads are not held, and these few are wanted whole.
    chosen = frozenset(sample.chosen(count))
    wanted = (one for one in _changes(run, load, plan, others) if one.key in chosen)
    return {one.key: one for one in islice(wanted, len(chosen))}


def _changes(run: RunContext, load: LoadConfig, plan: Plan, others: Others) -> Iterable[Planned]:
    """Those that are planned: leads that were not chosen are not staged, or stay behind the limit."""
    return planned_changes(run.store, load, plan, others.unknown, others.choice)


def _looked_at(run: RunContext, sent: Mapping[str, Planned], choices: Mapping[str, bool]) -> Found:
    """What differs still once every effect had time to show ("in a few moments", §3.4)."""
    until = run.clock.monotonic() + run.config.kartra.settle_s
    # Only those that differ are read again; most leads cost one read.
    found = _read(run, list(sent.values()), choices)
    while found and run.clock.monotonic() < until and not run.stopping():
        run.clock.sleep(LOOK_AGAIN_S)
        # A run that only waits must not look dead, or another one would take its place.
        run.beat()
        found = _read(run, [sent[key] for key in found], choices)
    return found


def _read(run: RunContext, leads: list[Planned], choices: Mapping[str, bool]) -> Found:
    """A lead that cannot be read back is no lead that came back as sent."""
    known = [(one, lead) for one in leads if (lead := run.store.leads.get(one.key))]
    found: dict[str, tuple[Finding, ...]] = {}
    listed = run.store.inventories.names(run.account)
    asked = call_each(
        known,
        lambda pair: read_lead(run.client, tuple(reads_of(pair[1].snapshot, run.config.kartra.mode))),
        width=partial(width_of, run.config.kartra, run.client),
        pool=run.pool,
    )
    for (one, lead), read in asked:
        if read is None:
            found[one.key] = (UNREAD,)
        elif read.profile is None:
            found[one.key] = (LOST,)
        else:
            ours = (names_changed(one.change), names_known(lead.snapshot))
            profile = in_our_words(read.profile, ours, listed)
            if differing := tuple(findings(one.change, lead.snapshot, profile, choices)):
                found[one.key] = differing
    return found


def _is_sent(run: RunContext, one: Planned) -> bool:
    """Whether Kartra has acknowledged all of it: a refusal is told by itself, and stops nobody else.

    Who was there before and is left alone got nothing.
    """
    lead = run.store.leads.get(one.key)
    if lead is None or lead.origin == "skipped":
        return False
    return lead.removed if one.kind == "removal" else lead.digest == one.digest


def _message(first: Mapping[str, Planned], found: Found, waiting: int, back: str) -> str:
    """`back`: the command that takes the first ones back."""
    kinds = Counter(str(finding) for findings_of in found.values() for finding in findings_of)
    lines = [f"  {count:,} × {told}" for told, count in kinds.most_common(SHOWN)]
    if (more := len(kinds) - SHOWN) > 0:
        lines.append(f"  and {more:,} more kinds")
    rows = ", ".join(f"{first[key].row or '-'} ({mask_value(key)})" for key in islice(found, SHOWN))
    return "\n".join(
        [
            f"{len(found):,} of the {len(first):,} leads that were sent first came back otherwise than they"
            f" were sent; the other {waiting:,} were not sent:",
            *lines,
            f"Rows: {rows}. Mend the mapping and run again, or run --canary 0 to send them all the same."
            f" What the first ones got stays until it is taken back: {back}",
        ]
    )
