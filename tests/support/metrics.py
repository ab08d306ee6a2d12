"""What each service shows at `/metrics`, and the names that queries use."""

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from suite.service.app import Chassis

SERVICES = (
    "data-collector",
    "hyperliquid-exchange",
    "portfolio-service",
    "strategy-agent",
    "trader-manager",
    "virtual-exchange",
)
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """sum by on ignoring group_left rate increase delta max min avg count and or unless time
        histogram_quantile absent clamp_min label_replace topk changes without bool vector scalar
        max_over_time min_over_time avg_over_time count_over_time""",
    )
)


def application(service: str, folder: Path) -> FastAPI:
    """Build a service's application; nothing is opened."""
    from data_collector.main import create_app as make_collector
    from data_collector.settings import Settings as CollectorSettings
    from hyperliquid_exchange.main import create_app as make_live
    from hyperliquid_exchange.settings import Settings as LiveSettings
    from portfolio_service.main import create_app as make_portfolio
    from portfolio_service.settings import Settings as PortfolioSettings
    from trader_manager.main import create_app as make_manager
    from trader_manager.settings import Settings as ManagerSettings
    from virtual_exchange.main import create_app as make_venue
    from virtual_exchange.settings import Settings as VenueSettings

    state = folder / service
    if service == "data-collector":
        settings = CollectorSettings(
            state_dir=state, data=str(folder / "data"), collect="hyperliquid", symbols=("BTC",)
        )
        return make_collector(settings)
    if service == "hyperliquid-exchange":
        return make_live(LiveSettings(state_dir=state))
    if service == "portfolio-service":
        return make_portfolio(
            PortfolioSettings(
                state_dir=state,
                manager_url="http://127.0.0.1:9",
                manager_token=SecretStr("act_" + "0" * 43),
            )
        )
    if service == "trader-manager":
        return make_manager(ManagerSettings(state_dir=state, trading_url="http://127.0.0.1:9"))
    if service == "virtual-exchange":
        return make_venue(VenueSettings(state_dir=state))
    return _agent(state)


def _agent(state: Path) -> FastAPI:
    import asyncio

    from strategy_agent.application.alpha_loop import AlphaLoop
    from strategy_agent.bootstrap import Connector
    from strategy_agent.entrypoint.control import create_app
    from strategy_agent.entrypoint.controlled import Controlled
    from strategy_agent.settings import Settings

    settings = Settings(state_dir=state)
    connector = Connector(settings, journal_dir=None)
    alpha = AlphaLoop(connector.context(stays=True))
    loop = asyncio.get_running_loop()
    return create_app(settings, Controlled(alpha=alpha, loop=loop, use_token=connector.use_token))


async def families(service: str, folder: Path) -> list[Metric]:
    """What a service shows once it has answered a request."""
    chassis: Chassis = application(service, folder).state.chassis
    chassis.metrics.observe("GET", "/health", 200, 0.001)
    shown = text_string_to_metric_families(chassis.metrics.render().decode())
    return [metric for metric in shown if not metric.name.endswith("_created")]


def sample_names(shown: list[Metric]) -> set[str]:
    """Names that a query may use: of samples, and of metrics that have none yet."""
    names = {sample.name for metric in shown for sample in metric.samples}
    return names | {
        f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in shown
    }


def used_names(expression: str) -> Iterator[str]:
    """Names of metrics in a PromQL expression."""
    plain = re.sub(r'"[^"]*"', "", expression)
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\$\w+", "", plain)
    plain = re.sub(r"\b(by|on|without|ignoring|group_left)\s*\([^)]*\)", "", plain)
    for name in re.findall(r"\b[a-z_][a-z0-9_:]*\b", plain):
        if name not in _WORDS:
            yield name
