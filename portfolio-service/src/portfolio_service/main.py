"""The HTTP face of the portfolio-service."""

from fastapi import FastAPI

from portfolio_service.settings import Settings
from suite.service.app import install_chassis


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served."""
    app = FastAPI(title="portfolio-service")
    install_chassis(app, settings or Settings.load())
    return app
