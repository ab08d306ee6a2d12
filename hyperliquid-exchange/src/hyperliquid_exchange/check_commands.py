"""The commands `doctor`, `preflight` and `drift`: look, and say what to do; nothing is sent."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from hyperliquid_exchange.application.preflight.lines import Result
    from hyperliquid_exchange.application.shadow import DriftReport
    from hyperliquid_exchange.checking import Surroundings

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def add_check_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command("doctor")(doctor)
    cli.command("preflight")(preflight)
    cli.command("drift")(drift)


def doctor(json: Json = False) -> int:  # noqa: FBT002 - an option
    """Look at this machine, the keys, the limits and the journal; needs no venue.

    The exit code is 1 when a line failed. Example: hyperliquid-exchange doctor
    """
    from hyperliquid_exchange.checking import examine

    return _tell(examine(_surroundings()), json=json)


def preflight(json: Json = False) -> int:  # noqa: FBT002 - an option
    """Look at everything, the venue too, and keep the result: what live trading begins with.

    The exit code is 1 when a line failed. Example: hyperliquid-exchange preflight
    """
    from hyperliquid_exchange.adapters.preflight_file import keep_result
    from hyperliquid_exchange.checking import preflight as look

    around = _surroundings()
    result = asyncio.run(look(around))
    keep_result(result, around.settings.state_dir)
    return _tell(result, json=json)


def drift(
    days: Annotated[float, typer.Option(help="How far back, days.", min=0.01)] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for drift.json, .csv, .parquet and .html.")
    ] = None,
    json: Json = False,  # noqa: FBT002 - an option
) -> None:
    """Play every live order again on the collected bars, and tell how far live was from it.

    Example: hyperliquid-exchange drift --days 7
    """
    from hyperliquid_exchange.adapters.drift_files import write_drift
    from hyperliquid_exchange.places import drift_of

    around = _surroundings()
    report = asyncio.run(_compared(around, days))
    paths = write_drift(report, out or drift_of(around.settings.state_dir))
    if json:
        typer.echo(paths[0].read_text(), nl=False)
        return
    for row in report.summaries:
        typer.echo(
            f"{row.trader_id}: {row.orders} orders {dict(row.outcomes)}, price "
            f"{_number(row.price_bps_mean)} bp, fee {_number(row.fee_bps_mean)} bp, latency p50 "
            f"{_number(row.latency_ms_p50)} ms, cost {row.cost_usd} USD"
        )
    typer.echo(f"{len(report.rows)} orders: {paths[-1]}")


async def _compared(around: "Surroundings", days: float) -> "DriftReport":
    from hyperliquid_exchange.adapters.collected_bars import CollectorBars
    from hyperliquid_exchange.adapters.order_log import OrderLog
    from hyperliquid_exchange.adapters.venue_history import InfoHistory
    from hyperliquid_exchange.application.shadow import ShadowFills
    from suite.bars import DAY_MS
    from suite.errors import ConfigError

    if not around.data_url:
        raise ConfigError("DATA_SERVICE_URL is not set: the collector whose bars are played")
    now_ms = around.clock.now_ms()
    history, bars = InfoHistory(around.upstream_url), CollectorBars(around.data_url)
    addresses = {str(account.trader_id): account.address for account in around.accounts}
    try:
        shadow = ShadowFills(OrderLog(around.orders, around.clock), history, bars, addresses)
        return await shadow.report(now_ms - int(days * DAY_MS), now_ms)
    finally:
        await asyncio.gather(history.close(), bars.close())


def _surroundings() -> "Surroundings":
    """Read the settings, the accounts and the keys.

    Raises:
        ConfigError: something in them is wrong.
    """
    from hyperliquid_exchange.checking import surroundings
    from hyperliquid_exchange.settings import Settings
    from suite.service.logging import configure_logging

    settings = Settings.load()
    configure_logging(level="error", style=settings.log_format)
    return surroundings(settings)


def _tell(result: "Result", *, json: bool) -> int:
    import msgspec

    from suite.checklist import told

    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    else:
        for row in told(result.lines, f"{result.mode} {result.network}"):
            typer.echo(row)
    return EXIT_OK if result.green else EXIT_FAILURE


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:g}"
