"""When to try again and when to give up: the same rules for everything that calls Kartra."""

from dataclasses import dataclass

from connectors.errors import RetryableApiError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.sender import no_call_arrives

FIRST_READ_S = 1.0
"""How long after an unanswered try its lead is first read."""
STOP_WITHIN_S = 9.0
"""How long calls in flight may take after a stop."""
MAX_TRIES = 6
ON_ITS_WAY_S = 30.0
"""A call of a process that died may still be on its way for `timeout_s`, and for so long at most."""
UNREACHABLE_IN_A_ROW = 20
UNANSWERED_IN_A_ROW = 25
LONGEST_PAUSE_S = 8.0


def pause_s(tries: int) -> float:
    """The pause after so many tries in a row; it doubles each time."""
    # The exponent is bounded, too: after a thousand tries the power alone would overflow.
    return min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(tries, 4))


def unreachable(trouble: str) -> RetryableApiError:
    """The error of a run none of whose calls arrives; `trouble` is that of the last call."""
    return RetryableApiError(no_call_arrives(trouble))


def unanswered(trouble: str) -> RetryableApiError:
    """The error of a run whose calls get no usable answer any more."""
    return RetryableApiError(
        f"Kartra gave no usable answer to {UNANSWERED_IN_A_ROW} calls in a row: stopped. The next run"
        f" reads back what is unknown, and goes on{_last(trouble)}"
    )


def _last(trouble: str) -> str:
    return f"; the last time: {trouble}" if trouble else ""


@dataclass(slots=True)
class Patience:
    """Counts failures in a row: writes that never arrived, calls without a usable answer."""

    unreached: int = 0
    without_answer: int = 0
    trouble: str = ""
    """The trouble of the last failure."""

    @property
    def is_exhausted(self) -> bool:
        """Whether Kartra seems to be down, so that no further call should leave."""
        return self.without_answer >= UNANSWERED_IN_A_ROW

    def hear(self, answer: Answer) -> None:
        """Counts an answer."""
        self.trouble = answer.trouble or self.trouble
        self.count(is_usable=bool(answer.effect is not Effect.UNKNOWN or answer.body or answer.type))

    def count(self, *, is_usable: bool) -> None:
        """Counts a piece of work of one call or several."""
        # A refusal is an answer: Kartra is there, and other leads may get through.
        self.without_answer = 0 if is_usable else self.without_answer + 1

    def hear_write(self, answer: Answer) -> None:
        """Counts writes that were proven not to have been carried out."""
        self.unreached = self.unreached + 1 if answer.effect is Effect.RETRY_LATER else 0
