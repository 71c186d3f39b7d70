"""Figures of a pipeline for monitoring: a file that Prometheus' node exporter reads, or OpenTelemetry."""

import importlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError
from connectors.own_files import create_anew
from connectors.unseen import defused
from pipelines.config.notify import MetricsConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.watched import Watched
from pipelines.state.store import Store
from pipelines.summary import Summary

log = logging.getLogger("kartra_sync.notify")

OTLP_WAIT_S = 5
MISSING = "metrics need a library that is not installed: pip install 'kartra-sync[metrics]'"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number under a name, and what tells it from its like."""

    name: str
    help: str
    value: float
    label: tuple[str, str] | None = None


def check_metrics(config: PipelineConfig) -> None:
    """Raises ConfigError where a library is missing."""
    if config.metrics is None:
        return
    try:
        if config.metrics.file is not None:
            importlib.import_module("prometheus_client")
        if config.metrics.otlp is not None:
            importlib.import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    except ImportError:
        raise ConfigError(f"{config.path}: {MISSING}") from None


def write_metrics(
    watched: Watched, metrics: MetricsConfig, status: str, summary: Summary | None, store: Store | None
) -> None:
    """Replace the file, and hand the figures to a collector. A library that is missing is a warning."""
    figures = list(_figures(watched, status, summary, store))
    try:
        if metrics.file is not None:
            _write_prometheus(metrics.file, watched, figures)
        if metrics.otlp is not None:
            _send_otlp(metrics.otlp.get_secret_value(), watched, figures)
    except ImportError:
        log.warning("%s", MISSING)


def _figures(watched: Watched, status: str, summary: Summary | None, store: Store | None) -> Iterator[Figure]:
    yield Figure("last_run_timestamp_seconds", "When the last run ended", datetime.now(UTC).timestamp())
    good = store.runs.last_good(watched.pipeline) if store is not None else None
    if good is not None:
        yield Figure("last_good_run_timestamp_seconds", "When the last good run ended", good.timestamp())
    for each in ("succeeded", "partial", "failed", "refused", "interrupted"):
        yield Figure(
            "last_run_status", "1 for how the last run ended", float(each == status), ("status", each)
        )
    if summary is not None:
        yield Figure("last_run_seconds", "What the last run took", summary.seconds)
        for kind, counts in (
            ("rows", summary.counts.rows_json()),
            ("leads", summary.counts.leads_json()),
            ("calls", summary.counts.calls_json()),
        ):
            for name, count in counts.items():
                yield Figure(
                    f"last_run_{kind}", f"What became of {kind} in the last run", count, ("kind", name)
                )
    if store is not None:
        waiting = store.runs.waiting(watched.pipeline)
        for name, count in (
            ("unknown", waiting.unknown),
            ("parked", waiting.parked),
            ("rejected", waiting.rejected),
        ):
            yield Figure("waiting", "What waits", count, ("kind", name))


def _write_prometheus(path: Path, watched: Watched, figures: list[Figure]) -> None:
    client = importlib.import_module("prometheus_client")  # of the optional group
    registry = client.CollectorRegistry()
    gauges: dict[str, Any] = {}
    for figure in figures:
        names = ["pipeline", "account", *([figure.label[0]] if figure.label else [])]
        if figure.name not in gauges:
            gauges[figure.name] = client.Gauge(
                f"kartra_sync_{figure.name}", figure.help, names, registry=registry
            )
        labels = [*_whose(watched).values(), *([figure.label[1]] if figure.label else [])]
        gauges[figure.name].labels(*labels).set(figure.value)
    _replace(path, client.generate_latest(registry))


def _replace(path: Path, content: bytes) -> None:
    """Beside it first, then renamed: never half a file. Another user's node exporter reads it, and nobody
    else writes it, whatever the umask; a link that lies where it is written first is not followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(create_anew(part), "wb") as handle:
            os.fchmod(handle.fileno(), 0o644)
            handle.write(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _send_otlp(address: str, watched: Watched, figures: list[Figure]) -> None:
    export = importlib.import_module("opentelemetry.sdk.metrics.export")  # of the optional group
    metrics = importlib.import_module("opentelemetry.sdk.metrics")
    exporters = importlib.import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its lines hold the address
    exporter = exporters.OTLPMetricExporter(endpoint=address, timeout=OTLP_WAIT_S)
    # Never on its own clock: the one export is that of `force_flush`, once all figures are set.
    reader = export.PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = metrics.MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    meter = provider.get_meter("kartra-sync")
    gauges: dict[str, Any] = {}
    for figure in figures:
        if figure.name not in gauges:
            gauges[figure.name] = meter.create_gauge(f"kartra_sync_{figure.name}", description=figure.help)
        gauges[figure.name].set(
            figure.value, {**_whose(watched), **dict([figure.label] if figure.label else [])}
        )
    handed: list[bool] = []
    # A daemon: the exporter reads an answer to its end, and that may never come.
    handing = threading.Thread(
        target=lambda: handed.append(provider.force_flush(OTLP_WAIT_S * 1000)), daemon=True
    )
    handing.start()
    handing.join(2 * OTLP_WAIT_S)
    if not any(handed):
        log.warning("metrics could not be handed to the collector")
    if handed:
        provider.shutdown(OTLP_WAIT_S * 1000)


def _whose(watched: Watched) -> dict[str, str]:
    return {"pipeline": watched.pipeline, "account": defused(watched.account)}
