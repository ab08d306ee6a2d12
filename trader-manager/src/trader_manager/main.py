"""The HTTP face of the trader-manager."""

from fastapi import FastAPI

from suite.service.app import install_chassis
from trader_manager.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served."""
    app = FastAPI(title="trader-manager")
    install_chassis(app, settings or Settings.load())
    return app
