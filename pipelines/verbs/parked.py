"""What is not sent until somebody acts: effects nobody can prove, refused wishes, and what is held back."""

from typing import Any

from connectors.kartra.error_types import error_type
from connectors.privacy import mask_address, mask_text
from pipelines.config.pipeline import PipelineConfig
from pipelines.operations.journal import OperationStore
from pipelines.state.store import Store


def parked_of(config: PipelineConfig, *, show: bool) -> dict[str, Any]:
    """Leads and operations (`unproven`, `refused`), causes (`held_back`). Keys are masked unless `show`."""
    with Store(config.state if config.state.exists() else None) as store:
        return {
            "operations": [
                {
                    "key": row.key if show else mask_address(row.key),
                    "row": row.row,
                    "mode": row.mode,
                    "kind": row.kind,
                    "operation": row.do,
                    "target": row.target,
                    "amount": row.amount,
                    "type": row.type,
                    "reason": row.reason,
                    "since": row.since,
                }
                for row in OperationStore(store).parked(config.pipeline)
            ],
            "leads": [
                {
                    "key": row.key if show else mask_address(row.key),
                    "mode": row.mode,
                    "lead_id": row.lead_id,
                    "kind": row.kind,
                    "what": row.what,
                    "type": row.type,
                    "reason": row.reason,
                    "since": row.since,
                }
                for row in store.refusals.parked(config.pipeline)
            ],
            "held_back": [
                {
                    "mode": row.mode,
                    "what": mask_text(f"{row.cmd} {row.label}"),
                    "type": row.type,
                    "reason": error_type(row.type).told,
                    "since": row.opened_at,
                }
                for row in store.refusals.held_back(config.pipeline)
            ],
        }
