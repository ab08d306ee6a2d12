"""Commands of the kill ladder, and the watchdog. They go over HTTP; a kill goes without it too."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE

if TYPE_CHECKING:
    from hyperliquid_exchange.settings import Settings

Trader = Annotated[str, typer.Argument(help="Id of a trader, or all.")]
Reason = Annotated[str, typer.Option(help="Why, in one line.")]
Url = Annotated[str | None, typer.Option(help="Address of the service; HOST and PORT by default.")]
Token = Annotated[Path | None, typer.Option(help="File with a token; the operator's by default.")]
Flatten = Annotated[bool, typer.Option("--flatten", help="Close positions too, reduce-only.")]

CONNECT_S = 2.0
ANSWER_S = 15.0


def add_safety_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    for command in (pause, stop, kill, resume, adopt, status, watchdog):
        cli.command(command.__name__)(command)


def pause(
    trader: Trader = "all", reason: Reason = "", url: Url = None, token_file: Token = None
) -> None:
    """Forbid new risk and cancel entries; positions and stops stay.

    Example: hyperliquid-exchange pause anna --reason "odd fills"
    """
    _show(_ask("pause", _body(trader, reason), url, token_file))


def stop(
    *,
    trader: Trader = "all",
    reason: Reason = "",
    flatten: Flatten = False,
    url: Url = None,
    token_file: Token = None,
) -> None:
    """Forbid new risk until a person resumes; with --flatten positions are closed.

    Example: hyperliquid-exchange stop anna --flatten
    """
    _show(_ask("stop", {**_body(trader, reason), "flatten": flatten}, url, token_file))


def kill(
    *,
    trader: Trader = "all",
    reason: Reason = "",
    flatten: Flatten = False,
    url: Url = None,
    token_file: Token = None,
) -> None:
    """Forbid everything at once; also where the service does not answer.

    Example: hyperliquid-exchange kill
    """
    from suite.errors import NotFound, SuiteError

    try:
        told = _ask("kill", {**_body(trader, reason), "flatten": flatten}, url, token_file)
    except NotFound:
        raise
    except SuiteError as error:
        _kill_by_file(trader, reason or "kill by command", error)
    else:
        _show(told)


def resume(
    *,
    trader: Trader = "all",
    confirm: Annotated[str, typer.Option(help="The exact words, to end a kill.")] = "",
    allow_executions: Annotated[
        bool, typer.Option("--allow-executions", help="Count fills from now on.")
    ] = False,
    url: Url = None,
    token_file: Token = None,
) -> None:
    """Allow again what was forbidden; a kill needs its own token, typed words and a preflight.

    Example: hyperliquid-exchange resume anna
    """
    from hyperliquid_exchange.places import resumer_token_of

    settings = _settings()
    path = token_file or resumer_token_of(settings.state_dir)
    if not confirm:
        causes = _ask(None, None, url, path)["causes"]
        typed = [one["typed"] for one in causes if one["scope"] == trader and one["typed"]]
        if typed:
            confirm = typer.prompt(
                f"To end the kill, type exactly:\n{typed[0]}\n", prompt_suffix=""
            )
    body = {"trader": trader, "confirmation": confirm, "allow_executions": allow_executions}
    told = _ask("resume", body, url, path)
    typer.echo(f"cleared: {', '.join(told['cleared']) or 'nothing was set'}")
    _show(told)


def adopt(
    trader: Annotated[str, typer.Argument(help="Id of a trader.")],
    reason: Annotated[str, typer.Option(help="What was looked at, in one line.")],
    url: Url = None,
    token_file: Token = None,
) -> None:
    """Believe the venue's account where it differs from its own messages; what is paused stays so.

    Example: hyperliquid-exchange adopt anna --reason "position closed by hand"
    """
    told = _ask("adopt", {"trader": trader, "reason": reason}, url, token_file)
    for line in told["adopted"] or ["nothing differed"]:
        typer.echo(f"{told['trader']}: {line}")


def status(url: Url = None, token_file: Token = None) -> None:
    """Show what is forbidden to whom, why, and what was done about it at the venue.

    Example: hyperliquid-exchange status
    """
    told = _ask(None, None, url, token_file)
    _show(told)
    silent_s = told["watchdog_silent_s"]
    typer.echo("watchdog " + ("never heard" if silent_s is None else f"heard {silent_s:.1f} s ago"))


def watchdog(
    url: Annotated[
        str | None, typer.Option(help="Address of the service; its own HOST and PORT by default.")
    ] = None,
) -> None:
    """Watch the service from another process; kill and cancel when it does not get on.

    Example: hyperliquid-exchange watchdog
    """
    import asyncio

    from hyperliquid_exchange.watchdog_run import watch
    from suite.service.logging import configure_logging

    settings = _settings()
    configure_logging(level=settings.log_level, style=settings.log_format)
    asyncio.run(watch(settings, url or settings.own_url))


# how


def _settings() -> "Settings":
    from hyperliquid_exchange.settings import Settings

    return Settings.load()


def _body(trader: str, reason: str) -> dict[str, Any]:
    return {"trader": trader, "reason": reason}


def _ask(
    what: str | None, body: dict[str, Any] | None, url: str | None, token_file: Path | None
) -> dict[str, Any]:
    """Ask the service.

    Args:
        what: to do; None to look.
        body: of the request.
        url: of the service.
        token_file: with a token.

    Raises:
        ConfigError: the token cannot be read.
        NotFound: there is no such trader.
        UpstreamUnavailable: it does not answer.
        UpstreamRefused: it says no.
    """
    import httpx

    from hyperliquid_exchange.places import operator_token_of
    from suite.errors import ConfigError, NotFound, UpstreamRefused, UpstreamUnavailable, one_line
    from suite.service.http import bearer

    settings = _settings()
    path = token_file or operator_token_of(settings.state_dir)
    try:
        headers = bearer(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the token {path}: {one_line(str(error))}") from None
    address = f"{(url or settings.own_url).rstrip('/')}/safety{f'/{what}' if what else ''}"
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    try:
        with httpx.Client(timeout=timeout, trust_env=False) as client:
            method = "POST" if what else "GET"
            reply = client.request(method, address, json=body, headers=headers)
    except httpx.HTTPError as error:
        text = f"the service does not answer at {address}: {type(error).__name__}"
        raise UpstreamUnavailable(text) from None
    if reply.status_code == 404:
        raise NotFound(one_line(reply.text))
    if reply.status_code != 200:
        raise UpstreamRefused(one_line(f"{reply.status_code}: {reply.text}"))
    told: dict[str, Any] = reply.json()
    return told


def _kill_by_file(trader: str, reason: str, error: Exception) -> None:
    """Place the file that kills; the service sees it at its next order, or when it is back.

    Raises:
        NotFound: there is no such trader: its file would forbid nothing to anybody.
    """
    from hyperliquid_exchange.adapters.safety_files import place_sentinel
    from hyperliquid_exchange.domain.clearing import ALL
    from hyperliquid_exchange.domain.safety import EVERYBODY
    from hyperliquid_exchange.places import safety_of
    from suite.errors import NotFound

    scope, settings = EVERYBODY if trader == ALL else trader, _settings()
    known = _traders(settings)
    if known and scope not in {EVERYBODY, *known}:
        raise NotFound(f"there is no trader {trader[:64]!r} here: nothing is killed")
    path = place_sentinel(safety_of(settings.state_dir), scope, reason)
    typer.echo(f"{error}", err=True)
    typer.echo(f"KILLED {trader} by the file {path}: orders at the venue were not looked at")


def _traders(settings: "Settings") -> set[str]:
    """Tell who trades here; nobody where the file cannot be read, which keeps no kill from it."""
    from hyperliquid_exchange.adapters.accounts_file import read_accounts_file
    from suite.errors import SuiteError

    if settings.accounts is None:
        return set()
    try:
        written = read_accounts_file(settings.accounts, network=settings.network)
    except SuiteError:
        return set()
    return {str(entry.trader_id) for entry in written.accounts}


def _show(told: dict[str, Any]) -> None:
    for name, level in told["levels"].items():
        typer.echo(f"{name}  {level}")
    for cause in told["causes"]:
        typer.echo(f"  {cause['level']} for {cause['scope']} by {cause['by']}: {cause['reason']}")
    for report in told["reports"]:
        held = report["positions"]
        flat = "" if held is None else f", positions {held or 'none'}"
        typer.echo(
            f"  {report['trader_id']}: {report['canceled']} canceled, {report['entries']} entries "
            f"and {report['stops']} stops rest{flat}{_but(report['trouble'])}"
        )
    if told.get("quiet") is False:
        typer.echo("  something was still leaving when this was answered: look again", err=True)
    if told.get("done") is False:
        raise typer.Exit(EXIT_FAILURE)


def _but(trouble: str) -> str:
    return f"; not finished: {trouble}" if trouble else ""
