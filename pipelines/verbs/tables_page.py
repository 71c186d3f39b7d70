"""The page of a pipeline's tables, from its reports."""

from datetime import UTC, datetime
from pathlib import Path

from connectors.kartra.clock import zone_of
from pipelines.config.pipeline import PipelineConfig
from pipelines.pages.tables_page import REPORTS, Heading, tables_page
from pipelines.private_file import open_private
from pipelines.tables.reports import read_report
from pipelines.tables.warehouse import open_warehouse


def write_tables_page(config: PipelineConfig, path: Path | None) -> None:
    """As HTML, readable by its owner alone. Raises ConfigError and TablesError."""
    text = tables_html(config)
    with open_private(path, "utf-8") as handle:
        handle.write(text)


def tables_html(config: PipelineConfig) -> str:
    """The page. Raises ConfigError and TablesError."""
    pull = config.needs_pull()
    zone = zone_of(pull.zone)
    with open_warehouse(pull.into, read_only=True) as tables:
        reports = {name: read_report(tables, name, zone) for name in REPORTS}
    last_pull = reports["freshness"].rows[0][reports["freshness"].columns.index("last_pull")]
    as_of = datetime.fromisoformat(str(last_pull)).replace(tzinfo=UTC).astimezone(zone) if last_pull else None
    heading = Heading(
        file=config.path.name,
        pipeline=config.pipeline,
        account=config.kartra.account or "",
        zone=pull.zone,
        as_of=f"{as_of:%Y-%m-%d %H:%M}" if as_of else "",
    )
    return tables_page(heading, reports)
