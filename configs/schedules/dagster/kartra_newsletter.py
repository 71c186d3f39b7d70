"""Dagster: the newsletter as an asset, every night. KARTRA_FOLDER holds newsletter.yaml."""

import os
from pathlib import Path

import dagster as dg

from connectors.errors import RetryableApiError
from pipelines.config.file import read_pipeline
from pipelines.verbs.run import run_pipeline

FILE = Path(os.environ.get("KARTRA_FOLDER", "/srv/kartra"), "newsletter.yaml")


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=2, delay=600), pool="kartra")
def kartra_newsletter(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The leads of a Kartra account, as the newsletter's contacts have them."""
    result = run_pipeline(read_pipeline(FILE, os.environ))
    counts = result.summary.counts
    context.log.info("run %s %s", result.run_id, result.status)
    if result.error is not None:  # a guard or a wrong key does not change by trying again
        again = isinstance(result.error, RetryableApiError)
        raise dg.Failure(str(result.error), allow_retries=again)
    return dg.MaterializeResult(
        metadata={"run": result.run_id, "status": result.status, "calls": counts.sent, **counts.leads_json()}
    )


every_night = dg.ScheduleDefinition(
    target=dg.AssetSelection.assets(kartra_newsletter),
    name="every_night",
    cron_schedule="0 2 * * *",
    execution_timezone="Europe/Vienna",
)
defs = dg.Definitions(assets=[kartra_newsletter], schedules=[every_night])
