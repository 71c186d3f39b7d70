"""What stops a run: before it starts, or on the way."""

from connectors.errors import GuardError
from pipelines.config import GuardsConfig

FAILED_IN_A_ROW = 25
SHARE_COUNTS_FROM = 100
"""A share of failures says something only after this many leads."""


def check_before(guards: GuardsConfig, *, rows: int, known: int, edited: int, removed: int) -> None:
    """Raises GuardError. `known` are the leads we have in Kartra; `removed` those about to lose something."""
    if rows < guards.min_rows:
        raise GuardError(
            f"the source has {rows:,} rows, guards.min_rows asks for {guards.min_rows:,}: nothing was sent"
        )
    if guards.max_removed.exceeded(removed, known):
        raise GuardError(
            f"{removed:,} of {known:,} leads have gone from the source, more than guards.max_removed allows:"
            " nothing was sent. Is the source complete?"
        )
    if guards.max_edited.exceeded(edited, known):
        raise GuardError(
            f"{edited:,} of {known:,} leads would be edited, more than guards.max_edited allows:"
            " nothing was sent"
        )


class FailureGuard:
    """Watches how leads end; `observe` raises GuardError when too many are refused."""

    def __init__(self, guards: GuardsConfig) -> None:
        self._max_failed = guards.max_failed
        self._settled = 0
        self._failed = 0
        self._in_a_row = 0

    def observe(self, *, failed: bool) -> None:
        self._settled += 1
        self._failed += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        if self._in_a_row >= FAILED_IN_A_ROW:
            raise GuardError(
                f"Kartra refused {FAILED_IN_A_ROW} leads in a row: stopped, the rest waits."
                " `kartra-sync rejects` says why"
            )
        if (
            failed
            and (self._max_failed.count is not None or self._settled >= SHARE_COUNTS_FROM)
            and self._max_failed.exceeded(self._failed, self._settled)
        ):
            raise GuardError(
                f"Kartra refused {self._failed:,} of {self._settled:,} leads, more than guards.max_failed"
                " allows: stopped, the rest waits. `kartra-sync rejects` says why"
            )
