"""A sandbox that runs: the emulator behind a real port, in a thread of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from connectors.kartra.sandbox.account import Account
from connectors.kartra.sandbox.emulator import Emulator, ReceivedCall
from connectors.kartra.sandbox.limit import most_in_a_second
from connectors.kartra.sandbox.options import Faults, SandboxOptions
from connectors.kartra.sandbox.seed import demo_account
from connectors.kartra.sandbox.server import Endpoint

_START_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Credentials:
    app_id: str
    api_key: str = field(repr=False)
    api_password: str = field(repr=False)


def credentials_of(account: Account) -> Credentials:
    return Credentials(account.app_id, account.api_key, account.api_password)


class Sandbox:
    """Serves accounts from `start` to `stop`, or as a context manager; may be started again.

    As at Kartra, one endpoint serves many Apps and an App acts on many accounts: `others` are further
    accounts, told apart by App id and API key. The limit counts the calls of an App together.
    `account` is the live state of the first. Reading one lead is fine at any time; hold `lock` to go
    through a collection while calls are under way. `changes` are single options: `Sandbox(latency_s=0.15)`.
    """

    def __init__(
        self,
        account: Account | None = None,
        options: SandboxOptions = SandboxOptions(),  # noqa: B008 - frozen
        *,
        others: Sequence[Account] = (),
        **changes: Any,
    ) -> None:
        self._emulator = Emulator(account or demo_account(), replace(options, **changes), others)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._port: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        if self._port is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://{self.options.host}:{self._port}/api"

    @property
    def account(self) -> Account:
        return self._emulator.accounts[0]

    @property
    def accounts(self) -> tuple[Account, ...]:
        return self._emulator.accounts

    @property
    def credentials(self) -> Credentials:
        """The credentials of the first account."""
        return credentials_of(self.account)

    @property
    def options(self) -> SandboxOptions:
        return self._emulator.options

    @property
    def lock(self) -> threading.RLock:
        """Held while a call is carried out."""
        return self._emulator.lock

    @property
    def calls(self) -> list[ReceivedCall]:
        """Every call received so far, in the order of arrival."""
        with self._emulator.lock:
            return list(self._emulator.calls)

    @property
    def throttled(self) -> int:
        return self._emulator.throttled

    def worst_second(self, app_id: str | None = None) -> int:
        """The most calls in any sliding second, refused ones too; of one App, or of all together."""
        return most_in_a_second(call.at for call in self.calls if app_id in (None, call.app_id))

    def reset_calls(self) -> None:
        """Forget the calls and count from 1 again; the limit does not forget them."""
        self._emulator.reset_calls()

    def set_faults(self, faults: Faults) -> None:
        self.set_options(faults=faults)

    def set_options(self, **changes: Any) -> None:
        """Change options from the next call on; host and port have their effect at the next start."""
        self._emulator.set_options(replace(self.options, **changes))

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError("the sandbox is started already")
        listening: Future[int] = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="kartra-sandbox", daemon=True
        )
        thread.start()
        try:
            self._port = listening.result(_START_WITHIN_S)
        except BaseException:
            # A port that is taken is an error of `start`, and leaves no thread behind.
            thread.join(_START_WITHIN_S)
            raise
        self._thread = thread

    def stop(self) -> None:
        """Stop serving, and cut connections that are still open. Does nothing when the sandbox is not
        running."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = self._stop = self._port = None

    async def _serve(self, listening: "Future[int]") -> None:
        try:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            endpoint = Endpoint(self._emulator)
            try:
                listening.set_result(await endpoint.start(self.options.host, self.options.port))
                await self._stop.wait()
            finally:
                await endpoint.stop()
        except (OSError, OverflowError) as error:  # the port is taken, or is none
            listening.set_exception(error)
        finally:
            listening.cancel()  # whoever waits learns of any other failure; without effect once it listens


def serve_forever(
    options: SandboxOptions,
    account: Account | None,
    announce: Callable[[Sandbox], None],
    others: Sequence[Account] = (),
) -> None:
    """Serve in the main thread until SIGINT or SIGTERM; `announce` is called once it listens."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Sandbox(account, options, others=others) as sandbox:
            announce(sandbox)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
