"""The options of `trader-manager arena`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from suite.service.cli import split_names

Together = Annotated[
    bool, typer.Option("--together", help="Over http: built-in traders share few processes.")
]


def add_arena(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("arena")(arena)


def arena(  # noqa: PLR0913, PLR0917 - the options of the command
    traders: Annotated[Path, typer.Option(help="The traders file, in any of its forms.")],
    from_: Annotated[str | None, typer.Option("--from", help="First day, as 2025-05-05.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Kline store: a folder, or s3://...; var/data by default.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Coins, as BTC,ETH; those of the traders by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the result.")] = Path("var/arena"),
    transport: Annotated[
        str, typer.Option(help="inprocess, or http: each trader is a process.")
    ] = "inprocess",
    together: Together = False,  # noqa: FBT002 - an option
    workers: Annotated[
        int | None, typer.Option(help="Parts that run at once; one a processor by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
    seeds: Annotated[
        int, typer.Option(help="How often each trader runs that draws at random.")
    ] = 1,
    no_baselines: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--no-baselines", help="Add no baseline that the file has not.")
    ] = False,
    world: Annotated[
        Path | None, typer.Option(help="A YAML or JSON file with options of the world.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="One of them, as interval=5m; many.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Market model: default, or plain for comparisons.")
    ] = None,
    allow_partial: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--allow-partial", help="Accept coins that lack part of the range.")
    ] = False,
    fresh: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--fresh", help="Begin anew: use nothing that is kept.")
    ] = False,
) -> int:
    """Let all traders of a file trade the same history, and compare them.

    Ctrl-C keeps what is done, and the same command goes on with it. The exit code is 1 when a
    trader or its strategy failed, 130 after Ctrl-C.

    Example: trader-manager arena --data var/data --traders traders.yaml --from 2025-05-05
    --to 2025-06-04 --out var/arena
    """
    from trader_manager.arena_run import ArenaOptions, run_arena

    named = {
        "--data": data,
        "--symbols": symbols,
        "--from": from_,
        "--to": to,
        "--seed": str(seed),
        "--world": None if world is None else str(world),
        "--profile": profile,
    }
    words = [word for pair in named.items() if pair[1] is not None for word in pair]
    words += [word for one in option or () for word in ("--option", one)]
    words += ["--allow-partial"] if allow_partial else []
    return run_arena(
        ArenaOptions(
            traders=traders,
            world=tuple(map(str, words)),
            symbols=split_names(symbols) or (),
            out=out,
            transport=transport,
            together=together,
            workers=len(os.sched_getaffinity(0)) if workers is None else workers,
            seeds=seeds,
            baselines=not no_baselines,
            fresh=fresh,
        )
    )
