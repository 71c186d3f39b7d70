"""Creates the custom fields that a load needs and the account lacks.

This happens after everything that may stop a run and before the first lead is sent. Kartra refuses to create
a field twice (264), so a run that died in between, or a faster one, leaves nothing to repair.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.errors import ConfigError, RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Effect
from connectors.kartra.commands import CHOICE_TYPES, Call, CustomFieldType
from connectors.kartra.error_types import FIELD_EXISTS
from connectors.kartra.profile import CustomFieldDefinition
from connectors.kartra.sender import Sender, refusal
from connectors.privacy import mask_text
from pipelines.config.custom_fields import MOST_OPTIONS, CreatableField, NewField
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import CustomValue

LONGEST_LINE = 255
"""The most characters for a plain input field. Kartra names no limit; longer texts get a text area."""
ASK_AGAIN_S = 0.5


def creatable_fields(load: LoadConfig) -> dict[str, NewField]:
    """The custom fields that this load may create, by identifier."""
    found = {}
    for identifier, value in load.custom_fields.items():
        if isinstance(value, CreatableField):
            if value.create is not None:
                found[identifier] = value.create
        elif load.create_custom_fields:
            found[identifier] = NewField()
    return found


@dataclass(frozen=True, slots=True)
class FieldToCreate:
    """A custom field to create; its options come from the pipeline file or the source."""

    identifier: str
    type: CustomFieldType
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        options = f", {len(self.options)} options" if self.options else ""
        return f"{mask_text(self.identifier)} ({self.type}{options})"


class FieldDraft:
    """Derives a field from the values of all leads: `add` them first."""

    def __init__(self, identifier: str, asked: NewField) -> None:
        self.lead_count = 0
        self._identifier = identifier
        self._asked = asked
        self._is_long = False
        self._options: dict[str, str] = {}  # by casefold; the first spelling counts

    def add(self, value: CustomValue, leads: int = 1) -> None:
        self.lead_count += leads
        labels = value if isinstance(value, tuple) else (value,) if value else ()
        self._is_long = self._is_long or any(len(text) > LONGEST_LINE or "\n" in text for text in labels)
        # One more than the most is enough to know that they are too many.
        if self._asked.options == "from_source" and len(self._options) <= MOST_OPTIONS:
            for label in labels:
                self._options.setdefault(label.casefold(), label)

    @property
    def fault(self) -> str | None:
        """Why Kartra would refuse the field. Options of the pipeline file were checked, those of the source
        were not."""
        if self._asked.options != "from_source":
            return None
        if len(self._options) < 2:
            return f"a {self._asked.type} takes two options or more, the source has {len(self._options)}"
        if len(self._options) > MOST_OPTIONS:
            return f"the source has more than {MOST_OPTIONS} options; is it a text?"
        return None

    @property
    def field(self) -> FieldToCreate:
        text: CustomFieldType = "text_area" if self._is_long else "input_field"
        asked = self._asked.options
        options = tuple(self._options.values()) if asked == "from_source" else asked
        return FieldToCreate(self._identifier, self._asked.type or text, options)


def create_fields(
    fields: Iterable[FieldToCreate],
    client: Sender,
    listed: Callable[[], Mapping[str, CustomFieldDefinition]],
    *,
    settle_s: float,
    clock: Clock = SYSTEM_CLOCK,
) -> list[FieldToCreate]:
    """Creates fields and waits until `listed` shows them as wanted; returns those that did not exist.

    Raises ConfigError if Kartra refuses the name or somebody created a different field meanwhile;
    FatalApiError; RetryableApiError after tries without a usable answer.
    """
    made: list[FieldToCreate] = []
    there: list[FieldToCreate] = []
    for field in fields:
        answer = client.read(Call((_creation(field),)))  # safe to repeat: the second time it is refused
        if answer.effect is Effect.DONE:
            made.append(field)
        elif answer.type == FIELD_EXISTS:
            there.append(field)
        else:
            raise refusal("create_custom_field", answer.type)
    deadline = clock.monotonic() + settle_s
    # A lead that is sent before Kartra knows the field loses its value without a word (§7.3).
    while missing := _not_listed((*made, *there), known := listed()):
        if clock.monotonic() > deadline:
            raise _never_listed(missing[0], is_made=missing[0] in made)
        clock.sleep(ASK_AGAIN_S)
    for field in (*made, *there):
        _compare(field, known[field.identifier])
    return made


def _creation(field: FieldToCreate) -> commands.Action:
    return commands.create_custom_field(field.identifier, field.type, field.options)


def _not_listed(
    fields: Iterable[FieldToCreate], known: Mapping[str, CustomFieldDefinition]
) -> list[FieldToCreate]:
    return [field for field in fields if field.identifier not in known]


def _never_listed(field: FieldToCreate, *, is_made: bool) -> ConfigError | RetryableApiError:
    name = mask_text(field.identifier)
    if is_made:
        return RetryableApiError(
            f'custom field "{name}" was created, and Kartra does not list it yet: no lead was sent. Run again'
        )
    return ConfigError(
        f'Kartra makes no custom field "{name}": the name is taken or reserved (264). No lead was sent.'
        " Choose another under custom_fields"
    )


def _compare(field: FieldToCreate, known: CustomFieldDefinition) -> None:
    """Raises ConfigError if the listed field, whoever made it, is not the wanted one."""
    name = mask_text(field.identifier)
    if known.type != field.type:
        raise ConfigError(
            f'custom field "{name}" was made meanwhile, as {known.type} and not as {field.type}: no lead was'
            " sent"
        )
    there = {label.casefold() for label in known.options}
    lacking = [option for option in field.options if option.casefold() not in there]
    if field.type in CHOICE_TYPES and lacking:
        raise ConfigError(
            f'custom field "{name}" was made meanwhile, without the option "{mask_text(lacking[0])}": no lead'
            " was sent. Add it in Kartra"
        )
