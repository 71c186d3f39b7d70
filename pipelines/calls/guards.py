"""Guards on the way: what stops a run, and what is held back while the rest goes on."""

from collections import Counter
from collections.abc import Mapping

from pipelines.config.guards import GuardsConfig
from pipelines.contacts.wishes import Cause
from pipelines.errors import GuardError

FAILED_IN_A_ROW = 25
OPENS_AFTER = 10
PROBE_AFTER_S = 60.0
SHARE_COUNTS_FROM = 100
"""A share of failures counts only from this many leads on."""


class Breakers:
    """Circuit breakers: hold back what Kartra keeps refusing, and let everything else go on.

    A cause opens after OPENS_AFTER refusals without a success in between. While it is open, one lead at a
    time passes as a probe: at once for a cause that an earlier run left open, else after PROBE_AFTER_S. Times
    are seconds of one monotonic clock.
    """

    def __init__(self, opened: Mapping[Cause, str]) -> None:
        """`opened` has the error type of each cause that the last run left open."""
        self._refusals: Counter[Cause] = Counter()
        self._open = dict(opened)
        self._probe_at = dict.fromkeys(opened, 0.0)

    def holds(self, cause: Cause, now: float) -> str | None:
        """The error type that holds a cause back now; None if it may be sent."""
        number = self._open.get(cause)
        if number is None:
            return None
        if now < self._probe_at[cause]:
            return number
        # Put off before the probe has an answer: otherwise all leads that wait would pass as probes
        # meanwhile.
        self._probe_at[cause] = now + PROBE_AFTER_S
        return None

    def refused(self, cause: Cause, number: str, now: float) -> bool:
        """Counts a refusal; true if that opens the cause."""
        self._refusals[cause] += 1
        if cause in self._open:
            self._probe_at[cause] = now + PROBE_AFTER_S
            return False
        if self._refusals[cause] < OPENS_AFTER:
            return False
        self._open[cause] = number
        self._probe_at[cause] = now + PROBE_AFTER_S
        return True

    def done(self, cause: Cause) -> bool:
        """Notes a success; true if that closes the cause."""
        # Only refusals without a success between them count: single ones are faults of their leads.
        self._refusals.pop(cause, None)
        return self._open.pop(cause, None) is not None


class FailureGuard:
    """Stops at too many refusals: `observe` raises GuardError. `each` names what is counted."""

    def __init__(self, guards: GuardsConfig, each: str = "leads") -> None:
        self._max_failed = guards.max_failed
        self._each = each
        self._settled = 0
        self._failed = 0
        self._in_a_row = 0

    def observe(self, *, failed: bool) -> None:
        self._settled += 1
        self._failed += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        # Beside the share, which says nothing of a run of a few dozen leads.
        if self._in_a_row >= FAILED_IN_A_ROW:
            raise GuardError(
                f"{FAILED_IN_A_ROW} {self._each} in a row were refused or held back: stopped, the rest waits."
                " `kartra-sync rejects` says why"
            )
        if (
            failed
            # Of the first ten leads one refusal would be 10 %: a share is asked for only once it says
            # something. A fixed number always does.
            and (self._max_failed.count is not None or self._settled >= SHARE_COUNTS_FROM)
            and self._max_failed.exceeded(self._failed, self._settled)
        ):
            raise GuardError(
                f"{self._failed:,} of {self._settled:,} {self._each} were refused or held back, more than"
                " guards.max_failed allows: stopped, the rest waits. `kartra-sync rejects` says why"
            )
