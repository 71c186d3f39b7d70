"""Guards that check a plan before anything is sent."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from connectors.errors import Lines
from connectors.privacy import mask_text
from pipelines.config.guards import GuardsConfig
from pipelines.contacts.held_back import unclear_lines
from pipelines.errors import GuardError, TriggerError
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.words.numbers import counted


def check_before(
    guards: GuardsConfig,
    *,
    rows: int,
    not_chosen: int = 0,
    known: int,
    edited: int,
    removed: int,
    triggered: Mapping[str, int] = MappingProxyType({}),
    approved: bool = False,
    unclear: Mapping[tuple[str, str], int] = MappingProxyType({}),
) -> None:
    """Raises GuardError. `known` counts our leads in Kartra, `removed` those that are about to lose
    something.

    `unclear` counts unknown status words of a first load, by column and word. `triggered` counts the leads
    that get the same thing, by words such as `tag "VIP"`; `approved` says that a person agreed to their
    number.
    """
    # First of all: a source that was cut short also makes leads seem to be gone, and that would be told
    # instead.
    if rows < guards.min_rows:
        without = f" without the {not_chosen:,} that load.only leaves out" if not_chosen else ""
        raise GuardError(
            f"the source has {counted(rows, 'row')}{without}, guards.min_rows asks for {guards.min_rows:,}:"
            " nothing was sent"
        )
    if unclear:
        why = "nothing was sent, because a first load has to be sure who may be mailed:"
        raise GuardError(Lines([why, *unclear_lines(unclear)]))
    if guards.max_removed.exceeded(removed, known):
        raise GuardError(
            f"{removed:,} of {counted(known, 'lead')} have gone from the source, more than"
            " guards.max_removed allows: nothing was sent. Is the source complete?"
        )
    if guards.max_edited.exceeded(edited, known):
        raise GuardError(
            f"{edited:,} of {counted(known, 'lead')} would be edited, more than guards.max_edited allows:"
            " nothing was sent"
        )
    limit = guards.max_triggered
    if limit is not None and not approved:
        over = [
            f"{mask_text(what)} to {counted(count, 'lead')}"
            for what, count in triggered.items()
            if limit.exceeded(count, rows)
        ]
        if over:
            raise TriggerError(
                f"about to give {', '.join(over)}, more than guards.max_triggered allows: nothing was sent,"
                " because each can send mail. If it is meant: kartra-sync run --yes"
            )


def unclear_at_first(store: Store, summary: Summary) -> Counter[tuple[str, str]]:
    """The unknown status words, if Kartra has no lead from us yet."""
    return summary.counts.unclear if summary.counts.unclear and not store.leads.count() else Counter()
