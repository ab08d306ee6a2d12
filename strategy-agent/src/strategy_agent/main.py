"""Running the traders of one process, each on its own, until their worlds end or it is stopped."""

import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.stopping import CANCEL_LIMIT_S
from strategy_agent.bootstrap import Connector
from strategy_agent.entrypoint.progress import Progress
from strategy_agent.settings import Settings
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError
from suite.service.lifecycle import STOP_BUDGET_S
from suite.service.watching import Watch

if TYPE_CHECKING:
    from strategy_agent.entrypoint.control import ControlServer


async def run_traders(
    settings: Settings,
    specs: Sequence[TraderSpec],
    *,
    written: Mapping[str, Mapping[str, Any]],
    journal_dir: Path | None,
    remembers: bool = True,
    decisions_dir: Path | None = None,
    control: bool,
    quiet: bool,
) -> AlphaLoop:
    """Run traders side by side; each outcome is in its instance.

    Args:
        settings: of the process.
        specs: the traders.
        written: their configuration as written, by id.
        journal_dir: of their journals; None keeps neither journal nor memory.
        remembers: keep a memory beside the journal.
        decisions_dir: of what slow strategies decide in backtests; None keeps none of it.
        control: serve the control API; the process then stays while a trader has failed.
        quiet: show no progress.
    """
    connector = Connector(
        settings, journal_dir=journal_dir, remembers=remembers, decisions_dir=decisions_dir
    )
    alpha = AlphaLoop(connector.context(stays=control))
    for spec in specs:
        added = alpha.add(spec, written=written.get(spec.trader_id))
        if settings.paused:
            added.begin_paused(settings.paused)
    server: ControlServer | None = None
    if control:
        from strategy_agent.entrypoint.control import start
        from strategy_agent.entrypoint.controlled import Controlled

        controlled = Controlled(
            alpha=alpha, loop=asyncio.get_running_loop(), use_token=connector.use_token
        )
        server = start(settings, controlled)
        _say(f"strategy-agent control on {server.url}")
    ended = asyncio.Event()
    progress = Progress(alpha, wall=connector.clock, control_url=server.url if server else "")
    shown = None if quiet else asyncio.create_task(progress.show(ended))
    frozen = asyncio.create_task(freeze_once_connected(alpha))
    try:
        await run_until_stopped(alpha, stays=control, tell=(lambda _: None) if quiet else _say)
    finally:
        frozen.cancel()
        ended.set()
        if shown is not None:
            await shown
        if server is not None:
            await asyncio.to_thread(server.close)
    for line in progress.outcome():
        _say(line)
    return alpha


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the commands speak to people


async def freeze_once_connected(alpha: AlphaLoop) -> None:
    """Take what lives as long as the process out of garbage collection.

    A full collection looks at every container there is; without modules and connections its pause
    is less than half as long (docs/benchmarks.md, "Account states").
    """
    for instance in alpha.instances:
        await instance.connected()
    gc.collect()
    gc.freeze()


async def run_until_stopped(
    alpha: AlphaLoop,
    *,
    stays: bool = False,
    hosts: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Run all instances; SIGTERM or SIGINT end them in order, and a second one changes nothing.

    Whatever hangs, the process is gone 20 seconds after the first one.

    After that both are ignored for good: one that comes while the interpreter cleans up would find
    the default action back, and an orderly end would look like a killed process.

    Args:
        alpha: the instances.
        stays: do not end while one has failed, see `AlphaLoop.run`.
        hosts: do not end before a signal, see `AlphaLoop.host`.
        tell: told what a signal does.
    """
    loop = asyncio.get_running_loop()
    stops: set[asyncio.Task[None]] = set()
    watch = Watch(lambda: 0, stalled_s=0, still_open=lambda: [_open_of(alpha)])

    def stop(name: str) -> None:
        if stops:
            return
        watch.start()
        watch.end_within(STOP_BUDGET_S)
        stops.add(loop.create_task(alpha.close()))
        if any(instance.use_real_exchange for instance in alpha.instances):
            tell(
                f"{name}: no decision is taken any more; what could open a position is canceled, "
                f"stops and targets stay at the venue; {CANCEL_LIMIT_S:g} s at most"
            )
        else:
            tell(f"{name}: no trader is connected, so there is nothing to cancel")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    try:
        await (alpha.host() if hosts else alpha.run(stays=stays))
        await asyncio.gather(*stops)
    finally:
        watch.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _open_of(alpha: AlphaLoop) -> str:
    return ", ".join(one.status.trader_id for one in alpha.instances)


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
