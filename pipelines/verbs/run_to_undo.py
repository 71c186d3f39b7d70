"""Which run a person means that is to be taken back: by its number, the beginning of it, or the word last."""

from connectors.errors import ConfigError
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store
from pipelines.state.undoing import RunToUndo

LAST = "last"
"""In place of the number of a run: the last one, if it changed a lead."""


def run_to_undo(config: PipelineConfig, store: Store, name: str) -> RunToUndo:
    """Raises ConfigError for a run that cannot be taken back, with the way forward."""
    run = run_named(config, store, name)
    file = config.path.name
    if run.undoes is not None:
        raise ConfigError(
            f"{run.run_id} has itself taken {run.undoes} back. To have that again: kartra-sync undo {file}"
            f" {run.undoes} --send-again, then kartra-sync run {file}"
        )
    if run.scope_id != store.scope.scope_id:
        raise ConfigError(f"{run.run_id} was in another account or mode than {file} opens")
    if not run.journaled:
        raise ConfigError(
            f"{run.run_id} was made by a version that did not keep how leads were before: it cannot be taken"
            " back. Runs from now on can"
        )
    return run


def run_named(config: PipelineConfig, store: Store, name: str) -> RunToUndo:
    """The run whose number begins like this, or the last one. Raises ConfigError."""
    if name == LAST:
        return _last(config, store)
    found = store.undoing.runs(config.pipeline, name) if name else []
    exact = [run for run in found if run.run_id == name]
    if len(exact or found) != 1:
        which = "several runs begin" if found else "no run begins"
        raise ConfigError(f"{which} with {name}; kartra-sync runs {config.path.name} lists them")
    return (exact or found)[0]


def _last(config: PipelineConfig, store: Store) -> RunToUndo:
    """The last run, and no older one: whoever means that has to name it. Raises ConfigError."""
    sent, last = store.undoing.last_that_sent(), store.undoing.last(config.pipeline)
    if sent is None:
        raise ConfigError(f"{config.pipeline}: no run of the journal has changed a lead")
    restored = store.generation.restored()
    # A run since the copy was put back is the last one for sure.
    has_run_since = restored and restored.copied_at and last and last[1] > restored.copied_at
    if restored and not has_run_since:
        raise ConfigError(
            f"{restored.describe()}: what ran since is not in it, so which run was the last is not known."
            f" kartra-sync runs {config.path.name} lists those that are; name one"
        )
    if last is not None and last[0] != sent.run_id:
        raise ConfigError(
            f"the last run, {last[0]} of {_minute(last[1])}, changed no lead here: nothing was taken back."
            f" The last one that did was of {_minute(sent.started_at)}; if that is meant:"
            f" kartra-sync undo {config.path.name} {sent.run_id}"
        )
    return sent


def _minute(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
