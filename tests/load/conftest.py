"""A client of the sandbox, for whatever asks the account for its names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Sandbox
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path) -> Iterator[Sender]:
    given = sandbox.credentials
    opened = Sender(
        sandbox.url,
        Credentials(given.app_id, given.api_key, given.api_password),
        CallLimiter(tmp_path / "app.window", calls_per_second=20),
    )
    yield opened
    opened.close()
