"""Whose state it is: a pipeline in an account of Kartra and its mode."""

from pipelines.state.database import Database


class Scope:
    """What narrows every part of the store, once it was entered or found."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("scopes")
        self.scope_id = 0

    def enter(self, pipeline: str, account: str, mode: str) -> None:
        """From here on the store speaks of this pipeline in this account and mode."""
        with self._database.transaction():
            self._queries.add(pipeline=pipeline, account=account, mode=mode)
        self.find(pipeline, account, mode)

    def find(self, pipeline: str, account: str, mode: str) -> None:
        """As `enter`, but writes nothing: a scope that is not there yet knows no lead."""
        self.scope_id = self._queries.find(pipeline=pipeline, account=account, mode=mode) or 0
