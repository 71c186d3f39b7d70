"""`pull`: which tables are filled, where, and with whose leads."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from connectors.errors import ConfigError
from connectors.kartra.clock import zone_of
from pipelines.config.scalars import (
    TEXT,
    Period,
    Section,
    Text,
    also,
    beside,
    number_between,
    one_of,
    plain_text,
    read_by,
    wrong,
)
from pipelines.config.sources import SourceConfig, source_config, written_source
from pipelines.config.wishes import listed_once

DATABASES = ("postgresql", "mysql", "mariadb")
PulledTable = Literal[
    "tags", "lists", "sequences", "pages", "custom_fields", "leads", "transactions", "subscriptions"
]


def _tables_place(value: object, info: ValidationInfo) -> Path | str:
    """A SQLite file beside the pipeline, or the URL of a database as it stands."""
    text = plain_text(value)
    if "://" not in text:
        return beside(text, info)
    if sqlite := re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", text):
        return beside(sqlite[1], info)
    if not re.match(rf"({'|'.join(DATABASES)})(\+[a-z0-9]+)?://", text):
        raise wrong(f"a SQLite file is expected, or a URL that begins with one of {', '.join(DATABASES)}")
    return text


def _zone(value: object) -> str:
    name = plain_text(value)
    try:
        zone_of(name)
    except ConfigError:
        raise wrong("EST is expected, or the name of a time zone such as America/New_York") from None
    return name


class RosterConfig(Section):
    """Whose profiles are pulled. `source` None: the leads of the state store."""

    source: SourceConfig | None = None
    email: str | None = None
    id: str | None = None


WRITTEN_ROSTER = written_source(
    "WrittenRoster",
    "Whose profiles are pulled: {state: true}, or a source with the column that names the lead.",
    state=(
        Annotated[bool, WithJsonSchema({"enum": [True, "true"]})],
        Field(
            default=True, description="The leads that the pipelines of this state store know in the account."
        ),
    ),
    email=(Text | None, Field(default=None, description="The column of the source that holds addresses.")),
    id=(
        Text | None,
        Field(default=None, description="The column of the source that holds Kartra's numbers of the leads."),
    ),
)


def _roster(value: object, info: ValidationInfo) -> RosterConfig:
    if isinstance(value, RosterConfig):
        return value
    if not isinstance(value, Mapping):
        raise wrong("a map is expected, such as {state: true}, or {csv: roster.csv, email: Email}")
    if "state" in value:
        if len(value) > 1 or str(value["state"]).lower() != "true":
            raise wrong("{state: true} stands alone; leave it out for leads from a source")
        return RosterConfig()
    columns = {key: plain_text(value[key]) for key in ("email", "id") if value.get(key) is not None}
    source = source_config({key: one for key, one in value.items() if key not in ("email", "id")}, info)
    if len(columns) != 1:
        raise wrong("either email or id is needed: the column of the source that names the lead")
    return RosterConfig(source=source, **columns)


class PullConfig(Section):
    """Brings what Kartra has back into tables."""

    into: Annotated[Path | str, read_by(_tables_place, TEXT)] = Field(repr=False)
    """A SQLite file relative to this one, or a SQLAlchemy URL (postgresql://, mysql://, mariadb://); its
    password comes from the environment."""
    tables: Annotated[tuple[Annotated[PulledTable, one_of(PulledTable)], ...], also(listed_once)] = get_args(
        PulledTable
    )
    """What is pulled; everything when left out."""
    leads: Annotated[RosterConfig, BeforeValidator(_roster, json_schema_input_type=WRITTEN_ROSTER)] = Field(
        default=RosterConfig(), json_schema_extra={"default": {"state": True}}
    )
    """Whose profiles and sales are pulled. Kartra cannot list its leads, so the roster only ever grows."""
    refresh_after: Period = Field(default=timedelta(days=1), json_schema_extra={"default": "1d"})
    """How long a pulled lead counts as fresh: 30m, 12h, 1d."""
    max_calls: Annotated[int, number_between(1, 999_999_999, whole=True)] = 50_000
    """The most calls of one pull. The stalest leads go first, the rest waits for the next pull."""
    time_zone: Annotated[str, read_by(_zone, TEXT)] = "EST"
    """The zone of Kartra's times: EST (UTC-5 all year), or one with summer time such as America/New_York."""
    zone: Annotated[str, read_by(_zone, TEXT)] = "UTC"
    """The zone of months and weeks in reports: UTC, EST as Kartra shows it, Europe/Vienna."""
