"""Metrics of all services: named by convention, explained, few, and of nobody."""

import re
from pathlib import Path

import pytest
from tests.support.metrics import SERVICES, families

LABELS = {
    *("method", "route", "status", "le"),  # of requests
    *("feed", "kind", "reason"),  # of connections
    *("level", "fate", "state", "actual", "tier"),  # words of an enumeration
}
COMMON = ("http_", "process_", "feed_")


@pytest.mark.parametrize("service", SERVICES)
async def test_metrics_are_named_by_convention(service: str, tmp_path: Path) -> None:
    prefix = service.replace("-", "_") + "_"
    shown = await families(service, tmp_path)
    assert any(metric.name.startswith(prefix) for metric in shown), "none of its own"
    for metric in shown:
        assert metric.name.startswith((prefix, *COMMON)), metric.name
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name), metric.name
        assert not metric.name.endswith(("_ms", "_millis", "_mb", "_percent")), "base units"
        assert "_total" not in metric.name, "the library adds it"
        assert metric.documentation.endswith("."), f"{metric.name}: {metric.documentation!r}"
        if "_seconds" in metric.name and metric.type == "gauge":
            assert metric.name.endswith("_seconds"), metric.name


@pytest.mark.parametrize("service", SERVICES)
async def test_labels_are_words_out_of_a_few(service: str, tmp_path: Path) -> None:
    """No trader, account, coin or address: their number has no bound, and they are private."""
    for metric in await families(service, tmp_path):
        for sample in metric.samples:
            assert set(sample.labels) <= LABELS, sample
        assert len(metric.samples) < 100, metric.name


@pytest.mark.parametrize("service", SERVICES)
async def test_a_process_tells_what_it_costs(service: str, tmp_path: Path) -> None:
    shown = {metric.name for metric in await families(service, tmp_path)}
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "http_requests"} <= shown
