"""The pipeline file as frozen models: what one may write, what it means, and our words for what is wrong.

Shorthands (`key: email`, `5%`) are read here, one parser beside its JSON Schema; every scalar may arrive as
text. No message carries a value, because it may have come from the environment. Sources are in
`config_source`; reading the file, positions and variables in `pipeline_file`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema

from connectors.errors import ConfigError
from connectors.kartra.clock import zone_of
from connectors.kartra.commands import LEAD_FIELDS
from pipelines.config.custom_fields import CustomField, can_be_created
from pipelines.config.operations import OperationsConfig
from pipelines.config.scalars import (
    TEXT,
    VARIABLE,
    Fault,
    Period,
    Section,
    Text,
    absent,
    also,
    beside,
    cell_text,
    number_between,
    offer,
    one_of,
    plain_text,
    read_by,
    truth,
    wrong,
)
from pipelines.config.shares import Share, ShareValue
from pipelines.config.sources import SourceConfig, WrittenSource, source_config
from pipelines.config.values import PLACEHOLDER, AnyValue, Value, name_or_value, one_value


def _pipeline_name(value: object) -> str:
    name = plain_text(value)
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise wrong("1 to 64 of the characters a-z, 0-9, _ and - are expected")
    return name


def _state(value: object, info: ValidationInfo) -> Path:
    text = plain_text(value)
    url = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", text)
    if url:
        text = url[1]
    elif re.match(r"[A-Za-z][A-Za-z0-9+.]+:(//|$)", text):
        raise wrong("the state is a SQLite file in this version")
    if text == ":memory:":
        raise wrong("the state has to outlive the run: a file is expected")
    return beside(text, info)


def _url(value: object) -> str:
    text = plain_text(value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise wrong("not a valid URL") from None
    if not host or re.search(r"[\s\\\x00-\x1f]", text):
        raise wrong("not a valid URL")
    if "@" in parts.netloc:
        raise wrong("no user name or password may stand in the URL; credentials go into app_id and api_key")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise wrong(
            "must start with https://, because credentials are sent; http:// only for a loopback host"
        )
    if "?" in text or "#" in text:
        raise wrong(
            "a query or fragment is not possible here, because calls are sent as POST to the bare URL"
        )
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == ipaddress.ip_address("::1") or (address.version == 4 and address.is_loopback)


def _lead_field(value: object) -> str:
    field = plain_text(value)
    known = ("email", *LEAD_FIELDS)
    if field not in known:
        raise wrong(f"not a field of a lead{offer(field, known) or '; known are ' + ', '.join(known)}")
    return field


def _step(value: object, info: ValidationInfo) -> str | Value:
    if isinstance(value, Mapping | Value) or PLACEHOLDER.search(str(value)):
        return one_value(value, info)
    step = plain_text(value)
    if not re.fullmatch(r"[A-Za-z0-9]+", step):
        raise wrong("the number of a step is expected")
    return step


def _moment(value: object) -> str:
    try:
        return datetime.fromisoformat(plain_text(value)).replace(tzinfo=None).isoformat(" ", "minutes")
    except ValueError:
        raise wrong("a date and an hour are expected, such as 2027-01-16 18:00") from None


Secret = Annotated[
    SecretStr, WithJsonSchema({"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\}$"})
]
Mode = Literal["live", "test"]
SyncMode = Literal["upsert", "create_only", "update_only"]
Existing = Literal["update", "fill_blanks", "skip"]
Removal = Literal["untag", "unsubscribe"]
Blank = Literal["ignore", "clear"]
OnDrift = Literal["report", "keep", "restore"]
DuplicateRule = Literal["first", "last", "newest", "merge", "error"]


_EMAIL = {"anyOf": [{"enum": ["email"]}, VARIABLE]}
_REMOVALS = {
    "anyOf": [
        {"enum": ["ignore"]},
        {"type": "array", "items": {"anyOf": [{"enum": list(get_args(Removal))}, VARIABLE]}},
        VARIABLE,
    ]
}
_DUPLICATES = {"anyOf": [{"pattern": "^(first|last|merge|error|newest:.+)$", "type": "string"}, VARIABLE]}


# Kartra


class KartraConfig(Section):
    """The account, and how fast it is called."""

    url: Annotated[str, read_by(_url, TEXT)] = "https://app.kartra.com/api"
    """Where calls are sent. http:// only for a loopback host such as the sandbox."""
    app_id: Secret | None = None
    """The App's id, from the environment: ${KARTRA_APP_ID}."""
    api_key: Secret | None = None
    """The API key, from the environment: ${KARTRA_API_KEY}."""
    api_password: Secret | None = None
    """The API password, from the environment: ${KARTRA_API_PASSWORD}."""
    mode: Annotated[Mode, one_of(Mode)] = "live"
    """Whether the App is live; Test mode rewrites stored addresses to @kartra.com."""
    calls_per_second: Annotated[float, number_between(1, 20)] = 20
    """Calls a second for the App as a whole, 1 to 20."""
    timeout_s: Annotated[float, number_between(1, 300)] = 30
    """How long to wait for an answer, in seconds."""
    settle_s: Annotated[float, number_between(1, 600)] = 10
    """How long effects of a call without an answer may take to show up, in seconds: Kartra says "in a few
    moments". Only what does not show by then is sent again."""
    workers: Annotated[Literal["auto"] | int, number_between(1, 64, whole=True, word="auto")] = "auto"
    """Calls in flight; auto follows the rate and the latency."""


# Load: which contact is whose lead


class KeyColumn(Section):
    column: Text
    """The column whose value stays the same when an address changes."""


class KeyConfig(Section):
    column: str | None
    """None: the address is the key."""


def _key(value: object) -> KeyConfig:
    if isinstance(value, KeyConfig):
        return value
    if isinstance(value, Mapping):
        return KeyConfig(column=KeyColumn.model_validate(value).column)
    if value != "email":
        raise wrong('"email" is expected, or {column: <column>}')
    return KeyConfig(column=None)


# Load: what becomes of them


class SequenceConfig(Section):
    """A sequence that leads are subscribed to."""

    name: Annotated[str | Value, BeforeValidator(name_or_value, json_schema_input_type=AnyValue)]
    """The sequence's name, exactly as Kartra shows it; or {column}, "Course {Course}". Blank: none."""
    step: Annotated[str | Value, BeforeValidator(_step, json_schema_input_type=AnyValue)] = "1"
    """The number of the box of the step that leads start at; or {column}. Blank: it is not started."""


class PointsConfig(Section):
    """Points that leads are given, once: a number, or what a column says."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["constant"]}, {"required": ["column"]}]}
    )

    constant: Annotated[int, number_between(1, 999_999_999, whole=True)] | None = None
    """The same number for every lead."""
    column: Text | None = None
    """The column that holds the number. What it rises by later is given, what it falls by is taken back."""
    expiration_days: Annotated[int, number_between(0, 99_999, whole=True)] = 0
    """After so many days Kartra takes exactly these points off again; 0: never."""


class CalendarConfig(Section):
    """A class of a calendar that leads are subscribed to, once."""

    name: Text
    """The calendar's name, exactly as Kartra shows it."""
    class_name: Annotated[str, read_by(plain_text, TEXT)] = Field(alias="class")
    """The class's name."""
    starting_at: Annotated[str, read_by(_moment, TEXT)] | None = None
    """When the class starts, by Kartra's own clock (EST): 2027-01-16 18:00. Left out: Kartra decides."""


def _points(value: object) -> object:
    if isinstance(value, Mapping | PointsConfig):
        return value
    return {"constant": value}


def _one_of_points(points: object) -> Iterator[Fault]:
    if isinstance(points, Mapping) and points.keys() <= {"constant", "column", "expiration_days"}:
        given = [key for key in ("constant", "column") if points.get(key) is not None]
        if len(given) != 1:
            yield (), wrong("either constant or column is needed")


def _on_removed(value: object) -> object:
    if value == "ignore":
        return ()
    if not isinstance(value, list | tuple):
        raise wrong(f'"ignore" is expected, or a list of {", ".join(get_args(Removal))}')
    return value


class Duplicates(Section):
    """Which record counts when several have the same key; `column` orders them for `newest`."""

    how: DuplicateRule = "last"
    column: str | None = None


def _duplicates(value: object) -> object:
    if isinstance(value, Duplicates):
        return value
    rule, _, column = value.partition(":") if isinstance(value, str) else ("", "", "")
    if rule.strip() == "newest":
        if not column.strip():
            raise wrong('newest needs a column: "newest:<column>"')
        return Duplicates(how="newest", column=column.strip())
    rules = ("first", "last", "merge", "error", "newest:<column>")
    if value not in rules[:-1]:
        raise wrong(f"not one of {', '.join(rules)}{offer(value, rules[:-1])}")
    return {"how": value}


_TOLD_BY = ("name", "column", "template", "constant")


def _listed_once(elements: object) -> Iterator[Fault]:
    seen: set[tuple[bool, str]] = set()
    for place, element in enumerate(elements if isinstance(elements, list | tuple) else ()):
        is_map = isinstance(element, Mapping)
        what = next(filter(None, map(element.get, _TOLD_BY)), None) if is_map else element
        if is_map and isinstance(what, str):
            what = f"{what.strip()}\n{element.get('class', '')}\n{element.get('do', '')}"
        if isinstance(what, str):
            if (is_map, what.strip()) in seen:
                yield (place,), wrong("listed twice")
            seen.add((is_map, what.strip()))


def _maps_email(fields: object) -> Iterator[Fault]:
    if isinstance(fields, Mapping) and "email" not in fields:
        yield ("email",), absent("missing; Kartra knows a new lead by the address")


class _FieldNames:
    """Tells editors the names that lead fields have."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(schema)
        names = dict.fromkeys(("email", *LEAD_FIELDS), written["additionalProperties"])
        return {"type": "object", "properties": names, "additionalProperties": False, "required": ["email"]}


LeadFields = Annotated[
    dict[
        Annotated[str, BeforeValidator(_lead_field)],
        Annotated[Value, BeforeValidator(one_value, json_schema_input_type=AnyValue)],
    ],
    also(_maps_email),
    _FieldNames(),
]
Names = Annotated[
    tuple[Annotated[str | Value, BeforeValidator(name_or_value, json_schema_input_type=AnyValue)], ...],
    also(_listed_once),
]


# Load: consent and guards


class ConsentConfig(Section):
    """The proof that these people agreed: a column that says so, or your word for all of them."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["column", "accepted"]}, {"required": ["attested"]}]}
    )

    column: Text | None = None
    """The column that holds the answer."""
    accepted: tuple[Text, ...] = ()
    """The answers that count as consent; every other record is blocked."""
    attested: Text | None = None
    """Where and when all of them agreed, in your words."""


def _proves_consent(consent: object) -> Iterator[Fault]:
    if not isinstance(consent, Mapping):
        return
    given = {key for key in ("column", "accepted", "attested") if consent.get(key) is not None}
    if "attested" in given and len(given) > 1:
        yield (), wrong("either column with accepted, or attested: not both")
    elif given == {"column"}:
        yield ("accepted",), absent("missing; list the answers that count as consent")
    elif given == {"accepted"}:
        yield ("column",), absent()
    elif not given and consent.keys() <= {"column", "accepted", "attested"}:
        yield (), wrong("column with accepted is needed, or attested")
    if consent.get("accepted") == []:
        yield ("accepted",), wrong("at least one answer is needed")


class GuardsConfig(Section):
    """What stops a run: a share such as 5%, or a number of leads."""

    min_rows: Annotated[int, number_between(0, 999_999_999, whole=True)] = 1
    """The fewest records a source may have."""
    max_removed: ShareValue = Field(default=Share(fraction=0.05), json_schema_extra={"default": "5%"})
    """The most leads that may have gone from the source since the last run."""
    max_edited: ShareValue = Field(default=Share(fraction=1.0), json_schema_extra={"default": "100%"})
    """The most leads that may have changed."""
    max_failed: ShareValue = Field(default=Share(fraction=0.05), json_schema_extra={"default": "5%"})
    """The most leads that may fail on the way."""
    max_triggered: ShareValue | None = None
    """The most leads, as a share of the records or as a number, that may get the same tag, list, sequence or
    class in one run: each can send mail. More need `run --yes`. Left out: any number."""


# The whole


class SuppressConfig(Section):
    """People who must not be sent: a source, and its column of addresses."""

    source: SourceConfig
    email: str


class WrittenSuppress(WrittenSource):
    """People who must not be sent: a source with the column of their addresses."""

    email: Text
    """The column of the source that holds addresses."""


def _suppress(value: object, info: ValidationInfo) -> SuppressConfig:
    if isinstance(value, SuppressConfig):
        return value
    if not isinstance(value, Mapping):
        raise wrong("a map is expected, such as {csv: unsubscribed.csv, email: Email}")
    source = source_config({key: one for key, one in value.items() if key != "email"}, info)
    if value.get("email") is None:
        raise wrong("email is needed: the column of the source that holds addresses")
    return SuppressConfig(source=source, email=plain_text(value["email"]))


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


class TransformConfig(Section):
    """A Python function between source and mapping."""

    file: Path
    function: str

    @property
    def name(self) -> str:
        return f"{self.file.stem}:{self.function}"


def _transform(value: object, info: ValidationInfo) -> TransformConfig:
    if isinstance(value, TransformConfig):
        return value
    named = re.fullmatch(r"([A-Za-z_]\w*):([A-Za-z_]\w*)", plain_text(value))
    if not named:
        raise wrong("a module beside this file and its function are expected, such as cleaning:cleaned")
    return TransformConfig(file=beside(f"{named[1]}.py", info), function=named[2])


Strictness = Literal["error", "warn", "ignore"]


class ContractConfig(Section):
    """What happens when the columns that the mapping sees are not those the pipeline knows."""

    missing: Annotated[Strictness, one_of(Strictness)] = "error"
    """A column that the pipeline names is not there. warn, ignore: what needs it is left as it is in Kartra;
    address, key, consent and newest: cannot do without theirs in any case."""
    extra: Annotated[Strictness, one_of(Strictness)] = "ignore"
    """A column is there that the pipeline does not name."""
    unused: tuple[Text, ...] = ()
    """Columns that are known, though the mapping does not read them."""


class LoadConfig(Section):
    """Sends contacts to Kartra."""

    source: Annotated[SourceConfig, BeforeValidator(source_config, json_schema_input_type=WrittenSource)]
    """Where the contacts are; one source."""
    transform: (
        Annotated[
            TransformConfig,
            read_by(_transform, {"type": "string", "pattern": r"^[A-Za-z_]\w*:[A-Za-z_]\w*$|\$\{"}),
        ]
        | None
    ) = None
    """module:function, a Python file beside this one: takes the records as a DataFrame, a chunk at a time,
    and returns what the mapping is to see."""
    contract: ContractConfig = Field(default_factory=ContractConfig)
    """Columns that come and go: {missing: error, extra: warn}."""
    key: Annotated[
        KeyConfig,
        BeforeValidator(_key, json_schema_input_type=Annotated[Any, WithJsonSchema(_EMAIL)] | KeyColumn),
    ]
    """What makes a record and a lead the same person: email, or {column: customer_id}."""
    fields: LeadFields
    """Lead field: column of the source, "{First} {Last}", or {column, do: [steps]}. email is needed."""
    custom_fields: dict[Text, CustomField] = Field(default={})
    """Identifier of a custom field: column of the source, or {column, do, split}; with create beside it, as
    {type: drop_down, options: [S, M, L]}, it is made where the account lacks it."""
    create_custom_fields: Annotated[bool, read_by(truth, {"enum": [True, False, "true", "false"]})] = False
    """Whether custom fields that the account lacks are created, as texts where nothing else is said."""
    tags: Names = ()
    """Tags every lead gets; {column, split} takes names from a column, "Plan {Plan}" makes them of one."""
    lists: Names = ()
    """Lists every lead is subscribed to; {column, split} takes names from a column."""
    sequences: Annotated[tuple[SequenceConfig, ...], also(_listed_once)] = ()
    """Sequences every lead is subscribed to; {name: {column: Course}} takes the name from a column."""
    untag: Names = ()
    """Tags that leads are not to have, whoever gave them: names or columns, as in tags."""
    unsubscribe: Names = ()
    """Lists that leads are not to be on, whoever put them there: names or columns, as in lists."""
    unsubscribe_from_sequences: Names = ()
    """Sequences that leads are not to be in, whoever started them: names or columns."""
    points: (
        Annotated[
            PointsConfig,
            BeforeValidator(
                _points,
                json_schema_input_type=Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})]
                | PointsConfig,
            ),
            also(_one_of_points),
        ]
        | None
    ) = None
    """Points every lead is given, once: a number, or {column, expiration_days}."""
    calendars: Annotated[tuple[CalendarConfig, ...], also(_listed_once)] = ()
    """Classes of calendars every lead is subscribed to."""
    sync_mode: Annotated[SyncMode, one_of(SyncMode)] = "upsert"
    """Whether leads are created, edited, or both."""
    existing: Annotated[Existing, one_of(Existing)] = "update"
    """What happens to a lead that Kartra had before we did."""
    on_removed: Annotated[
        tuple[Annotated[Removal, one_of(Removal)], ...],
        read_by(_on_removed, _REMOVALS),
        also(_listed_once),
    ] = ()
    """What happens to a lead that is gone from the source: ignore, or a list. Only what we gave is taken."""
    on_drift: Annotated[OnDrift, one_of(OnDrift)] = "report"
    """What happens to what somebody changed in Kartra of what we sent, once a look has found it."""
    blank: Annotated[Blank, one_of(Blank)] = "ignore"
    """What an empty cell does."""
    duplicates: Annotated[Duplicates, read_by(_duplicates, _DUPLICATES)] = Field(default_factory=Duplicates)
    """Which record counts when several have the same key: first, last, newest:<column>, merge, error."""
    consent: Annotated[ConsentConfig, also(_proves_consent)]
    """The proof that these people agreed."""
    examples: tuple[ExampleConfig, ...] = ()
    """Records and what has to come of them: [{given: {…}, expect: {…}}]."""
    suppress: tuple[
        Annotated[SuppressConfig, BeforeValidator(_suppress, json_schema_input_type=WrittenSuppress)], ...
    ] = ()
    """People who are not sent whatever the source says: unsubscribed, bounced, complained elsewhere."""
    guards: GuardsConfig = Field(default_factory=GuardsConfig)
    """What stops a run."""


_OPPOSITES = {"untag": "tags", "unsubscribe": "lists", "unsubscribe_from_sequences": "sequences"}


def _fits_together(load: object) -> Iterator[Fault]:
    """What only two keys of a load section show."""
    if not isinstance(load, Mapping):
        return
    yield from can_be_created(load)
    for key, opposite in _OPPOSITES.items():
        given = {name for _, name in _constants(load.get(opposite))}
        for place, name in _constants(load.get(key)):
            if name in given:
                yield (key, place), wrong(f"{opposite} gives it to every lead")


def _constants(elements: object) -> Iterator[tuple[int, str]]:
    for place, element in enumerate(elements if isinstance(elements, list | tuple) else ()):
        name = element.get("name", element.get("constant")) if isinstance(element, Mapping) else element
        if isinstance(name, str) and not PLACEHOLDER.search(name):
            yield place, name.strip()


# Pull

DATABASES = ("postgresql", "mysql", "mariadb")


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


PulledTable = Literal[
    "tags", "lists", "sequences", "pages", "custom_fields", "leads", "transactions", "subscriptions"
]


class RosterConfig(Section):
    """Whose profiles are pulled. `source` None: the leads of the state store."""

    source: SourceConfig | None = None
    email: str | None = None
    id: str | None = None


class WrittenRoster(WrittenSource):
    """Whose profiles are pulled: {state: true}, or a source with the column that names the lead."""

    state: Annotated[bool, WithJsonSchema({"enum": [True, "true"]})] = True
    """The leads that the pipelines of this state store know in the account."""
    email: Text | None = None
    """The column of the source that holds addresses."""
    id: Text | None = None
    """The column of the source that holds Kartra's numbers of the leads."""


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
    tables: Annotated[tuple[Annotated[PulledTable, one_of(PulledTable)], ...], also(_listed_once)] = get_args(
        PulledTable
    )
    """What is pulled; everything when left out."""
    leads: Annotated[RosterConfig, BeforeValidator(_roster, json_schema_input_type=WrittenRoster)] = Field(
        default=RosterConfig(), json_schema_extra={"default": {"state": True}}
    )
    """Whose profiles and sales. Kartra lists no leads: who was once on the roster stays on it."""
    refresh_after: Period = Field(default=timedelta(days=1), json_schema_extra={"default": "1d"})
    """A lead pulled more recently than that is not asked for again: 30m, 12h, 1d."""
    max_calls: Annotated[int, number_between(1, 999_999_999, whole=True)] = 50_000
    """The most calls of one pull; what is left waits for the next, the stalest first."""
    time_zone: Annotated[str, read_by(_zone, TEXT)] = "EST"
    """The zone of Kartra's times: EST (UTC-5 all year), or one with summer time such as America/New_York."""


def _needed(load: object, info: ValidationInfo) -> object:
    others = [info.data.get(name, ...) for name in ("pull", "operations")]
    if load is None and all(other is None for other in others):
        raise absent(
            "missing; it says what is sent to Kartra, or operations: what is done there, or pull: what is"
            " brought back"
        )
    return load


class PipelineConfig(Section):
    """A pipeline: what goes from where into which Kartra account, and what comes back."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["pipeline", "kartra"],
            "allOf": [
                {"anyOf": [{"required": [name]} for name in ("load", "pull", "operations")]},
            ],
        }
    )

    pipeline: Annotated[str, read_by(_pipeline_name, TEXT)]
    """The pipeline's name, unique in its state store: 1 to 64 of a-z, 0-9, _ and -."""
    kartra: KartraConfig
    """The account, and how fast it is called."""
    state: Annotated[Path, read_by(_state, TEXT)] = Field(
        default=Path("state/kartra.db"),
        validate_default=True,
        json_schema_extra={"default": "state/kartra.db"},
    )
    """The SQLite file that remembers what Kartra acknowledged, relative to this file."""
    pull: PullConfig | None = None
    """Brings what Kartra has back into tables."""
    operations: OperationsConfig | None = None
    """Does one thing per row: refunds, changes of subscriptions, points, bookings, tags."""
    load: Annotated[
        LoadConfig | None,
        also(_fits_together),
        BeforeValidator(_needed, json_schema_input_type=LoadConfig),
    ] = Field(None, validate_default=True)
    """Sends contacts to Kartra."""
    path: SkipJsonSchema[Path]

    def needs_load(self) -> LoadConfig:
        """What the pipeline loads. Raises ConfigError where it loads nothing."""
        if self.load is None:
            raise ConfigError(f"{self.path}: this pipeline loads nothing; it has no `load`")
        return self.load

    def needs_operations(self) -> OperationsConfig:
        """What the pipeline does row by row. Raises ConfigError where it has no such part."""
        if self.operations is None:
            raise ConfigError(f"{self.path}: this pipeline has no `operations`")
        return self.operations

    def needs_pull(self) -> PullConfig:
        """What the pipeline pulls. Raises ConfigError where it pulls nothing."""
        if self.pull is None:
            raise ConfigError(f"{self.path}: this pipeline pulls nothing; it has no `pull`")
        return self.pull
