"""The command `portfolio-service`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from portfolio_service.settings import Settings
from suite.service.cli import run_command
from suite.service.token_commands import add_token_commands

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@cli.callback()
def commands() -> None:
    """Run the portfolio-service."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
) -> None:
    """Serve until stopped; a rebalance that was begun goes on at the next start.

    Example: MANAGER_URL=http://127.0.0.1:8400 MANAGER_TOKEN_FILE=var/tokens/operator.token
    portfolio-service serve
    """
    from portfolio_service.main import create_app
    from suite.service.logging import configure_logging
    from suite.service.server import serve as run

    settings = Settings.load(host=host, port=port)
    configure_logging(level=settings.log_level, style=settings.log_format)
    run(create_app(settings), settings)


@cli.command()
def rebalance(
    *,
    method: Annotated[
        str | None,
        typer.Option(help="equal, inverse_vol, risk_parity, score, kelly, hrp, min_cvar."),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(help="ID=SHARE of the capital, 0 to 1, instead; again for each trader."),
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Id of a preview to be carried out.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Think it through, and do nothing.")
    ] = False,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    url: Annotated[str | None, typer.Option(help="Address of the portfolio-service.")] = None,
) -> None:
    """Share the capital out anew, and wait until everybody has it.

    Example: portfolio-service rebalance --preview --share anna=0.4 --share bert=0.3
    """
    from portfolio_service.commands import PortfolioClient, carry_out, shares_of, show

    client = PortfolioClient(Settings.load(), url)
    body: dict[str, Any] = {"method": method, "shares": shares_of(share or []), "plan_id": plan}
    if plan is None:
        body |= {"preview": preview, "reason": reason}
    found = client.rebalance(body)
    show(found)
    if not preview:
        carry_out(client, found["plan_id"])


def _state_dir() -> Path:
    from portfolio_service.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="portfolio-service")
