"""The scope of the store: a pipeline in an account and mode."""

from pipelines.state.database import Database


class Scope:
    """Limits every part of the store to one scope, once it is entered or found."""

    def __init__(self, database: Database) -> None:
        self._database, self._queries = database, database.queries("scopes")
        self.scope_id = 0

    def enter(self, pipeline: str, account: str, mode: str, *, file: str | None = None) -> None:
        """Limits the store to this pipeline in this account and mode, and notes that it exists.

        `file` is the pipeline file, by which a renamed pipeline is recognised.
        """
        with self._database.transaction(alone=True):
            self._queries.add(pipeline=pipeline, account=account, mode=mode)
            self.find(pipeline, account, mode)
            if file is not None:
                self._queries.note_file(scope_id=self.scope_id, file=file)

    def beside(self, pipeline: str, account: str, mode: str) -> int:
        """The number of another scope, which is made where it is missing."""
        with self._database.transaction(alone=True):
            self._queries.add(pipeline=pipeline, account=account, mode=mode)
            return int(self._queries.find(pipeline=pipeline, account=account, mode=mode))

    def find(self, pipeline: str, account: str, mode: str) -> None:
        """Like `enter`, but writes nothing: a scope that does not exist yet has no leads."""
        self.scope_id = self._queries.find(pipeline=pipeline, account=account, mode=mode) or 0
