"""The HTTP face of the data-collector."""

from fastapi import FastAPI

from data_collector.bootstrap import Container, build
from data_collector.entrypoint.collection import OPERATOR, make_router
from data_collector.entrypoint.openapi import describe_with
from data_collector.entrypoint.routes import add_routes
from data_collector.entrypoint.ws import add_socket
from data_collector.settings import Settings
from suite.service.app import install_chassis
from suite.service.caching import cache_figure
from suite.service.health import Health
from suite.service.lifecycle import lifespan
from suite.service.metrics import Figures
from suite.service.redis_tier import redis_figures


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: of the process; from the environment when not given.
        container: what it works with; built from the settings when not given.

    Raises:
        ConfigError: the store or the venue does not exist, or the operator's token cannot be kept.
    """
    settings = settings or Settings.load()
    parts = container or build(settings)

    def ready() -> Health:
        count = len(parts.inventory.series())
        detail: dict[str, str | float] = {"series": count}
        if parts.redis is not None:
            detail["redis"] = parts.redis.trouble or "shared"
        return Health(ok=count > 0 or parts.live is not None, detail=detail)

    app = FastAPI(title="data-collector", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(app, settings, ready=ready)
    figures = [cache_figure("data_collector", parts.cache)]
    if parts.redis is not None:
        figures += redis_figures("data_collector", parts.redis)
        chassis.parts.work("redis", parts.redis.run)
    Figures(chassis.metrics.registry, figures)
    if parts.live is not None:
        live = parts.live
        live.measure(chassis.metrics.registry)
        chassis.parts.add("store", start=live.open)
        chassis.disk.add(live.state_dir)
        chassis.disk.listeners.append(
            lambda disk: live.collector.hold(disk.text if disk.is_short else "")
        )
        # A question to a venue's history may take minutes.
        chassis.parts.work("collection", live.run, turns=lambda: live.collector.turns, limit_s=600)
    if parts.collection is not None:
        chassis.tokens.ensure_file(settings.state_dir / "tokens", OPERATOR)
    add_routes(app, parts.inventory, parts.ranges, parts.snapshots, parts.cache)
    app.include_router(make_router(parts.collection))
    add_socket(app, parts.hub)
    describe_with(app)
    return app
