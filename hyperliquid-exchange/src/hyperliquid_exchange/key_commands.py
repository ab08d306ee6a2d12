"""Commands for keys and the accounts file; none of them needs the network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from hyperliquid_exchange.custody import Role
    from hyperliquid_exchange.domain.accounts import LiveAccount
    from hyperliquid_exchange.settings import Settings

Folder = Annotated[Path, typer.Option(help="Folder of the key files.")]
Trader = Annotated[str, typer.Argument(help="Id of the trader; NAME.key is the file.")]

_ROLES: "tuple[Role, ...]" = ("proxy", "watchdog")

keys = typer.Typer(no_args_is_help=True, help="Make and look at keys of agents.")


def add_key_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.add_typer(keys, name="keys")
    cli.command("check")(check)


@keys.command("new")
def new(trader: Trader, folder: Folder = Path("keys")) -> None:
    """Make a fresh agent key; tell its address and what a person must approve, never the key.

    Example: hyperliquid-exchange keys new anna
    """
    from hyperliquid_exchange.adapters.keystore import AgentKey, new_key, write_key_file

    path, secret = _file(folder, trader), new_key()
    write_key_file(path, secret)
    _tell(trader, AgentKey(secret).address, path)


@keys.command("import")
def import_(trader: Trader, folder: Folder = Path("keys")) -> None:
    """Write a key that you have already into a file; it is read from the terminal or a pipe.

    Example: hyperliquid-exchange keys import anna
    """
    import getpass
    import sys

    from hyperliquid_exchange.adapters.keystore import AgentKey, read_secret, write_key_file
    from suite.errors import BadRequest

    is_terminal = sys.stdin.isatty()
    text = getpass.getpass("key (not shown): ") if is_terminal else sys.stdin.readline(200)
    secret = read_secret(text, "what was given")
    key = AgentKey(secret)
    if key.example:
        raise BadRequest(f"this key is an example ({key.example}): everybody can sign with it")
    path = _file(folder, trader)
    write_key_file(path, secret)
    _tell(trader, key.address, path)


@keys.command("show")
def show(trader: Trader, folder: Folder = Path("keys")) -> None:
    """Tell the address of a key, never the key.

    Example: hyperliquid-exchange keys show anna
    """
    from hyperliquid_exchange.adapters.keystore import read_key_file

    typer.echo(read_key_file(_file(folder, trader)).address)


def check(
    accounts: Annotated[
        Path | None, typer.Option(help="The accounts file; that of the settings by default.")
    ] = None,
    schema: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--schema", help="Print the file's JSON schema instead.")
    ] = False,
    role: Annotated[
        str, typer.Option(help="Whose keys are here: proxy or watchdog; both by default.")
    ] = "",
) -> int:
    """Look at the settings, the accounts file and its keys, offline; tell every mistake.

    Example: hyperliquid-exchange check --accounts accounts.yaml
    """
    import os

    from hyperliquid_exchange.settings import Settings
    from suite.errors import BadRequest

    if role not in {"", *_ROLES}:
        raise BadRequest(f"there is no role {role!r}: it is {' or '.join(_ROLES)}")
    if schema:
        import msgspec

        from hyperliquid_exchange.adapters.accounts_file import accounts_schema

        typer.echo(msgspec.json.format(msgspec.json.encode(accounts_schema())).decode())
        return EXIT_OK
    settings = Settings.load(accounts=accounts)
    problems, lines = _examine(settings, dict(os.environ), role)
    for line in problems:
        typer.echo(f"PROBLEM {line}")
    for line in lines:
        typer.echo(f"ok      {line}")
    count = len(problems)
    told = f"{count} {'problem' if count == 1 else 'problems'}" if count else "all in order"
    typer.echo(told)
    return EXIT_FAILURE if problems else EXIT_OK


def _examine(
    settings: "Settings", environment: dict[str, str], only: str
) -> tuple[list[str], list[str]]:
    """Look at everything that can be looked at; problems, and what is in order.

    Args:
        settings: of the service.
        environment: variables, with keys perhaps.
        only: the role whose keys are looked at; empty for both.
    """
    from hyperliquid_exchange.custody import open_custody
    from hyperliquid_exchange.upstreams import is_stand_in
    from suite.errors import ConfigError

    problems: list[str] = []
    lines: list[str] = []
    stands_in = False
    try:
        stands_in = is_stand_in(settings)
        what = "a stand-in" if stands_in else f"Hyperliquid, {settings.network}"
        lines.append(f"venue: {settings.upstream_url} ({what})")
    except ConfigError as error:
        problems.append(str(error))
    if settings.accounts is None:
        problems.append("HYPERLIQUID_EXCHANGE_ACCOUNTS is not set: the accounts file")
        return problems, lines
    seen: set[str] = set()
    for role in _ROLES:
        if only not in {"", role}:
            continue
        try:
            custody = open_custody(
                settings.accounts,
                network=settings.network,
                is_stand_in=stands_in,
                environment=environment,
                role=role,
            )
        except ConfigError as error:
            found = error.problems or (str(error),)
            problems += [text for text in found if text not in seen]
            seen.update(found)
            continue
        lines += [_told(account, role) for account in custody.accounts.values()]
    return problems, lines


def _told(account: "LiveAccount", role: str) -> str:
    who = account.trader_id if role == "proxy" else f"{account.trader_id}, watchdog"
    of = f", a sub-account or vault of {account.master}" if account.vault else ""
    return f"{who}: agent {account.signer} trades {account.address}{of}"


def _file(folder: Path, trader: str) -> Path:
    """Name the key file of a trader.

    Raises:
        BadRequest: that is no name of one.
    """
    import re

    from suite.errors import BadRequest

    looks_like_a_key = re.fullmatch(r"(0[xX])?[0-9a-fA-F]{41,}", trader) is not None
    if looks_like_a_key or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", trader, re.ASCII):
        raise BadRequest("an id has letters, digits and `_ . -`; a key is never an argument")
    return folder / f"{trader}.key"


def _tell(trader: str, address: str, path: Path) -> None:
    typer.echo(address)
    typer.echo(
        f"approve it with the master wallet, in the venue's page under API: name {trader[:16]}, "
        f"address {address}; then write key_file: {path} into the accounts file"
    )
