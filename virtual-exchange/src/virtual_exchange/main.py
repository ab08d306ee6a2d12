"""The HTTP face of the virtual exchange."""

import re
from typing import Final

from fastapi import FastAPI

from suite.service.app import install_chassis
from suite.service.conversation import SocketTimeouts
from suite.service.lifecycle import lifespan
from virtual_exchange.bootstrap import Container, build
from virtual_exchange.entrypoint.metrics import show_figures
from virtual_exchange.entrypoint.routes import add_routes
from virtual_exchange.entrypoint.ws import add_sockets
from virtual_exchange.settings import Settings

_TRADING: Final = re.compile(r"(^|/)(exchange(/.*)?|info|clock/(wait|join|heartbeat))$")
"""What traders do in a simulated market, which its journal has."""


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application; opens nothing until the lifespan runs."""
    settings = settings or Settings.load()
    live = container or build(settings)

    app = FastAPI(title="virtual-exchange", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(
        app,
        settings,
        health=live.health,
        tokens=live.services.tokens,
        unaudited=_TRADING,
    )
    chassis.parts.add("worlds", start=live.open, stop=live.close)
    live.services.scheduler.on_bug = chassis.fail
    show_figures(chassis.metrics.registry, live.services)
    add_routes(app, live.services)
    timeouts = SocketTimeouts(stall_s=settings.ws_stall_s, silence_s=settings.ws_silence_s or None)
    add_sockets(app, live.services, timeouts)
    return app
