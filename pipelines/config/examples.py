"""`examples`: records with the leads expected of them."""

from typing import Annotated

from pydantic import Field

from pipelines.config.scalars import TEXT, Section, Text, cell_text, read_by, truth


class ExpectConfig(Section):
    """The lead expected of a record; only what is named is compared."""

    sent: Annotated[bool, read_by(truth, {"enum": [True, False, "true", "false"]})] = True
    """false: the record is blocked or rejected."""
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
    """All tags to be removed from it."""
    unsubscribe: tuple[Text, ...] | None = None
    """All lists it is to be taken off."""
    unsubscribe_from_sequences: tuple[Text, ...] | None = None
    """All sequences to be ended for it."""


class ExampleConfig(Section):
    """A unit test of the mapping, played by `kartra-sync check`."""

    given: dict[Text, Annotated[str, read_by(cell_text, TEXT)]]
    """Column: cell. Other columns are blank."""
    expect: ExpectConfig
