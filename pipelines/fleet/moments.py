"""When a schedule was due last. Pure, but for the library that reads cron's five fields."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from connectors.errors import ConfigError
from pipelines.config.fleet import FleetPipeline

ON_TIME = timedelta(minutes=10)
"""What is dealt with within this is not late: a worker may be restarted, or wait for its database."""


def last_due(pipeline: FleetPipeline, now: datetime) -> datetime | None:
    """The last moment of its schedule until `now`; None without one. Raises ConfigError.

    By the clock on the wall: an hour that comes twice in autumn counts once for a fixed hour, and what falls
    into the one that is left out in spring is due when it would have been over.
    """
    if pipeline.schedule is None:
        return None
    zone = ZoneInfo(pipeline.zone)
    wall = now.astimezone(zone).replace(tzinfo=None)
    try:
        # One second on, because the moment itself is due, and not only past.
        due: datetime = croniter(pipeline.schedule, wall + timedelta(seconds=1)).get_prev(datetime)
    except CroniterError as error:
        raise ConfigError(f"{pipeline.file.name}: schedule: {error}") from None
    is_every_hour = pipeline.schedule.split()[1].startswith("*")
    folds = (0, 1) if is_every_hour else (0,)
    found = [due.replace(tzinfo=zone, fold=fold).astimezone(now.tzinfo) for fold in folds]
    return max((each for each in found if each <= now), default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a moment. `is_run` False: it is only noted."""

    at: datetime
    is_run: bool


def decide(pipeline: FleetPipeline, last: datetime | None, now: datetime) -> Decision | None:
    """What to do about a schedule of which `last` was dealt with; None: nothing is due.

    However many moments were missed, it is about the newest alone: they are made up once.
    """
    due = last_due(pipeline, now)
    if due is None or (last is not None and due <= last):
        return None
    is_late = now - due > ON_TIME
    # Nothing was missed of what nobody has watched yet: a new account waits for its first night.
    return Decision(due, not is_late or (last is not None and pipeline.late == "run"))
