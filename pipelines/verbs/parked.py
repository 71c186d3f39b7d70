"""What is not sent until somebody acts: effects nobody can prove, refused wishes, and what is held back."""

from dataclasses import dataclass, replace
from typing import TypeVar

from connectors.kartra.error_types import error_type
from connectors.privacy import mask_address, mask_text
from pipelines.config.pipeline import PipelineConfig
from pipelines.operations.journal import OperationStore, ParkedOperation
from pipelines.state.refusals import OpenBreaker, ParkedLead
from pipelines.verbs.reading import store_of

OneParked = TypeVar("OneParked", ParkedLead, ParkedOperation)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What Kartra refuses whoever it is for: `what` is the command and the name."""

    mode: str
    what: str
    type: str
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class Parked:
    """What waits for somebody: operations and leads, each `unproven` or `refused`, and causes held back."""

    operations: list[ParkedOperation]
    leads: list[ParkedLead]
    held_back: list[HeldBack]


def parked_of(config: PipelineConfig, *, show: bool) -> Parked:
    """What waits in the state of a pipeline. Keys are masked unless `show`."""
    with store_of(config) as store:
        return Parked(
            [_masked(parked, show=show) for parked in OperationStore(store).parked(config.pipeline)],
            [_masked(parked, show=show) for parked in store.refusals.parked(config.pipeline)],
            [_held_back(breaker) for breaker in store.refusals.held_back(config.pipeline)],
        )


def _held_back(breaker: OpenBreaker) -> HeldBack:
    return HeldBack(
        mode=breaker.mode,
        what=mask_text(f"{breaker.cmd} {breaker.label}"),  # a name of the account may be a person's
        type=breaker.type,
        reason=error_type(breaker.type).explanation,
        since=breaker.opened_at,
    )


def _masked(parked: OneParked, *, show: bool) -> OneParked:
    return parked if show else replace(parked, key=mask_address(parked.key))
