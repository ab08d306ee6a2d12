"""The HTTP face of the data-collector."""

from fastapi import FastAPI

from data_collector.bootstrap import Container, build
from data_collector.entrypoint.routes import make_router
from data_collector.settings import Settings
from suite.service.app import install_chassis
from suite.service.health import Health


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: of the process; from the environment when not given.
        container: what it works with; built from the settings when not given.

    Raises:
        ConfigError: the store's folder does not exist.
    """
    settings = settings or Settings.load()
    parts = container or build(settings)

    def ready() -> Health:
        count = len(parts.store.series())
        return Health(ok=count > 0, detail={"series": count})

    app = FastAPI(title="data-collector")
    install_chassis(app, settings, ready=ready)
    app.include_router(make_router(parts.store, parts.klines, parts.snapshots))
    return app
