"""A pipeline file as a whole."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from connectors.errors import ConfigError
from pipelines.config.kartra import KartraConfig
from pipelines.config.load import LoadConfig, fits_together
from pipelines.config.notify import MetricsConfig, NotifyConfig, written_metrics
from pipelines.config.operations import OperationsConfig
from pipelines.config.pull import PullConfig
from pipelines.config.scalars import (
    TEXT,
    AnyText,
    Period,
    Section,
    absent,
    also,
    beside,
    detail,
    plain_text,
    read_by,
    wrong,
)
from pipelines.config.server_state import StatePlace, server_state


def _pipeline_name(value: object) -> str:
    name = plain_text(value)
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise wrong("1 to 64 of the characters a-z, 0-9, _ and - are expected")
    return name


def _state(value: object, info: ValidationInfo) -> StatePlace:
    text = plain_text(value).strip()
    try:
        if (server := server_state(text)) is not None:
            return server
    except ValueError as error:
        raise wrong(str(error)) from None
    url = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", text)
    if url:
        text = url[1]
    elif re.match(r"[A-Za-z][A-Za-z0-9+.]+:(//|$)", text):
        raise wrong("a SQLite file is expected, or postgresql://…")
    if text == ":memory:":
        raise wrong("the state has to outlive the run: a file is expected")
    return beside(text, info)


def _a_day_or_more(kept: timedelta) -> timedelta:
    if kept < timedelta(days=1):
        raise wrong("a day or more is expected, such as 90d")
    return kept


def files_of(section: object) -> Iterator[Path]:
    """Every path in a section, at any depth."""
    if isinstance(section, Path):
        yield section
    elif isinstance(section, BaseModel):
        for _, inner in section:
            yield from files_of(inner)
    elif isinstance(section, tuple | list):
        for inner in section:
            yield from files_of(inner)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there yet
        return path.resolve() == other.resolve()


def _needed(load: object, info: ValidationInfo) -> object:
    others = [info.data.get(name, ...) for name in ("pull", "operations")]
    if load is None and all(other is None for other in others):
        raise absent(
            "missing; it says what is sent to Kartra, or operations: what is done there, or pull: what is"
            " brought back"
        )
    return load


def _account(kartra: object, info: ValidationInfo) -> object:
    """Left out, the account is that of the environment, as the reader of the file found it."""
    return (info.context or {}).get("account", kartra) if kartra is None else kartra


PipelineName = Annotated[str, read_by(_pipeline_name, TEXT)]
State = Annotated[StatePlace, read_by(_state, TEXT)]
DEFAULT_STATE = Path("state/kartra.db")


class PipelineConfig(Section):
    """A pipeline: what goes from where into which Kartra account, and what comes back."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["pipeline"],
            "allOf": [
                {"anyOf": [{"required": [name]} for name in ("load", "pull", "operations")]},
            ],
        }
    )

    pipeline: PipelineName
    """The pipeline's name, unique in its state store: 1 to 64 of a-z, 0-9, _ and -."""
    kartra: Annotated[KartraConfig, BeforeValidator(_account, json_schema_input_type=KartraConfig)] = Field(
        None, validate_default=True
    )
    """The account, and how fast it is called. Left out: the account that the variables KARTRA_APP_ID,
    KARTRA_API_KEY, KARTRA_API_PASSWORD and, where it is set, KARTRA_URL name."""
    state: State = Field(
        default=DEFAULT_STATE,
        validate_default=True,
        repr=False,
        json_schema_extra={"default": str(DEFAULT_STATE)},
    )
    """What remembers what Kartra acknowledged: a SQLite file, relative to this one, or a schema of a server
    that many hosts share (postgresql://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full); its password comes
    from the environment."""
    pull: PullConfig | None = None
    """Brings what Kartra has back into tables."""
    operations: OperationsConfig | None = None
    """Does one thing per row: refunds, changes of subscriptions, points, bookings, tags."""
    load: Annotated[
        LoadConfig | None,
        also(fits_together),
        BeforeValidator(_needed, json_schema_input_type=LoadConfig),
    ] = Field(None, validate_default=True)
    """Sends contacts to Kartra."""
    keep: Annotated[Period, AfterValidator(_a_day_or_more)] = Field(
        default=timedelta(days=90), json_schema_extra={"default": "90d"}
    )
    """How long it is known what became of each lead of a run, and so how long a run can be taken back."""
    notify: NotifyConfig | None = None
    """Who is told when the pipeline begins to fail, and when it works again."""
    metrics: Annotated[
        MetricsConfig | None,
        BeforeValidator(written_metrics, json_schema_input_type=AnyText | MetricsConfig),
    ] = None
    """Figures of the last run for monitoring: a file in Prometheus' format, or a map."""
    path: SkipJsonSchema[Path]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """State and results must not be files that the pipeline uses otherwise."""
        faults = []
        kept: dict[tuple[str, ...], Path] = {("state",): self.state} if isinstance(self.state, Path) else {}
        if self.operations is not None and self.operations.results is not None:
            kept[("operations", "results")] = self.operations.results
        if self.metrics is not None and self.metrics.file is not None:
            kept[("metrics",)] = self.metrics.file
        others = [*files_of(self.load), *files_of(self.pull), *files_of(self.operations), self.path]
        for where, path in kept.items():
            rest = [*others, *(other for place, other in kept.items() if place != where)]
            if any(_is_same(path, other) for other in rest if other is not path):
                faults.append(
                    detail(where, wrong("needs a file of its own; the pipeline uses this one already"))
                )
        if faults:
            raise ValidationError.from_exception_data("pipeline", faults)
        return self

    def needs_load(self) -> LoadConfig:
        """The load section. Raises ConfigError if there is none."""
        if self.load is None:
            raise ConfigError(f"{self.path}: this pipeline loads nothing; it has no `load`")
        return self.load

    def needs_operations(self) -> OperationsConfig:
        """The operations section. Raises ConfigError if there is none."""
        if self.operations is None:
            raise ConfigError(f"{self.path}: this pipeline has no `operations`")
        return self.operations

    def needs_pull(self) -> PullConfig:
        """The pull section. Raises ConfigError if there is none."""
        if self.pull is None:
            raise ConfigError(f"{self.path}: this pipeline pulls nothing; it has no `pull`")
        return self.pull
