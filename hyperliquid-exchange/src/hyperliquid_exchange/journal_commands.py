"""Commands for the journal of intents."""

from pathlib import Path
from typing import Annotated

import typer

from suite.service.cli import EXIT_FAILURE

Place = Annotated[
    Path | None, typer.Argument(help="Its folder; intents/ of the state folder by default.")
]


def add_journal_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    journal = typer.Typer(no_args_is_help=True, help="The journal of intents.")
    journal.callback()(lambda: None)
    journal.command()(verify)
    cli.add_typer(journal, name="journal")


def verify(place: Place = None) -> None:
    """Read the journal of intents and say whether it is whole; 1 where it is not.

    Nothing is changed. A service that writes it has to be stopped first. Example:
    hyperliquid-exchange journal verify
    """
    from hyperliquid_exchange.adapters.intent_journal.segments import Segments
    from hyperliquid_exchange.places import intents_of
    from hyperliquid_exchange.settings import Settings
    from suite.errors import ConfigError, StorageError

    place = place or intents_of(Settings.load().state_dir)
    if not place.is_dir():
        raise ConfigError(f"there is no folder {place}")
    counts = {"begin": 0, "noop": 0, "settle": 0, "head": 0}
    segments = Segments(place)
    try:
        segments.read(lambda _number, _content, record: _count(counts, record))
    except StorageError as error:
        typer.echo(str(error))
        raise typer.Exit(EXIT_FAILURE) from None
    finally:
        segments.close()
    typer.echo(
        f"{place}: {counts['head']} segments, {sum(counts.values())} records, whole: "
        f"{counts['begin']} intents, {counts['noop']} noops, {counts['settle']} fates"
    )


def _count(counts: dict[str, int], record: object) -> None:
    for name in counts:
        counts[name] += getattr(record, name) is not None
