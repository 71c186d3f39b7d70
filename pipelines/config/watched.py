"""Who is to hear of a pipeline: also of one whose file has a fault somewhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connectors.errors import ConfigError
from pipelines.config.document import Document
from pipelines.config.dotenv import Variables, read_dotenv
from pipelines.config.file import Within
from pipelines.config.notify import MetricsConfig, NotifyConfig, written_metrics
from pipelines.config.pipeline import DEFAULT_STATE, PipelineConfig, PipelineName, State
from pipelines.config.server_state import StatePlace

PARTS = ("pipeline", "state", "notify", "metrics")
"""What of a file has to be read for it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A pipeline as those see it who tell of its runs."""

    pipeline: str
    named: str
    """How it is named to other verbs."""
    account: str
    mode: str
    folder: Path
    state: StatePlace
    notify: NotifyConfig | None
    metrics: MetricsConfig | None

    @staticmethod
    def of(config: PipelineConfig, named: str = "") -> "Watched":
        return Watched(
            config.pipeline,
            named or config.path.name,
            config.kartra.account or "",
            config.kartra.mode,
            config.path.parent,
            config.state,
            config.notify,
            config.metrics,
        )


def watched_in(path: Path, environ: Mapping[str, str], within: Within | None = None) -> Watched | None:
    """As much of it as a file with faults says; None where it does not even say which pipeline it is."""
    folder = path.absolute().parent
    try:
        data = dict(Document(path, _variables(folder, environ, within), only=PARTS).data)
    except ConfigError:
        return None
    if within is not None:
        data["state"] = within.state
    name = _read(PipelineName, data.get("pipeline"), folder)
    if name is None:
        return None
    written: object = data.get("notify")
    if isinstance(written, dict) and isinstance(written.get("to"), list):
        # A variable that is not set stands as it was written: whoever else is named is told even so.
        written = {**written, "to": [each for each in written["to"] if "${" not in str(each)]}
    state = _read(State, data.get("state"), folder) or folder / DEFAULT_STATE
    notify = _read(NotifyConfig, written, folder)
    metrics = _read(MetricsConfig, written_metrics(data["metrics"]), folder) if data.get("metrics") else None
    account = within.account if within else ""
    return Watched(name, path.name, account, "live", folder, state, notify, metrics)


def _variables(folder: Path, environ: Mapping[str, str], within: Within | None) -> Variables:
    dotenv = folder / ".env"
    try:
        written = read_dotenv(dotenv)
    except ConfigError:
        written = {}
    if within is None:
        return Variables(environ, written, dotenv)
    return Variables(environ, written, dotenv, within.variables, within.reserved, within.account)


def _read(kind: Any, value: object, folder: Path) -> Any:
    """None where it is not there, or has a fault."""
    if value is None:
        return None
    try:
        return TypeAdapter(kind).validate_python(value, context={"folder": folder})
    except (ValidationError, ConfigError):
        return None
