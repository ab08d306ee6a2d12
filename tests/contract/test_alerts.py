"""Alert rules and dashboards ask for what services show; where Prometheus is, it evaluates them.

`promtool` and `prometheus` come with Debian's package `prometheus`. Without them the names in every
expression are still held against the metrics of the services.
"""

import asyncio
import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import yaml
from tests.support.metrics import SERVICES, application, families, sample_names, used_names
from tests.support.venue_process import eventually

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
RECORDED = Path(__file__).parent / "recorded" / "metrics" / "hyperliquid-exchange.txt"
"""Of a live venue with a trader that has traded: what another has not before it is open."""
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    PROMTOOL is None or PROMETHEUS is None, reason="Debian's package `prometheus` is not installed"
)
LATER = {"Silence of the watchdog", "Age of the last bar"}
"""Panels with nothing to show before a watchdog was heard, and a first bar came."""
SCRAPED = {"up", "scrape_duration_seconds"}
"""What Prometheus itself adds."""


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", FOLDER / "dashboards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


DASHBOARDS = _script()
PANELS = [panel for _, panels in DASHBOARDS.DASHBOARDS.values() for panel in panels]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each service shows, as text; of the live venue what was recorded."""

    async def render() -> dict[str, str]:
        folder = tmp_path_factory.mktemp("metrics")
        texts = {}
        for service in SERVICES:
            metrics = application(service, folder).state.chassis.metrics
            metrics.observe("GET", "/health", 200, 0.001)
            texts[service] = metrics.render().decode()
        return texts

    return asyncio.run(render()) | {"hyperliquid-exchange": RECORDED.read_text()}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    async def names() -> set[str]:
        folder = tmp_path_factory.mktemp("names")
        found = [sample_names(await families(service, folder)) for service in SERVICES]
        return set().union(*found) | SCRAPED

    buckets = {"http_request_seconds_bucket"}
    feeds = {f"feed_{name}_total" for name in ("connects", "failures", "messages", "stalls")}
    return asyncio.run(names()) | buckets | feeds


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_ask_for_what_is_shown(known: set[str], rule: dict[str, str]) -> None:
    used = set(used_names(rule["expr"]))
    assert used
    assert set() == used - known


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_panels_ask_for_what_is_shown(known: set[str], panel: "object") -> None:
    used = set(used_names(panel.query))  # type: ignore[attr-defined]
    assert used
    assert set() == used - known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_lead_to_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert not anchor or anchor in {one.lower().replace(" ", "-") for one in headings}
    assert rule["labels"]["severity"] in {"page", "look"}


def test_dashboards_are_what_the_script_writes() -> None:
    written = {path.name: path.read_text() for path in (FOLDER / "grafana/dashboards").iterdir()}
    assert DASHBOARDS.rendered() == written
    for text in written.values():
        ids = [panel["id"] for panel in json.loads(text)["panels"]]
        assert len(set(ids)) == len(ids)


def test_the_recording_is_of_this_version(shown: dict[str, str], tmp_path: Path) -> None:
    present = asyncio.run(families("hyperliquid-exchange", tmp_path))
    for metric in present:
        assert f"# TYPE {metric.name}" in shown["hyperliquid-exchange"], (
            f"{metric.name} is new: python -m tests.contract.record_metrics"
        )


@needs_prometheus
def test_rules_fire_when_they_shall() -> None:
    assert PROMTOOL is not None
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [PROMTOOL, *command], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stdout + done.stderr


@needs_prometheus
def test_configuration_is_read(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    text = (FOLDER / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(FOLDER)))
    command = [PROMTOOL, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    jobs = {one["job_name"] for one in yaml.safe_load(text)["scrape_configs"]}
    assert set(SERVICES) == jobs


@needs_prometheus
def test_every_panel_shows_something(shown: dict[str, str], tmp_path: Path) -> None:
    """Each query, by Prometheus itself, over ten minutes of what the services show."""
    start_s, step_s, steps = 1_750_000_000, 15, 40
    (tmp_path / "data.om").write_text(_history(shown, start_s, step_s, steps))
    with _prometheus(tmp_path) as url:
        empty = []
        for panel in PANELS:
            at = {"query": panel.query, "time": str(start_s + step_s * (steps - 1))}
            reply = httpx.get(f"{url}/api/v1/query", params=at, timeout=30).json()
            assert "success" == reply["status"], (panel.title, reply)
            if not reply["data"]["result"]:
                empty.append(panel.title)
    assert LATER == set(empty)


def _history(shown: dict[str, str], start_s: int, step_s: int, steps: int) -> str:
    """Let what was shown once have gone on for a while: counters rise by what they were."""
    rows: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for job, text in shown.items():
        kinds |= dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        samples = re.findall(r"^([a-z_]\w*)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)
        for name, labels, value in [*samples, ("up", "", "1")]:
            told = ",".join(part for part in (labels, f'job="{job}",instance="{job}:1"') if part)
            rises = name.endswith(("_total", "_bucket", "_count", "_sum"))
            for step in range(steps):
                number = float(value) * (step + 1 if rises else 1)
                line = f"{name}{{{told}}} {number} {start_s + step * step_s}"
                rows.setdefault(name, []).append(line)
    lines = [f"# TYPE {name} unknown\n" + "\n".join(rows[name]) for name in sorted(rows)]
    return "\n".join(lines) + "\n# EOF\n"


@contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    assert PROMTOOL is not None
    assert PROMETHEUS is not None
    create = ["tsdb", "create-blocks-from", "openmetrics", "data.om", "tsdb"]
    done = subprocess.run(
        [PROMTOOL, *create], cwd=folder, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "empty.yml").write_text("{}\n")
    options = ["--storage.tsdb.path=tsdb", "--storage.tsdb.retention.time=100y"]
    command = [PROMETHEUS, "--config.file=empty.yml", f"--web.listen-address={address}", *options]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:

            def is_ready() -> bool:
                try:
                    return httpx.get(f"http://{address}/-/ready", timeout=5).status_code == 200
                except httpx.TransportError:
                    return False

            eventually(is_ready)
            yield f"http://{address}"
        finally:
            process.terminate()
