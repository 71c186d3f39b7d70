"""`fleet check` and `fleet plan`: what would happen, account by account; nothing is sent."""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import ConfigError, SyncError
from pipelines.changes.inventory import missing_message
from pipelines.config.pipeline import PipelineConfig
from pipelines.fleet.fleet import Fleet, Member
from pipelines.fleet.run import Outcome, each_member
from pipelines.verbs.check import Checked, check_pipeline
from pipelines.verbs.plan import PlanResult, plan_pipeline

LOOKED_AT_ONCE = 4
"""How many accounts are compared at a time."""


@dataclass(frozen=True, slots=True)
class Looked(Outcome):
    """What was found in one pipeline for one account: `checked`, or its `plan`, or why there is none."""

    checked: Checked | None = None
    plan: PlanResult | None = None


def check_fleet(fleet: Fleet) -> list[Looked]:
    """In the order of the accounts."""
    return _each(fleet, _checked)


def plan_fleet(fleet: Fleet) -> list[Looked]:
    """In the order of the accounts."""
    return _each(fleet, _planned)


def _checked(name: str, config: PipelineConfig) -> Looked:
    checked = check_pipeline(config)
    error = checked.problem
    if error is None and checked.missing:
        error = ConfigError(missing_message(checked.missing))
    return Looked(name, config, error=error, checked=checked)


def _planned(name: str, config: PipelineConfig) -> Looked:
    try:
        plan = plan_pipeline(config)
    except SyncError as error:
        return Looked(name, config, error=error)
    missing = ConfigError(missing_message(plan.plan.missing)) if plan.plan.missing else None
    return Looked(name, config, error=missing or plan.refusal, plan=plan)


def _each(fleet: Fleet, look: Callable[[str, PipelineConfig], Looked]) -> list[Looked]:
    def look_at(member: Member) -> list[Looked]:
        if member.error is not None:
            return [Looked(member.name, error=member.error)]
        return [look(member.name, config) for config in member.pipelines]

    found = dict(each_member(fleet.members, look_at, at_once=LOOKED_AT_ONCE))
    left = [Looked(each.name, error=each.error) for each in fleet.left]
    return [*left, *(outcome for member in fleet.members for outcome in found[member.name])]
