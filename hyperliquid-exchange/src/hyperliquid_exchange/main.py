"""The HTTP face of the hyperliquid-exchange."""

import re
from functools import partial
from typing import Final

from fastapi import FastAPI

from hyperliquid_exchange.adapters.drift_files import read_drift
from hyperliquid_exchange.bootstrap import Container, build
from hyperliquid_exchange.entrypoint.adopting import adopting_routes
from hyperliquid_exchange.entrypoint.drift import drift_routes
from hyperliquid_exchange.entrypoint.metrics import show_figures
from hyperliquid_exchange.entrypoint.openapi import describe_with
from hyperliquid_exchange.entrypoint.routes import ROUTES, add_routes
from hyperliquid_exchange.entrypoint.safety import progress_routes, safety_routes
from hyperliquid_exchange.entrypoint.ws import SocketEndpoint, add_sockets
from hyperliquid_exchange.places import drift_of
from hyperliquid_exchange.settings import Settings
from suite.service.app import install_chassis
from suite.service.feed import FeedMetrics
from suite.service.lifecycle import lifespan

_READS: Final = re.compile(r"/(info|clock/wait)$")
"""What is asked by POST and changes nothing."""


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application; opens nothing until the lifespan runs."""
    settings = settings or Settings.load()
    live = container or build(settings)

    app = FastAPI(title="hyperliquid-exchange", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(
        app,
        settings,
        health=live.health,
        tokens=live.tokens,
        reserved=("/safety", "/exchange/cancel"),
        unaudited=_READS,
    )
    chassis.parts.add("accounts", start=live.open, stop=live.close)
    live.on_bug, chassis.disk.tell = chassis.fail, live.alert
    live.records.append(chassis.business.tell)
    live.feeds = FeedMetrics(chassis.metrics.registry)
    show_figures(
        chassis.metrics.registry,
        levels=live.levels,
        counts=live.counts,
        watchdog_silent_s=live.watchdog_silent_s,
        clock_skew_s=live.clock_skew_s,
    )
    add_routes(app, live.tokens, live.services)
    add_sockets(app, SocketEndpoint(live.services, live.tokens))
    app.include_router(safety_routes(live.control, live.watchdog_silent_s))
    app.include_router(adopting_routes(live.adopting))
    app.include_router(progress_routes(live.beat))
    app.include_router(drift_routes(partial(read_drift, drift_of(settings.state_dir))))
    describe_with(app, ROUTES)
    return app
