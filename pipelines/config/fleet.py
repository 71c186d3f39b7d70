"""A fleet file: the accounts of one App, and the pipelines that run for each of them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from pipelines.config.kartra import Mode, web_url
from pipelines.config.scalars import (
    TEXT,
    AnyText,
    Fault,
    Period,
    Section,
    also,
    beside,
    detail,
    number_between,
    one_of,
    plain_text,
    read_by,
    restated,
    truth,
    wrong,
)
from pipelines.config.sources import SqlOptions

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
NAME_EXPECTED = "1 to 64 of the characters a-z, 0-9, _ and - are expected, the first no sign"
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ACCOUNT = "{account}"
ACCOUNT_IN_CAPITALS = "{ACCOUNT}"
TARGET = "{target}"
DEFAULT_STATE = "state/{account}.db"
OF_ACCOUNT = ("name", "api_key", "api_password", "share")
"""Keys and columns of an account; all others are variables of its own."""


def _name(value: object) -> str:
    text = plain_text(value)
    if not NAME.fullmatch(text):
        raise wrong(NAME_EXPECTED)
    return text


def _state(value: object) -> str:
    text = plain_text(value)
    if "://" not in text and ACCOUNT not in text:
        raise wrong(
            "each account needs a state of its own: write {account} into its name, state/{account}.db"
        )
    return text


def _schedule(value: object) -> str:
    text = " ".join(plain_text(value).split())
    if len(text.split()) != 5 or re.search(r"[^0-9A-Za-z*/, -]", text):
        raise wrong('five fields of cron are expected, such as "0 2 * * *"')
    return text


def _zone(value: object) -> str:
    text = plain_text(value)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("no time zone has this name; Europe/Vienna is one") from None
    return text


Name = Annotated[str, read_by(_name, TEXT)]
Reference = Annotated[str, read_by(plain_text, {}), WithJsonSchema({"type": "string", "pattern": r"\$\{"})]
"""A secret as it is written, `${…}`: it is looked up for the account that needs it."""
Share = Annotated[float, number_between(0, 1000)]


def _more_than_nothing(share: float) -> float:
    if not share:
        raise wrong("a share of 0 would never be served; leave the account out instead")
    return share


def _variables(values: Mapping[str, object]) -> Iterator[Fault]:
    for name in values:
        if not VARIABLE_NAME.fullmatch(name):
            yield (name,), wrong("the name of a variable has only letters, digits and _")
        elif name == "account":
            yield (name,), wrong("is the name of the account already")


def _own_variables(account: object) -> Iterator[Fault]:
    if isinstance(account, Mapping):
        yield from _variables({name: each for name, each in account.items() if name not in OF_ACCOUNT})


def _some(value: object) -> object:
    if value == []:
        raise wrong("no pipeline stands in the list")
    return value


def _targets(values: Mapping[str, object]) -> Iterator[Fault]:
    for name in values:
        if not NAME.fullmatch(name):
            yield (name, "[key]"), wrong(NAME_EXPECTED)


class AccountOptions(Section):
    """One account. Further keys are variables of its own, for `${NAME}` in the pipelines."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"additionalProperties": {"type": ["string", "number", "boolean"]}}
    )

    name: Name
    """The name of the account: 1 to 64 of a-z, 0-9, _ and -. Its state is named after it."""
    api_key: Reference | None = None
    """The API key: ${NAME}, ${file:path} or ${keyring:service/name}."""
    api_password: Reference | None = None
    """The API password, as the key."""
    share: Annotated[Share, AfterValidator(_more_than_nothing)] = 1
    """The share of the rate that it gets beside others that wait at the same time."""


class AccountsQuery(Section):
    """Accounts from a database: columns name, api_key, api_password, share, and variables."""

    sql: SqlOptions
    """The database and the statement; its password from a variable."""


Accounts = tuple[AccountOptions, ...] | AccountsQuery | Path


def _accounts(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return beside(value, info)
    if isinstance(value, dict):
        return AccountsQuery.model_validate(value, context=info.context)
    if not isinstance(value, list):
        raise wrong("a list of accounts, the name of a CSV, or {sql: {url, query}} is expected")
    if not value:
        raise wrong("no account stands in the list")
    accounts, faults = [], []
    for place, each in enumerate(value):
        faults += [detail((place, *where), fault) for where, fault in _own_variables(each)]
        try:
            accounts.append(AccountOptions.model_validate(each, context=info.context))
        except ValidationError as error:
            faults += restated(error, place)
    if faults:
        raise ValidationError.from_exception_data("accounts", faults)
    return tuple(accounts)


WrittenAccounts = Annotated[
    Any, BeforeValidator(_accounts, json_schema_input_type=AnyText | list[AccountOptions] | AccountsQuery)
]
WrittenVariables = Annotated[dict[str, AnyText], also(_variables)]


class FleetPipeline(Section):
    """A pipeline that runs for every account."""

    file: Annotated[Path, read_by(beside, TEXT)]
    """The pipeline file. ${account}, and the variables of the account, are of the one it runs for."""
    schedule: Annotated[str, read_by(_schedule, TEXT)] | None = None
    """When it runs, as cron has it: "0 2 * * *". For workers; `fleet run` runs now."""
    zone: Annotated[str, read_by(_zone, TEXT)] = "UTC"
    """The time zone of the schedule."""
    late: Annotated[Literal["run", "skip"], one_of(Literal["run", "skip"])] = "run"
    """What a worker does about a run that was missed: makes it up, once, or skips it."""
    late_after: Period | None = None
    """The last good run may be as old as this, such as 26h; then `fleet status` calls it late."""
    same_contacts: Annotated[bool, read_by(truth, {"type": "boolean"})] = False
    """Whether some accounts may read the very same contacts, while others have their own."""


class Shared(Section):
    """What is said once for all accounts."""

    app_id: Reference | None = None
    """The App's id: ${KARTRA_APP_ID}."""
    api_key: Reference | None = None
    """The API key of each account, where it is kept under its name: ${keyring:kartra-sync/{account}.api_key}.
    {account} is the name, {ACCOUNT} the same in capitals, with _ for -."""
    api_password: Reference | None = None
    """The API password of each account, as the key."""
    url: Annotated[str, read_by(web_url, TEXT)] | None = None
    """Where calls are sent, instead of what the pipelines say."""
    mode: Annotated[Mode, one_of(Mode)] | None = None
    """Whether the App is live, instead of what the pipelines say."""
    calls_per_second: Annotated[float, number_between(1, 20)] | None = None
    """Calls a second of the App, shared by all accounts by their share."""
    timeout_s: Annotated[float, number_between(1, 300)] | None = None
    """How long to wait for an answer, in seconds."""
    state: Annotated[str, read_by(_state, TEXT)] | None = None
    """The state of each account: state/{account}.db, relative to this file; or postgresql://… for all, where
    each has a schema of its own."""
    accounts: WrittenAccounts = None
    """The accounts: a list, a CSV, or {sql: {url, query}}."""
    variables: WrittenVariables = Field(default_factory=dict)
    """Variables for all accounts; one of the account itself goes before."""


class Target(Shared):
    """An environment such as test or live (`--target`): what is other in it than the file says."""


class FleetConfig(Shared):
    """The accounts of one App, and the pipelines that run for each of them."""

    model_config = ConfigDict(json_schema_extra={"required": ["fleet", "app_id", "accounts", "pipelines"]})

    fleet: Name
    """The name of the fleet: 1 to 64 of a-z, 0-9, _ and -."""
    pipelines: Annotated[tuple[FleetPipeline, ...], BeforeValidator(_some)]
    """The pipelines, in the order in which they run for an account."""
    targets: Annotated[dict[str, Target], also(_targets)] = Field(default_factory=dict)
    """Environments, by name: each overrides what it names."""
    path: SkipJsonSchema[Path]

    def of_target(self, name: str | None) -> Shared:
        """What is said once, as it is in an environment."""
        said = {key: getattr(self, key) for key in Shared.model_fields}
        target = self.targets[name] if name else Target()
        for key in target.model_fields_set:
            value = getattr(target, key)
            said[key] = {**said[key], **value} if key == "variables" else value
        return Shared.model_construct(**said)
