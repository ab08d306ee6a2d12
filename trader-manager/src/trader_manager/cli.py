"""The command `trader-manager`."""

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
) -> None:
    """Serve until stopped. Example: trader-manager serve --port 8400."""
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run
    from trader_manager.main import create_app

    settings = Settings.load(host=host, port=port)
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="trader-manager")
