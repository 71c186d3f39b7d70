"""What `fleet … --json` prints: one entry for each account and pipeline."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class FleetEntry(TypedDict):
    """`pipeline` is null where the account itself is wrong; `exit_code` is what this entry would end with."""

    account: str
    pipeline: str | None
    exit_code: int
    message: str | None


class FleetRows(TypedDict):
    read: int
    invalid: int
    duplicate: NotRequired[int]
    blocked: int


class FleetChecked(FleetEntry):
    ok: bool
    problems: list[str]
    notes: list[str]
    rows: FleetRows


class FleetCheck(TypedDict):
    fleet: str
    ok: bool
    notes: list[str]
    accounts: list[FleetChecked]


class FleetEstimated(TypedDict):
    estimated: int


class FleetPlanned(FleetEntry):
    """`rows` and `leads` where a plan could be made, as of the verb plan."""

    rows: NotRequired[FleetRows]
    leads: NotRequired[dict[str, int]]
    calls: FleetEstimated
    seconds_estimated: float


class FleetPlan(TypedDict):
    fleet: str
    notes: list[str]
    accounts: list[FleetPlanned]


class FleetRan(FleetEntry):
    """`rows`, `leads` and `calls` where the run began, as of the verb run."""

    status: Literal["succeeded", "partial", "failed", "refused", "interrupted"]
    run_id: str | None
    seconds: float
    rows: NotRequired[FleetRows]
    leads: NotRequired[dict[str, int]]
    calls: NotRequired[dict[str, int]]
    to_do: str


class FleetRun(TypedDict):
    fleet: str
    notes: list[str]
    accounts: list[FleetRan]


class FleetWaiting(TypedDict):
    unknown: int
    parked: int
    rejected: int


class FleetStands(TypedDict):
    """`age_s`: since the last good run ended. `left`: the account is not in the fleet any more."""

    account: str
    pipeline: str
    status: str
    last_good_run: str | None
    age_s: int | None
    is_late: bool
    leads: int
    waiting: FleetWaiting
    message: str | None
    to_do: str


class FleetStatus(TypedDict):
    fleet: str
    accounts: list[FleetStands]


class FleetWorked(TypedDict):
    """At its end: how many runs ended at this worker, and how many of them did not end with 0."""

    fleet: str
    runs: int
    not_well: int


FleetAnything = FleetCheck | FleetPlan | FleetRun | FleetStatus | FleetWorked
