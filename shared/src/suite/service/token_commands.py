"""`tokens list` and `tokens rotate`, which every service has beside its own commands.

add_token_commands(cli, lambda: Settings.load().state_dir)
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def add_token_commands(cli: typer.Typer, state_dir: Callable[[], Path]) -> None:
    """Add the commands.

    Args:
        cli: of the service.
        state_dir: where it writes; its tokens are below.
    """
    tokens = typer.Typer(no_args_is_help=True, help="The tokens of this service, by name.")
    cli.add_typer(tokens, name="tokens")

    @tokens.command("list")
    def list_() -> None:
        """Name the tokens that there are, and how old they are; none is shown."""
        from suite.service.clock import SystemClock

        folder, now_ms = state_dir() / "tokens", SystemClock().now_ms()
        for path in sorted(folder.rglob("*.token")):
            days = (now_ms / 1000 - path.stat().st_mtime) / 86_400
            name = path.relative_to(folder).with_suffix("")
            typer.echo(f"{name}  written {days:.0f} days ago, mode {path.stat().st_mode & 0o777:o}")

    @tokens.command()
    def rotate(
        name: Annotated[str, typer.Argument(help="Of the token, as `list` tells it.")],
    ) -> None:
        """Write a new token; the former is over at once, in a running service too.

        Whoever used it reads the file again, or is given what is in it.
        """
        from suite.errors import ConfigError
        from suite.service.tokens import rotate_file

        folder = (state_dir() / "tokens").resolve()
        path = (folder / f"{name}.token").resolve()
        if not path.is_relative_to(folder):
            raise ConfigError(f"no token is named {name!r}")
        rotate_file(path)
        typer.echo(f"{path} has a new token; the former is over")
