"""Reads a fleet file: faults with their positions, as of a pipeline file; secrets stay as they are written.

Whose secret cannot be found is a matter of that account alone, and so is said by `pipelines.fleet.accounts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.errors import ConfigError
from pipelines.config.document import SECRETS, Document
from pipelines.config.dotenv import Variables, read_dotenv
from pipelines.config.faults import faults_of
from pipelines.config.fleet import ACCOUNT, DEFAULT_STATE, TARGET, FleetConfig, Shared
from pipelines.config.server_state import DEFAULT_SCHEMA, StatePlace, server_state
from pipelines.config.yaml_text import Fault, Where, compose, config_error, shown_path
from pipelines.words.nearest import nearest

EXPECTED = "a map with fleet, app_id, accounts and pipelines is expected"


@dataclass(frozen=True, slots=True)
class FleetFile:
    """A fleet file as it is in one environment (`target`; None: as it stands)."""

    config: FleetConfig
    shared: Shared
    target: str | None
    variables: Variables
    url_variable: str | None
    """The variable that the address comes from, if it does."""

    @property
    def path(self) -> Path:
        return self.config.path

    def state_of(self, account: str) -> str:
        """The state of an account as a pipeline file has it: a path, or a schema of a server."""
        written = self.shared.state or DEFAULT_STATE
        named = written.replace(TARGET, self.target or "")
        if "://" not in named:
            return str(self.path.parent.absolute() / named.replace(ACCOUNT, account))
        word = account.replace("-", "$")  # a schema has letters, digits, _ and $ in its name
        if ACCOUNT in named:
            return named.replace(ACCOUNT, word)
        parts = urlsplit(named)
        # Accounts that share a schema would write into one state: where the URL names no account, the schema
        # does.
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        options["schema"] = f"{options.get('schema', DEFAULT_SCHEMA)}_{word}"
        return urlunsplit(parts._replace(query=urlencode(options)))

    def place_of(self, account: str) -> StatePlace:
        """Raises ConfigError."""
        written = self.state_of(account)
        if "://" not in written:
            return Path(written)
        try:
            server = server_state(written)
        except ValueError as error:
            raise ConfigError(f"{shown_path(self.path)}: state: {error}") from None
        if server is None:
            raise ConfigError(f"{shown_path(self.path)}: state: a SQLite file or postgresql://… is expected")
        return server


def is_fleet(path: Path) -> bool:
    """Whether a file is of a fleet, and not of a pipeline. Raises ConfigError."""
    root = compose(path)
    return any(key.value == "fleet" for key, _ in getattr(root, "value", ()) if hasattr(key, "value"))


def read_fleet(path: Path, environ: Mapping[str, str], target: str | None = None) -> FleetFile:
    """Raises ConfigError with one line for each fault of the file, in order of line."""
    dotenv = path.parent / ".env"
    variables = Variables(environ, read_dotenv(dotenv), dotenv)
    document = Document(
        path,
        variables,
        decided=_of_other_targets(path, target),
        is_secret=_is_secret,
        secrets_as_written=True,
        expected=EXPECTED,
    )
    errors: list[ErrorDetails] = []
    # The model takes the path from us under this name, and would accept one that stands in the file.
    if "path" in document.data:
        errors.append(ErrorDetails(type="extra_forbidden", loc=("path",), msg="", input=None))
    here = path.absolute()
    config = None
    try:
        config = FleetConfig.model_validate(document.data | {"path": here}, context={"folder": here.parent})
    except ValidationError as error:
        errors += error.errors(include_url=False, include_context=False, include_input=False)
    faults = faults_of(document, errors, FleetConfig)
    if faults or config is None:
        raise config_error(path, faults)
    if target is not None and target not in config.targets:
        known = list(config.targets)
        near = nearest(target, known)
        said = (
            f'did you mean "{near}"?' if near else f"there are {', '.join(known)}" if known else "it has none"
        )
        raise ConfigError(f"{shown_path(path)}: no target {target}; {said}")
    shared = config.of_target(target)
    if whole := list(_whole(document, config, shared)):
        raise config_error(path, whole)
    at_url: Where = ("targets", target, "url") if target and config.targets[target].url else ("url",)
    return FleetFile(
        config, shared, target, variables, next(iter(document.variables_used.get(at_url, ())), None)
    )


def _is_secret(where: Where) -> bool:
    if where[-1] not in SECRETS:
        return False
    if where[0] == "targets":
        where = where[2:]
    return len(where) == 1 or (len(where) == 3 and where[0] == "accounts" and where[-1] != "app_id")


def _of_other_targets(path: Path, target: str | None) -> list[Where]:
    """What other environments are made of need not be there."""
    root = compose(path)
    pairs = getattr(root, "value", ())
    targets = next((value for key, value in pairs if getattr(key, "value", "") == "targets"), None)
    names = [key.value for key, value in getattr(targets, "value", ()) if hasattr(value, "value")]
    return [("targets", name, key) for name in names if name != target for key in Shared.model_fields]


def _whole(document: Document, config: FleetConfig, shared: Shared) -> list[Fault]:
    """What is wrong with the file as a whole."""
    faults = [
        document.fault((key,), "missing", at_key=True)
        for key in ("app_id", "accounts")
        if getattr(shared, key) is None
    ]
    for place, pipeline in enumerate(config.pipelines):
        if pipeline.file in [other.file for other in config.pipelines[:place]]:
            faults.append(document.fault(("pipelines", place, "file"), "stands twice"))
    own = [target.state for target in config.targets.values()]
    state = config.state or DEFAULT_STATE
    if config.targets and TARGET not in state and None in own:
        faults.append(
            document.fault(
                ("targets",) if config.state is None else ("state",),
                "an environment needs a state of its own: write state: state/{target}/{account}.db",
                at_key=True,
            )
        )
    return faults
