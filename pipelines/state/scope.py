"""Whose state it is: a pipeline in an account of Kartra and its mode."""

from pipelines.state.database import Database


class Scope:
    """What narrows every part of the store, once it was entered or found."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("scopes")
        self.scope_id = 0

    def enter(self, pipeline: str, account: str, mode: str, *, file: str | None = None) -> None:
        """From here on the store speaks of this pipeline in this account and mode.

        `file` is the pipeline file: by it a pipeline is known again under another name.
        """
        with self._database.transaction():
            self._queries.add(pipeline=pipeline, account=account, mode=mode)
            self.find(pipeline, account, mode)
            if file is not None:
                self._queries.note_file(scope_id=self.scope_id, file=file)

    def find(self, pipeline: str, account: str, mode: str) -> None:
        """As `enter`, but writes nothing: a scope that is not there yet knows no lead."""
        self.scope_id = self._queries.find(pipeline=pipeline, account=account, mode=mode) or 0
