"""What `status` says of operations and of tables: loaded where a file has them, and not before."""

from typing import Any

from connectors.errors import TablesError
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.pull import PullConfig
from pipelines.operations.journal import OperationStore
from pipelines.state.store import Store
from pipelines.tables.reports import read_report
from pipelines.tables.warehouse import Warehouse


def parts_of(store: Store, config: PipelineConfig) -> dict[str, Any]:
    """`operations` and `tables`, where the file has them."""
    return {
        **({"operations": _operations(store, config)} if config.operations is not None else {}),
        **({"tables": _tables(config.pull)} if config.pull is not None else {}),
    }


def _operations(store: Store, config: PipelineConfig) -> dict[str, dict[str, int]]:
    """Of each operation how many are done, already done, refused, parked, unknown: of all runs together."""
    counts: dict[str, dict[str, int]] = {}
    for row in OperationStore(store).counts(config.pipeline):
        counts.setdefault(row.do, {})[row.outcome] = row.operations
    return counts


def _tables(pull: PullConfig) -> dict[str, Any]:
    """How fresh the tables of a pull are; `problem` where they cannot be read, or are not there yet."""
    try:
        with Warehouse(pull.into, read_only=True) as warehouse:
            fresh = read_report(warehouse.tables, "freshness")
    except TablesError as error:
        return {"problem": str(error)}
    return dict(zip(fresh.columns, fresh.rows[0], strict=True))
