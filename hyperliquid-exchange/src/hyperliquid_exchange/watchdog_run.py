"""The watchdog's process, put together: its own keys, its own nonces, its own way to the venue."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Final

import structlog

from hyperliquid_exchange.adapters.beat_file import BeatFile
from hyperliquid_exchange.adapters.hyperliquid_http import HyperliquidHttp
from hyperliquid_exchange.adapters.keystore import hide_process
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.progress_http import ProgressHttp
from hyperliquid_exchange.adapters.safety_files import place_sentinel
from hyperliquid_exchange.adapters.signer_ownership import SignerOwnership, this_process
from hyperliquid_exchange.adapters.signing import AgentSigner
from hyperliquid_exchange.application.flattening import SafetyWork, WorkRules
from hyperliquid_exchange.application.venue_desk import VenueDesk
from hyperliquid_exchange.application.watchdog import CancelPath, Fired, Watchdog
from hyperliquid_exchange.custody import Custody, open_custody
from hyperliquid_exchange.domain.progress import Beat, ProgressRules
from hyperliquid_exchange.domain.safety import EVERYBODY
from hyperliquid_exchange.guarding import alert_channels
from hyperliquid_exchange.places import (
    pauser_token_of,
    proxy_beat_of,
    safety_of,
    signers_of,
    watchdog_beat_of,
)
from hyperliquid_exchange.settings import Settings
from hyperliquid_exchange.upstreams import is_stand_in
from suite.errors import ConfigError
from suite.notices import Notices
from suite.service.clock import SystemClock

_TICKS: Final = 20
"""Looks within the limit, at the least."""
_WAITS: Final = 6
_log = structlog.get_logger(__name__)


async def watch(settings: Settings, url: str | None) -> None:
    """Watch the proxy until SIGTERM or SIGINT.

    Args:
        settings: those of the proxy; both read the same accounts file and state folder.
        url: of the proxy; None for its file alone.

    Raises:
        ConfigError: a setting, a file or a key is wrong.
        InUse: another watchdog has the keys.
    """
    custody, stand_in = _custody(settings), is_stand_in(settings)
    if not custody.accounts and not stand_in:
        raise ConfigError(
            "no trader has a watchdog_key_file: the watchdog could not cancel anything"
        )
    trouble = hide_process()
    if trouble:
        _log.warning("keys_could_be_seen", reason=trouble)
    clock, folder = SystemClock(), settings.state_dir
    ownership = SignerOwnership(signers_of(folder), this_process(clock))
    ownership.take({account.signer for account in custody.accounts.values()})
    upstream = HyperliquidHttp(str(settings.upstream_url).rstrip("/"))
    try:
        await _run(settings, custody, ownership, upstream, url)
    finally:
        await upstream.close()
        ownership.close()


async def _run(
    settings: Settings,
    custody: Custody,
    ownership: SignerOwnership,
    upstream: HyperliquidHttp,
    url: str | None,
) -> None:
    clock, state = SystemClock(), settings.state_dir
    accounts, traders = custody.accounts, tuple(custody.accounts)
    nonces = NonceFiles(state / "watchdog" / "nonces", clock)
    for signer in {account.signer for account in accounts.values()}:
        nonces.open(signer)
    alerts = Notices(alert_channels(settings, "hyperliquid-exchange watchdog"), clock)
    fired = Fired()
    work = SafetyWork(
        ladder=fired,
        desk=VenueDesk(upstream, accounts),
        path=CancelPath(
            accounts=accounts,
            signer=AgentSigner(
                accounts, custody.wallets, network=custody.network, ownership=ownership
            ),
            nonces=nonces,
            upstream=upstream,
            clock=clock,
        ),
        traders=traders,
        clock=clock,
        rules=WorkRules(again_s=min(5.0, settings.watchdog_limit_s)),
    )
    watchdog = Watchdog(
        peer=None if url is None else _peer(settings, url),
        files=(BeatFile(proxy_beat_of(state)), BeatFile(watchdog_beat_of(state))),
        fired=fired,
        place=lambda reason: _place(state, reason),
        alerts=alerts,
        clock=clock,
        rules=ProgressRules(limit_s=settings.watchdog_limit_s),
    )
    signers = tuple(sorted({account.signer for account in accounts.values()}))
    watchdog.beat = Beat(number=0, at_ms=clock.now_ms(), signers=signers)
    _log.info("watchdog_began", traders=len(traders), limit_s=settings.watchdog_limit_s)
    every_s = min(1.0, settings.watchdog_limit_s / _TICKS)
    await _until_told(watchdog.run(every_s=every_s), work.run(), alerts.run())


async def _until_told(*parts: object) -> None:
    """Run parts until a signal; where one ends, the process does."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(part) for part in parts]  # type: ignore[call-overload]
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stopped):
        task.cancel()
    await asyncio.gather(*tasks, stopped, return_exceptions=True)
    for task in done:
        task.result()


def _custody(settings: Settings) -> Custody:
    if settings.accounts is None:
        raise ConfigError("HYPERLIQUID_EXCHANGE_ACCOUNTS is not set: the file of traders and keys")
    return open_custody(
        settings.accounts,
        network=settings.network,
        is_stand_in=is_stand_in(settings),
        environment=os.environ,
        role="watchdog",
    )


def _peer(settings: Settings, url: str) -> ProgressHttp:
    """Make what asks the proxy; it waits for an answer for a small part of the limit."""
    path = pauser_token_of(settings.state_dir)
    timeout_s = min(2.0, settings.watchdog_limit_s / _WAITS)
    return ProgressHttp(url, lambda: _token(path), timeout_s=timeout_s)


def _token(path: Path) -> str:
    """Read the token that the proxy has written; empty where it has not."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="ascii").strip()
    return ""


def _place(state: Path, reason: str) -> None:
    place_sentinel(safety_of(state), EVERYBODY, reason)
