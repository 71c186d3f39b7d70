"""Sending one call with patience: it leaves with a permit and comes back classified.

Here: when a call may leave, which refusals are waited out, which reads are repeated. Not here: Kartra's
commands (`client`), bytes and connections (`transport`), what an answer means (`answers`). A call is sent
again only after a 429, which Kartra gives before executing anything (§2.1); `read` repeats, because a read
has no effect. Bodies hold the credentials and are never logged.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from requests import PreparedRequest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.errors import AccessRefusedError, ConfigError, FatalApiError, RetryableApiError
from connectors.kartra.answers import ActionAnswer, Answer, Effect, classify, uniform
from connectors.kartra.clock import ServerClock
from connectors.kartra.commands import Call
from connectors.kartra.error_types import error_type
from connectors.kartra.limiter import THROTTLED_PAUSE_S
from connectors.kartra.profile import LeadProfile, parse_profile
from connectors.kartra.route import is_loopback
from connectors.kartra.shares import Limiter
from connectors.kartra.transport import Endpoint, NoReplyError, NotSentError, Reply, Transport
from connectors.kartra.wire import Credentials, encode_call, refuse_secrets
from connectors.privacy import first_words

log = logging.getLogger("kartra_sync.client")

SANDBOX = frozenset({"SANDBOXAPPID", "SANDBOXK"})
"""App id and API key of every sandbox. They are refused for any other machine."""
READ_ATTEMPTS = 5
THROTTLED_PATIENCE_S = 600.0
"""How long a call may be refused with 429 before it comes back as not executed."""
LATENCY_WEIGHT = 0.1
PROMPT_S = 5.0
"""A slower answer does not set the clock: this process may have been stopped after it arrived."""


@dataclass(slots=True)
class CallCounts:
    """What one sender sent: all calls, those answered 429, those that read a lead."""

    sent: int = 0
    throttled: int = 0
    read_back: int = 0
    latency_s: float = 0.3
    """A running mean over the answers."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, call: Call, *, throttled: bool, latency_s: float) -> None:
        with self._lock:
            self.sent += 1
            self.throttled += throttled
            self.read_back += call.get_lead is not None
            if not throttled:
                self.latency_s += LATENCY_WEIGHT * (latency_s - self.latency_s)


@dataclass(frozen=True, slots=True)
class ProfileRead:
    """A lead that was read back: its profile, or the type that says why there is none (234, 245)."""

    profile: LeadProfile | None
    type: str | None = None


class Sender:
    """The way to one account through one App; any number of threads may use it, or several senders and
    processes: on one host they share the rate of the App.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        limiter: Limiter,
        *,
        timeout_s: float = 30.0,
        connections: int = 64,
        given_up: Callable[[], bool] = lambda: False,
        clock: Clock = SYSTEM_CLOCK,
        endpoint: Endpoint | None = None,
        readers: Executor | None = None,
    ) -> None:
        """`given_up` is asked while a call waits for its permit; once true, the call comes back unexecuted.

        `timeout_s` bounds the whole answer; connecting is bounded apart. Raises ConfigError if a sandbox's
        credentials would leave this machine, or if the environment names a proxy or certificates that cannot
        be used. `endpoint` is what calls go to and `readers` run the reads; by default they are the real
        ones.
        """
        if not is_loopback(url) and SANDBOX.intersection((credentials.app_id, credentials.api_key)):
            raise ConfigError(
                "these are the credentials of a sandbox, which open nothing at Kartra: set those of your"
                " account, or the address of your sandbox as the url"
            )
        self.counts = CallCounts()
        self.clock = ServerClock(clock)
        self._clock = clock
        self._credentials = credentials
        self._limiter = limiter
        self._given_up = given_up
        self._transport = endpoint or Transport(url, timeout_s=timeout_s, connections=connections)
        self._readers = readers or ThreadPoolExecutor(connections, thread_name_prefix="read")

    def close(self) -> None:
        self._readers.shutdown(wait=False)
        self._transport.close()
        self._limiter.close()

    def send(self, call: Call) -> Answer:
        """Send once. RETRY_LATER: proven not to have been executed; UNKNOWN: may have been executed.

        ValueError where the call has more form fields than Kartra reads; it was not sent then.
        """
        return self._send(call, self._transport.prepare(encode_call(self._credentials, call)))

    def refuse_secrets(self, call: Call) -> None:
        """ValueError where a value is one of the credentials, which `send` refuses as well."""
        refuse_secrets(self._credentials, call)

    def read(self, call: Call, *, usable: Callable[[Answer], bool] | None = None) -> Answer:
        """Send a call that only reads, until something usable comes back.

        Raises FatalApiError, and RetryableApiError after READ_ATTEMPTS.
        """
        is_usable = usable or is_clear
        retrying = Retrying(
            retry=retry_if_result(lambda answer: answer.effect is not Effect.FATAL and not is_usable(answer)),
            stop=stop_after_attempt(READ_ATTEMPTS),
            # With jitter: many threads meet the same trouble at once, and would all come back at once.
            wait=wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5),
            sleep=self._sleep,
        )
        try:
            answer = retrying(self._send_or_give_up, call)
        except RetryError as error:
            last: Answer = error.last_attempt.result()
            raise RetryableApiError(_no_answer(call, last)) from None
        if answer.effect is Effect.FATAL:
            raise fatal(answer)
        return answer

    def inventory(self, call: Call) -> Answer:
        """Read a list of the account. Raises FatalApiError (refused), RetryableApiError."""
        answer = self.read(call)
        if answer.effect is not Effect.DONE:
            raise refusal(call.commands[0], answer.type)
        return answer

    def _send(self, call: Call, request: PreparedRequest) -> Answer:
        deadline = self._clock.monotonic() + THROTTLED_PATIENCE_S
        # Asked again after the permit: a stop may have come while the call waited for it.
        while (permit := self._limiter.acquire(given_up=self._given_up)) and not self._given_up():
            answer = self._post(call, request, permit)
            if not answer.throttled:
                return answer
            self._limiter.throttled()
            if self._clock.monotonic() > deadline:
                return answer
            self._sleep(THROTTLED_PAUSE_S)
        return uniform(call, Effect.RETRY_LATER)

    def _send_or_give_up(self, call: Call) -> Answer:
        """Send a read; once it is given up, its answer is not waited for."""
        sent = self._readers.submit(copy_context().run, self.send, call)
        while not sent.done() and not self._given_up():
            with suppress(TimeoutError):
                sent.exception(timeout=0.2)
        return sent.result() if sent.done() else uniform(call, Effect.RETRY_LATER)

    def _post(self, call: Call, request: PreparedRequest, permit: float) -> Answer:
        started = left_at = self._clock.monotonic()

        def has_left() -> None:
            nonlocal left_at
            left_at = self._clock.monotonic()
            self._limiter.sent(permit)

        try:
            reply = self._transport.post(request, has_left)
        except NotSentError as error:
            log.info("%s: not sent: %s", call.commands[0], error)
            # Its permit is not given back: nobody can prove that the server did not count the connection.
            return replace(uniform(call, Effect.RETRY_LATER), trouble=str(error))
        except NoReplyError as error:
            self.counts.count(call, throttled=False, latency_s=self._clock.monotonic() - started)
            log.info("%s: %s", call.commands[0], error)
            return replace(uniform(call, Effect.UNKNOWN), trouble=str(error))
        throttled = reply.status == 429
        if not throttled:
            self._limiter.answered(self._clock.monotonic() - left_at)
        latency_s = self._clock.monotonic() - started
        self.counts.count(call, throttled=throttled, latency_s=latency_s)
        answer = replace(classify(call, reply.status, reply.body), status=reply.status)
        if throttled:
            return answer
        if reply.status == 200 and answer.body:
            # Only an answer of Kartra itself sets the clock: the page of a proxy has a Date of its own.
            if latency_s < PROMPT_S:
                self.clock.learn(reply.clock_offset_s)
            return answer
        trouble = _trouble(reply, request)
        log.info("%s: %s", call.commands[0], trouble)
        return replace(answer, trouble=trouble, refused_on_the_way=_is_of_the_request(reply))

    def _sleep(self, seconds: float) -> None:
        deadline = self._clock.monotonic() + seconds
        while (left_s := deadline - self._clock.monotonic()) > 0 and not self._given_up():
            self._clock.sleep(min(left_s, 0.2))


def no_call_arrives(trouble: str) -> str:
    """What is said where no call arrives, of a read as of a write; `trouble` is that of the last call."""
    said = "Kartra cannot be reached: nothing of what is left was sent. Run again later"
    return f"{said}; the last time: {trouble}" if trouble else said


def _no_answer(call: Call, last: Answer) -> str:
    said = f"Kartra gave no usable answer to {call.commands[0]} in {READ_ATTEMPTS} tries"
    if not last.trouble:
        return said
    if last.effect is Effect.RETRY_LATER:
        return no_call_arrives(last.trouble)
    return f"{said}; the last time: {last.trouble}"


def _is_of_the_request(reply: Reply) -> bool:
    """Whether the reply was about this request: no outage (5xx), time-out (408), 425 or broken-off answer."""
    return reply.status < 500 and reply.status not in (408, 425) and (reply.status != 200 or bool(reply.body))


def _trouble(reply: Reply, request: PreparedRequest) -> str:
    """The status and first words of an answer that is not Kartra's, without anything that was sent."""
    sent = [value for _, value in parse_qsl(str(request.body))]
    words = first_words(reply.body, hidden=sent)
    reason = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else ""
    kind = "no JSON of Kartra's" if reply.status == 200 else reason
    said = f', which says "{words}"' if words else ""
    return f"HTTP {reply.status} {kind}".rstrip() + said


def is_clear(answer: Answer | ActionAnswer) -> bool:
    """Whether each action was done or refused for good."""
    return answer.effect in (Effect.DONE, Effect.REFUSED)


def is_answered(answer: Answer) -> bool:
    """Whether Kartra itself answered, however incompletely."""
    return answer.effect is not Effect.RETRY_LATER and bool(answer.body) and answer.status == 200


def profile_of(answer: Answer) -> ProfileRead:
    """The profile in the answer to get_lead."""
    if answer.effect is Effect.DONE:
        return ProfileRead(parse_profile(answer.body))
    return ProfileRead(None, answer.type)


def refusal(cmd: str, type: str | None) -> FatalApiError:  # noqa: A002 - Kartra's own word
    """The error for a refusal that every further call of the kind would meet."""
    return FatalApiError(f"Kartra refused {cmd}: {error_type(type).numbered}", type=type)


def fatal(answer: Answer) -> AccessRefusedError:
    return AccessRefusedError(f"Kartra: {error_type(answer.type).numbered}", type=answer.type)
