"""The command `portfolio-service`."""

from typing import Annotated

import typer

from portfolio_service.settings import Settings
from suite.service.cli import run_command

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@cli.callback()
def commands() -> None:
    """Run the portfolio-service."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
) -> None:
    """Serve until stopped. Example: portfolio-service serve --port 8500."""
    from portfolio_service.main import create_app
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run

    settings = Settings.load(host=host, port=port)
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="portfolio-service")
