"""Write the Grafana dashboards: `python3 deploy/observability/dashboards.py`.

Each panel is a line of a table here; the JSON beside it is what Grafana is given, and a test keeps
both equal.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "grafana" / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_WIDTH: Final = 8
_HEIGHT: Final = 7


@dataclass(frozen=True)
class Panel:
    """A picture of one query.

    Attributes:
        title: in words.
        query: PromQL.
        legend: of a line, in Grafana's notation.
        unit: in Grafana's notation.
    """

    title: str
    query: str
    legend: str = "{{job}}"
    unit: str = "short"


SERVICES: Final = (
    Panel("Services that answer", "sum by (job) (up)"),
    Panel("Requests a second", "sum by (job) (rate(http_requests_total[1m]))", unit="reqps"),
    Panel(
        "Requests that fail",
        'sum by (job) (rate(http_requests_total{status=~"5.."}[5m])) or sum by (job) (up) * 0',
        unit="reqps",
    ),
    Panel(
        "Slowest hundredth of requests",
        "histogram_quantile(0.99, sum by (job, le) (rate(http_request_seconds_bucket[5m])))",
        unit="s",
    ),
    Panel("Memory", "sum by (job) (process_resident_memory_bytes)", unit="bytes"),
    Panel("Processors", "sum by (job) (rate(process_cpu_seconds_total[1m]))"),
    Panel("Open files of the limit", "process_open_fds / process_max_fds", unit="percentunit"),
    Panel(
        "Frames of connections a second",
        "sum by (job, feed) (rate(feed_messages_total[1m]))",
        "{{job}} {{feed}}",
    ),
    Panel(
        "Connections that failed in 10 minutes",
        "sum by (job, feed) (increase(feed_failures_total[10m]))",
        "{{job}} {{feed}}",
    ),
)
TRADING: Final = (
    Panel("Live traders by what is forbidden", "hyperliquid_exchange_traders", "{{level}}"),
    Panel("Actions a minute", "60 * rate(hyperliquid_exchange_intents_total[5m])", "{{fate}}"),
    Panel("Fates that nobody knows", "hyperliquid_exchange_unknown_fates"),
    Panel("Silence of the watchdog", "hyperliquid_exchange_watchdog_silence_seconds", unit="s"),
    Panel("Traders by what is seen", "trader_manager_traders", "{{actual}}"),
    Panel("Traders by what is wanted", "trader_manager_traders_wanted", "{{state}}"),
    Panel("Traders that are not as wanted", "trader_manager_traders_troubled"),
    Panel("Traders by task", "sum by (state) (strategy_agent_traders)", "{{state}}"),
    Panel("Decisions", "sum by (instance) (strategy_agent_decisions)", "{{instance}}"),
    Panel("Questions without a decision", "sum(strategy_agent_faults)", "faults"),
    Panel("Fills", "sum(strategy_agent_fills)", "fills"),
    Panel("Age of the last bar", "data_collector_lag_seconds", unit="s"),
    Panel("Series that are up to date", "data_collector_series_live / data_collector_series"),
    Panel("Worlds in memory", "virtual_exchange_worlds", "{{instance}}"),
    Panel("Backtests that run", "virtual_exchange_backtests_running", "{{instance}}"),
    Panel("Traders of the portfolio", "portfolio_service_traders"),
    Panel("Pages that watch", "portfolio_service_stream_listeners"),
)
DASHBOARDS: Final = {"services": ("Services", SERVICES), "trading": ("Trading", TRADING)}


def dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """Make one dashboard, three panels a row."""
    return {
        "uid": f"autocryptotrader-{uid}",
        "title": f"AutoCryptoTrader: {title}",
        "tags": ["autocryptotrader"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": [
            {
                "id": number + 1,
                "type": "timeseries",
                "title": panel.title,
                "datasource": SOURCE,
                "gridPos": {
                    "x": number % 3 * _WIDTH,
                    "y": number // 3 * _HEIGHT,
                    "w": _WIDTH,
                    "h": _HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "targets": [
                    {
                        "refId": "A",
                        "datasource": SOURCE,
                        "expr": panel.query,
                        "legendFormat": panel.legend,
                    }
                ],
            }
            for number, panel in enumerate(panels)
        ],
    }


def rendered() -> dict[str, str]:
    """Make the files by their names."""
    return {
        f"{uid}.json": json.dumps(dashboard(uid, title, panels), indent=1) + "\n"
        for uid, (title, panels) in DASHBOARDS.items()
    }


def main() -> int:
    """Write them."""
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
