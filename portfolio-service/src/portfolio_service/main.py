"""The HTTP face of the portfolio-service."""

from fastapi import FastAPI

from portfolio_service.bootstrap import Container, build
from portfolio_service.entrypoint import allocation, backtests, portfolio, safety, system
from portfolio_service.entrypoint.access import OPERATOR, VIEWER, Sessions, make_access_router
from portfolio_service.entrypoint.metrics import show_figures
from portfolio_service.entrypoint.openapi import describe_with
from portfolio_service.entrypoint.web import add_web
from portfolio_service.settings import Settings
from suite.service.app import install_chassis
from suite.service.caching import cache_figure
from suite.service.health import Health
from suite.service.lifecycle import Parts, lifespan
from suite.service.metrics import Figures


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served.

    Raises:
        ConfigError: no manager is named, or tokens cannot be kept.
    """
    settings = settings or Settings.load()
    parts = container or build(settings)

    app = FastAPI(title="portfolio-service", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(app, settings, ready=lambda: _health(parts))
    chassis.on_stop.append(parts.broadcast.end)
    show_figures(
        chassis.metrics.registry,
        follows=lambda: not parts.sync.trouble,
        rebalances=lambda: not parts.rebalancer.trouble,
        traders=lambda: len(parts.portfolio.present),
        listeners=lambda: parts.broadcast.listeners,
    )
    Figures(chassis.metrics.registry, [cache_figure("portfolio_service", parts.cache)])
    for grant in (OPERATOR, VIEWER):
        chassis.tokens.ensure_file(settings.state_dir / "tokens", grant)
    sessions = Sessions(chassis.tokens, parts.store, parts.wall, settings.session_hours)
    _compose(chassis.parts, parts, sessions, settings.sync_s)
    _add_routes(app, parts, sessions)
    switch = safety.make_safety_router(
        parts.portfolio, parts.manager, parts.venue, live=settings.live
    )
    app.include_router(switch)
    add_web(app)
    modules = (portfolio, allocation, system, backtests)
    describe_with(app, {key: kind for one in modules for key, kind in one.ANSWERS.items()})
    return app


def _compose(lived: Parts, parts: Container, sessions: Sessions, every_s: float) -> None:
    """Put the parts in order: what is followed needs what is kept."""
    lived.add("store", start=parts.store.open, stop=parts.store.close)
    lived.add("venue", stop=parts.venue.close)
    lived.add("reads", stop=parts.reads.close)
    lived.add("manager", stop=parts.manager.close)
    lived.add("sessions", start=sessions.recall)
    lived.add("portfolio", start=parts.sync.begin, stop=parts.sync.remember)
    lived.add("rules", start=parts.automatic.load)
    lived.work("sync", parts.sync.run, turns=lambda: parts.sync.rounds)
    lived.work("rebalancing", lambda: parts.automatic.run(every_s))
    lived.add("backtests", start=parts.backtests.recall, stop=parts.backtests.end)


def _add_routes(app: FastAPI, parts: Container, sessions: Sessions) -> None:
    app.include_router(make_access_router(sessions))
    app.include_router(
        portfolio.make_portfolio_router(parts.sync, parts.portfolio, parts.services, parts.records)
    )
    app.include_router(portfolio.make_stream_router(parts.broadcast))
    app.include_router(
        allocation.make_allocation_router(
            parts.sync,
            parts.portfolio,
            parts.capital,
            parts.rebalancer,
            parts.store,
            parts.automatic,
        )
    )
    app.include_router(allocation.make_commands_router(parts.manager))
    app.include_router(
        system.make_system_router(parts.sync, parts.services, parts.reads, parts.wall)
    )
    app.include_router(backtests.make_backtests_router(parts.backtests, parts.cache))


def _health(parts: Container) -> Health:
    """Say whether the manager is followed; without it what is shown is as last known."""
    trouble = parts.sync.trouble or parts.rebalancer.trouble
    detail: dict[str, str | float] = {"trouble": trouble} if trouble else {}
    counted = {"traders": len(parts.portfolio.present), "watching": parts.broadcast.listeners}
    return Health(ok=not parts.sync.trouble, detail={**detail, **counted})
