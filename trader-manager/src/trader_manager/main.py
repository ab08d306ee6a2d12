"""The HTTP face of the trader-manager."""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog
from fastapi import FastAPI

from suite.errors import one_line
from suite.ids import TraderId
from suite.service.app import install_chassis
from suite.service.health import Health
from suite.service.http import shown
from suite.service.lifecycle import Parts, lifespan
from trader_manager.application.schedulers import Round
from trader_manager.application.supervisor import Condition
from trader_manager.bootstrap import Container, build
from trader_manager.entrypoint.board import ANSWERS, make_board_router
from trader_manager.entrypoint.claims import AGENT
from trader_manager.entrypoint.claims import make_router as make_claims_router
from trader_manager.entrypoint.exports import make_export_router
from trader_manager.entrypoint.metrics import show_figures
from trader_manager.entrypoint.notices import make_notices_router
from trader_manager.entrypoint.openapi import describe_with
from trader_manager.entrypoint.readiness import fleet_detail
from trader_manager.entrypoint.records import ANSWERS as RECORDS_ANSWERS
from trader_manager.entrypoint.records import make_records_router
from trader_manager.entrypoint.report import make_report_router
from trader_manager.entrypoint.scheduler import make_scheduler_router, shown_round
from trader_manager.entrypoint.traders import OPERATOR, make_router
from trader_manager.settings import Settings

_log = structlog.get_logger()


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served.

    Raises:
        ConfigError: no venue is named, or the operator's token cannot be kept.
    """
    settings = settings or Settings.load()
    parts = container or build(
        settings,
        on_change=tell_of_trader,
        on_trouble=_say,
        on_collecting=_say_collecting,
        on_file=_say_file,
        on_ending=tell_of_ending,
    )

    def bug_of(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()) is not None:
            chassis.fail(bug)

    app = FastAPI(title="trader-manager", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(app, settings, ready=lambda: _health(parts))
    chassis.disk.tell = parts.notices.tell
    parts.notices.records.append(chassis.business.tell)
    show_figures(chassis.metrics.registry, parts.supervisor, parts.collector)
    chassis.tokens.ensure_file(settings.state_dir / "tokens", OPERATOR)
    chassis.tokens.ensure_file(settings.state_dir / "tokens", AGENT)
    parts.scheduler.on_round, parts.scheduler.on_end = _tell_round, bug_of
    _compose(chassis.parts, parts, settings)
    _add_routes(app, parts)
    describe_with(app, {**ANSWERS, **RECORDS_ANSWERS})
    return app


def _compose(lived: Parts, parts: Container, settings: Settings) -> None:
    """Put the parts in order; traders run on when all ends, and the next manager finds them."""

    async def begin_rounds() -> None:
        if settings.cadence_s:
            parts.scheduler.start(settings.cadence_s)

    lived.add("store", start=parts.store.open, stop=parts.store.close)
    lived.add("venue", stop=parts.venue.close)
    lived.add("agents", stop=parts.agents.close)
    lived.add("places", stop=parts.places.close)
    if parts.file_fleet is not None:
        lived.add("traders file", start=parts.file_fleet.begin)
        lived.work("traders file", parts.file_fleet.run)
    lived.work("supervisor", parts.supervisor.run, turns=lambda: parts.supervisor.turns)
    lived.work("collector", parts.collector.run, turns=lambda: parts.collector.turns)
    lived.work("notices", parts.notices.run)
    lived.add("scheduler", start=begin_rounds, stop=parts.scheduler.close)
    lived.add("farewell", stop=partial(tell_who_runs_on, parts.supervisor.conditions))


def _add_routes(app: FastAPI, parts: Container) -> None:
    app.include_router(make_router(parts.manager, parts.supervisor, shown(parts.venue.url)))
    app.include_router(make_claims_router(parts.claims))
    app.include_router(make_scheduler_router(parts.scheduler, parts.manager))
    app.include_router(make_notices_router(parts.notices))
    app.include_router(make_board_router(parts.manager))
    app.include_router(make_records_router(parts.manager.board))
    app.include_router(make_export_router(parts.manager.board, parts.files))
    app.include_router(make_report_router(parts.report))


def _health(parts: Container) -> Health:
    """Say whether traders are looked after, and what else is wrong or worth knowing."""
    trouble, collecting = parts.supervisor.trouble, parts.collector.troubles
    detail: dict[str, str | float] = {"trouble": trouble} if trouble else {}
    if parts.collector.took_s is not None:
        detail["collecting_s"] = round(parts.collector.took_s, 4)
    if collecting:
        told = (f"{name}: {why}" for name, why in collecting.items())
        detail["collecting"] = one_line("; ".join(told))
    if parts.notices.trouble:
        detail["notices"] = parts.notices.trouble
    if parts.file_fleet is not None and parts.file_fleet.troubles:
        detail["traders_file"] = one_line("; ".join(parts.file_fleet.troubles))
    if trouble:  # what is known of the traders is of before
        return Health(ok=False, detail=detail)
    return Health(detail={**detail, **fleet_detail(parts.supervisor.conditions.values())})


async def tell_who_runs_on(conditions: Mapping[TraderId, Condition]) -> None:
    """Log how many traders are not ended by this: somebody may think that they are."""
    if count := sum(one.sighting.actual == "running" for one in conditions.values()):
        _log.warning(
            "traders_run_on",
            count=count,
            told="the next start finds them; POST /stop-all before an end ends them too",
        )


def tell_of_trader(condition: Condition) -> None:
    """Log what has become of a trader."""
    troubled = condition.problem or condition.sighting.reason
    write = _log.error if troubled and not condition.ending else _log.info
    write(
        "trader",
        trader=condition.trader.trader_id,
        wanted=str(condition.trader.desired),
        is_=condition.sighting.actual,
        step=condition.step,
        **({"waits_ms": condition.waits_ms} if condition.waits_ms else {}),
        **({"problem": condition.problem} if condition.problem else {}),
        **({"reason": condition.sighting.reason} if condition.sighting.reason else {}),
    )


def _tell_round(done: Round) -> None:
    """Log a round: who decided, what the market was, and who does how well."""
    _log.info("round", **shown_round(done))


def _say(trouble: str) -> None:
    """Log why nobody is looked after, and that they are again."""
    if trouble:
        _log.error("no_supervision", reason=trouble)
    else:
        _log.info("supervision")


def _say_collecting(name: str, why: str) -> None:
    """Log of whose records something is in trouble, and that it is not any more."""
    if why:
        _log.error("not_collected", of=name, reason=why)
    else:
        _log.info("collected", of=name)


def _say_file(reason: str) -> None:
    """Log what is wrong with the traders file, or cannot be done."""
    _log.error("trader_refused", reason=reason)


def tell_of_ending(reason: str) -> None:
    """Log who is in the traders file no more, and is being ended in order."""
    _log.info("trader_leaves", reason=reason)
