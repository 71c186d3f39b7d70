"""The state store: opens the database and composes its parts, one for each subject.

A method of a part that changes something is one transaction, unless it says that it belongs inside one.
One store belongs to one thread.
"""

from collections.abc import Callable
from pathlib import Path

from pipelines.contacts.lead import UnreadableTextError
from pipelines.errors import StateError
from pipelines.state.accounts import Accounts
from pipelines.state.adoption import Adoption
from pipelines.state.check import StateCheck
from pipelines.state.database import Database
from pipelines.state.doctor import Examinations
from pipelines.state.drift import Drift
from pipelines.state.forgetting import Forgetting
from pipelines.state.generation import Generation
from pipelines.state.given import Given
from pipelines.state.health import HealthRecords
from pipelines.state.imports import Imports
from pipelines.state.integrity import Integrity
from pipelines.state.inventories import Inventories
from pipelines.state.keys import Keys
from pipelines.state.leads import Leads
from pipelines.state.migrating import migrate
from pipelines.state.new_leads import NewLeads
from pipelines.state.outbox import Outbox
from pipelines.state.outcomes import Outcomes
from pipelines.state.place import Place, open_database
from pipelines.state.plans import Plans
from pipelines.state.refusals import Refusals
from pipelines.state.rejects import Rejects
from pipelines.state.runs import Runs
from pipelines.state.scope import Scope
from pipelines.state.staging import Staging
from pipelines.state.undoing import Undoing
from pipelines.state.watermarks import Watermarks


class Store:
    """The state, open. `scope`, once entered, narrows its parts to a pipeline in an account and mode."""

    def __init__(
        self,
        place: Place | None,
        *,
        check_beside: bool = False,
        open_database: Callable[[Place | None], Database] = open_database,
        check: Callable[[Path], StateCheck] = StateCheck,
    ) -> None:
        """`place` None is a store in memory, for looking without leaving a file. Raises StateError.

        `check_beside`: who only looks may begin before it is known whether the file is whole, and asks
        `check_is_whole` before anything is told of it. A file that has to be migrated is checked first.
        """
        self._check: StateCheck | None = None
        self.database = database = open_database(place)
        path = database.path
        try:
            if path is not None:
                self._check = check(path)
            if not check_beside or not database.is_of_this_version:
                self.check_is_whole()
            migrate(database)
        except BaseException:
            database.close()
            raise
        self.scope = scope = Scope(database)
        self.accounts = Accounts(database)
        self.generation = Generation(database)
        self.runs = Runs(database, scope)
        self.health = HealthRecords(database)
        self.staging = Staging(database, scope)
        self.new_leads = NewLeads(database, scope)
        self.leads = Leads(database, scope)
        self.outbox = Outbox(database, scope)
        self.plans = Plans(database, scope)
        self.refusals = Refusals(database, scope)
        self.rejects = Rejects(database)
        self.outcomes = Outcomes(database)
        self.inventories = Inventories(database)
        self.watermarks = Watermarks(database, scope)
        self.adoption = Adoption(database, scope)
        self.imports = Imports(database, scope)
        self.drift = Drift(database, scope)
        self.examinations = Examinations(database)
        self.undoing = Undoing(database, scope)
        self.given = Given(database, scope)
        self.keys = Keys(database, scope)
        self.forgetting = Forgetting(database, self.runs)
        self.integrity = Integrity(database)

    def check_is_whole(self) -> None:
        """Wait for the check of the file that began with the store. Raises StateError where it is damaged."""
        if self._check is not None:
            self._check.wait()

    def close(self) -> None:
        self.runs.close()
        self.database.close()
        if self._check is not None:
            self._check.stop()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Where the file is damaged, this is told instead of an error that comes of it."""
        try:
            if kind is None or issubclass(kind, Exception):
                self.check_is_whole()
            if kind is not None and issubclass(kind, UnreadableTextError):
                raise StateError(
                    f"{self.database.path}: the state is damaged (a text in it cannot be read);"
                    " restore a copy of it. kartra-sync state verify says more"
                )
        finally:
            self.close()
