"""Running the traders of one process, each on its own, until their worlds end or it is stopped."""

import asyncio
import gc
import resource
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.bootstrap import Connector
from strategy_agent.entrypoint.progress import outcome_of, show_progress
from strategy_agent.settings import Settings
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError


async def run_traders(
    settings: Settings,
    specs: Sequence[TraderSpec],
    *,
    written: Mapping[str, Mapping[str, Any]],
    journal_dir: Path | None,
    control: bool,
    quiet: bool,
) -> AlphaLoop:
    """Run traders side by side; each outcome is in its instance.

    Args:
        settings: of the process.
        specs: the traders.
        written: their configuration as written, by id.
        journal_dir: of their journals; None keeps neither journal nor memory.
        control: serve the control API.
        quiet: show no progress.
    """
    connector = Connector(settings, journal_dir=journal_dir)
    alpha = AlphaLoop(connector.context())
    for spec in specs:
        alpha.add(spec, written=written.get(spec.trader_id))
    if control:
        from strategy_agent.entrypoint.control import Controlled, start

        controlled = Controlled(
            alpha=alpha, loop=asyncio.get_running_loop(), use_token=connector.use_token
        )
        print(f"strategy-agent control on {start(settings, controlled)}", flush=True)  # noqa: T201
    ended = asyncio.Event()
    shown = None if quiet else asyncio.create_task(show_progress(alpha, ended))
    frozen = asyncio.create_task(freeze_once_connected(alpha))
    try:
        await run_until_stopped(alpha)
    finally:
        frozen.cancel()
        ended.set()
        if shown is not None:
            await shown
    for line in outcome_of(alpha):
        print(line, flush=True)  # noqa: T201
    return alpha


async def freeze_once_connected(alpha: AlphaLoop) -> None:
    """Take what lives as long as the process out of garbage collection.

    A full collection looks at every container there is; without modules and connections its pause
    is less than half as long (docs/benchmarks.md, "Account states").
    """
    for instance in alpha.instances:
        await instance.connected()
    gc.collect()
    gc.freeze()


async def run_until_stopped(alpha: AlphaLoop) -> None:
    """Run all instances; SIGTERM or SIGINT end them in order, and a second one changes nothing.

    After that both are ignored for good: one that comes while the interpreter cleans up would find
    the default action back, and an orderly end would look like a killed process.
    """
    loop = asyncio.get_running_loop()
    stops: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if not stops:
            stops.add(loop.create_task(alpha.close()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await alpha.run()
        await asyncio.gather(*stops)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def limit_memory(limit_mb: int | None) -> None:
    """Bound the address space of this process; nothing without a limit.

    Raises:
        ConfigError: the system does not allow it.
    """
    if limit_mb is None:
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit_mb << 20, resource.RLIM_INFINITY))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot limit memory to {limit_mb} MiB: {error}") from None
