"""The Kartra account that a pipeline speaks to: its name in the state, and its client."""

from collections.abc import Callable
from hashlib import blake2b

from connectors.kartra.client import KartraClient
from connectors.kartra.limiter import limiter_for
from pipelines.config import PipelineConfig
from pipelines.pipeline_file import require_credentials


def account_of(config: PipelineConfig) -> str:
    """A hash that names the Kartra account: the endpoint and the user's API key, never in clear."""
    credentials = require_credentials(config)
    named = f"{config.kartra.url.rstrip('/')}\n{credentials.api_key}"
    return blake2b(named.encode(), digest_size=16).hexdigest()


def open_client(config: PipelineConfig, stopping: Callable[[], bool] = lambda: False) -> KartraClient:
    """Raises ConfigError where credentials are missing."""
    credentials = require_credentials(config)
    kartra = config.kartra
    limiter = limiter_for(kartra.url, credentials.app_id, calls_per_second=kartra.calls_per_second)
    return KartraClient(kartra.url, credentials, limiter, timeout_s=kartra.timeout_s, given_up=stopping)
