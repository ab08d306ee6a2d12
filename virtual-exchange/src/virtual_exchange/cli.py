"""The command `virtual-exchange`."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.errors import BadRequest
from suite.service.cli import run_command, split_names
from suite.service.token_commands import add_token_commands
from virtual_exchange.journal_commands import add_journal_commands
from virtual_exchange.part_commands import add_part_commands
from virtual_exchange.research.honesty_cli import add_honesty_commands
from virtual_exchange.research.sweep_cli import add_sweep_command
from virtual_exchange.research.tournament_cli import add_tournament_command
from virtual_exchange.what_if_command import add_what_if

if TYPE_CHECKING:
    from virtual_exchange.adapters.store_market import StoreMarkets
    from virtual_exchange.application.backtest import Progress
    from virtual_exchange.settings import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Serve simulated markets, and run backtests in them.",
)

Data = Annotated[
    str | None, typer.Option(help="Kline store: a folder, or s3://...; var/data by default.")
]
From = Annotated[str | None, typer.Option("--from", help="First day, as 2025-05-05.")]
To = Annotated[str | None, typer.Option("--to", help="Day after the last, as 2025-06-04.")]
World = Annotated[
    Path | None,
    typer.Option(help="A YAML or JSON file with options of the world: the fields of POST /worlds."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="An option of the world, as interval=5m or fees.tiers=x; many."),
]
Symbols = Annotated[str | None, typer.Option(help="Coins, as BTC,ETH.")]


@cli.command()
def serve(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Data = None,
    symbols: Symbols = None,
    from_: From = None,
    to: To = None,
    clock: Annotated[str | None, typer.Option(help="lockstep, paced (default) or paper.")] = None,
    feed: Annotated[
        str | None,
        typer.Option(help="Live market of paper worlds, as http://127.0.0.1:8000."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated seconds per second when paced; 60 by default.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 8100 by default, 0 for any.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; 127.0.0.1 by default.")] = None,
    accounts: Annotated[
        str | None, typer.Option(help="Accounts, as alice,bob; one named trader by default.")
    ] = None,
    traders: Annotated[
        Path | None, typer.Option(help="A traders file whose accounts the world has.")
    ] = None,
    world: World = None,
    option: Options = None,
    seed: Annotated[int | None, typer.Option(help="Recorded in the report.")] = None,
    signatures: Annotated[
        str | None,
        typer.Option(help="Take signed actions for any network (default), mainnet or testnet."),
    ] = None,
    allow_partial: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--allow-partial", help="Accept coins that lack part of the range.")
    ] = False,
) -> None:
    """Serve a world until stopped; tokens of its accounts are written to var/tokens/.

    Example: virtual-exchange serve --data var/data --symbols BTC,ETH --clock lockstep
    """
    from virtual_exchange.lean import leave_out_unused

    leave_out_unused()
    from virtual_exchange.settings import Settings

    settings = Settings.load(
        data=data,
        symbols=split_names(symbols),
        range_from=from_,
        range_to=to,
        clock=clock,
        feed=feed,
        speed=speed,
        port=port,
        host=host,
        accounts=split_names(accounts),
        traders=traders,
        world=world,
        options=tuple(option) if option else None,
        seed=seed,
        signatures=signatures,
        allow_partial=allow_partial or None,
    )
    source = _begin_reading(settings)  # beside the imports that follow
    try:
        _serve(settings, source)
    finally:
        source.close()


def _serve(settings: "Settings", source: "StoreMarkets") -> None:
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run
    from virtual_exchange.bootstrap import build, default_world
    from virtual_exchange.lean import give_back_memory
    from virtual_exchange.main import create_app

    default_world(settings)  # a wrong option is told before anything is opened
    configure_logging(level=settings.log_level, style=settings.log_format)
    # A start that fails is told in one line by the command, not in a second one by the server.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    container = build(settings, source)
    container.after_open = give_back_memory
    run(create_app(settings, container), settings)


@cli.command()
def backtest(  # noqa: PLR0913, PLR0917 - the options of the command
    traders: Annotated[Path, typer.Option(help="The traders file.")],
    out: Annotated[Path, typer.Option(help="Folder for report.json and report.html.")],
    data: Data = None,
    symbols: Symbols = None,
    from_: From = None,
    to: To = None,
    transport: Annotated[
        str, typer.Option(help="inprocess, or http: each trader is a process.")
    ] = "inprocess",
    world: World = None,
    option: Options = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random; 0.", min=0)] = None,
    profile: Annotated[
        str | None, typer.Option(help="Market model: default, or plain for comparisons.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Folder for a journal of each trader; none by default.")
    ] = None,
    allow_partial: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--allow-partial", help="Accept coins that lack part of the range.")
    ] = False,
) -> int:
    """Run the traders of a file over a range, and write their report.

    The exit code is 1 when a strategy failed or overran its time; its trader was then paused.

    Example: virtual-exchange backtest --data var/data --traders traders.yaml --symbols BTC,ETH
    --from 2025-05-05 --to 2025-06-04 --out var/report
    """
    from perp_engine.warm import warm_up
    from suite.service.logging import configure_logging
    from virtual_exchange.adapters.traders_file import load_traders
    from virtual_exchange.application.report.results import make_folder
    from virtual_exchange.running import TraderRun, check_transport, run_traders, world_of
    from virtual_exchange.settings import Settings
    from virtual_exchange.telling import tell_results

    settings = Settings.load(data=data)
    configure_logging(level="warning", style=settings.log_format)
    specs = load_traders(traders)
    named = {
        "symbols": split_names(symbols),
        "from_": from_,
        "to": to,
        "seed": seed,
        "profile": profile,
        "allow_partial": allow_partial or None,
    }
    request = world_of(specs, world, option or [], named)
    check_transport(transport)
    make_folder(out)  # before the run, not after it
    run = TraderRun(
        request=request, traders=specs, traders_file=traders, data=settings.data, journal=journal
    )
    warm_up(lambda text: typer.echo(text, err=True))
    started = time.perf_counter()
    with _progress_bar() as progress:
        record = run_traders(run, transport=transport, progress=progress)
    return tell_results(record, out, seconds=time.perf_counter() - started)


@cli.command("memory-score")
def memory_score(
    traders: Annotated[Path, typer.Option(help="The traders file.")],
    seeds: Annotated[int, typer.Option(help="Pairs of runs, each with a mask of its own.")] = 5,
    data: Data = None,
    symbols: Symbols = None,
    from_: From = None,
    to: To = None,
    world: World = None,
    option: Options = None,
) -> None:
    """Compare traders in the recorded world with the same traders in masked ones.

    The score is the return where names, prices and dates are known less the return where they are
    not, with a 95 % interval over the seeds. A trader of rules in the same file shows the noise.

    Example: virtual-exchange memory-score --data var/data --traders traders.yaml --symbols BTC
    --from 2025-05-05 --to 2025-05-12 --seeds 5
    """
    from perp_engine.warm import warm_up
    from suite.service.logging import configure_logging
    from virtual_exchange.adapters.store_market import StoreMarkets
    from virtual_exchange.adapters.traders_file import load_traders
    from virtual_exchange.memory_runs import score_traders, table_of
    from virtual_exchange.running import world_of
    from virtual_exchange.settings import Settings

    settings = Settings.load(data=data)
    configure_logging(level="warning", style=settings.log_format)
    specs = load_traders(traders)
    named = {
        "symbols": split_names(symbols),
        "from_": from_,
        "to": to,
        "seed": None,
        "profile": None,
        "allow_partial": None,
    }
    request = world_of(specs, world, option or [], named)
    warm_up(lambda text: typer.echo(text, err=True))
    scores = score_traders(
        request,
        specs,
        source=StoreMarkets(settings.data),
        seeds=seeds,
        tell=lambda text: typer.echo(text, err=True),
    )
    for line in table_of(scores, specs):
        typer.echo(line)


@cli.command("run-job", hidden=True)
def run_job(
    data: Annotated[str, typer.Option(help="Kline store: a folder, or s3://...")],
    out: Annotated[Path, typer.Option(help="File for the canonical report.")],
) -> None:
    """Run a backtest request from stdin; a child process of the service."""
    import msgspec

    from suite.contracts.backtest import BacktestRequest
    from suite.service.clock import SystemClock
    from virtual_exchange.adapters.store_market import StoreMarkets
    from virtual_exchange.application.backtest import run_request
    from virtual_exchange.application.report.results import canonical_report

    try:
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=BacktestRequest)
    except msgspec.MsgspecError as error:
        raise BadRequest(str(error)) from None
    shown = -1.0

    def progress(done: float) -> None:
        nonlocal shown
        if done - shown >= 0.01 or done == 1.0:
            shown = done
            sys.stdout.write(f"progress {done:.4f}\n")
            sys.stdout.flush()

    record = run_request(request, source=StoreMarkets(data), clock=SystemClock(), progress=progress)
    body, sha256 = canonical_report(record)
    out.write_bytes(body)
    sys.stdout.write(f"report {sha256}\n")


def _begin_reading(settings: "Settings") -> "StoreMarkets":
    """Start to read the market of the default world in a child process."""
    from suite.contracts.world import AccountRequest, WorldRequest
    from virtual_exchange.adapters.store_market import StoreMarkets
    from virtual_exchange.adapters.world_file import world_fields
    from virtual_exchange.application.market.building import query_of

    source = StoreMarkets(settings.data, isolated=True)
    fields = {
        name: value
        for name, value in world_fields(settings.world, settings.options).items()
        if name in {"interval", "bar_path"}
    }
    if settings.symbols and settings.clock != "paper":
        request = WorldRequest(
            symbols=settings.symbols,
            accounts=(AccountRequest(id="nobody"),),
            from_=settings.range_from,
            to=settings.range_to,
            allow_partial=settings.allow_partial,
            **fields,
        )
        source.begin(query_of(request, settings.world_minutes_max))
    return source


@contextmanager
def _progress_bar() -> "Iterator[Progress]":
    """Show a bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("backtest"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("backtest", total=1.0)
        yield lambda done: bar.update(task, completed=done)


add_sweep_command(cli)
add_honesty_commands(cli)
add_tournament_command(cli)
add_part_commands(cli)
add_journal_commands(cli)
add_what_if(cli)


def _state_dir() -> Path:
    from virtual_exchange.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="virtual-exchange")
