"""The command `virtual-exchange tournament`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK, split_names
from virtual_exchange.research.sweep_cli import (
    Address,
    Data,
    EngineName,
    Fresh,
    From,
    Options,
    Symbols,
    To,
    Workers,
    count_workers,
    progress_lines,
)

if TYPE_CHECKING:
    from virtual_exchange.research.tournament import Standing


def add_tournament_command(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("tournament")(tournament)


def tournament(  # noqa: PLR0913, PLR0917 - the options of the command
    traders: Annotated[Path, typer.Option(help="The traders file.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    windows: Annotated[int, typer.Option(help="Worlds the period is cut into.", min=1)] = 1,
    seeds: Annotated[int, typer.Option(help="Runs of each, 0 to N - 1.", min=1)] = 1,
    masks: Annotated[int, typer.Option(help="Masked copies of each world.", min=0)] = 0,
    symbols: Symbols = None,
    from_: From = None,
    to: To = None,
    option: Options = None,
    data: Data = None,
    engine: EngineName = "local",
    address: Address = None,
    workers: Workers = None,
    fresh: Fresh = False,  # noqa: FBT002 - an option
) -> int:
    """Run every trader of a file in many worlds, seeds and masks; goes on where it was stopped.

    Example: virtual-exchange tournament --traders traders.yaml --windows 4 --seeds 3 --masks 1
    --out var/tournament
    """
    from perp_engine.warm import warm_up
    from suite.service.logging import configure_logging
    from virtual_exchange.adapters.traders_file import load_traders
    from virtual_exchange.research.sweep import Engine
    from virtual_exchange.research.tournament import Tournament, run_tournament
    from virtual_exchange.running import world_of
    from virtual_exchange.settings import Settings

    settings = Settings.load(data=data)
    configure_logging(level="error", style=settings.log_format)
    specs = load_traders(traders)
    named: dict[str, Any] = {"symbols": split_names(symbols), "from_": from_, "to": to}
    named |= {"seed": None, "profile": None, "allow_partial": None}
    asked = Tournament(
        traders=specs,
        world=world_of(specs, None, option or [], named),
        windows=windows,
        seeds=seeds,
        masks=masks,
    )
    warm_up(lambda text: typer.echo(text, err=True))
    began_s = time.perf_counter()
    try:
        with progress_lines("tournament") as progress:
            standings = run_tournament(
                asked,
                data=settings.data,
                out=out,
                engine=Engine(name=engine, workers=count_workers(workers), address=address),
                progress=progress,
                fresh=fresh,
            )
    except KeyboardInterrupt:
        typer.echo("tournament: interrupted; the same command goes on from what is kept", err=True)
        raise
    return _tell(standings, out, time.perf_counter() - began_s)


def _tell(standings: "Sequence[Standing]", out: Path, seconds: float) -> int:
    typer.echo(
        f"{'trader':24}{'mean':>10}{'95 % of the mean':>24}{'worst':>10}{'cells':>7}{'failed':>8}"
    )
    for one in standings:
        between = "" if one.low is None else f"{100 * one.low:.3f} to {100 * (one.high or 0):.3f}"
        typer.echo(
            f"{one.trader_id[:23]:24}{_percent(one.mean)}{between:>24}{_percent(one.worst)}"
            f"{one.cells:7}{one.failed:8}"
        )
    cells = sum(one.cells for one in standings)
    typer.echo(f"tournament backtests={cells} seconds={seconds:.3f} folder={out}")
    return EXIT_FAILURE if all(one.mean is None for one in standings) else EXIT_OK


def _percent(value: float | None) -> str:
    return f"{'-' if value is None else f'{100 * value:.3f}':>10}"
