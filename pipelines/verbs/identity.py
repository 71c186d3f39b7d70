"""Whose account this is, and whose pipeline: an account is recognised by its leads, not by its credentials.

Scopes of the state are named by pipeline, account and mode. Where no scope has just these names, the file was
renamed, the API key renewed or the URL respelt, or the pipeline is really new. A few leads that the state
holds are then read from Kartra, once; where they do not tell, nothing is sent and a person says which it is.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from connectors.errors import ConfigError
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call, InventoryName, get_lead, get_transaction_details
from connectors.kartra.sender import Sender, profile_of
from pipelines.calls.context import RunContext
from pipelines.calls.inventories import read_inventory
from pipelines.changes.identity import Evidence, Verdict, names_of
from pipelines.changes.modes import shown_mode
from pipelines.changes.readback import TEST_DOMAIN, same_address
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, LockedError, WrongModeError
from pipelines.state.accounts import KnownScope, is_left
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.verbs.account import account_of
from pipelines.verbs.world import THIS_WORLD, World

log = logging.getLogger("kartra_sync.account")

WITNESSES = 5
"""Leads that are read back to recognise an account: one call each."""
_NAMED: tuple[InventoryName, ...] = ("tags", "lists", "sequences")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person says where the state and Kartra leave a doubt."""

    new_account: bool = False
    """The account, or the mode, is another one: begin anew in it."""
    new_pipeline: bool = False
    """The pipeline is another one, though it has leads of one whose file is gone."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The names under which the state holds a pipeline; `moves` write them, where they were others before."""

    account: str
    pipeline: str
    mode: str
    notes: tuple[str, ...] = ()
    moves: tuple[Callable[[Store], None], ...] = field(default=(), repr=False)
    fingerprint: str = ""
    name: str | None = None

    def to_json(self) -> dict[str, str | None]:
        return {"name": self.name, "fingerprint": self.fingerprint, "mode": self.mode}


def enter(
    config: PipelineConfig,
    store: Store,
    *,
    choices: Choices = Choices(),
    stopping: Callable[[], bool] = lambda: False,
    world: World = THIS_WORLD,
) -> Standing:
    """Enter the scope of a pipeline. Raises GuardError where a person has to say which scope it is.

    Raises LockedError while another process works on that scope under its other name.
    """
    standing = _standing(config, store, choices, stopping, world)
    for move in standing.moves:
        move(store)
    store.accounts.keep(account_of(config), standing.account, config.kartra.account)
    for note in standing.notes:
        log.warning("%s: %s", config.pipeline, note)
    store.scope.enter(config.pipeline, standing.account, config.kartra.mode, file=str(config.path.resolve()))
    return standing


def find(config: PipelineConfig, store: Store, *, ask: bool = True) -> Standing:
    """The scope of a pipeline, without writing. Without `ask` Kartra is not asked, and a doubt is no
    error."""
    if ask:
        standing = _standing(config, store, Choices(), lambda: False, THIS_WORLD)
    else:
        met = store.accounts.of(account_of(config))
        account = met.account if met else account_of(config)
        standing = _named(config, store, Standing(account, config.pipeline, config.kartra.mode))
    store.scope.find(standing.pipeline, standing.account, standing.mode)
    return standing


def take_over(config: PipelineConfig, source: str | None) -> str:
    """Take a person's word that a scope of the state belongs to this file; gives the scope in words.

    Raises ConfigError where there is nothing to take over.
    """
    if not is_there(config.state):
        raise ConfigError(f"{config.pipeline}: has not run yet")
    with Store(config.state) as store:
        return _take_over(config, store, source or config.pipeline)


def _take_over(config: PipelineConfig, store: Store, pipeline: str) -> str:
    known = [scope for scope in store.accounts.scopes() if scope.pipeline == pipeline and scope.is_used]
    if not known:
        raise ConfigError(f"nothing is known of a pipeline {pipeline} in {config.state.name}")
    scope = next((one for one in known if one.mode == config.kartra.mode), known[0])
    _refuse_running(store, scope.pipeline)
    if (pipeline, scope.mode) != (config.pipeline, config.kartra.mode):
        store.accounts.move(scope, pipeline=config.pipeline, mode=config.kartra.mode)
    store.accounts.keep(account_of(config), scope.account, config.kartra.account)
    store.scope.enter(config.pipeline, scope.account, config.kartra.mode, file=str(config.path.resolve()))
    return f"what is known of {pipeline} ({scope.mode}) is what {config.path.name} goes on with"


def refuse_shared(config: PipelineConfig, store: Store, choices: Choices) -> None:
    """Once a source is staged: a pipeline that is new, over leads of one whose file is gone, may be that one.

    Raises GuardError.
    """
    if choices.new_pipeline:
        return
    scopes = store.accounts.scopes()
    mine = next((scope for scope in scopes if scope.scope_id == store.scope.scope_id), None)
    account = mine.account if mine else find(config, store, ask=False).account
    left = [
        scope
        for scope in scopes
        if (scope.account, scope.mode) == (account, config.kartra.mode)
        and scope.pipeline != config.pipeline
        and scope.has_leads
        and is_left(scope)
    ]
    if not left or store.leads.count():  # leads are counted only where it matters: there may be a million
        return
    for pipeline, count in store.accounts.shared(store.scope.scope_id, left).items():
        raise GuardError(
            f"{count:,} of these records are leads of the pipeline {pipeline}, whose file is not there any"
            " more: nothing was sent. If this file takes its place: kartra-sync state take-over"
            f" {config.path.name} --from {pipeline}. If it is another pipeline: run --new-pipeline"
        )


def refuse_another_account(
    config: PipelineConfig,
    store: Store,
    *,
    stopping: Callable[[], bool] = lambda: False,
    world: World = THIS_WORLD,
) -> None:
    """Where a state is of one account alone: new credentials must open the account of its leads.

    `enter` lets a new pipeline begin in an account of its own. Raises GuardError.
    """
    known = [scope for scope in store.accounts.scopes() if scope.is_used]
    if not known:
        return
    with closing(_LazyClient(config, stopping, world)) as client:
        standing = _recognised(config, store, client, known)
    if standing.account == account_of(config):  # none of the known ones
        raise GuardError(
            f"these credentials open another account than the one that {config.state.name} knows, or nobody"
            " can tell: nothing was sent"
        )


def learn_mode(run: RunContext, error: WrongModeError, world: World) -> None:
    """A lead has shown that the App is in another mode than the file says: what was done is known in it.

    What was created just now is known there alone; where most of the leads that we created before show the
    same, the file has been wrong for long, and all are.
    """
    store, config = run.store, run.config
    scope_id = store.scope.scope_id
    store.accounts.keep_mode(run.account, error.shown)
    with closing(_LazyClient(config, run.stopping, world)) as client:
        before = store.accounts.known_before(scope_id, error.keys, WITNESSES)
        stored = list(_read_back(client, before))
    shown = [shown_mode(email, address) for email, address in stored if address is not None]
    is_all = sum(mode == error.shown for mode in shown) * 2 > len(shown)
    if not is_all and not error.keys:
        return
    other = store.scope.beside(config.pipeline, run.account, error.shown)
    store.accounts.hand_over(scope_id, other, None if is_all else error.keys)


def _standing(
    config: PipelineConfig, store: Store, choices: Choices, stopping: Callable[[], bool], world: World
) -> Standing:
    wanted = Standing(account_of(config), config.pipeline, config.kartra.mode)
    if choices.new_account:
        return _named(config, store, wanted)
    scopes = store.accounts.scopes()
    met = store.accounts.of(wanted.account)
    is_met = met is not None or any(scope.account == wanted.account for scope in scopes)
    with closing(_LazyClient(config, stopping, world)) as client:
        if not is_met and (known := _candidates(scopes, config.pipeline)):
            standing = _recognised(config, store, client, known)
        else:
            account = met.account if met else wanted.account
            standing = Standing(account, config.pipeline, config.kartra.mode)
        return _named(config, store, _placed(config, store, client, scopes, standing))


def _named(config: PipelineConfig, store: Store, standing: Standing) -> Standing:
    met = store.accounts.of(standing.account)
    return Standing(
        standing.account,
        standing.pipeline,
        standing.mode,
        standing.notes,
        standing.moves,
        standing.account[:8],
        config.kartra.account or (met.name if met else None),
    )


def _candidates(scopes: list[KnownScope], pipeline: str) -> list[KnownScope]:
    """The used scopes that new credentials may belong to: of this pipeline, else of any."""
    used = [scope for scope in scopes if scope.is_used]
    return [scope for scope in used if scope.pipeline == pipeline] or used


def _recognised(
    config: PipelineConfig, store: Store, client: "_LazyClient", known: list[KnownScope]
) -> Standing:
    """The account of new credentials: one of the state, another one, or nobody can say (GuardError)."""
    latest = {scope.account: scope for scope in reversed(known)}  # of each account its scope that ran last
    evidence: dict[str, Evidence] = {}
    for account, scope in latest.items():
        evidence[account] = found = _evidence(store, client, scope)
        if found.verdict is Verdict.SAME:
            note = (
                "the API key or the URL is another one than before, and the account is the same"
                f" ({found.describe()}): going on with what is known"
            )
            return Standing(account, config.pipeline, config.kartra.mode, (note,))
    file = str(config.path.resolve())
    ours = [
        account
        for account, scope in latest.items()
        if config.pipeline == scope.pipeline or file == scope.file  # its name may be another one, too
    ]
    if not ours:  # a new pipeline in an account of its own
        return Standing(account_of(config), config.pipeline, config.kartra.mode)
    found = evidence[ours[0]]
    is_other = found.verdict is Verdict.OTHER
    raise GuardError(
        f"{config.pipeline} is known in another account than these credentials open"
        f"{'' if is_other else ', or nobody can tell'} ({found.describe()}): nothing was sent."
        f" If it is the same account: kartra-sync state take-over {config.path.name}"
        f"{_from(config, latest[ours[0]])}."
        f" If it is another one, to begin anew in it: run {config.path.name} --new-account"
    )


def _from(config: PipelineConfig, scope: KnownScope) -> str:
    return "" if scope.pipeline == config.pipeline else f" --from {scope.pipeline}"


def _placed(
    config: PipelineConfig,
    store: Store,
    client: "_LazyClient",
    scopes: list[KnownScope],
    standing: Standing,
) -> Standing:
    """The scope within an account: that of the file's name and mode, or the one that the file had before."""
    of_account = [scope for scope in scopes if scope.account == standing.account and scope.is_used]
    mode = config.kartra.mode
    here = [scope for scope in of_account if scope.pipeline == config.pipeline]
    # The names of the file come first: nothing is looked for where they are known.
    if any(scope.mode == mode for scope in here):
        return standing
    if here:
        return _in_mode(config, store, client, here[0], standing)
    file = str(config.path.resolve())
    renamed = [scope for scope in of_account if scope.file == file]
    for scope in renamed:
        _refuse_running(store, scope.pipeline)
    if not renamed:
        return standing
    former = next((scope for scope in renamed if scope.mode == mode), renamed[0])
    note = f"this file was the pipeline {former.pipeline} before: going on with what is known of it"
    moves = tuple(_mover(scope, config.pipeline, scope.mode) for scope in renamed)
    return Standing(standing.account, former.pipeline, mode, (*standing.notes, note), moves)


def _in_mode(
    config: PipelineConfig, store: Store, client: "_LazyClient", scope: KnownScope, standing: Standing
) -> Standing:
    """The scope where the file says another mode than before: the addresses in Kartra say which was true."""
    mode = config.kartra.mode
    stored = [address for _, address in _witnesses(store, client, scope) if address is not None]
    as_test = sum(address.rpartition("@")[2] == TEST_DOMAIN for address in stored)
    # Nobody is left to show it; the first lead of this mode will.
    if not stored:
        return standing
    # By majority: somebody may have changed the address of a lead or two in Kartra.
    if (as_test * 2 > len(stored)) == (mode == "test"):
        note = f"mode: {mode} is what Kartra stores of the known leads: going on with what is known"
        move = _mover(scope, config.pipeline, mode)
        return Standing(standing.account, scope.pipeline, scope.mode, (*standing.notes, note), (move,))
    if mode == "live":  # what Test mode stored reached nobody
        note = "what is known was stored in Test mode and reached nobody: Live begins anew"
        return Standing(standing.account, config.pipeline, mode, (*standing.notes, note))
    raise GuardError(
        f"the file says mode: test, and {len(stored) - as_test} of {len(stored)} known leads are stored under"
        " their own addresses, as in Live mode: nothing was sent. Without that line the run goes on with"
        " what is known. If the App is in Test mode now, to begin anew in it:"
        f" run {config.path.name} --new-account"
    )


def _mover(scope: KnownScope, pipeline: str, mode: str) -> Callable[[Store], None]:
    return lambda store: store.accounts.move(scope, pipeline=pipeline, mode=mode)


def _refuse_running(store: Store, pipeline: str) -> None:
    if holder := store.runs.holder(pipeline):
        raise LockedError(holder.message(pipeline))


def _evidence(store: Store, client: "_LazyClient", scope: KnownScope) -> Evidence:
    """What Kartra has of a scope: of its leads and transactions, or of its names where there are neither."""
    matched = differing = absent = 0
    for email, stored in _witnesses(store, client, scope):
        # An address that somebody changed in Kartra is no other account: hence three counts and a vote.
        matched += stored is not None and same_address(email, stored)
        differing += stored is not None and not same_address(email, stored)
        absent += stored is None
    # A state that only refunds knows no leads; sales have numbers of the account as well.
    if not matched:
        for number in store.accounts.known_transactions(scope, WITNESSES):
            call = Call((get_transaction_details(number),))
            is_there = client.sender.read(call).effect is Effect.DONE
            matched += is_there
            absent += not is_there
    if matched or differing or absent:
        return Evidence(matched, differing, absent)
    known = [store.inventories.get(scope.account, kind) for kind in _NAMED]
    listed = [read_inventory(client.sender, kind) for kind, names in zip(_NAMED, known, strict=True) if names]
    return Evidence(
        names_known=names_of(*(names[1] for names in known if names)), names_listed=names_of(*listed)
    )


def _witnesses(store: Store, client: "_LazyClient", scope: KnownScope) -> Iterator[tuple[str, str | None]]:
    """(our address, Kartra's) of a few known leads, one call each; None where Kartra has no such lead."""
    yield from _read_back(client, store.accounts.known_leads(scope, WITNESSES))


def _read_back(client: "_LazyClient", known: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str | None]]:
    for lead_id, email in known:
        profile = profile_of(client.sender.read(get_lead(id=lead_id))).profile
        yield email, profile.email if profile else None


class _LazyClient:
    """A client that is opened at the first call: most runs have no doubt to clear up, and need none."""

    def __init__(self, config: PipelineConfig, stopping: Callable[[], bool], world: World) -> None:
        self._config, self._stopping, self._world = config, stopping, world
        self._sender: Sender | None = None

    @property
    def sender(self) -> Sender:
        if self._sender is None:
            self._sender = self._world.open_client(self._config, self._stopping)
        return self._sender

    def close(self) -> None:
        if self._sender is not None:
            self._sender.close()
