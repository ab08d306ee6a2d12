"""The command `trader-manager`."""

from pathlib import Path
from typing import Annotated

import typer

from suite.service.cli import EXIT_FAILURE, run_command
from suite.service.token_commands import add_token_commands
from trader_manager.arena_command import add_arena
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


@cli.command()
def monitor(
    *,
    url: Annotated[str | None, typer.Option(help="Address of the manager.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end.")] = False,
) -> None:
    """Show the fleet in the terminal until Ctrl-C; one table where there is no terminal.

    Example: trader-manager monitor --url http://127.0.0.1:8400
    """
    from trader_manager.commands.fleet_client import FleetClient
    from trader_manager.commands.monitor import monitor as show

    show(FleetClient(Settings.load(), url), once=once)


@cli.command()
def doctor(
    traders: Annotated[Path | None, typer.Option(help="The traders file to look at.")] = None,
) -> None:
    """Look at everything that a start needs; starts and changes nothing.

    Example: trader-manager doctor --traders traders.yaml
    """
    from trader_manager.commands.checks import tell
    from trader_manager.commands.doctor import examine

    raise typer.Exit(tell(examine(Settings.load(traders=traders))))


@cli.command()
def migrate(
    *,
    source: Annotated[
        Path, typer.Option("--from", help="A traders file of one trader, a flat entry, or .env.")
    ],
    names: Annotated[str, typer.Option(help="Ids of the new traders, comma-separated.")],
    out: Annotated[Path, typer.Option(help="The new traders file.")] = Path("traders.yaml"),
    env_out: Annotated[Path, typer.Option(help="File of the secrets.")] = Path("fleet.env"),
    write: Annotated[bool, typer.Option("--write", help="Write; else it is only shown.")] = False,
) -> None:
    """Make many traders of one, each with its own account and secrets; shows what it would write.

    Example: trader-manager migrate --from single.yaml --names anna,bert --write
    """
    from trader_manager.commands import migrate as moving

    move = moving.plan(source, [name.strip() for name in names.split(",") if name.strip()])
    for key in move.left_out:
        typer.echo(f"left out: {key} is no key of a trader", err=True)
    for problem in move.problems:
        typer.echo(f"not in order yet: {problem}", err=True)
    if not write:
        typer.echo(move.traders, nl=False)
        for name in move.secrets:
            typer.echo(f"# {env_out}: {name}=...")
        typer.echo("# nothing is written yet: add --write")
    else:
        moving.write(move, traders=out, env_file=env_out)
        typer.echo(f"wrote {out}" + (f" and {env_out} (mode 0600)" if move.secrets else ""))
    if move.problems:
        raise typer.Exit(EXIT_FAILURE)


@cli.command()
def verify(
    url: Annotated[str | None, typer.Option(help="Address of the manager.")] = None,
    traders: Annotated[Path | None, typer.Option(help="A file that they shall be as.")] = None,
) -> None:
    """Prove on the running system that nobody shares anything, and that all say the same.

    Example: trader-manager verify --traders traders.yaml
    """
    from trader_manager.commands.checks import tell
    from trader_manager.commands.fleet_client import FleetClient
    from trader_manager.commands.verify import verify as prove

    settings = Settings.load(traders=traders)
    raise typer.Exit(tell(prove(FleetClient(settings, url), settings)))


@cli.command()
def benchmark(
    url: Annotated[str | None, typer.Option(help="Address of the manager.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="To watch the processes for.")] = 10.0,
    json: Annotated[Path | None, typer.Option(help="A file for the figures.")] = None,
) -> None:
    """Measure this machine with the fleet that runs on it.

    Example: trader-manager benchmark --seconds 30 --json figures.json
    """
    from trader_manager.commands.benchmark import measure, show
    from trader_manager.commands.fleet_client import FleetClient

    settings = Settings.load()
    figures = measure(FleetClient(settings, url), settings, seconds=seconds)
    show(figures)
    if json is not None:
        json.write_bytes(figures.encoded())


add_arena(cli)


def _state_dir() -> Path:
    from trader_manager.settings import Settings

    return Settings.load().state_dir


add_token_commands(cli, _state_dir)


def main() -> None:
    """Run the command line."""
    run_command(cli, name="trader-manager")
