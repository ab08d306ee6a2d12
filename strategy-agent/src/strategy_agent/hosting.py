"""A process for traders that somebody else looks after: they come and go by its control API."""

import asyncio
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import EXIT_OK

if TYPE_CHECKING:
    from strategy_agent.settings import Settings
    from suite.contracts.trader import TraderSpec


def add_command(cli: typer.Typer) -> None:
    """Add it to a command line."""
    cli.command()(host)


def host(
    homes: Annotated[
        Path, typer.Option(help="Folder of the traders' folders: HOMES/ID/var is a trader's own.")
    ],
    control_port: Annotated[
        int, typer.Option(help="Serve the control API there; 0 for any free port.")
    ] = 0,
) -> int:
    """Host traders until it is ended: PUT /instances/{id} brings one, DELETE takes it away.

    For code that is trusted: an endless loop in compiled code, a leak or a crash is that of all of
    them. Plugins are refused unless STRATEGY_AGENT_HOSTS_PLUGINS=true.

    Example: TRADING_URL=http://127.0.0.1:8100 strategy-agent host --homes var/fleet
    """
    from strategy_agent.main import limit_memory
    from strategy_agent.settings import Settings
    from suite.service.plugins import look_in

    settings = Settings.load(port=control_port)
    look_in(settings.plugin_dir)
    limit_memory(settings.memory_limit_mb)
    asyncio.run(_host(settings, homes))
    return EXIT_OK


async def _host(settings: "Settings", homes: Path) -> None:
    """Host traders until a signal ends them."""
    from strategy_agent.application.alpha_loop import AlphaLoop
    from strategy_agent.bootstrap import Connector, problems_with_plugins
    from strategy_agent.entrypoint.control import start
    from strategy_agent.entrypoint.controlled import Controlled
    from strategy_agent.main import run_until_stopped

    _allow_open_files()
    connector = Connector(settings, journal_dir=None, homes=homes)
    alpha = AlphaLoop(connector.context(stays=True))
    check = problems_with_plugins if settings.hosts_plugins else _problems_without_plugins
    server = start(
        settings,
        Controlled(
            alpha=alpha,
            loop=asyncio.get_running_loop(),
            use_token=connector.use_token,
            hosts=check,
        ),
    )
    typer.echo(f"strategy-agent control on {server.url}")
    try:
        await run_until_stopped(alpha, hosts=True)
    finally:
        await asyncio.to_thread(server.close)


def _problems_without_plugins(spec: "TraderSpec") -> list[str]:
    """List what is wrong with a trader; that it is a plugin's is wrong too."""
    from strategy_core.registry import PLUGIN, problems

    if spec.strategy.kind.startswith(PLUGIN):
        said = "a plugin is code, and all traders of this process would be beside it"
        cure = "give it a process of its own, or set STRATEGY_AGENT_HOSTS_PLUGINS=true"
        return [f"strategy.kind: {said}; {cure}"]
    return problems(spec)


def _allow_open_files() -> None:
    """Take what the system allows: each trader has a handful of connections and files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
