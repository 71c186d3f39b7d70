"""The state store: opens the database and composes its parts, one for each subject.

A method of a part that changes something is one transaction, unless it says that it belongs inside one.
One store belongs to one thread.
"""

from pathlib import Path

from pipelines.state.adoption import Adoption
from pipelines.state.database import Database
from pipelines.state.drift import Drift
from pipelines.state.forgetting import Forgetting
from pipelines.state.imports import Imports
from pipelines.state.integrity import Integrity
from pipelines.state.inventories import Inventories
from pipelines.state.leads import Leads
from pipelines.state.new_leads import NewLeads
from pipelines.state.outbox import Outbox
from pipelines.state.refusals import Refusals
from pipelines.state.rejects import Rejects
from pipelines.state.runs import Runs
from pipelines.state.scope import Scope
from pipelines.state.staging import Staging
from pipelines.state.watermarks import Watermarks


class Store:
    """The state, open. `scope`, once entered, narrows its parts to a pipeline in an account and mode."""

    def __init__(self, path: Path | None, *, check_beside: bool = False) -> None:
        """`path` None is a store in memory, for looking without leaving a file. Raises StateError.

        `check_beside`: see `Database`.
        """
        self.database = database = Database(path, check_beside=check_beside)
        self.scope = scope = Scope(database)
        self.runs = Runs(database, scope)
        self.staging = Staging(database, scope)
        self.new_leads = NewLeads(database, scope)
        self.leads = Leads(database, scope)
        self.outbox = Outbox(database, scope)
        self.refusals = Refusals(database, scope)
        self.rejects = Rejects(database, scope)
        self.inventories = Inventories(database, scope)
        self.watermarks = Watermarks(database, scope)
        self.adoption = Adoption(database, scope)
        self.imports = Imports(database, scope)
        self.drift = Drift(database, scope)
        self.forgetting = Forgetting(database, scope)
        self.integrity = Integrity(database, scope)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Where the file is damaged, this is told instead of an error that comes of it."""
        try:
            if kind is None or issubclass(kind, Exception):
                self.database.check_is_whole()
        finally:
            self.close()
