"""What is not sent until somebody acts: effects nobody can prove, refused wishes, and what is held back."""

from dataclasses import asdict
from typing import Any

from connectors.kartra.error_types import error_type
from connectors.privacy import mask_address, mask_text
from pipelines.config.pipeline import PipelineConfig
from pipelines.operations.journal import OperationStore
from pipelines.operations.journal import Parked as ParkedOperation
from pipelines.state.refusals import HeldBack, Parked
from pipelines.verbs.reading import store_of


def parked_of(config: PipelineConfig, *, show: bool) -> dict[str, Any]:
    """Leads and operations (`unproven`, `refused`), causes (`held_back`). Keys are masked unless `show`."""
    with store_of(config) as store:
        return {
            "operations": [
                _operation(parked, show=show) for parked in OperationStore(store).parked(config.pipeline)
            ],
            "leads": [_lead(parked, show=show) for parked in store.refusals.parked(config.pipeline)],
            "held_back": [_cause(held) for held in store.refusals.held_back(config.pipeline)],
        }


def _lead(parked: Parked, *, show: bool) -> dict[str, Any]:
    return {**asdict(parked), "key": parked.key if show else mask_address(parked.key)}


def _operation(parked: ParkedOperation, *, show: bool) -> dict[str, Any]:
    told = asdict(parked)
    del told["lead"]  # whose it is: a person's address, or a number of Kartra's
    return {**told, "operation": told.pop("do"), "key": parked.key if show else mask_address(parked.key)}


def _cause(held: HeldBack) -> dict[str, Any]:
    return {
        "mode": held.mode,
        "what": mask_text(f"{held.cmd} {held.label}"),
        "type": held.type,
        "reason": error_type(held.type).explanation,
        "since": held.opened_at,
    }
