"""Where the models of a trader are, and who may use them: nowhere, folders, or a database."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from strategy_agent.adapters.learning import schools
from strategy_agent.adapters.model_tables import ModelTables
from strategy_agent.settings import Settings
from strategy_core.learning.port import LearningSource
from strategy_core.learning.school import Shelf
from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec
from suite.service.shelves import FolderShelf, MemoryShelf

MODELS: Final = "models"
LIVE: Final = "live"
"""Where models are that trade in no simulated world."""
_log = structlog.get_logger(__name__)


async def learning_of(
    spec: TraderSpec,
    clock: ClockState,
    settings: Settings,
    folder: Path | None,
    stack: AsyncExitStack,
) -> LearningSource:
    """Give a trader models of its own: those of a simulated world belong to that world.

    Args:
        spec: the trader.
        clock: of its venue.
        settings: of the process.
        folder: of models; None keeps none.
        stack: closes what is opened.

    Raises:
        SuiteError: the database of models is away.
    """
    world = hashlib.sha256(clock.world.encode()).hexdigest()[:16] if clock.world else LIVE
    switches = replace(settings.switches, real_money=not clock.world)
    if switches.real_money and switches.unproven:
        _log.warning(
            "real_money_without_evidence", trader_id=spec.trader_id, models=switches.unproven
        )
    shelf_of = await _shelves(settings, world, folder, stack)
    return stack.enter_context(
        schools(settings.models_dir, switches, shelf_of=shelf_of, waits=clock.mode == "lockstep")
    )


async def _shelves(
    settings: Settings, world: str, folder: Path | None, stack: AsyncExitStack
) -> Callable[[str], Shelf]:
    if folder is None:
        return lambda _: MemoryShelf()
    url = settings.models_database_url.get_secret_value()
    if not url:
        return lambda trader: FolderShelf(folder / world / trader)
    tables = await asyncio.to_thread(ModelTables, url)
    stack.push_async_callback(asyncio.to_thread, tables.close)
    return lambda trader: tables.shelf(f"{world}/{trader}")
