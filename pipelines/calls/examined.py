"""What a doctor found of the account of a run."""

from pipelines.changes.behaviour import Behaviour
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store


def behaviour_of(store: Store, account: str) -> Behaviour | None:
    """None where no doctor has come to its end in this account."""
    examined = store.examinations.of(account)
    return Behaviour.from_json(examined.found) if examined else None


def as_found(config: PipelineConfig, behaviour: Behaviour | None) -> PipelineConfig:
    """The pipeline, which waits for effects as long as they take in its account, if its file says less."""
    kartra = config.kartra
    settle_s = behaviour.settle_s(kartra.settle_s) if behaviour else kartra.settle_s
    if settle_s == kartra.settle_s:
        return config
    return config.model_copy(update={"kartra": kartra.model_copy(update={"settle_s": settle_s})})
