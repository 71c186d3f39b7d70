"""Errors of a run: its state, its lock, its guards."""

from connectors.errors import SyncError


class StateError(SyncError):
    """The state store cannot be used as it is (damaged, read-only, from a newer version)."""


class StateOutOfReachError(StateError):
    """Nothing is known to be wrong with the state: there is no space, no right, or it is in use."""


class StateBusyError(StateOutOfReachError):
    """Another process is in the middle of a change of the state and does not end it, perhaps stopped."""


class LockedError(SyncError):
    """Another run of this pipeline holds the lease."""


class LeaseLostError(LockedError):
    """Another process took the lease over and owns everything that is not committed."""


class GuardError(SyncError):
    """A guard stopped the run."""


class TriggerError(GuardError):
    """More leads get the same thing than was agreed to: a person's word is enough."""


class StalePlanError(SyncError):
    """A saved plan does not hold any more, or was applied."""


class WrongModeError(GuardError):
    """The App is in another mode than the file says: `shown`, by how Kartra has stored an address.

    `keys` are those of leads that were created in it just now.
    """

    def __init__(self, message: str, *, shown: str, keys: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.shown, self.keys = shown, keys


class SurroundingsError(SyncError):
    """The machine refused something: no space, no permission, no memory, no such folder."""

    def __init__(self, cause: OSError | MemoryError) -> None:
        super().__init__(_message(cause))


def _message(cause: OSError | MemoryError) -> str:
    if isinstance(cause, MemoryError):
        return "there is not enough memory"
    if isinstance(cause, FileNotFoundError) and cause.filename is None:  # os.getcwd
        return "the folder that the command was started in is not there any more: start it in another one"
    said = cause.strerror or str(cause) or type(cause).__name__
    return said if cause.filename is None else f"{cause.filename}: {said}"
