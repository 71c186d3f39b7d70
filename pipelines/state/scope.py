"""Whose state it is: a pipeline in an account of Kartra and its mode."""

from pipelines.state.database import Database


class Scope:
    """What narrows every part of the store, once it was entered or found."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.scope_id = 0

    def enter(self, pipeline: str, account: str, mode: str) -> None:
        """From here on the store speaks of this pipeline in this account and mode."""
        scope = {"pipeline": pipeline, "account": account, "mode": mode}
        with self._database.transaction():
            self._database.run_line(
                "INSERT OR IGNORE INTO scopes (pipeline, account, mode) VALUES (:pipeline, :account, :mode)",
                **scope,
            )
        self.find(**scope)

    def find(self, pipeline: str, account: str, mode: str) -> None:
        """As `enter`, but writes nothing: a scope that is not there yet knows no lead."""
        rows = self._database.run_line(
            "SELECT scope_id FROM scopes WHERE pipeline=:pipeline AND account=:account AND mode=:mode",
            pipeline=pipeline,
            account=account,
            mode=mode,
        )
        self.scope_id = rows[0].scope_id if rows else 0
