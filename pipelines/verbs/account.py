"""The Kartra account that a pipeline speaks to: its name in the state, and its client."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

from connectors.errors import ConfigError
from connectors.kartra.hosts_limiter import HostsLimiter
from connectors.kartra.limiter import limiter_for, name_of
from connectors.kartra.sender import Sender
from connectors.kartra.shares import Limiter
from connectors.kartra.transport import KARTRA_URL, Endpoint, secure_url
from connectors.kartra.wire import Credentials, bare_secret
from pipelines.config.document import SECRETS
from pipelines.config.dotenv import Variables, read_dotenv, refuse_address_of_another
from pipelines.config.file import require_credentials
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.secrets import UnreadableSecretError
from pipelines.config.server_state import ServerState
from pipelines.state.windows import window_of

CALLS_PER_SECOND = 20


def account_of(config: PipelineConfig) -> str:
    """A hash of the endpoint and the user's API key, never in clear.

    It is how an account is reached, not what it is: `verbs.identity` says which account that is.
    """
    # The App id is left out: all accounts of an App share it.
    return fingerprint_of(config.kartra.url, require_credentials(config).api_key)


def fingerprint_of(url: str, api_key: str) -> str:
    """The hash by which the state tells how an account is reached."""
    return blake2b(f"{_canonical(url)}\n{api_key}".encode(), digest_size=16).hexdigest()


def _canonical(url: str) -> str:
    """An endpoint in one spelling: the host in small letters, and no port where it is the default."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    default = {"https": 443, "http": 80}.get(parts.scheme.lower())
    port = f":{parts.port}" if parts.port not in (None, default) else ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{host}{port}{parts.path.rstrip('/')}"


def open_client(
    config: PipelineConfig,
    stopping: Callable[[], bool] = lambda: False,
    *,
    endpoint: Endpoint | None = None,
) -> Sender:
    """`endpoint`: calls go to it instead of the URL of the file, within the same rate.

    Raises ConfigError where credentials are missing.
    """
    credentials = require_credentials(config)
    kartra = config.kartra
    limiter = limiter_of(config, credentials.app_id)
    return Sender(
        kartra.url,
        credentials,
        limiter,
        timeout_s=kartra.timeout_s,
        given_up=stopping,
        endpoint=endpoint,
    )


def limiter_of(config: PipelineConfig, app_id: str) -> Limiter:
    """The limiter of an App: for all hosts where the state is on a server, else for this one."""
    kartra = config.kartra
    host = limiter_for(kartra.url, app_id, calls_per_second=kartra.calls_per_second)
    if not isinstance(config.state, ServerState):
        return host
    # There is none before the first run, and a plan must not make one: this host's own limit then has to
    # do.
    window = window_of(config.state, name_of(kartra.url, app_id))
    if window is None:
        return host
    return HostsLimiter(window, host, calls_per_second=kartra.calls_per_second, share=kartra.share)


def open_client_of_environment(
    environ: Mapping[str, str], dotenv: Path, stopping: Callable[[], bool] = lambda: False
) -> Sender:
    """A client for the account in KARTRA_APP_ID, KARTRA_API_KEY, KARTRA_API_PASSWORD; KARTRA_URL: the
    endpoint.

    What the environment lacks is taken from the .env. Raises ConfigError where something is missing or wrong.
    """
    given = {name: bare_secret(value) for name, value in environ.items()}
    # An empty variable counts as not set, so that the .env can still supply it.
    from_where = Variables(
        {name: value for name, value in given.items() if value}, read_dotenv(dotenv), dotenv
    )
    names = {key: f"KARTRA_{key.upper()}" for key in SECRETS}
    variables = {name: _found(from_where, name) for name in (*names.values(), "KARTRA_URL")}
    if missing := [name for name in names.values() if not variables[name]]:
        raise ConfigError(
            f"{', '.join(missing)} not set, neither in the environment nor in a .env of this folder;"
            " or name a pipeline file with --file"
        )
    # Whoever leaves a .env with an address in a folder must not be sent the credentials of those who work
    # there.
    refuse_address_of_another(
        from_where,
        "KARTRA_URL",
        names.values(),
        "Put them together, or name a pipeline file whose url: is the address with --file",
    )
    credentials = Credentials(**{key: variables[name] for key, name in names.items()})
    try:
        url = secure_url(variables["KARTRA_URL"] or KARTRA_URL)
    except ValueError as error:
        raise ConfigError(f"KARTRA_URL: {error}") from error
    limiter = limiter_for(url, credentials.app_id, calls_per_second=CALLS_PER_SECOND)
    return Sender(url, credentials, limiter, given_up=stopping)


def _found(variables: Variables, name: str) -> str:
    """Raises ConfigError where the file that NAME_FILE names cannot be read."""
    try:
        return bare_secret(variables.get(name) or "")
    except UnreadableSecretError as error:
        raise ConfigError(str(error)) from None
