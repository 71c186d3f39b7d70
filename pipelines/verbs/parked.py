"""What is not sent until somebody acts: effects nobody can prove, refused wishes, and what is held back."""

from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from connectors.kartra.error_types import error_type
from connectors.privacy import mask_address, mask_text
from pipelines.config.pipeline import PipelineConfig
from pipelines.operations.journal import OperationStore
from pipelines.operations.journal import Parked as ParkedOperation
from pipelines.state.refusals import HeldBack, Parked
from pipelines.verbs.reading import store_of

OneParked = TypeVar("OneParked", Parked, ParkedOperation)


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for somebody: operations and leads, each `unproven` or `refused`, and causes held back."""

    operations: list[ParkedOperation]
    leads: list[Parked]
    held_back: list[HeldBack]

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": [_operation(parked) for parked in self.operations],
            "leads": [asdict(parked) for parked in self.leads],
            "held_back": [
                {
                    "mode": held.mode,
                    "what": what_is_held(held),
                    "type": held.type,
                    "reason": error_type(held.type).explanation,
                    "since": held.opened_at,
                }
                for held in self.held_back
            ],
        }


def parked_of(config: PipelineConfig, *, show: bool) -> Pending:
    """What waits in the state of a pipeline. Keys are masked unless `show`."""
    with store_of(config) as store:
        return Pending(
            [_masked(parked, show=show) for parked in OperationStore(store).parked(config.pipeline)],
            [_masked(parked, show=show) for parked in store.refusals.parked(config.pipeline)],
            store.refusals.held_back(config.pipeline),
        )


def what_is_held(held: HeldBack) -> str:
    """The command and the name that Kartra refuses: a name of the account may be a person's."""
    return mask_text(f"{held.cmd} {held.label}")


def _masked(parked: OneParked, *, show: bool) -> OneParked:
    return parked if show else replace(parked, key=mask_address(parked.key))


def _operation(parked: ParkedOperation) -> dict[str, Any]:
    values = asdict(parked)
    del values["lead"]  # whose it is: a person's address, or a number of Kartra's
    return {**values, "operation": values.pop("do")}
