"""The options of `virtual-exchange what-if`."""

from pathlib import Path
from typing import Annotated

import typer

from suite.errors import ConfigError
from suite.service.cli import split_names


def add_what_if(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("what-if")(what_if)


def what_if(  # noqa: PLR0913, PLR0917 - the options of the command
    traders: Annotated[Path, typer.Option(help="The traders file.")],
    other: Annotated[
        list[str],
        typer.Option(
            "--if",
            help="What is otherwise: risk.max_leverage=2, or an option of the world as "
            "fees.taker=0.001; several in one run with commas; the option many times.",
        ),
    ],
    data: Annotated[str | None, typer.Option(help="Kline store; var/data by default.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Coins, as BTC,ETH.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="First day, as 2025-05-05.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
    world: Annotated[Path | None, typer.Option(help="A file with options of the world.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="One of them, for all runs.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random; 0.", min=0)] = None,
) -> None:
    """Replay the same answers of language models under other fees, leverage caps or guards.

    One run as it is, with the cassette of LLM_MODE=replay; then one for each --if, in which no
    model is asked. Traders of rules decide anew.

    Example: LLM_MODE=replay LLM_CASSETTE=run.jsonl virtual-exchange what-if --traders traders.yaml
    --from 2025-05-05 --to 2025-06-04 --if fees.taker=0.001 --if risk.max_leverage=2
    """
    from perp_engine.warm import warm_up
    from suite.service.logging import configure_logging
    from virtual_exchange.adapters.store_market import StoreMarkets
    from virtual_exchange.adapters.traders_file import load_traders
    from virtual_exchange.running import world_of
    from virtual_exchange.settings import Settings
    from virtual_exchange.what_if import Other, run_what_if, table_of

    settings = Settings.load(data=data)
    configure_logging(level="warning", style=settings.log_format)
    specs = load_traders(traders)
    others = list(map(Other.read, other))
    if len({one.label for one in others}) < len(others):
        raise ConfigError("--if: one of them is there twice")
    named = {
        "symbols": split_names(symbols),
        "from_": from_,
        "to": to,
        "seed": seed,
        "profile": None,
        "allow_partial": None,
    }
    requests = {
        one.label: world_of(
            tuple(map(one.applied, specs)), world, [*(option or ()), *one.world], named
        )
        for one in (Other(label=""), *others)
    }
    warm_up(lambda text: typer.echo(text, err=True))
    outcomes = run_what_if(
        requests,
        specs,
        others,
        source=StoreMarkets(settings.data),
        tell=lambda text: typer.echo(text, err=True),
    )
    for line in table_of(outcomes, specs):
        typer.echo(line)
