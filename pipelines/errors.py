"""Errors of a run: its state, its lock, its guards."""

from connectors.errors import SyncError


class StateError(SyncError):
    """The state store cannot be used as it is (damaged, read-only, from a newer version)."""


class LockedError(SyncError):
    """Another run of this pipeline holds the lease."""


class GuardError(SyncError):
    """A guard stopped the run."""
