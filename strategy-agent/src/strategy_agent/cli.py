"""The command `strategy-agent`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strategy_agent import (
    asking,
    hosting,
    modeling,
    preflight_command,
    registering,
    studying,
)
from strategy_agent.authoring import add_commands
from suite.service.cli import EXIT_FAILURE, EXIT_OK, EXIT_USAGE, run_command
from suite.service.token_commands import add_token_commands

if TYPE_CHECKING:
    from strategy_agent.bootstrap import Connector
    from suite.contracts.trader import TraderSpec

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Run traders at a venue, see what strategies there are, check a traders file.",
)

Config = Annotated[Path, typer.Option(help="The traders file, traders.yaml.")]
Decisions = Annotated[
    Path | None,
    typer.Option(help="Folder where decisions of slow strategies in backtests are kept."),
]


@cli.command()
def run(  # noqa: PLR0913, PLR0917 - the options of the command
    config: Annotated[Path | None, typer.Option(help="The traders file, traders.yaml.")] = None,
    trader: Annotated[
        str | None,
        typer.Option(help="Id of the trader; several: a,b,c. Without it, one is claimed."),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Directory of the journals; var/journal by default.")
    ] = None,
    no_journal: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--no-journal", help="Keep neither a journal nor a memory.")
    ] = False,
    no_memory: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--no-memory", help="Keep a journal, and no memory: for backtests.")
    ] = False,
    decisions: Decisions = None,
    control_port: Annotated[
        int | None,
        typer.Option(help="Serve the control API there; 0 for any free port."),
    ] = None,
    quiet: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--quiet", help="Show no progress.")
    ] = False,
    claims: Annotated[
        int, typer.Option(min=1, help="How many traders to claim at most, without --trader.")
    ] = 1,
) -> int:
    """Trade until the world ends.

    The environment, or .env, says where: TRADING_URL and TRADER_TOKEN, for several traders
    TRADER_TOKENS='{"a": "...", "b": "..."}'; DATA_SERVICE_URL where the venue has no market data.

    With --control-port the process stays while a trader has failed: look at it there, start it
    again, or end it with Ctrl-C.

    Without --trader a free one is asked of the trader-manager at MANAGER_URL, with MANAGER_TOKEN or
    MANAGER_TOKEN_FILE, and the next one when that has ended, until Ctrl-C.

    Example: TRADING_URL=http://127.0.0.1:8100 TRADER_TOKEN=... strategy-agent run
    --config traders.yaml --trader sma-1
    """
    import asyncio

    from strategy_agent.adapters.traders_file import choose, load_traders
    from strategy_agent.main import limit_memory, run_traders
    from strategy_agent.settings import Settings
    from suite.errors import ConfigError
    from suite.service.plugins import look_in

    settings = Settings.load(port=0 if control_port is None and trader is None else control_port)
    look_in(settings.plugin_dir)
    directory = None if no_journal else journal or settings.state_dir / "journal"
    if trader is None:
        from strategy_agent.claimed import run_claims

        limit_memory(settings.memory_limit_mb)
        say = (lambda _: None) if quiet else partial(print, flush=True)
        asyncio.run(run_claims(settings, places=claims, journal_dir=directory, tell=say))
        return EXIT_OK
    if config is None:
        raise ConfigError("--config names the traders file that the trader is in: traders.yaml")
    document = load_traders(config)
    specs = choose(document.traders, trader)
    limit_memory(settings.memory_limit_mb)
    alpha = asyncio.run(
        run_traders(
            settings,
            specs,
            written=document.written,
            journal_dir=directory,
            remembers=not no_memory,
            decisions_dir=decisions,
            control=control_port is not None,
            quiet=quiet,
        )
    )
    failed = [instance for instance in alpha.instances if instance.failure is not None]
    if len(alpha.instances) == 1 and failed and failed[0].failure is not None:
        raise failed[0].failure
    for instance in failed:
        typer.echo(f"strategy-agent: {instance.spec.trader_id}: {instance.failure}", err=True)
    if alpha.misconfigured:
        return EXIT_USAGE
    return EXIT_FAILURE if failed else EXIT_OK


@cli.command()
def strategies() -> None:
    """List the strategies, with their parameters.

    The kinds that a traders file may name, each parameter with its default, and the limits of
    every trader's risk.

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
def check(
    config: Config,
    trader: Annotated[
        str | None, typer.Option(help="Ids of those that shall trade; all by default: a,b,c.")
    ] = None,
) -> int:
    """Check a traders file; trade nothing.

    Each problem is told with its line, those of plugins and their parameters too. Where
    TRADING_URL is set, the venue is asked as well: whether it answers, knows the traders and trades
    their coins.

    Example: strategy-agent check --config traders.yaml --trader sma-1
    """
    import asyncio

    from strategy_agent.adapters.traders_file import choose, load_traders
    from strategy_agent.bootstrap import Connector, problems_with_plugins
    from strategy_agent.settings import Settings
    from suite.contracts.trader import TradersFileError
    from suite.errors import ConfigError
    from suite.service.plugins import look_in

    settings = Settings.load()
    look_in(settings.plugin_dir)
    try:
        specs = load_traders(config, check=problems_with_plugins).traders
        chosen = choose(specs, trader) if trader is not None else specs
        found = asyncio.run(_asked(Connector(settings, journal_dir=None), chosen))
    except TradersFileError as error:
        found = list(error.problems)
    for problem in found:
        typer.echo(problem)
    if found:
        raise ConfigError(f"{config} has {len(found)} problem{'s' if len(found) > 1 else ''}")
    where = settings.trading_url or "the venue was not asked: TRADING_URL is not set"
    many = "trader" if len(chosen) == 1 else "traders"
    typer.echo(f"{config}: {len(chosen)} {many}, all well ({where})")
    return 0


async def _asked(connector: "Connector", specs: Sequence["TraderSpec"]) -> list[str]:
    """Ask the venue about each trader."""
    return [problem for spec in specs for problem in await connector.problems(spec)]


add_commands(cli)
preflight_command.add_command(cli)
asking.add_commands(cli)
hosting.add_command(cli)
studying.add_commands(cli)
modeling.add_commands(cli)
registering.add_command(cli)


@cli.command()
def journal(
    file: Annotated[Path, typer.Argument(help="The journal, as var/journal/sma-1.jsonl.")],
) -> None:
    """Sum up the last run of a journal: verdicts by rule, exits, pauses, failures, alerts.

    Parts of it that were put aside are read as well.

    Example: strategy-agent journal var/journal/sma-1.jsonl
    """
    from strategy_agent.journal_summary import summarize, table_of

    for line in table_of(summarize(file)):
        typer.echo(line)


def _state_dir() -> Path:
    from strategy_agent.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="strategy-agent")
