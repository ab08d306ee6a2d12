"""The HTTP face of the trader-manager."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
import yaml
from fastapi import FastAPI

from suite.errors import ConfigError, StorageError, one_line
from suite.service.app import install_chassis
from suite.service.health import Health
from trader_manager.application.supervisor import Condition
from trader_manager.bootstrap import Container, build
from trader_manager.entrypoint.traders import OPERATOR, make_router
from trader_manager.settings import Settings

_log = structlog.get_logger()


def create_app(settings: Settings | None = None, container: Container | None = None) -> FastAPI:
    """Build the application; opens nothing until it is served.

    Raises:
        ConfigError: no venue is named, or the operator's token cannot be kept.
    """
    settings = settings or Settings.load()
    parts = container or build(settings, on_change=_tell, on_trouble=_say)

    def ready() -> Health:
        trouble = parts.supervisor.trouble
        return Health(ok=not trouble, detail={"trouble": trouble} if trouble else {})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.store.open()
        try:
            if settings.traders is not None:
                await _take_in(parts, settings.traders)
            supervising = asyncio.create_task(parts.supervisor.run())
            supervising.add_done_callback(bug_of)
            try:
                yield
            finally:  # traders run on; the next manager finds them
                supervising.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await supervising
        finally:
            await parts.agents.close()
            await parts.venue.close()
            await parts.store.close()

    def bug_of(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()) is not None:
            chassis.fail(bug)

    app = FastAPI(title="trader-manager", version="0.1.0", lifespan=lifespan)
    chassis = install_chassis(app, settings, ready=ready)
    chassis.tokens.ensure_file(settings.state_dir / "tokens", OPERATOR)
    app.include_router(make_router(parts.manager, parts.supervisor))
    return app


async def _take_in(parts: Container, path: Path) -> None:
    """Take the traders of a file in; those that are wrong are told, and keep nobody out."""
    outcome = await parts.manager.load(_read(path))
    for reason in (*outcome.problems, *outcome.refused.values()):
        _log.error("trader_refused", file=str(path), reason=reason)


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {one_line(str(error))}") from None


def _tell(condition: Condition) -> None:
    """Log what has become of a trader."""
    write = _log.error if condition.problem or condition.sighting.reason else _log.info
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


def _say(trouble: str) -> None:
    """Log why nobody is looked after, and that they are again."""
    if trouble:
        _log.error("no_supervision", reason=trouble)
    else:
        _log.info("supervision")
