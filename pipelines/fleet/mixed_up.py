"""Is it really this account? Before the first write of a key that its state does not know yet."""

from collections.abc import Callable

from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, StateError
from pipelines.fleet.fleet import Fleet
from pipelines.state.overview import NOBODY, owner_of
from pipelines.state.place import is_there
from pipelines.verbs.account import account_of
from pipelines.verbs.identity import refuse_another_account
from pipelines.verbs.reading import store_of
from pipelines.verbs.world import World


def refuse_mixed_up(
    fleet: Fleet, name: str, config: PipelineConfig, *, stopping: Callable[[], bool], world: World
) -> None:
    """Raises GuardError where the key of an account opens another one, or nobody can say.

    A state knows the keys that it was reached with. A new one may be a renewed key, an account under a new
    name, or another client's: what other states know of it says so without a call, a few leads with some.
    """
    key = account_of(config)
    with store_of(config, check_beside=True) as store:
        if store.accounts.of(key) is not None:
            return
        if other := who_knows(fleet, name, key):
            raise GuardError(
                f"the key of {name} opens the account that the state of {other} knows: nothing was sent. Were"
                f" the keys of the two mixed up? If {other} is called {name} now, rename its state"
            )
        # Nothing was ever done here, so there are no leads to recognise the account by.
        if not any(scope.is_used for scope in store.accounts.scopes()):
            if fleet.left:
                left = fleet.left[0]
                raise GuardError(
                    f"{name} has not run yet, and {left.state.name} is the state of an account that is not in"
                    f" the fleet any more: nothing was sent. If {left.name} is called {name} now, rename its"
                    " state; else move it away"
                )
            return
        refuse_another_account(config, store, stopping=stopping, world=world)


def who_knows(fleet: Fleet, name: str, key: str) -> str | None:
    """Another account whose state was reached with this key, and has something done under it."""
    states = [(other, fleet.file.place_of(other)) for other in fleet.all_names if other != name]
    states += [(left.name, left.state) for left in fleet.left]
    for other, state in states:
        try:
            owner = owner_of(state) if is_there(state) else NOBODY
        except StateError:  # a damaged one stops its own account
            continue
        if owner.is_used and key in owner.credentials:
            return other
    return None
