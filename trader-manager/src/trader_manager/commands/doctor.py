"""What would go wrong if the manager were started here and now, before it is."""

import asyncio
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError, SuiteError, one_line
from suite.moments import format_moment
from suite.notices import Notice
from suite.service.channels import channels_of
from suite.service.clock import SystemClock
from suite.service.http import admin_client, shown
from suite.service.traders_file import WrittenDocument
from trader_manager.adapters.traders_file import written_traders
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.config_loader import ConfigLoader, FleetConfig
from trader_manager.commands.checks import Check
from trader_manager.commands.plugins import plugin_checks
from trader_manager.settings import Settings

_PYTHON: Final = (3, 11)
_PACKAGES: Final = ("asyncpg", "fastapi", "msgspec", "psutil", "pyarrow", "strategy_core", "yaml")
_FREE_BYTES: Final = 1 << 30
_VENUE_S: Final = 5.0
_EMBEDDED: Final = "embedded://"
_FILE_MODE: Final = 0o400
_OTHERS: Final = 0o077


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything that a start needs; nothing is started, and nothing changed."""
    yield _python()
    yield _packages()
    yield _agent()
    yield _port(settings)
    yield _disk(settings)
    yield _database(settings)
    config: FleetConfig | None = None
    document: WrittenDocument | None = None
    try:
        if (written := written_traders(settings.traders, settings.traders_config)) is not None:
            document = written.document()
            config = ConfigLoader(os.environ).load(document.value)
    except ConfigError as error:
        yield Check(name="traders file", problem=str(error))
    if config is not None and document is not None:
        yield from _traders(config, document)
        yield from plugin_checks(config, settings.runtime)
    yield from _venue(settings, config)
    yield _tokens(settings)
    yield _channels(settings)


def _channels(settings: Settings) -> Check:
    """Send a test notice to every channel."""
    notice = Notice(
        kind="test",
        text="trader-manager doctor asks whether anybody hears this",
        at_ms=SystemClock().now_ms(),
    )
    try:
        channels = channels_of(settings.notify_urls.get_secret_value(), "trader-manager")
        for channel in channels:
            asyncio.run(channel.send(notice))
    except SuiteError as error:
        return Check(name="notices", problem=f"{error}: look at TRADER_MANAGER_NOTIFY_URLS")
    if not channels:
        return Check(name="notices", told="no channel: what happens is told in the log alone")
    return Check(name="notices", told=f"{len(channels)} took a test message")


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        return Check(name="python", problem=f"{version}: 3.11 or newer is needed")
    return Check(name="python", told=version)


def _packages() -> Check:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        return Check(
            name="packages", problem=f"{', '.join(missing)} missing: run `make setup` in the suite"
        )
    return Check(name="packages", told=f"{len(_PACKAGES)} found")


def _agent() -> Check:
    beside = Path(sys.executable).with_name("strategy-agent")
    found = str(beside) if beside.exists() else shutil.which("strategy-agent")
    if found is None:
        return Check(name="strategy-agent", problem="not installed: traders cannot be started")
    return Check(name="strategy-agent", told=found)


def _port(settings: Settings) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return Check(
                name="port",
                problem=f"{settings.host}:{settings.port}: {error.strerror}; a manager may run"
                " already, or choose another TRADER_MANAGER_PORT",
            )
    return Check(name="port", told=f"{settings.host}:{settings.port} is free")


def _disk(settings: Settings) -> Check:
    folder = _existing(settings.state_dir)
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return Check(
            name="disk", problem=f"{folder} cannot be written: set TRADER_MANAGER_STATE_DIR"
        )
    if free < _FREE_BYTES:
        return Check(name="disk", problem=f"{free >> 20} MiB free at {folder}: make room for 1 GiB")
    return Check(name="disk", told=f"{free >> 30} GiB free at {folder}")


def _existing(path: Path) -> Path:
    """Find the nearest folder that is there."""
    folder = path.resolve()
    while not folder.exists():
        folder = folder.parent
    return folder


def _database(settings: Settings) -> Check:
    url = settings.database_url.get_secret_value()
    if url.startswith(_EMBEDDED):
        return _embedded(Path(url.removeprefix(_EMBEDDED)))
    try:
        version = asyncio.run(_server(url))
    except Exception as error:  # noqa: BLE001 - whatever a driver says of an address is the finding
        why = one_line(f"{type(error).__name__}: {error}")
        return Check(name="database", problem=f"{shown(url)}: {why}; see docs/database.md")
    return Check(name="database", told=f"{shown(url)}: PostgreSQL {version}")


async def _server(url: str) -> str:
    import asyncpg

    connection: Any = await asyncpg.connect(url, timeout=_VENUE_S)
    try:
        found: str = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return found


def _embedded(folder: Path) -> Check:
    from suite.service.postgres_binaries import RunAs, find_binaries

    try:
        with tempfile.TemporaryDirectory(prefix="doctor") as copies:
            version = folder / "data" / "PG_VERSION"
            major = int(version.read_text()) if version.is_file() else None
            Path(copies).chmod(0o755)
            found = find_binaries(RunAs(name="this user"), major=major, copies=Path(copies))
    except OSError as error:
        problem = f"cannot read {error.filename or folder}: {error.strerror}"
        return Check(name="database", problem=problem)
    except (SuiteError, ValueError) as error:
        return Check(name="database", problem=str(error))
    where = _existing(folder)
    if not os.access(where, os.W_OK):
        return Check(name="database", problem=f"{where} cannot be written: set DATABASE_URL")
    return Check(name="database", told=f"PostgreSQL {found.major} in {folder}, {found.folder}")


def _traders(config: FleetConfig, document: WrittenDocument) -> Iterator[Check]:
    problems = [
        *(f"line {line}: {problem}" for line, problem in document.repeated),
        *(
            f"line {document.line_of(problem, place)}: {problem}"
            for problem, place in zip(config.problems, config.places, strict=True)
        ),
    ]
    secrets = [text for text in problems if "environment variable" in text]
    for problem in problems:
        if problem not in secrets:
            yield Check(name="traders file", problem=problem)
    if len(problems) == len(secrets):
        yield Check(name="traders file", told=f"{len(config.traders)} traders in order")
    for problem in secrets:
        yield Check(name="secrets", problem=f"{problem}: put it into the environment")
    if not secrets:
        yield Check(name="secrets", told="every ${NAME} is set")


def _venue(settings: Settings, config: FleetConfig | None) -> Iterator[Check]:
    if settings.trading_url is None:
        yield Check(
            name="venue",
            problem="TRADING_URL is not set: the venue's address, http://127.0.0.1:8100",
        )
        return
    url = shown(settings.trading_url)
    try:
        clock, coins = asyncio.run(_asked(settings.trading_url, settings.reader_token()))
    except (SuiteError, TimeoutError) as error:
        why = str(error) or f"no answer within {_VENUE_S:g} s"
        yield Check(name="venue", problem=f"{url}: {why}; start it, or correct TRADING_URL")
        return
    real = "" if clock.world else ", market and money are real"
    yield Check(name="venue", told=f"{url}: {clock.mode}, {format_moment(clock.now_ms)} UTC{real}")
    traders = config.traders if config is not None else ()
    lacking = sorted({coin for one in traders for coin in one.symbols} - coins)
    if lacking:
        yield Check(
            name="coins",
            problem=f"the venue has no {', '.join(lacking)}; it has"
            f" {', '.join(sorted(coins)[:20])}",
        )
    elif traders:
        yield Check(name="coins", told="the venue has all that traders name")
    yield _accounts(settings, traders, is_simulated=bool(clock.world))


async def _asked(url: str, token: str) -> tuple[Any, set[str]]:
    reads = VenueReadsHttp(url, token=token)
    try:
        async with asyncio.timeout(_VENUE_S):
            clock = await reads.clock()
            async with admin_client(url, token=token or None, timeout_s=_VENUE_S) as client:
                meta = (await client.post("/info", json={"type": "meta"})).json()
    finally:
        await reads.close()
    return clock, {row["name"] for row in meta["universe"]}


def _accounts(settings: Settings, traders: tuple[TraderSpec, ...], *, is_simulated: bool) -> Check:
    """Look whether each trader has a way to a token."""
    try:
        unnamed = [one.trader_id for one in traders if settings.token_of(one.trader_id) is None]
    except ConfigError as error:
        return Check(name="accounts", problem=str(error))
    if not unnamed:
        return Check(name="accounts", told="a token is named for every trader")
    if is_simulated and settings.venue_operator_token.get_secret_value():
        return Check(
            name="accounts",
            told="the operator's token opens, or has opened, those that have no token of their own:"
            f" {len(unnamed)}",
        )
    names = ", ".join(unnamed[:5]) + (", ..." if len(unnamed) > 5 else "")
    way = "set VENUE_OPERATOR_TOKEN, or " if is_simulated else ""
    return Check(name="accounts", problem=f"no token for {names}: {way}name them in TRADER_TOKENS")


def _tokens(settings: Settings) -> Check:
    """Look at the modes of what must be read by nobody else."""
    root = settings.state_dir / "tokens"
    paths = sorted([root, *root.rglob("*")]) if root.is_dir() else []
    for path in paths:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & _OTHERS and (path.is_dir() or path.suffix == ".token"):
            wanted = "0700" if path.is_dir() else "0400"
            return Check(
                name="tokens",
                problem=f"{path} has mode {mode:04o}: others may read it; chmod {wanted} it",
            )
    files = sum(path.suffix == ".token" for path in paths)
    if not files:
        return Check(name="tokens", told=f"none yet in {root}: the first start makes them")
    return Check(name="tokens", told=f"{files} in {root}, readable by their owner only")
