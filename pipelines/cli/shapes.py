"""What `--json` prints, verb by verb: one type each, of which `schema --of VERB` makes the JSON Schema.

Long, because it is a table: one class for each object that a program can rely on. The promise of a version:
what is required here stays and keeps its type; keys may be added. Where a key goes or changes, the version of
its verb rises.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict

from pipelines.cli.fleet_shapes import FleetAnything
from pipelines.pages.run_page import RunReport
from pipelines.verbs.explain import Explained
from pipelines.verbs.explain_operation import ExplainedOperation
from pipelines.verbs.outcomes import Outcome
from pipelines.verbs.parked import Parked
from pipelines.verbs.rejects import Reject

Status = Literal["succeeded", "partial", "failed", "refused", "interrupted"]


class Failure(TypedDict):
    """Instead of what is described below, where nothing could be done."""

    status: Literal["failed", "refused", "interrupted"]
    error: str
    exit_code: int


class Rows(TypedDict):
    read: int
    invalid: int
    duplicate: NotRequired[int]
    blocked: int


class Leads(TypedDict):
    """`rejected`: refused by Kartra; `parked`: held back for a person; `deferred`: waits for the next run."""

    unchanged: int
    created: int
    edited: int
    removed: int
    skipped: int
    rejected: int
    parked: int
    deferred: int


class Calls(TypedDict):
    sent: int
    throttled: int
    retried: int
    read_back: int


class Account(TypedDict):
    name: str | None
    fingerprint: str
    mode: Literal["live", "test"]


class Refusals(TypedDict):
    """How many did not get through, apart by whether they did not in the run before either."""

    new: int
    known: int


class Run(TypedDict):
    run_id: str
    pipeline: str
    status: Status
    rows: Rows
    leads: Leads
    actions: dict[str, int]
    calls: Calls
    pulled: dict[str, int]
    seconds: float
    account: NotRequired[Account]
    not_chosen: NotRequired[int]
    operations: NotRequired[dict[str, Any]]
    refusals: NotRequired[Refusals]
    message: NotRequired[str]
    notes: NotRequired[list[str]]


class FailedFile(Failure):
    pipeline: str


class Runs(TypedDict):
    """Of several pipeline files."""

    runs: list[Run | FailedFile]


class Estimated(TypedDict):
    estimated: int


class Named(TypedDict):
    what: str
    leads: int


class MissingName(Named):
    near: str | None


class Reason(TypedDict):
    reason: str
    rows: int


class Unclear(TypedDict):
    column: str
    word: str
    rows: int


class Caution(TypedDict):
    """What nobody asked about; `leads` is how many it concerns."""

    kind: Literal["no_gdpr_agreement", "test_mode", "cut_texts", "not_permitted", "automations"]
    leads: int
    message: str


class ChangedValue(TypedDict):
    """`old` is null where nobody knows it before the lead is read."""

    kind: Literal["email", "field", "custom field"]
    name: str
    old: str | None
    new: str


class ChangedName(TypedDict):
    sign: Literal["+", "-"]
    kind: str
    name: str


class ShownChange(TypedDict):
    key: str
    row: int | None
    line: int | None
    outcome: str
    values: list[ChangedValue]
    names: list[ChangedName]


class Plan(TypedDict):
    """`changes` with --changes; `plan_id` and `made_by` where --save has kept it."""

    pipeline: str
    rows: Rows
    leads: Leads
    blocked_reasons: list[Reason]
    unclear: list[Unclear]
    actions: dict[str, int]
    triggered: list[Named]
    calls: Estimated
    seconds_estimated: float
    ends_about: str
    share_of_day: float
    cautions: list[Caution]
    collapsing: list[dict[str, Any]]
    missing: list[MissingName]
    new_custom_fields: list[dict[str, Any]]
    refusal: str | None
    account: NotRequired[Account]
    notes: NotRequired[list[str]]
    operations: NotRequired[dict[str, Any]]
    pull: NotRequired[dict[str, Any]]
    plan_id: NotRequired[str]
    made_by: NotRequired[str]
    changes: NotRequired[list[ShownChange]]


class CheckedFile(TypedDict):
    file: str
    pipeline: str | None
    ok: bool
    problems: list[str]
    notes: list[str]
    rows: Rows
    blocked_reasons: list[Reason]
    unclear: list[Unclear]
    names_checked: bool
    missing: list[MissingName]
    defaults: dict[str, str]


class Check(TypedDict):
    ok: bool
    files: list[CheckedFile]


class NotedRun(TypedDict):
    run_id: str
    pipeline: str
    mode: str
    started_at: str
    finished_at: str | None
    status: str
    message: str | None
    summary: dict[str, Any] | None


class NotedRuns(TypedDict):
    runs: list[NotedRun]


class Waiting(TypedDict):
    unknown: int
    parked: int
    rejected: int


class PipelineStatus(TypedDict):
    pipeline: str
    account: Account | None
    leads: int
    waiting: Waiting
    last_run: NotedRun | None
    last_good_run: NotRequired[str | None]
    """With --max-age."""
    is_late: NotRequired[bool]
    running: dict[str, Any] | None
    operations: NotRequired[dict[str, dict[str, int]]]
    tables: NotRequired[dict[str, Any]]


class StatusOfAll(TypedDict):
    pipelines: list[PipelineStatus]


class Written(TypedDict):
    """With --csv."""

    written: int
    file: str


class Rejects(TypedDict):
    rejects: list[Reject]


class Outcomes(TypedDict):
    """`unchanged` counts the leads of a run that were as wished already."""

    unchanged: NotRequired[int]
    outcomes: list[Outcome]


class Stays(TypedDict):
    kind: str
    name: str
    why: str


class StayCount(Stays):
    leads: int


class NameCount(TypedDict):
    name: str
    leads: int


class UndoPlan(TypedDict):
    changed: int
    created: int
    leads: int
    nothing: int
    gone: int
    unread: int
    actions: dict[str, int]
    takes: list[NameCount]
    gives: list[NameCount]
    fields: list[NameCount]
    stays: list[StayCount]
    custom_fields_created: int
    operations: int
    calls: dict[str, int]


class UndoneLead(TypedDict):
    key: str
    created: bool
    takes_back: list[str]
    stays: list[Stays]


class Undo(TypedDict):
    run_id: str | None
    pipeline: str
    undoes: str
    status: Literal["planned", "succeeded", "partial", "failed", "refused", "interrupted"]
    plan: UndoPlan
    leads: dict[str, int]
    actions: dict[str, int]
    calls: dict[str, int]
    message: NotRequired[str]
    changes: NotRequired[list[UndoneLead]]


class SentAgain(TypedDict):
    """With --send-again."""

    pipeline: str
    leads: int


class Resolved(TypedDict):
    resolved: list[str]
    landed: bool
    sent_again: bool


class DriftLine(TypedDict):
    key: str
    lead_id: str | None
    kind: str
    name: str
    told: str
    decision: Literal["", "left", "keep", "restore", "again"]
    looked_at: str


class Drift(TypedDict):
    looked_at: int
    failed: int
    fresh: int
    complete: bool
    calls: int
    leads: int
    drift: list[DriftLine]


class ErrorEntry(TypedDict):
    type: str
    documented: bool
    message: str
    category: str
    commands: list[str]
    means: str
    cause: str
    do: str
    repeating: str
    told: str


class Errors(TypedDict):
    errors: list[ErrorEntry]


class LeftOut(TypedDict):
    column: str
    reason: str


class Init(TypedDict):
    pipeline: str
    preset: str | None
    fields: dict[str, str]
    custom_fields: list[str]
    left_out: list[LeftOut]


class Inspected(TypedDict):
    rows: int
    bad_rows: int
    addresses: str | None
    bad_addresses: int
    columns: list[dict[str, Any]]
    problems: list[dict[str, Any]]


class InspectedFiles(TypedDict):
    files: list[dict[str, Any]]


class Kept(TypedDict):
    promise: str
    kept: bool


class Demo(TypedDict):
    ok: bool
    checks: list[Kept]
    runs: list[dict[str, Any]]
    pull: dict[str, Any]
    report: dict[str, Any]
    worst_second: int


class Backup(TypedDict):
    state: str
    backup: str
    bytes: int


class Verified(TypedDict):
    ok: bool
    state: str
    leads: int
    problems: list[str]
    notes: list[str]
    backups: list[str]


CopiedState = TypedDict("CopiedState", {"from": str, "to": str, "rows": dict[str, int]})


class TakenOver(TypedDict):
    pipeline: str
    state: str
    message: str


class Forgotten(TypedDict):
    state: str
    key: str
    pipelines: list[str]
    erased: dict[str, int]
    backups: list[str]


class Reports(TypedDict):
    reports: list[dict[str, str]]


class Report(TypedDict):
    report: str
    columns: list[str]
    rows: list[list[Any]]


class TablesPage(TypedDict):
    page: str


class ExportedTable(TypedDict):
    table: str
    file: str
    rows: int


class Export(TypedDict):
    files: list[ExportedTable]


class Reconciled(TypedDict):
    file: str
    currency: str
    rows: dict[str, int]
    gaps: dict[str, list[dict[str, Any]]]
    leads_not_on_roster: list[str]
    leads_added: int
    agrees: bool


class Commands(TypedDict):
    commands: list[dict[str, Any]]


class Called(TypedDict):
    cmd: str
    effect: str
    type: str | None
    message: str | None
    read_back: str | None
    lead_id: str | None
    answer: dict[str, Any]
    exit_code: int


class Served(TypedDict):
    url: str
    environment: dict[str, str]


Scheduled = TypedDict(
    "Scheduled",
    {"as": Literal["cron", "systemd"], "clock": str, "texts": dict[str, str], "installed": bool},
)


class ServedPage(TypedDict):
    """At once; `url` works once."""

    url: str


class ImportFile(TypedDict):
    file: str
    leads: int


class ExportImport(TypedDict):
    run_id: str
    pipeline: str
    status: Status
    rows: Rows
    leads: Leads
    files: list[ImportFile]
    columns: list[str]
    written: int
    known: int
    misfits: int
    left_out: str | None
    not_carried: list[str]
    seconds: float


class Adopt(TypedDict):
    run_id: str
    pipeline: str
    status: Status
    rows: Rows
    leads: Leads
    adopted: int
    known: int
    left: dict[str, int]
    given: list[str]
    owed: list[str]
    verified: dict[str, Any] | None
    calls: Calls
    seconds: float


class NotAdopted(TypedDict):
    """With --undo."""

    undone: int


class Applied(Run):
    plan_id: str


class SavedPlan(TypedDict):
    plan_id: str
    pipeline: str
    mode: str
    state: Literal["saved", "applying", "applied"]
    made_at: str
    made_by: str
    expires_at: str | None
    created: int
    edited: int
    removed: int
    calls: int
    applied_at: str | None
    applied_by: str | None


class SavedPlans(TypedDict):
    plans: list[SavedPlan]


class ShownPlan(SavedPlan):
    """With PLAN."""

    changes: list[ShownChange]


class DoctorFinding(TypedDict):
    """A row of the table: `verdict` says whether it is as assumed, and whether that matters."""

    what: str
    found: str
    assumed: str
    verdict: Literal["as assumed", "handled", "matters", "not found out"]
    meaning: str


class Doctor(TypedDict):
    """`behaviour` is what the state keeps and what `--report` writes; `left` is what stays in Kartra."""

    pipeline: str
    account: Account
    found_at: str | None
    complete: bool
    findings: list[DoctorFinding]
    matters: int
    behaviour: dict[str, Any]
    left: list[str]
    message: NotRequired[str]


class Supported(TypedDict):
    file: str
    bytes: int


class Disconnected(TypedDict):
    account: str
    place: str
    status: Literal["removed"]


class Connected(TypedDict):
    """`references`: what a pipeline or a fleet writes to use what is kept; `lists` null: not to be listed."""

    account: str
    place: str
    status: Literal["kept"]
    fingerprint: str
    lists: list[str] | None
    references: dict[str, str]


SHAPES: Mapping[str, tuple[int, Any]] = {
    "adopt": (1, Adopt | NotAdopted),
    "apply": (1, Applied),
    "call": (1, Called | Commands),
    "check": (2, Check),
    "connect": (1, Connected | Disconnected),
    "demo": (2, Demo),
    "doctor": (1, Doctor),
    "drift": (1, Drift),
    "errors": (1, Errors | ErrorEntry),
    "explain": (2, Explained | ExplainedOperation),
    "export": (1, Export),
    "export-import": (1, ExportImport),
    "fleet": (1, FleetAnything),
    "init": (2, Init),
    "inspect": (2, Inspected | InspectedFiles),
    "outcomes": (1, Outcomes | Written),
    "parked": (1, Parked),
    "plan": (2, Plan),
    "plans": (1, SavedPlans | ShownPlan),
    "reconcile": (1, Reconciled),
    "rejects": (2, Rejects | Written),
    "report": (1, Report | TablesPage),
    "reports": (1, Reports),
    "resolve": (1, Resolved),
    "retry": (1, Run),
    "run": (1, Run | Runs),
    "runs": (1, NotedRuns),
    "sandbox": (1, Served),
    "schedule": (1, Scheduled),
    "serve": (1, ServedPage),
    "show": (1, RunReport),
    "state": (1, Backup | CopiedState | Verified | TakenOver | Forgotten),
    "status": (1, StatusOfAll),
    "support": (1, Supported),
    "undo": (1, Undo | SentAgain),
}
"""By verb: the version, and what is printed. 2: a sentence that was a key stands as a value now, and rejects
and the journal say refused and held_back where they said rejected and parked."""


def shape_of(verb: str) -> TypeAdapter[Any]:
    """What a verb prints, or Failure."""
    return TypeAdapter(SHAPES[verb][1] | Failure)


def schema_of(verb: str) -> dict[str, Any]:
    """The JSON Schema of what a verb prints."""
    version = SHAPES[verb][0]
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"https://kartra-sync.invalid/json/{verb}/{version}",
        "title": f"kartra-sync {verb} --json",
        "version": version,
        **shape_of(verb).json_schema(mode="serialization"),
    }
