"""Running the traders of one process, each on its own."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from strategy_agent.application.run import run_trader
from strategy_agent.application.status import Status
from strategy_agent.bootstrap import build
from strategy_agent.settings import Settings
from strategy_core.journal import TraderResult
from suite.contracts.trader import TraderSpec
from suite.errors import SuiteError


async def run(
    settings: Settings,
    specs: Sequence[TraderSpec],
    statuses: Sequence[Status],
    *,
    journal_dir: Path | None,
) -> list[SuiteError]:
    """Run traders side by side until their worlds end or the process is told to stop.

    Args:
        settings: of the process.
        specs: the traders.
        statuses: one for each, in the same order.
        journal_dir: of their journals, None for none.

    Returns:
        The failures; the other traders have gone on to their end.
    """
    tasks = [
        asyncio.create_task(_run_one(settings, spec, status, journal_dir))
        for spec, status in zip(specs, statuses, strict=True)
    ]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _cancel, tasks)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, SuiteError)]


def _cancel(tasks: Sequence[asyncio.Task[TraderResult]]) -> None:
    for task in tasks:
        task.cancel()


async def _run_one(
    settings: Settings, spec: TraderSpec, status: Status, journal_dir: Path | None
) -> TraderResult:
    """Run one trader; whatever goes wrong becomes a fault of this trader alone."""
    try:
        async with contextlib.AsyncExitStack() as stack:
            container = build(settings, spec, status=status, journal_dir=journal_dir)
            stack.push_async_callback(container.close)
            container.journal.started(spec.trader_id, spec.strategy.kind, settings.trading_url)
            result = await run_trader(
                container.venue,
                spec,
                journal=container.journal,
                status=status,
                seed=settings.seed,
                heartbeat_s=settings.heartbeat_s,
                plugins=container.plugins,
            )
    except SuiteError as error:
        status.state, status.error = "failed", str(error)
        raise
    except Exception as error:
        status.state, status.error = "failed", f"{type(error).__name__}: {error}"
        raise SuiteError(f"trader {spec.trader_id} failed: {status.error}") from error
    sys.stdout.write(
        f"{result.trader_id}: ended at {result.ended_ms}, {result.decisions} decisions, "
        f"{result.actions_sent} actions, {result.fills} fills, equity {result.equity} USD\n"
    )
    sys.stdout.flush()
    return result
