"""The command `data-collector`."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import run_command
from suite.service.token_commands import add_token_commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_collector.application.backfilling import Order
    from data_collector.application.importing import ImportOptions, Outcome
    from data_collector.venues import Venue
    from suite.service.kline_store import KlineStore

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Bring market data into a kline store, generate some, check it and serve it.",
)


@cli.callback()
def refuse_unknown_settings() -> None:
    """Before any command: a misspelt variable would be as if it were not set."""
    from data_collector.settings import Settings
    from suite.service.settings import refuse_unknown_names

    refuse_unknown_names(Settings)


Data = Annotated[
    str,
    typer.Option(
        help="Kline store: a folder, or s3://, gs://, memory://...", envvar="DATA_COLLECTOR_DATA"
    ),
]


@cli.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A file, or a folder with all below it.")],
    data: Data,
    symbol: Annotated[str | None, typer.Option(help="Symbol, when file names lack it.")] = None,
    interval: Annotated[str | None, typer.Option(help="1m, 5m, 1h, ... likewise.")] = None,
    venue: Annotated[str | None, typer.Option(help="Where the data is from, likewise.")] = None,
    market: Annotated[str | None, typer.Option(help="perp or spot, likewise.")] = None,
    volume: Annotated[
        str | None, typer.Option(help="Unit of the volume column: coin or usd.")
    ] = None,
    again: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--again", help="Import also what was imported before.")
    ] = False,
) -> int:
    """Import klines and funding from Parquet, CSV, CSV.gz or zip, leverage brackets from JSON.

    Repeated, it skips what is stored already. A damaged file, or one whose name or layout is not
    understood, is reported and the others go on.

    Example: data-collector import downloads/klines --data data
    """
    from data_collector.application.importing import ImportOptions
    from suite.errors import BadRequest

    if volume not in {None, "coin", "usd"}:
        raise BadRequest("--volume is coin or usd")
    if market not in {None, "perp", "spot"}:
        raise BadRequest("--market is perp or spot")
    options = ImportOptions(
        symbol=symbol,
        interval=interval,
        venue=venue,
        market=market,
        volume=volume,  # type: ignore[arg-type]
        again=again,
    )
    _check_options(options)
    return _import(path, data, options)


def _check_options(options: "ImportOptions") -> None:
    """Refuse options that no file could satisfy."""
    from data_collector.domain.file_names import coin_named
    from suite.bars import INTERVAL_MS
    from suite.errors import BadRequest
    from suite.klines import Source

    try:
        Source(options.venue or "local", options.market or "perp")
        if options.symbol is not None:
            coin_named(options.symbol)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if options.interval is not None and options.interval not in INTERVAL_MS:
        names = ", ".join(INTERVAL_MS)
        raise BadRequest(f"unknown interval {options.interval[:10]!r}; there are {names}")


def _import(path: Path, data: str, options: "ImportOptions") -> int:
    from data_collector.adapters.import_files import MarketFiles, find_files
    from data_collector.adapters.import_ledger import FileLedger, write_report
    from data_collector.application.importing import STATUSES, Importer, why_not_done
    from data_collector.entrypoint.console import follow, import_table, make_console
    from suite.errors import SuiteError
    from suite.service.clock import SystemClock

    store, clock = _store(data), SystemClock()
    paths = find_files(path)
    importer = Importer(store, MarketFiles(), FileLedger(store), clock.now_ms)
    outcomes: list[Outcome] = []
    try:
        for outcome in follow(importer.run(path, paths, options), len(paths), "importing"):
            outcomes.append(outcome)  # noqa: PERF402 - kept when interrupted
    finally:
        make_console().print(import_table(outcomes))
        for item in outcomes:
            if item.status in {"unknown", "failed"}:
                typer.echo(f"{item.status.upper()} {item.name}: {item.reason}")
        report, quarantine = write_report(
            store,
            [item.as_dict() for item in outcomes],
            {item.name: item.rejected for item in outcomes if item.rejected},
            now_ms=clock.now_ms(),
        )
    if quarantine:
        typer.echo(f"rows that cannot be true, with their reasons: {quarantine}")
    counts = Counter(item.status for item in outcomes)
    done = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    typer.echo(f"{len(outcomes)} files: {done}; report {report}")
    if reason := why_not_done(outcomes):
        raise SuiteError(reason)
    return 0


@cli.command()
def backfill(
    data: Data,
    venue: Annotated[
        str, typer.Option(help="hyperliquid, binance, or one of ccxt: kraken/spot, bybit/perp.")
    ],
    symbols: Annotated[str, typer.Option(help="Coins, separated by commas.")],
    start: Annotated[str, typer.Option("--from", help="First day or moment, UTC.")],
    end: Annotated[str, typer.Option("--to", help="Day or moment after the last.")] = "now",
    interval: Annotated[str, typer.Option(help="1m, 5m, 1h, ...")] = "1m",
    funding: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option(help="Fill settled funding too.")
    ] = True,
    url: Annotated[str | None, typer.Option(help="Another address than the venue's.")] = None,
) -> int:
    """Fill the store from a venue's past; only what is missing is asked for.

    Interrupted, it goes on where it stopped when it is started again.

    Example: data-collector backfill --venue hyperliquid --symbols BTC --from 2025-05-01 --data data
    """
    from data_collector.application.backfilling import Order
    from data_collector.application.generating import coins_named
    from data_collector.venues import open_venue
    from suite.bars import INTERVAL_MS
    from suite.errors import BadRequest
    from suite.moments import parse_moment
    from suite.service.clock import SystemClock

    coins, now_ms = coins_named(symbols), SystemClock().now_ms()
    try:
        from_ms = parse_moment(start)
        to_ms = now_ms if end == "now" else min(now_ms, parse_moment(end))
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if from_ms >= to_ms:
        raise BadRequest(f"--from {start} is not before --to {end}, or not before now")
    if interval not in INTERVAL_MS:
        raise BadRequest(f"unknown interval {interval[:10]!r}; there are {', '.join(INTERVAL_MS)}")
    order = Order(interval=interval, from_ms=from_ms, to_ms=to_ms, funding=funding)
    opened = partial(open_venue, venue, url=url)
    return _backfill(_store(data), coins, order, opened)


def _backfill(
    store: "KlineStore", coins: list[str], order: "Order", opened: "Callable[[], Venue]"
) -> int:
    import asyncio

    from data_collector.application.backfilling import Backfiller
    from data_collector.entrypoint.filling import FillProgress
    from suite.errors import SuiteError
    from suite.service.clock import SystemClock
    from suite.service.logging import configure_logging

    async def run(watch: FillProgress) -> None:
        venue = opened()
        filler = Backfiller(store, venue.history, SystemClock().now_ms, lacks=venue.lacks)
        try:
            await filler.run(coins, order, watch)
        finally:
            await venue.history.close()

    configure_logging(level="error")  # what is asked again is no news beside a progress bar
    watch = FillProgress(len(coins))
    try:
        with watch:
            asyncio.run(run(watch))
    except KeyboardInterrupt:
        raise SuiteError("interrupted; the same command goes on where it stopped") from None
    finally:
        if watch.outcomes:
            watch.show()
    failed = [item for item in watch.outcomes if item.status == "failed"]
    if failed:
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise SuiteError(f"{failed[0].coin}: {failed[0].reason}{more}")
    return 0


@cli.command()
def generate(
    data: Data,
    symbols: Annotated[str, typer.Option(help="Coins, separated by commas.")] = "BTC,ETH,SOL",
    days: Annotated[int, typer.Option(help="How many days.", min=1, max=3660)] = 30,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 7,
    end: Annotated[str, typer.Option(help="Day after the last, UTC.")] = "2025-06-01",
    replace: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--replace", help="Delete synthetic data of another seed or range.")
    ] = False,
) -> None:
    """Generate a synthetic market of 1m bars and funding; it is labelled so everywhere.

    Example: data-collector generate --symbols BTC,ETH,SOL --days 30 --seed 7 --data data
    """
    from data_collector.application.generating import Recipe, coins_named, generate_market
    from suite.bars import DAY_MS
    from suite.errors import BadRequest
    from suite.moments import format_moment, parse_moment

    coins = coins_named(symbols)
    try:
        end_ms = parse_moment(end)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if end_ms % DAY_MS or end_ms < days * DAY_MS:
        raise BadRequest(f"--end {end} is not midnight UTC, or --days reaches before 1970")
    recipe = Recipe(seed=seed, days=days, end_ms=end_ms)
    start, stop = format_moment(recipe.start_ms), format_moment(end_ms)
    store = _store(data)
    for coin, made, result in generate_market(store, coins, recipe, replace=replace):
        prices = made.bars.close
        decimals = made.profile.price_decimals
        typer.echo(
            f"synthetic {coin}: {len(made.bars):,} bars from {start} to {stop}, "
            f"price {prices[0]:.{decimals}f} to {prices[-1]:.{decimals}f}, "
            f"{result.added:,} new rows, {result.same:,} stored before"
        )
    typer.echo(f"synthetic market, seed {seed}, in {store.files.place}")


@cli.command()
def verify(
    data: Data,
    manifest: Annotated[
        Path | None, typer.Option(help="Hold the store against this manifest, too.")
    ] = None,
    write: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--write", help="Write manifest.json into the store.")
    ] = False,
) -> int:
    """Read every file of the store again and check it.

    A manifest names of each series range, bars, gaps and SHA-256; what came later is no difference.

    Example: data-collector verify --data data
    """
    from data_collector.adapters.stored_files import StoredFiles
    from data_collector.application.verifying import verify as check
    from data_collector.entrypoint.console import follow
    from suite.errors import DataGap, StorageError

    store = _store(data, must_exist=True)
    stored = StoredFiles(store)
    problems, files, rows = [], 0, 0
    for checked in follow(check(stored), stored.count, "verifying"):
        files, rows = files + 1, rows + checked.rows
        if checked.problem:
            problems.append(checked.problem)
            typer.echo(f"DAMAGED {checked.problem}")
    if files == 0:
        raise DataGap(f"no klines in {store.files.place}")
    if manifest is not None and not problems:
        problems = _compare(store, manifest)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise StorageError(f"{problems[0]}{more}")
    typer.echo(f"{files} files and ledgers, {rows:,} rows, all well")
    if write:
        _write_manifest(store)
    return 0


def _compare(store: "KlineStore", path: Path) -> list[str]:
    """Hold a store against a manifest."""
    import json

    from data_collector.application.manifest import differences, series_in
    from data_collector.entrypoint.console import follow
    from suite.errors import BadRequest

    try:
        series = series_in(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise BadRequest(f"cannot read {path}: {error}") from None
    found = [text for text in follow(differences(store, series), len(series), "hashing") if text]
    for text in found:
        typer.echo(f"DIFFERS {text}")
    if not found:
        typer.echo(f"{len(series)} series as {path} says")
    return found


def _write_manifest(store: "KlineStore") -> None:
    from data_collector.application.manifest import describe, manifest_of
    from data_collector.entrypoint.console import follow
    from suite.service.kline_files import write_json

    series = list(follow(describe(store), len(store.series()), "hashing"))
    write_json(store.files, "manifest.json", manifest_of(series))
    typer.echo(f"{len(series)} series in {store.files.place}/manifest.json")


@cli.command()
def compact(data: Data) -> None:
    """Put every month of every series into one file, as after a day of collecting.

    Example: data-collector compact --data data
    """
    from data_collector.entrypoint.console import follow
    from suite.errors import DataGap

    store = _store(data, must_exist=True)
    series = store.series()
    if not series:
        raise DataGap(f"no klines in {store.files.place}")
    saved = sum(store.compact(*one) for one in follow(series, len(series), "compacting"))
    coins = {(source, coin) for source, coin, _ in series}
    saved += sum(store.compact_open_interest(*one) for one in sorted(coins))
    typer.echo(f"{len(series)} series, {saved:,} files less")


@cli.command()
def coverage(
    data: Data,
    picture: Annotated[Path | None, typer.Option(help="Draw it into this SVG, by day.")] = None,
    as_json: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--json", help="Print it for programs, with every gap.")
    ] = False,
) -> None:
    """List what is stored: coin, interval, from, to, bars, gaps and why, source.

    The first line of a coin and interval is what readers get unless they name another.

    Example: data-collector coverage --data data --picture coverage.svg
    """
    import json

    from data_collector.application.reading import coverage_table
    from data_collector.entrypoint import console
    from data_collector.entrypoint.picture import coverage_picture
    from suite.errors import BadRequest, DataGap

    store = _store(data, must_exist=True)
    rows = coverage_table(store, store)
    if not rows:
        raise DataGap(f"no klines in {store.files.place}")
    if picture is not None:
        svg = coverage_picture([(held, coin) for held, coin, _ in rows])
        try:
            picture.write_text(svg, encoding="utf-8")
        except OSError as error:
            raise BadRequest(f"cannot write {picture}: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps([console.coverage_entry(*row) for row in rows]))
    else:
        console.make_console().print(console.coverage_table(rows))


@cli.command()
def serve(
    data: Data,
    port: Annotated[int | None, typer.Option(help="TCP port, 8000 by default, 0 for any.")] = None,
    host: Annotated[str | None, typer.Option(help="Address, 127.0.0.1 by default.")] = None,
    collect: Annotated[
        str | None, typer.Option(help="Collect from this venue: hyperliquid, binance, ...")
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Coins to collect, with commas.")] = None,
    intervals: Annotated[str | None, typer.Option(help="Of them; 1m by default.")] = None,
    url: Annotated[str | None, typer.Option(help="Another address of the venue.")] = None,
) -> None:
    """Serve the store over HTTP, and collect a venue into it if asked to.

    Example: data-collector serve --data data --collect hyperliquid --symbols BTC,ETH
    """
    from data_collector.main import create_app
    from data_collector.settings import Settings
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run

    settings = Settings.load(
        data=data,
        port=port,
        host=host,
        collect=collect,
        symbols=_names(symbols),
        intervals=_names(intervals),
        url=url,
    )
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


def _names(text: str | None) -> tuple[str, ...] | None:
    """Take a list with commas apart; None where none is given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _store(data: str, *, must_exist: bool = False) -> "KlineStore":
    from suite.service.kline_store import open_store

    return open_store(data, must_exist=must_exist)


def _state_dir() -> Path:
    from data_collector.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="data-collector")
