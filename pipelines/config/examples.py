"""`examples`: records with the lead that is expected of them."""

from typing import Annotated

from pydantic import Field

from pipelines.config.scalars import TEXT, Section, Text, cell_text, read_by, truth


class ExpectConfig(Section):
    """What has to come of a record; only what is named counts."""

    sent: Annotated[bool, read_by(truth, {"enum": [True, False, "true", "false"]})] = True
    """false: it is blocked, or becomes no lead."""
    fields: dict[Text, Annotated[str, read_by(cell_text, TEXT)]] = Field(default={})
    """Lead field: value; email is one of them."""
    custom_fields: dict[Text, Annotated[str, read_by(cell_text, TEXT)] | tuple[Text, ...]] = Field(default={})
    """Identifier of a custom field: value, or a list of labels."""
    tags: tuple[Text, ...] | None = None
    """All its tags, in any order."""
    lists: tuple[Text, ...] | None = None
    """All its lists, in any order."""
    sequences: tuple[Text, ...] | None = None
    """All its sequences, in any order."""
    untag: tuple[Text, ...] | None = None
    """All tags that it is not to have."""
    unsubscribe: tuple[Text, ...] | None = None
    """All lists that it is not to be on."""
    unsubscribe_from_sequences: tuple[Text, ...] | None = None
    """All sequences that it is not to be in."""


class ExampleConfig(Section):
    """A unit test of the mapping, played by `kartra-sync check`."""

    given: dict[Text, Annotated[str, read_by(cell_text, TEXT)]]
    """Column: cell. Columns that are not named are blank."""
    expect: ExpectConfig
