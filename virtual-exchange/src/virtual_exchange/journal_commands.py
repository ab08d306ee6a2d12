"""Commands for the journals of worlds."""

from pathlib import Path
from typing import Annotated

import typer

from suite.service.cli import EXIT_FAILURE

Place = Annotated[
    Path | None,
    typer.Argument(help="A file, or a folder of them; worlds/ of the state folder by default."),
]


def add_journal_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    journal = typer.Typer(no_args_is_help=True, help="Journals of worlds.")
    journal.callback()(lambda: None)
    journal.command()(verify)
    cli.add_typer(journal, name="journal")


def verify(place: Place = None) -> None:
    """Read journals of worlds and say of each whether it is whole; 1 where one is not.

    Nothing is changed, and a service that writes them is not in the way. Example:
    virtual-exchange journal verify
    """
    from suite.errors import ConfigError, StorageError
    from virtual_exchange.adapters.world_journals import SUFFIX, verified
    from virtual_exchange.settings import Settings

    place = place or Settings.load().state_dir / "worlds"
    if not place.exists():
        raise ConfigError(f"there is no {place}")
    paths = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
    damaged = 0
    for path in paths:
        try:
            typer.echo(f"{path}: {verified(path)}")
        except StorageError as error:
            damaged += 1
            typer.echo(str(error))
    typer.echo(f"{len(paths)} journals, {damaged} damaged")
    if damaged:
        raise typer.Exit(EXIT_FAILURE)
