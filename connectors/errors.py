"""The exception tree, named for what the caller does next. Only the command turns one into an exit code.

A record that is refused is no exception: it is an outcome and goes to the rejects. No message ever
carries a field value, an address or a credential.
"""


class SyncError(Exception):
    """Root of every error this program raises on purpose."""


class ConfigError(SyncError):
    """The pipeline file, its environment or the names it uses are wrong: fix them, then run again."""


class SourceError(SyncError):
    """The contacts could not be read. Nothing was sent."""


class StateError(SyncError):
    """The state store cannot be used as it is (damaged, read-only, from a newer version)."""


class TablesError(SyncError):
    """The database a pull writes to cannot be used. What was committed before stays."""


class RefusedValueError(TablesError):
    """A value does not fit into a column of the database. What else was to be written with it is not."""


class LockedError(SyncError):
    """Another run of this pipeline holds the lease."""


class GuardError(SyncError):
    """A guard stopped the run."""


class ApiError(SyncError):
    """Kartra could not be used. `type` is Kartra's error type as text, or None for the transport."""

    def __init__(self, message: str, *, type: str | None = None) -> None:  # noqa: A002 - Kartra's own word
        super().__init__(message)
        self.type = type


class RetryableApiError(ApiError):
    """Kartra did not answer properly, again and again: waiting and running again is right."""


class FatalApiError(ApiError):
    """Credentials, App or address are refused: no call of this run can succeed."""
