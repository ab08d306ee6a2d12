"""The HTTP face of the hyperliquid-exchange."""

from fastapi import FastAPI

from hyperliquid_exchange.settings import Settings
from suite.service.app import install_chassis


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served."""
    app = FastAPI(title="hyperliquid-exchange")
    install_chassis(app, settings or Settings.load())
    return app
