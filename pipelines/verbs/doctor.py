"""The verb `doctor`: what a real account shows of itself, kept for the runs that follow.

One throw-away lead under an address of the person's own is made, tried and emptied. It carries a mark that
the state knows, so that a second doctor goes on with it, after a kill as well, and no other lead is touched.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

from connectors.errors import AccessRefusedError, ConfigError, RetryableApiError, SyncError
from connectors.kartra import commands
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call, Lead, get_lead
from connectors.kartra.error_types import LEAD_DELETED, LEAD_EXISTS, NO_LEAD_READ, NOT_PERMITTED, error_type
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import Sender, profile_of
from connectors.kartra.transport import Transport
from connectors.privacy import mask_address
from pipelines.calls.heartbeat import Heartbeat
from pipelines.changes.behaviour import Behaviour
from pipelines.changes.judgement import Finding, judged
from pipelines.changes.readback import test_address
from pipelines.config.file import require_credentials
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.errors import GuardError, LockedError
from pipelines.state.clock import new_run_id
from pipelines.state.lease import this_process
from pipelines.state.store import Store
from pipelines.verbs import probes
from pipelines.verbs.account import account_of, open_client
from pipelines.verbs.bench import Bench, TimedEndpoint
from pipelines.verbs.identity import Standing, find
from pipelines.verbs.probes import Chosen, Draft
from pipelines.verbs.reading import store_of
from pipelines.verbs.work import StoppedError
from pipelines.verbs.world import THIS_WORLD

CALLS = 75
"""About what an examination takes; more where effects show late."""
MOST_CALLS = 160
CONNECTIONS = 4
SHOWS_AFTER_S = (0.0, 1.0, 2.0, 4.0, 8.0)
LEASE = "(doctor)"
"""Its lease is that of the state: no pipeline can have this name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for. `agreed` is asked before the first call."""

    address: str
    chosen: Chosen = field(default_factory=Chosen)
    agreed: Callable[[str], bool] = lambda _: False
    stopping: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Examination:
    """What came of it. `error` ended it early; `left` is what stays in Kartra."""

    pipeline: str
    account: dict[str, str | None]
    behaviour: Behaviour
    found_at: str | None = None
    rows: list[Finding] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    error: SyncError | None = None
    is_stopped: bool = False

    @property
    def is_whole(self) -> bool:
        return self.error is None and not self.is_stopped


def kept_examination(config: PipelineConfig) -> Examination:
    """What the last doctor found, without a call. Raises ConfigError where there is none."""
    with store_of(config) as store:
        standing = find(config, store, ask=False)
        examined = store.examinations.of(standing.account)
        behaviour = Behaviour.from_json(examined.found if examined else None)
        if examined is None or behaviour is None:
            raise ConfigError(f"{config.pipeline}: no doctor has seen this account yet")
    return _examination(config, standing, behaviour, examined.found_at)


def examine(config: PipelineConfig, asked: Asked) -> Examination:
    """Raises ConfigError, GuardError or LockedError before anything was sent; later errors are in it."""
    require_credentials(config)
    email = _own_address(config, asked.address)
    if not asked.agreed(email):
        raise GuardError("nobody agreed: nothing was sent. --yes answers beforehand")
    with Store(config.state) as store, _leased(store) as beat:
        asked = replace(asked, stopping=_beating(beat, asked.stopping))
        standing = find(config, store)
        store.accounts.keep(account_of(config), standing.account, config.kartra.account)
        endpoint = TimedEndpoint(
            Transport(config.kartra.url, timeout_s=config.kartra.timeout_s, connections=CONNECTIONS)
        )
        with closing(open_client(config, endpoint=endpoint)) as client:
            return _examined(config, store, standing, asked, email, client, endpoint)


def _own_address(config: PipelineConfig, given: str) -> str:
    """The address in its normal form. Raises ConfigError where it is nobody's to give away."""
    try:
        email = normal_address(given)
    except InvalidAddressError as error:
        raise ConfigError(f"--address: {error}") from error
    with store_of(config) as store:
        forgotten = store.forgetting.forgotten()
        if forgotten is not None and forgotten.holds(email):
            raise ConfigError("--address: this person was forgotten and is not made a lead again")
        # It may be known by either: in Test mode Kartra stores a lead under an address of its own.
        if any(store.examinations.knows(one) for one in (email, test_address(email))):
            raise ConfigError(
                f"--address: {mask_address(email)} is a lead of this state: take one that nobody has, such as"
                " you+kartra@ your own domain"
            )
    return email


@contextmanager
def _leased(store: Store) -> Iterator[Callable[[], None]]:
    """Gives what says that this doctor is alive. Raises LockedError while another one is at work.

    Two doctors would take each other's effects for their own.
    """
    now = THIS_WORLD.clock.now()
    run_id = new_run_id(now)
    if holder := store.runs.take_lease(LEASE, this_process(run_id, now)):
        raise LockedError(holder.message("another doctor"))
    try:
        yield lambda: store.runs.beat(run_id)
    finally:
        store.runs.release_lease(run_id)


def _beating(beat: Callable[[], None], stopping: Callable[[], bool]) -> Callable[[], bool]:
    """Asked between calls: whether it is to stop. Meanwhile its lease is kept."""
    heart = Heartbeat(beat)

    def is_stopping() -> bool:
        heart.beat_when_due()
        return stopping()

    return is_stopping


def _examined(
    config: PipelineConfig,
    store: Store,
    standing: Standing,
    asked: Asked,
    email: str,
    client: Sender,
    endpoint: TimedEndpoint,
) -> Examination:
    bench, draft = Bench(client, asked.stopping), Draft()
    examined = store.examinations.begin(standing.account)
    given = _given(examined.given, asked.chosen)
    error: SyncError | None = None
    is_stopped = False
    try:
        # The lists come first: a name the account lacks is reported before a lead is made that nobody can
        # delete.
        probes.account_lists(bench, draft)
        _refuse_unknown_names(draft, asked.chosen)
        profile, is_new = _lead(bench, email, examined.marker)
        bench.lead_id = profile.id
        # Noted before anything is given: after a kill the next doctor knows what it has to take back.
        store.examinations.give(standing.account, given)
        _probe(bench, draft, asked.chosen, email, profile, is_new=is_new)
    except StoppedError:
        is_stopped = True
    except SyncError as caught:
        error = caught
    left = _cleaned(bench, draft, given, error)
    # Otherwise it stays noted, and the next doctor tries to take it off again.
    if left is not None and not {probes.ITS_TAG, probes.ITS_LIST}.intersection(left):
        store.examinations.give(standing.account, {})
    counts = client.counts
    behaviour = draft.behaviour(bench, endpoint.latency_ms(), counts.sent, counts.throttled)
    result = _examination(config, standing, behaviour, None)
    result.error, result.is_stopped = error, is_stopped
    result.left = _left_words(bench, email, left)
    # Half an examination would overwrite what an earlier whole one has found out.
    if result.is_whole:
        result.found_at = _keep(store, standing.account, behaviour)
    return result


def _examination(
    config: PipelineConfig, standing: Standing, behaviour: Behaviour, found_at: str | None
) -> Examination:
    rows = judged(behaviour, config.kartra)
    return Examination(config.pipeline, standing.to_json(), behaviour, found_at, rows)


def _keep(store: Store, account: str, behaviour: Behaviour) -> str | None:
    with store.database.together():
        store.examinations.keep(account, behaviour.to_json())
        if behaviour.mode is not None:
            store.accounts.keep_mode(account, behaviour.mode)
    kept = store.examinations.of(account)
    return kept.found_at if kept else None


def _given(before: object, chosen: Chosen) -> dict[str, list[str]]:
    """What an earlier doctor gave and was killed over, and what this one gives."""
    earlier = before if isinstance(before, dict) else {}
    named = {"tags": chosen.tag, "lists": chosen.list_name}
    return {
        kind: list(dict.fromkeys([*earlier.get(kind, []), *([name] if name else [])]))
        for kind, name in named.items()
    }


def _refuse_unknown_names(draft: Draft, chosen: Chosen) -> None:
    for kind, name in (("tags", chosen.tag), ("lists", chosen.list_name)):
        if name and kind in draft.names and name not in draft.names[kind]:
            raise ConfigError(f"--{kind[:-1]}: the account has no such {kind[:-1]}; nothing was made")


def _lead(bench: Bench, email: str, marker: str) -> tuple[LeadProfile, bool]:
    """The doctor's lead, and whether it was made just now. Raises AccessRefusedError, RetryableApiError.

    Raises ConfigError where Kartra has a lead of this address that no doctor of this state has made.
    """
    there = _found(bench, email)
    if not bench.may("get_lead"):
        raise AccessRefusedError(
            f"the App may not read leads: nothing was made. {error_type(NOT_PERMITTED).numbered}",
            type=NOT_PERMITTED,
        )
    is_new = there is None
    if there is None:
        # Before the call: if its answer is lost, the lead may exist, and the person is told so.
        bench.is_made = True
        made = bench.send(_creation(email, marker))
        if made.effect is Effect.REFUSED:
            bench.is_made = False
            raise _not_made(email, made.type)
        bench.lead_id = made.lead_id or ""
        there = _awaited(bench, email)
        if there is None:
            raise RetryableApiError(
                "the lead was sent to Kartra and does not show: run the doctor again later"
            )
        is_new = made.effect is Effect.DONE
    _refuse_other(there, email, marker)
    return there, is_new


def _not_made(email: str, number: str | None) -> SyncError:
    if number in (LEAD_EXISTS, LEAD_DELETED):
        return _taken(email)
    return AccessRefusedError(f"the lead was not made: {error_type(number).numbered}", type=number)


def _awaited(bench: Bench, email: str) -> LeadProfile | None:
    """The lead that was sent to Kartra just now, which may show "in a few moments" only (§3.4)."""
    for pause_s in SHOWS_AFTER_S:
        bench.pause(pause_s)
        profile = bench.read() if bench.lead_id else _found(bench, email)
        if profile is not None:
            return profile
    return None


def _creation(email: str, marker: str) -> Call:
    fields = {"first_name": "kartra-sync", "last_name": "doctor", probes.MARKED: marker}
    return Call((commands.create_lead(),), Lead(email=email, fields=fields))


def _found(bench: Bench, email: str) -> LeadProfile | None:
    """The lead of an address, as it was sent or as Test mode stores it. ConfigError for a deleted one."""
    for address in dict.fromkeys((email, test_address(email))):
        answer = bench.ask(get_lead(email=address))
        if (profile := profile_of(answer).profile) is not None:
            return profile
        if answer.type == LEAD_DELETED:
            raise _taken(email)
        if answer.type != NO_LEAD_READ and bench.may("get_lead"):
            raise ConfigError(
                f"whether Kartra has this address cannot be told: {error_type(answer.type).numbered}"
            )
    return None


def _refuse_other(profile: LeadProfile, email: str, marker: str) -> None:
    if profile.fields.get(probes.MARKED) != marker:
        raise _taken(email)


def _taken(email: str) -> ConfigError:
    return ConfigError(
        f"--address: Kartra has, or had, a lead of {mask_address(email)} that no doctor of this state has"
        " made: it was left alone. Take an address that nobody has, such as you+kartra2@ your own domain"
    )


def _probe(
    bench: Bench, draft: Draft, chosen: Chosen, email: str, profile: LeadProfile, *, is_new: bool
) -> None:
    probes.who_it_is(bench, draft, email, profile, is_new=is_new)
    probes.creation_again(bench, draft, email)
    probes.permissions(bench, draft)
    # Before the others that wait for effects: they wait by how long these took to show.
    probes.delays(bench, draft, chosen)
    probes.chain(bench, draft, chosen)
    if bench.may("edit_lead"):
        probes.lengths(bench, draft)
        probes.characters(bench, draft)
        # Last of the three: it empties a city that the two before it have filled.
        probes.blanks(bench, draft)
    probes.capitals(bench, draft)


def _cleaned(
    bench: Bench, draft: Draft, given: dict[str, list[str]], error: SyncError | None
) -> list[str] | None:
    """What stays in its lead; None where it could not be emptied. A stop does not keep it from this."""
    if not bench.lead_id:
        return []
    # Without access to the account the lead cannot be emptied either.
    if isinstance(error, AccessRefusedError):
        return None
    try:
        return probes.take_back(bench.cleaning(), draft, given)
    except SyncError:
        return None


def _left_words(bench: Bench, email: str, left: list[str] | None) -> list[str]:
    if not bench.lead_id and not bench.is_made:
        return []
    lead = f"the lead {mask_address(email)}: Kartra's API deletes none, delete it in Kartra"
    if left is None:
        return [lead, "what it was given: the next doctor with the same --address takes it back"]
    return [lead, *left]
