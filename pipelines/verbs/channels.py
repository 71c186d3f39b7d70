"""The ways out of this machine by which people and services hear of a run. None of them can fail a run."""

import importlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3

from connectors.errors import ConfigError
from pipelines.config.notify import NotifyConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.verbs.notices import Notice

log = logging.getLogger("kartra_sync.notify")

CHANNELS_WAIT_S = 30.0
"""A run's end waits so long for all channels together; what has not left by then counts as not sent."""
PING_TIMEOUT_S = 5.0
PING_WAIT_S = 10.0
"""For all of it: the timeout is for each read."""
MISSING = "notify needs a library that is not installed: pip install 'kartra-sync[notify]'"


def ping(notify: NotifyConfig | None, suffix: str) -> None:
    """Ask the address of a heartbeat service, as healthchecks.io has it: /start, nothing, /fail."""
    if notify is None or notify.ping is None:
        return
    parts = urlsplit(notify.ping.get_secret_value())
    address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
    ended: list[int | str] = []
    # A daemon: a server that answers a byte at a time must not keep a run from beginning or ending.
    asking = threading.Thread(target=_ask, args=(address, ended), daemon=True)
    asking.start()
    asking.join(PING_WAIT_S)
    outcome = ended[0] if ended else "no answer in time"
    if isinstance(outcome, str):
        log.warning("the ping to %s did not arrive (%s)", parts.hostname, outcome)
    elif not 200 <= outcome < 300:
        log.warning("the ping to %s was answered with HTTP %s", parts.hostname, outcome)


def _ask(url: str, ended: list[int | str]) -> None:
    """Gives the status, or what went wrong, and reads no further: an answer may be of any size."""
    try:
        request = requests.Request("GET", url, headers={"User-Agent": "kartra-sync"}).prepare()
        with requests.Session() as session:
            found = session.merge_environment_settings(url, {}, None, None, None)
            # A redirect would hand the secret in the address to somebody else, so it counts as no answer; and
            # session.send would read it to its end.
            answer = session.get_adapter(url).send(
                request,
                stream=True,
                timeout=PING_TIMEOUT_S,
                verify=True if found["verify"] is None else found["verify"],
                proxies=found["proxies"],
            )
            ended.append(answer.status_code)
            answer.close()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        ended.append(type(error).__name__)


def check_channels(config: PipelineConfig) -> None:
    """Raises ConfigError where a library is missing or an address is none that it knows."""
    if config.notify is None or not config.notify.to:
        return
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise ConfigError(f"{config.path}: {MISSING}") from None
    for place, channel in enumerate(config.notify.to):
        if apprise.Apprise.instantiate(channel.get_secret_value(), suppress_exceptions=True) is None:
            kind = _kind(channel.get_secret_value())
            raise ConfigError(
                f"{config.path}: notify.to[{place}] is no address that apprise knows ({kind}://…)"
            )


def send(notify: NotifyConfig, notices: Mapping[int, Notice]) -> set[int]:
    """`notices` by place of the channel in the file; gives the places of those that took theirs."""
    try:
        apprise = importlib.import_module("apprise")  # of the optional group, and slow to start
    except ImportError:
        log.warning("%s", MISSING)
        return set()
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold addresses with secrets
    taken: set[int] = set()
    # Side by side, so that one that never answers costs the others nothing; and daemons, so that it does not
    # keep the process from ending either.
    sending = [
        threading.Thread(
            target=_send_one,
            args=(apprise, notify.to[place].get_secret_value(), notice, place, taken),
            daemon=True,
        )
        for place, notice in notices.items()
    ]
    for thread in sending:
        thread.start()
    until = time.monotonic() + CHANNELS_WAIT_S
    for thread in sending:
        thread.join(max(0.0, until - time.monotonic()))
    in_time = set(taken)  # a channel that is late after all is told again
    for place in notices.keys() - in_time:
        kind = _kind(notify.to[place].get_secret_value())
        log.warning("a notice could not be delivered by %s://…; it goes with the next run", kind)
    return in_time


def _send_one(apprise: Any, address: str, notice: Notice, place: int, taken: set[int]) -> None:
    sender = apprise.Apprise()
    try:
        # As text: a channel of HTML would obey what a server has said.
        is_taken = sender.add(address) and sender.notify(
            title=notice.title, body=notice.body, body_format="text"
        )
    except Exception as error:  # noqa: BLE001 - a plug-in's own fault, whose text may hold the address
        log.info("a channel failed with %s", type(error).__name__)
        return
    if is_taken:
        taken.add(place)


def _kind(address: str) -> str:
    return urlsplit(address).scheme
