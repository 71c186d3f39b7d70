"""Steps with a large library behind them: for each a module beside this one, loaded when it is used."""

from collections.abc import Callable, Mapping
from importlib import import_module

from pipelines.config.values import NameStep, PhoneStep, ValueStep, WordStep
from pipelines.contacts.lead import Record

Shape = Callable[[str, Record], str | None]
"""One text as a step makes it, with its record beside it; None where no sense can be made of the text."""
_MODULES: Mapping[type[ValueStep], str] = {
    NameStep: "names",
    PhoneStep: "phones",
    WordStep: "time_zones",
}


def shape_by_library(step: NameStep | PhoneStep | WordStep) -> Shape:
    """What the step does. A module of `_MODULES` offers it as `shape_of`."""
    # Imports at the top would cost every pipeline a tenth of a second; most have no such step.
    shape: Shape = import_module(f"pipelines.contacts.steps.{_MODULES[type(step)]}").shape_of(step)
    return shape
