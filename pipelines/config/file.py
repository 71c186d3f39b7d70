"""Reads a pipeline file: YAML whose scalars stay text, variables, and every fault with its position.

The models of `config` say what a file may hold. No message shows a value, because it may be a secret or come
from the environment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from connectors.kartra.wire import SHORTEST_SECRET, Credentials, bare_secret
from pipelines.config.document import SECRETS, Document
from pipelines.config.dotenv import KEYRING, Variables, read_dotenv, refuse_address_of_another
from pipelines.config.faults import faults_of
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.yaml_text import Fault, Where, config_error


@dataclass(frozen=True, slots=True)
class Within:
    """What a fleet decides for a pipeline that runs for one of its accounts."""

    account: str
    kartra: Mapping[str, object]
    """Values of the section `kartra`, instead of those of the file."""
    state: str
    variables: Mapping[str, str]
    reserved: frozenset[str]
    """Names of the variables of all accounts of the fleet."""
    places: frozenset[str]
    """Where its credentials come from."""

    @property
    def decided(self) -> list[Where]:
        return [("state",), *(("kartra", key) for key in self.kartra)]

    def applied(self, data: Mapping[str, object], account: object) -> dict[str, object]:
        """The data of a file with what is decided; `account` is what it means by no `kartra`."""
        written = data.get("kartra", account)
        if written is not None and not isinstance(written, dict):
            return {**data, "state": self.state}  # its fault is told
        return {**data, "kartra": {**(written or {}), **self.kartra}, "state": self.state}


def read_pipeline(path: Path, environ: Mapping[str, str], within: Within | None = None) -> PipelineConfig:
    """The checked pipeline. Raises ConfigError with one line for each fault of the file, in order of line.

    Credentials that are not set are None, so that work without calls stays possible: `require_credentials`.
    """
    dotenv = path.parent / ".env"
    if within is None:
        variables = Variables(environ, read_dotenv(dotenv), dotenv)
        document = Document(path, variables)
    else:
        variables = Variables(
            environ, read_dotenv(dotenv), dotenv, within.variables, within.reserved, within.account
        )
        document = Document(path, variables, decided=within.decided)
    data = document.data
    errors: list[ErrorDetails] = []
    if "path" in data:  # a field of the model that no file may set
        errors.append(ErrorDetails(type="extra_forbidden", loc=("path",), msg="", input=None))
    here = path.absolute()
    context: dict[str, object] = {"folder": here.parent}
    if "kartra" not in data:
        context["account"] = document.account()
    config = None
    applied = data if within is None else within.applied(data, context.get("account"))
    try:
        config = PipelineConfig.model_validate(applied | {"path": here}, context=context)
    except ValidationError as error:
        # Without the input: pydantic would quote the value in its message.
        errors += error.errors(include_url=False, include_context=False, include_input=False)
    faults = [*faults_of(document, errors, PipelineConfig), *_secrets_in_values(document, within)]
    if faults or config is None:
        raise config_error(path, faults)
    if within is None:
        _refuse_address_of_another(document, variables)
    elif "url" not in within.kartra:  # a fleet checks its own address itself
        _refuse_address_of_another(document, variables, within.places)
    return config


def _secrets_in_values(document: Document, within: Within | None) -> list[Fault]:
    """Values that would carry a credential to where people read: a tag, a list, a field."""
    given = within.kartra.values() if within else ()
    values = [
        *document.secrets,
        *(value.get_secret_value() for value in given if isinstance(value, SecretStr)),
    ]
    secrets = {bare for value in values if len(bare := bare_secret(value)) >= SHORTEST_SECRET}
    text = "this is the value of a credential, which would be shown to everybody who sees it: write another"
    return [
        document.fault(where, text)
        for where, value in _texts_of(document.data, ())
        if where[0] != "kartra" and any(secret in value for secret in secrets)
    ]


def _texts_of(value: object, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*where, key), str(key)
            yield from _texts_of(inner, (*where, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts_of(inner, (*where, place))


def _refuse_address_of_another(
    document: Document, variables: Variables, places: frozenset[str] = frozenset()
) -> None:
    """Checks an address that comes from a variable; one written into the file itself is meant by its
    author. `places` are those of credentials of a fleet, instead of those of the file."""
    credentials = () if places else list(document.secret_variables.values())
    others = places or (frozenset({KEYRING}) if document.has_keyring else frozenset())
    for name in document.variables_used.get(("kartra", "url"), ()):
        refuse_address_of_another(variables, name, credentials, _WAY_OUT, places=others)


_WAY_OUT = "Put them together, or write the address itself into the pipeline file as url:"


def require_credentials(config: PipelineConfig) -> Credentials:
    """Raises ConfigError naming each variable that is not set, and where the file asks for it."""
    secrets = {key: getattr(config.kartra, key) for key in SECRETS}
    values = {key: secret.get_secret_value() for key, secret in secrets.items() if secret is not None}
    missing = [key for key in SECRETS if not values.get(key)]
    if not missing:
        return Credentials(**values)
    # Read again, because a config keeps no positions.
    nothing = Variables({}, {}, config.path.parent / ".env")
    document = Document(config.path, nothing)
    if "kartra" not in document.data:
        document.account()
    faults = []
    for key in missing:
        where = ("kartra", key)
        name = document.secret_variables.get(where)
        text = nothing.not_set(name) if name else f"missing; write {key}: ${{KARTRA_{key.upper()}}}"
        faults.append(document.fault(where, text, at_key=name is None))
    raise config_error(config.path, faults)
