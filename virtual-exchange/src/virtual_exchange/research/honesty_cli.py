"""The commands that tell what a search or a strategy is worth."""

from pathlib import Path
from typing import Annotated

import typer


def add_honesty_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command("sweep-report")(sweep_report)


def sweep_report(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep that came to its end.")],
) -> None:
    """Judge a sweep, and write its report.html and honesty.json.

    The verdict says whether the best set of parameters is more than the luck of having searched.

    Example: virtual-exchange sweep-report var/sweeps/sma
    """
    tell_verdict(folder)


def tell_verdict(folder: Path) -> None:
    """Write the report of a sweep, and say its verdict with the reasons.

    Raises:
        BadRequest, StorageError: see `write_report`.
    """
    from virtual_exchange.research.report import judge_and_write

    verdict, page = judge_and_write(folder)
    best = "" if verdict.winner is None else f"trial {verdict.winner} of {verdict.tried} is "
    typer.echo(f"{best}{verdict.label}")
    for name, texts in (("", verdict.reasons), ("besides: ", verdict.warnings)):
        for text in texts:
            typer.echo(f"  {name}{text}")
    typer.echo(f"{page} written")
