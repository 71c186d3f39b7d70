"""The pipeline file as frozen models: what one may write, what it means, and our words for what is wrong.

Shorthands (`csv: contacts.csv`, `key: email`, `5%`) are read here, one parser beside its JSON Schema; every
scalar may arrive as text. No message carries a value, because it may have come from the environment. Reading
the file, positions and variables are in `pipeline_file`.
"""

import codecs
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.errors import ConfigError
from connectors.kartra.commands import LEAD_FIELDS
from pipelines.kartra_time import zone_of
from pipelines.nearest import nearest

LATER_SOURCES = ("sql", "excel", "parquet", "jsonl")

Fault = tuple[tuple[str | int, ...], PydanticCustomError]
"""Where below the checked value, and what is wrong there."""

VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
TEXT = {"type": ["string", "number", "boolean"]}
AnyText = Annotated[Any, WithJsonSchema(TEXT)]
"""What editors are told of text: YAML takes `2024` and `yes` for something else, we do not."""


def wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", message)


def misplaced(message: str) -> PydanticCustomError:
    """Like `wrong`, but shown at the key instead of the value."""
    return PydanticCustomError("misplaced", message)


def unknown_key() -> PydanticCustomError:
    return PydanticCustomError("extra_forbidden", "unknown key")


def absent(message: str = "missing") -> PydanticCustomError:
    return PydanticCustomError("absent", message)


def offer(word: object, known: Iterable[str]) -> str:
    """The end of a message: `; did you mean "x"?`, or nothing where no known word is near."""
    match = nearest(word, known) if isinstance(word, str) else None
    return f'; did you mean "{match}"?' if match else ""


def _read(parse: Callable[..., object], schema: dict[str, Any]) -> BeforeValidator:
    return BeforeValidator(parse, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


def _also(check: Callable[[Any], Iterator[Fault]]) -> WrapValidator:
    """Adds the faults that only the whole raw value shows to those of its parts, so that all are listed."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        faults: list[InitErrorDetails] = []
        result: object = None
        try:
            result = handler(value)
        except ValidationError as error:
            faults = _restated(error)
        faults += [_detail(where, fault) for where, fault in check(value)]
        if faults:
            raise ValidationError.from_exception_data("pipeline", faults)
        return result

    return WrapValidator(validate)


def _restated(error: ValidationError, *below: str) -> list[InitErrorDetails]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        _detail((*below, *fault["loc"]), PydanticCustomError(fault["type"], fault["msg"])) for fault in faults
    ]


def _detail(where: tuple[str | int, ...], fault: PydanticCustomError) -> InitErrorDetails:
    return InitErrorDetails(type=fault, loc=where, input=None)


# Scalars


def _text(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        raise wrong("text is expected")
    if value is None or not str(value).strip():
        raise wrong("must not be empty")
    return str(value)


def _pipeline_name(value: object) -> str:
    name = _text(value)
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise wrong("1 to 64 of the characters a-z, 0-9, _ and - are expected")
    return name


def _word(kind: object) -> BeforeValidator:
    words: tuple[str, ...] = get_args(kind)

    def parse(value: object) -> object:
        if value not in words:
            raise wrong(f"not one of {', '.join(words)}{offer(value, words)}")
        return value

    return _read(parse, {"anyOf": [{"enum": list(words)}, VARIABLE]})


def _number(low: int, high: int, *, whole: bool = False, word: str | None = None) -> BeforeValidator:
    kind = "whole number" if whole else "number"
    expected = f"a {kind} from {low} to {high}{f', or {word},' if word else ''} is expected"

    def parse(value: object) -> object:
        if word is not None and value == word:
            return value
        if re.fullmatch(r"[0-9]{1,9}" if whole else r"[0-9]{1,9}(\.[0-9]{1,9})?", str(value)):
            number = int(str(value)) if whole else float(str(value))
            if low <= number <= high:
                return number
        raise wrong(expected)

    number = {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
    text = {"type": "string", "pattern": rf"^{word or '[0-9.]+'}$|^[0-9.]+$|\$\{{[A-Za-z_]"}
    return _read(parse, {"anyOf": [number, text]})


def _beside(value: object, info: ValidationInfo) -> Path:
    """Relative paths start at the pipeline file's folder, which the reader passes as context."""
    folder = (info.context or {}).get("folder", Path.cwd())
    return Path(folder / _text(value)).absolute()


def _state(value: object, info: ValidationInfo) -> Path:
    text = _text(value)
    url = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", text)
    if url:
        text = url[1]
    elif re.match(r"[A-Za-z][A-Za-z0-9+.]+:(//|$)", text):
        raise wrong("the state is a SQLite file in this version")
    if text == ":memory:":
        raise wrong("the state has to outlive the run: a file is expected")
    return _beside(text, info)


def _url(value: object) -> str:
    text = _text(value)
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
    field = _text(value)
    known = ("email", *LEAD_FIELDS)
    if field not in known:
        raise wrong(f"not a field of a lead{offer(field, known) or '; known are ' + ', '.join(known)}")
    return field


def _character(value: object) -> str:
    if value == "tab":
        return "\t"
    if not isinstance(value, str) or len(value) != 1 or value in "\r\n\0":
        raise wrong("one character is expected, or tab")
    return value


def _step(value: object) -> str:
    step = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9]+", step):
        raise wrong("the number of a step is expected")
    return step


def _moment(value: object) -> str:
    try:
        return datetime.fromisoformat(_text(value)).replace(tzinfo=None).isoformat(" ", "minutes")
    except ValueError:
        raise wrong("a date and an hour are expected, such as 2027-01-16 18:00") from None


def _encoding(value: object) -> str:
    name = _text(value)
    try:
        "".encode(name)  # refuses what codecs know but is no text encoding, such as base64
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise wrong("not a known encoding, such as utf-8, cp1252 or latin-1") from None


Text = Annotated[str, _read(_text, TEXT)]
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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


# Kartra


class KartraConfig(Section):
    """The account, and how fast it is called."""

    url: Annotated[str, _read(_url, TEXT)] = "https://app.kartra.com/api"
    """Where calls are sent. http:// only for a loopback host such as the sandbox."""
    app_id: Secret | None = None
    """The App's id, from the environment: ${KARTRA_APP_ID}."""
    api_key: Secret | None = None
    """The API key, from the environment: ${KARTRA_API_KEY}."""
    api_password: Secret | None = None
    """The API password, from the environment: ${KARTRA_API_PASSWORD}."""
    mode: Annotated[Mode, _word(Mode)] = "live"
    """Whether the App is live; Test mode rewrites stored addresses to @kartra.com."""
    calls_per_second: Annotated[float, _number(1, 20)] = 20
    """Calls a second for the App as a whole, 1 to 20."""
    timeout_s: Annotated[float, _number(1, 300)] = 30
    """How long to wait for an answer, in seconds."""
    settle_s: Annotated[float, _number(1, 600)] = 10
    """How long effects of a call without an answer may take to show up, in seconds: Kartra says "in a few
    moments". Only what does not show by then is sent again."""
    workers: Annotated[Literal["auto"] | int, _number(1, 64, whole=True, word="auto")] = "auto"
    """Calls in flight; auto follows the rate and the latency."""


# Load: where contacts come from


class CsvOptions(Section):
    path: Annotated[Path, _read(_beside, TEXT)]
    """The file, relative to this one."""
    delimiter: Annotated[str, _read(_character, TEXT)] | None = None
    """What separates the cells: one character, or tab. Found out when left out."""
    encoding: Annotated[str, _read(_encoding, TEXT)] | None = None
    """Such as utf-8 or cp1252. Found out when left out."""
    quotechar: Annotated[str, _read(_character, TEXT)] = '"'
    """What encloses a cell that contains the delimiter."""


class SourceConfig(CsvOptions):
    kind: str


class WrittenSource(Section):
    """Where the contacts are."""

    csv: AnyText | CsvOptions
    """A CSV file: its path, or a map."""


def _source(value: object, info: ValidationInfo) -> SourceConfig:
    if isinstance(value, SourceConfig):
        return value
    if not isinstance(value, Mapping):
        raise wrong("a map is expected, such as csv: contacts.csv")
    faults = [_detail(where, fault) for where, fault in _one_source(value)]
    csv = value.get("csv")
    options = None
    try:
        written = csv if isinstance(csv, Mapping) else {"path": csv}
        options = CsvOptions.model_validate(written, context=info.context) if "csv" in value else None
    except ValidationError as error:
        faults += _restated(error, "csv")
    if faults or options is None:
        raise ValidationError.from_exception_data("source", faults)
    return SourceConfig(kind="csv", **dict(options))


def _one_source(value: Mapping[str, object]) -> Iterator[Fault]:
    kinds = [key for key in value if key in ("csv", *LATER_SOURCES)]
    for key in value:
        if key not in kinds:
            yield (key,), unknown_key()
        elif key != kinds[0]:
            yield (key,), misplaced("only one source can be given")
        elif key in LATER_SOURCES:
            yield (key,), misplaced("this source comes with a later version; in this one: csv")
    if not kinds:
        yield ("csv",), absent()


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


class ColumnValue(Section):
    """Values that come from a column of the source."""

    column: Text
    """The column of the source."""
    split: Text | None = None
    """What separates several values in one cell."""


class SequenceConfig(Section):
    """A sequence that leads are subscribed to."""

    name: Text
    """The sequence's name, exactly as Kartra shows it."""
    step: Annotated[str, _read(_step, TEXT)] = "1"
    """The number of the box of the step that leads start at."""


class PointsConfig(Section):
    """Points that leads are given, once: a number, or what a column says."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["constant"]}, {"required": ["column"]}]}
    )

    constant: Annotated[int, _number(1, 999_999_999, whole=True)] | None = None
    """The same number for every lead."""
    column: Text | None = None
    """The column that holds the number. What it rises by later is given, what it falls by is taken back."""
    expiration_days: Annotated[int, _number(0, 99_999, whole=True)] = 0
    """After so many days Kartra takes exactly these points off again; 0: never."""


class CalendarConfig(Section):
    """A class of a calendar that leads are subscribed to, once."""

    name: Text
    """The calendar's name, exactly as Kartra shows it."""
    class_name: Annotated[str, _read(_text, TEXT)] = Field(alias="class")
    """The class's name."""
    starting_at: Annotated[str, _read(_moment, TEXT)] | None = None
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


def _column(value: object) -> object:
    return value if isinstance(value, Mapping | ColumnValue) else ColumnValue(column=_text(value))


def _name_or_column(value: object) -> object:
    if isinstance(value, Mapping):
        return ColumnValue.model_validate(value)  # here, so that no branch of a union speaks
    return value if isinstance(value, ColumnValue) else _text(value)


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


def _listed_once(elements: object) -> Iterator[Fault]:
    seen: set[tuple[bool, str]] = set()
    for place, element in enumerate(elements if isinstance(elements, list | tuple) else ()):
        is_map = isinstance(element, Mapping)
        what = element.get("name", element.get("column")) if is_map else element
        if is_map and isinstance(what, str):
            what = f"{what.strip()}\n{element.get('class', '')}"
        if isinstance(what, str):
            if (is_map, what.strip()) in seen:
                yield (place,), wrong("listed twice")
            seen.add((is_map, what.strip()))


def _maps_email(fields: object) -> Iterator[Fault]:
    if isinstance(fields, Mapping) and "email" not in fields:
        yield ("email",), absent("missing; Kartra knows a new lead by the address")


LeadFields = Annotated[
    dict[Annotated[str, BeforeValidator(_lead_field)], Text],
    _read(
        lambda value: value,
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["email"],
            "properties": dict.fromkeys(("email", *LEAD_FIELDS), TEXT),
        },
    ),
    _also(_maps_email),
]
FromColumn = Annotated[ColumnValue, BeforeValidator(_column, json_schema_input_type=AnyText | ColumnValue)]
Names = Annotated[
    tuple[
        Annotated[
            str | ColumnValue,
            BeforeValidator(_name_or_column, json_schema_input_type=AnyText | ColumnValue),
        ],
        ...,
    ],
    _also(_listed_once),
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


@dataclass(frozen=True, slots=True)
class Share:
    """A limit, as a fraction of the whole or as a count; one of the two is None."""

    fraction: float | None = None
    count: int | None = None

    def exceeded(self, part: int, whole: int) -> bool:
        """Exact: 29 of 100 does not exceed 29%, which binary floats would deny."""
        if self.fraction is not None:
            return part > Decimal(str(self.fraction)) * whole
        return self.count is not None and part > self.count


def _share(value: object) -> Share:
    if isinstance(value, Share):
        return value
    text = str(value)
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", text)
    if percent and Decimal(percent[1]) <= 100:
        return Share(fraction=float(Decimal(percent[1]) / 100))
    if re.fullmatch(r"[0-9]{1,9}", text):
        return Share(count=int(text))
    raise wrong("a share such as 5% (100% at most) or a whole number is expected")


ShareValue = Annotated[
    Share,
    _read(
        _share,
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9.]+ ?%?$"},
                VARIABLE,
            ]
        },
    ),
]


class GuardsConfig(Section):
    """What stops a run: a share such as 5%, or a number of leads."""

    min_rows: Annotated[int, _number(0, 999_999_999, whole=True)] = 1
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


class LoadConfig(Section):
    """Sends contacts to Kartra."""

    source: Annotated[SourceConfig, BeforeValidator(_source, json_schema_input_type=WrittenSource)]
    """Where the contacts are; one source."""
    key: Annotated[
        KeyConfig,
        BeforeValidator(_key, json_schema_input_type=Annotated[Any, WithJsonSchema(_EMAIL)] | KeyColumn),
    ]
    """What makes a record and a lead the same person: email, or {column: customer_id}."""
    fields: LeadFields
    """Lead field: column of the source. email is always needed."""
    custom_fields: dict[Text, FromColumn] = {}
    """Identifier of a custom field: column of the source, or {column, split}."""
    tags: Names = ()
    """Tags every lead gets; {column, split} takes names from a column."""
    lists: Names = ()
    """Lists every lead is subscribed to; {column, split} takes names from a column."""
    sequences: Annotated[tuple[SequenceConfig, ...], _also(_listed_once)] = ()
    """Sequences every lead is subscribed to."""
    points: (
        Annotated[
            PointsConfig,
            BeforeValidator(
                _points,
                json_schema_input_type=Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})]
                | PointsConfig,
            ),
            _also(_one_of_points),
        ]
        | None
    ) = None
    """Points every lead is given, once: a number, or {column, expiration_days}."""
    calendars: Annotated[tuple[CalendarConfig, ...], _also(_listed_once)] = ()
    """Classes of calendars every lead is subscribed to."""
    sync_mode: Annotated[SyncMode, _word(SyncMode)] = "upsert"
    """Whether leads are created, edited, or both."""
    existing: Annotated[Existing, _word(Existing)] = "update"
    """What happens to a lead that Kartra had before we did."""
    on_removed: Annotated[
        tuple[Annotated[Removal, _word(Removal)], ...],
        _read(_on_removed, _REMOVALS),
        _also(_listed_once),
    ] = ()
    """What happens to a lead that is gone from the source: ignore, or a list. Only what we gave is taken."""
    on_drift: Annotated[OnDrift, _word(OnDrift)] = "report"
    """What happens to what somebody changed in Kartra of what we sent, once a look has found it."""
    blank: Annotated[Blank, _word(Blank)] = "ignore"
    """What an empty cell does."""
    duplicates: Annotated[Duplicates, _read(_duplicates, _DUPLICATES)] = Field(default_factory=Duplicates)
    """Which record counts when several have the same key: first, last, newest:<column>, merge, error."""
    consent: Annotated[ConsentConfig, _also(_proves_consent)]
    """The proof that these people agreed."""
    guards: GuardsConfig = Field(default_factory=GuardsConfig)
    """What stops a run."""


# Pull

DATABASES = ("postgresql", "mysql", "mariadb")


def _tables_place(value: object, info: ValidationInfo) -> Path | str:
    """A SQLite file beside the pipeline, or the URL of a database as it stands."""
    text = _text(value)
    if "://" not in text:
        return _beside(text, info)
    if sqlite := re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", text):
        return _beside(sqlite[1], info)
    if not re.match(rf"({'|'.join(DATABASES)})(\+[a-z0-9]+)?://", text):
        raise wrong(f"a SQLite file is expected, or a URL that begins with one of {', '.join(DATABASES)}")
    return text


def _zone(value: object) -> str:
    name = _text(value)
    try:
        zone_of(name)
    except ConfigError:
        raise wrong("EST is expected, or the name of a time zone such as America/New_York") from None
    return name


_PERIOD = r"([0-9]{1,5}) ?(s|m|h|d|w)"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def period(value: object) -> timedelta:
    """Raises ValueError for a text that is no span of time, as 30m, 12h or 1d."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(_PERIOD, str(value))
    if not found:
        raise wrong("a span of time is expected, such as 30m, 12h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Period = Annotated[timedelta, _read(period, {"type": "string", "pattern": rf"^{_PERIOD}$|\\$\\{{[A-Za-z_]"})]
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
    columns = {key: _text(value[key]) for key in ("email", "id") if value.get(key) is not None}
    source = _source({key: one for key, one in value.items() if key not in ("email", "id")}, info)
    if len(columns) != 1:
        raise wrong("either email or id is needed: the column of the source that names the lead")
    return RosterConfig(source=source, **columns)


class PullConfig(Section):
    """Brings what Kartra has back into tables."""

    into: Annotated[Path | str, _read(_tables_place, TEXT)] = Field(repr=False)
    """A SQLite file relative to this one, or a SQLAlchemy URL (postgresql://, mysql://, mariadb://); its
    password comes from the environment."""
    tables: Annotated[tuple[Annotated[PulledTable, _word(PulledTable)], ...], _also(_listed_once)] = get_args(
        PulledTable
    )
    """What is pulled; everything when left out."""
    leads: Annotated[RosterConfig, BeforeValidator(_roster, json_schema_input_type=WrittenRoster)] = Field(
        default=RosterConfig(), json_schema_extra={"default": {"state": True}}
    )
    """Whose profiles and sales. Kartra lists no leads: who was once on the roster stays on it."""
    refresh_after: Period = Field(default=timedelta(days=1), json_schema_extra={"default": "1d"})
    """A lead pulled more recently than that is not asked for again: 30m, 12h, 1d."""
    max_calls: Annotated[int, _number(1, 999_999_999, whole=True)] = 50_000
    """The most calls of one pull; what is left waits for the next, the stalest first."""
    time_zone: Annotated[str, _read(_zone, TEXT)] = "EST"
    """The zone of Kartra's times: EST (UTC-5 all year), or one with summer time such as America/New_York."""


def _needed(load: object, info: ValidationInfo) -> object:
    if load is None and info.data.get("pull", ...) is None:
        raise absent("missing; it says what is sent to Kartra, or pull: what is brought back")
    return load


class PipelineConfig(Section):
    """A pipeline: what goes from where into which Kartra account, and what comes back."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["pipeline", "kartra"],
            "allOf": [{"anyOf": [{"required": ["load"]}, {"required": ["pull"]}]}],
        }
    )

    pipeline: Annotated[str, _read(_pipeline_name, TEXT)]
    """The pipeline's name, unique in its state store: 1 to 64 of a-z, 0-9, _ and -."""
    kartra: KartraConfig
    """The account, and how fast it is called."""
    state: Annotated[Path, _read(_state, TEXT)] = Field(
        default=Path("state/kartra.db"),
        validate_default=True,
        json_schema_extra={"default": "state/kartra.db"},
    )
    """The SQLite file that remembers what Kartra acknowledged, relative to this file."""
    pull: PullConfig | None = None
    """Brings what Kartra has back into tables."""
    load: Annotated[LoadConfig | None, BeforeValidator(_needed, json_schema_input_type=LoadConfig)] = Field(
        None, validate_default=True
    )
    """Sends contacts to Kartra."""
    path: SkipJsonSchema[Path]

    def needs_load(self) -> LoadConfig:
        """What the pipeline loads. Raises ConfigError where it only pulls."""
        if self.load is None:
            raise ConfigError(f"{self.path}: this pipeline only pulls; it has no `load`")
        return self.load

    def needs_pull(self) -> PullConfig:
        """What the pipeline pulls. Raises ConfigError where it only loads."""
        if self.pull is None:
            raise ConfigError(f"{self.path}: this pipeline only loads; it has no `pull`")
        return self.pull
