"""What one part of a campaign counted: a line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """A line of the table.

    `lost`: leads that are not as their row asks. `twice`: once-only commands executed more than once.
    `calls_over_floor`: calls beyond what the work needs; each campaign says what it takes for the floor.
    `worst_second`, `share`: of the rate Kartra allows, where that was measured; not where many sandboxes
    share one busy process, for their clocks then see their own delay. `failures`: what went wrong, with
    its seed.
    """

    campaign: str
    faults: int = 0
    kills: int = 0
    leads: int = 0
    lost: int = 0
    twice: int = 0
    parked: int = 0
    calls_over_floor: int = 0
    worst_second: int | None = None
    share: float | None = None
    failures: tuple[str, ...] = ()
