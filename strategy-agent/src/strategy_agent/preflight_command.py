"""The command `preflight`: may these traders begin with real money, as far as agents know?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from suite.checklist import Line


def add_command(cli: typer.Typer) -> None:
    """Add it to a command line."""
    cli.command()(preflight)


def preflight(
    config: Annotated[Path, typer.Option(help="The traders file, traders.yaml.")],
    trader: Annotated[str | None, typer.Option(help="Ids: a,b,c; all by default.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of an arena or a backtest with these traders.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Journal of a paper run, or the folder of journals.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> int:
    """Look at what only agents know before live trading, lines 42 to 46; trade nothing.

    Settings are those of `run`. A trader that asks language models sends each of them one question,
    paid from its budget. The exit code is 1 when a line failed.

    Example: strategy-agent preflight --config traders.yaml --trader sma-1 --report var/arena
    """
    import asyncio

    import msgspec

    from strategy_agent.adapters.traders_file import choose, load_traders
    from strategy_agent.bootstrap import problems_with_plugins
    from strategy_agent.preflighting import Preflight
    from strategy_agent.settings import Settings
    from suite.checklist import is_green, told
    from suite.service.logging import configure_logging
    from suite.service.plugins import look_in

    settings = Settings.load()
    configure_logging(level="error", style=settings.log_format)
    look_in(settings.plugin_dir)
    specs = load_traders(config, check=problems_with_plugins).traders
    chosen = choose(specs, trader) if trader is not None else specs
    look = Preflight(settings, config=config, report=report, journal=journal)

    async def all_lines() -> list["Line"]:
        return [line for spec in chosen for line in await look.lines_of(spec)]

    lines = asyncio.run(all_lines())
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"lines": lines}), indent=1).decode())
    else:
        for row in told(lines, ", ".join(spec.trader_id for spec in chosen)):
            typer.echo(row)
    return EXIT_OK if is_green(lines) else EXIT_FAILURE
