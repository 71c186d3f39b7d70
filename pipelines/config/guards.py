"""`guards`: limits that stop a run before it does harm."""

from typing import Annotated

from pydantic import Field

from pipelines.config.scalars import Section, number_between
from pipelines.config.shares import Share, ShareValue


class GuardsConfig(Section):
    """Limits that stop a run: a share such as 5%, or a number of leads."""

    min_rows: Annotated[int, number_between(0, 999_999_999, whole=True)] = 1
    """The fewest records a source may have."""
    max_removed: ShareValue = Field(default=Share(fraction=0.05), json_schema_extra={"default": "5%"})
    """The most leads that may have disappeared from the source since the last run."""
    max_edited: ShareValue = Field(default=Share(fraction=1.0), json_schema_extra={"default": "100%"})
    """The most leads that may have changed."""
    max_failed: ShareValue = Field(default=Share(fraction=0.05), json_schema_extra={"default": "5%"})
    """The most leads that may fail on the way."""
    max_triggered: ShareValue | None = None
    """The most leads, as a share of the records or as a number, that may get one tag, list, sequence or class
    in a run, because each can send mail. More need `run --yes`. Left out: any number."""
