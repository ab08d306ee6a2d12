"""The command `hyperliquid-exchange`."""

from pathlib import Path
from typing import Annotated

import typer

from hyperliquid_exchange.check_commands import add_check_commands
from hyperliquid_exchange.journal_commands import add_journal_commands
from hyperliquid_exchange.key_commands import add_key_commands
from hyperliquid_exchange.safety_commands import add_safety_commands
from hyperliquid_exchange.settings import Settings
from suite.service.cli import run_command
from suite.service.token_commands import add_token_commands

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@cli.callback()
def commands() -> None:
    """Run the hyperliquid-exchange."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
) -> None:
    """Serve until stopped. Example: hyperliquid-exchange serve --port 8200."""
    from hyperliquid_exchange.main import create_app
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run

    settings = Settings.load(host=host, port=port)
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


add_key_commands(cli)
add_safety_commands(cli)
add_check_commands(cli)
add_journal_commands(cli)


def _state_dir() -> Path:
    from hyperliquid_exchange.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="hyperliquid-exchange")
