"""The command `strategy-agent`."""

from pathlib import Path
from typing import Annotated

import typer

from strategy_agent.authoring import add_commands
from suite.service.cli import EXIT_FAILURE, run_command

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Run traders at a venue, see what strategies there are, check a traders file.",
)

Config = Annotated[Path, typer.Option(help="The traders file, traders.yaml.")]


@cli.command()
def run(
    config: Config,
    trader: Annotated[str, typer.Option(help="Id of the trader; several: a,b,c.")],
    journal: Annotated[
        Path | None, typer.Option(help="Directory of the journals; var/journal by default.")
    ] = None,
    no_journal: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--no-journal", help="Keep no journal.")
    ] = False,
    control_port: Annotated[
        int | None,
        typer.Option(help="Serve /health, /ready, /metrics, /status there; 0 for any free port."),
    ] = None,
) -> int:
    """Trade until the world ends.

    The environment, or .env, says where: TRADING_URL, DATA_SERVICE_URL, TRADER_TOKEN.

    Example: TRADING_URL=http://127.0.0.1:8100 TRADER_TOKEN=... strategy-agent run
    --config traders.yaml --trader sma-1
    """
    import asyncio

    from strategy_agent.adapters.traders_file import choose, load_traders
    from strategy_agent.application.status import Status
    from strategy_agent.main import run as run_traders
    from strategy_agent.settings import Settings

    settings = Settings.load(port=control_port)
    specs = choose(load_traders(config).traders, trader)
    statuses = [Status(spec.trader_id, spec.strategy.kind) for spec in specs]
    if control_port is not None:
        from strategy_agent.entrypoint.control import start

        typer.echo(f"strategy-agent control on {start(settings, statuses)}")
    directory = None if no_journal else journal or settings.state_dir / "journal"
    failures = asyncio.run(run_traders(settings, specs, statuses, journal_dir=directory))
    if len(specs) == 1 and failures:
        raise failures[0]
    for status in statuses:
        if status.state == "failed":
            typer.echo(f"strategy-agent: {status.trader_id}: {status.error}", err=True)
    return EXIT_FAILURE if failures else 0


@cli.command()
def strategies() -> None:
    """List the kinds of strategies with their parameters and defaults.

    Example: strategy-agent strategies
    """
    import msgspec

    from strategy_core.registry import KINDS
    from strategy_core.risk.limits import RiskLimits

    for name, kind in KINDS.items():
        typer.echo(f"{name}: {kind.summary}")
        for field in msgspec.structs.fields(kind.params):
            typer.echo(f"  {field.name} = {field.default}")
        for limit, value in kind.risk.items():
            typer.echo(f"  risk.{limit} = {value}")
    typer.echo("plugin:package.module:Class: a strategy of your own")
    typer.echo("risk of every trader:")
    for field in msgspec.structs.fields(RiskLimits):
        typer.echo(f"  {field.name} = {field.default}")


@cli.command()
def check(config: Config) -> int:
    """Check a traders file, each problem on a line of its own; trade nothing.

    Example: strategy-agent check --config traders.yaml
    """
    from strategy_agent.adapters.traders_file import load_traders
    from suite.contracts.trader import TradersFileError
    from suite.errors import ConfigError

    try:
        specs = load_traders(config).traders
    except TradersFileError as error:
        for problem in error.problems:
            typer.echo(problem)
        count = len(error.problems)
        raise ConfigError(f"{config} has {count} problem{'s' if count > 1 else ''}") from None
    typer.echo(f"{config}: {len(specs)} traders, all well")
    return 0


add_commands(cli)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="strategy-agent")
