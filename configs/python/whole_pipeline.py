"""A whole pipeline from Python: planned first, then run."""

import os
from pathlib import Path

from connectors.errors import SyncError
from pipelines.config.file import read_pipeline
from pipelines.verbs.plan import plan_pipeline
from pipelines.verbs.run import run_pipeline

config = read_pipeline(Path("newsletter.yaml"), os.environ)  # raises ConfigError with file, line and key

planned = plan_pipeline(config)
print(f"{planned.plan.created} would be created with {planned.calls} calls")
if planned.refusal is not None:
    raise SystemExit(str(planned.refusal))  # a guard

try:
    result = run_pipeline(config, progress=lambda at: print(f"{at.settled} of {at.total}"))
except SyncError as error:  # the run could not begin: another one is under way, the source is not there
    raise SystemExit(str(error)) from error
print(result.status, result.summary.counts.leads_json())
if result.error is not None:  # what stopped it on the way; its class says what to do
    raise SystemExit(str(result.error))
