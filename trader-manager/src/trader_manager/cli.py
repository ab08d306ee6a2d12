"""The command `trader-manager`."""

from pathlib import Path
from typing import Annotated

import typer

from suite.service.cli import run_command
from trader_manager.settings import Settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@cli.callback()
def commands() -> None:
    """Run the trader-manager."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
    traders: Annotated[
        Path | None, typer.Option(help="A traders file whose entries are taken in.")
    ] = None,
) -> None:
    """Serve until stopped; the traders run on, and the next manager finds them.

    Example: TRADING_URL=http://127.0.0.1:8100 trader-manager serve --traders traders.yaml
    """
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run
    from trader_manager.main import create_app

    settings = Settings.load(host=host, port=port, traders=traders)
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="trader-manager")
