"""Running the traders that a process claims."""

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from strategy_agent.adapters.manager_http import ManagerHttp, own_address
from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.claiming import Claimed, Claimer
from strategy_agent.application.fencing import Fence, FencedSteps
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.bootstrap import Connector, problems_with_plugins
from strategy_agent.entrypoint.control import start
from strategy_agent.entrypoint.controlled import Controlled
from strategy_agent.settings import Settings
from suite.contracts.decisions import numbers_before
from suite.contracts.trader import TraderSpec, parse_traders
from suite.contracts.venue import CancelOrder
from suite.errors import ConfigError
from suite.service.calls import ServiceCalls

_EXPIRES: Final = "Expires-After"
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine sleeps."""
_ANYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named, not bound


class FencedCalls(ServiceCalls):
    """Calls in the name of a trader that was claimed: none leaves once its lease may be over.

    What the exchange is asked to refuse after a time, it is asked to refuse after the lease too.
    """

    fence: Fence

    def admitted(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Let a call leave, valid no longer than the lease.

        Raises:
            LeaseOver: it may not leave.
        """
        self.fence.check()
        if _EXPIRES not in headers:
            return headers
        until_ms = min(int(headers[_EXPIRES]), self.fence.end_ms)
        return {**headers, _EXPIRES: str(until_ms)}


class ClaimedConnector(Connector):
    """Connects one trader that was claimed.

    Args:
        settings: of the process, with the venue and the token of the trader.
        journal_dir: of the journals; None keeps neither journal nor memory.
        fence: of its lease.
        follows: another process may have run the trader before.
    """

    calls_type = FencedCalls

    def __init__(
        self, settings: Settings, *, journal_dir: Path | None, fence: Fence, follows: bool
    ) -> None:
        super().__init__(settings, journal_dir=journal_dir)
        self._fence = fence
        self._follows = follows

    def calls(self, spec: TraderSpec, url: str = "", **more: Any) -> ServiceCalls:
        """Make a trader's way to its venue, or to its market data; it ends with the lease."""
        made = super().calls(spec, url, **more)
        if isinstance(made, FencedCalls):
            made.fence = self._fence
        return made

    async def connect(self, spec: TraderSpec) -> Parts:
        """Put one trader together.

        Where another process had it and nothing of that is remembered here, the entries that it
        left are canceled: the account is this trader's alone, and nobody else looks after them.
        """
        parts = await super().connect(spec)
        try:
            if self._follows and parts.memory.load() is None:
                found = await parts.account.fetch_account()
                left = [o for o in found.open_orders if not o.reduceOnly]
                if left:
                    await parts.cancel([CancelOrder(coin=o.coin, oid=o.oid) for o in left])
        except BaseException:
            await parts.close()
            raise
        return replace(parts, steps=FencedSteps(parts.steps, self._fence))


async def run_claims(
    settings: Settings, *, places: int, journal_dir: Path | None, tell: Callable[[str], None]
) -> None:
    """Claim traders and run them until SIGTERM or SIGINT; then end them in order, give them back.

    Args:
        settings: of the process.
        places: how many traders at a time.
        journal_dir: of the journals; None keeps neither journal nor memory.
        tell: told in words what happens.

    Raises:
        ConfigError: a setting is missing or makes no sense.
    """
    token = _check(settings)
    base = Connector(settings, journal_dir=journal_dir)
    alpha = AlphaLoop(base.context(stays=True))
    loop = asyncio.get_running_loop()
    server = start(settings, Controlled(alpha=alpha, loop=loop, use_token=base.use_token))
    tell(f"strategy-agent control on {server.url}")
    manager = ManagerHttp(
        settings.manager_url,
        token=token,
        control_url=partial(_reached_at, settings, server.url),
        control_token=(settings.state_dir / "tokens/operator.token").read_text().strip(),
    )
    claimer = Claimer(
        manager=manager,
        prepare=partial(_prepare, settings, journal_dir),
        alpha=alpha,
        holder=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        now_s=lambda: time.clock_gettime(_CLOCK),
        wall=base.clock,
        tell=tell,
    )
    claiming = asyncio.create_task(claimer.run(places=places))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, claiming.cancel)
    try:
        await asyncio.wait((claiming,))
        if not claiming.cancelled() and (bug := claiming.exception()) is not None:
            raise bug
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        await manager.close()
        await asyncio.to_thread(server.close)


def _check(settings: Settings) -> str:
    """Find the token of the trader-manager.

    Raises:
        ConfigError: there is none, or traders cannot be claimed here.
    """
    if settings.ccxt_exchange:
        raise ConfigError("CCXT_EXCHANGE names one account: name its trader with --trader")
    if not settings.manager_url:
        raise ConfigError("name a trader with --trader, or set MANAGER_URL to claim a free one")
    token = settings.manager_token.get_secret_value()
    if not token and settings.manager_token_file is not None:
        try:
            token = settings.manager_token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {settings.manager_token_file}: {error}") from None
    if not token:
        raise ConfigError(
            "MANAGER_TOKEN and MANAGER_TOKEN_FILE are not set: the trader-manager has the token "
            "in var/tokens/agent.token"
        )
    return token


def _reached_at(settings: Settings, listens_on: str) -> str:
    """Tell where the manager reaches the control API: by the way that leads from here to it.

    Raises:
        OSError: none does at present.
    """
    if settings.control_url:
        return settings.control_url
    if settings.host not in _ANYWHERE:
        return listens_on
    return f"http://{own_address(settings.manager_url)}:{listens_on.rpartition(':')[2]}"


def _prepare(
    settings: Settings, journal_dir: Path | None, claimed: Claimed, fence: Fence
) -> tuple[TraderSpec, ProcessContext]:
    """Read a trader; the values of its secrets are in the environment of this process.

    Raises:
        TradersFileError: something in it is wrong, or a secret is not set.
    """
    document = {"traders": [dict(claimed.entry)]}
    (spec,) = parse_traders(document, os.environ, check=problems_with_plugins).traders
    tokens = dict(settings.trader_tokens)
    if claimed.token:
        tokens[spec.trader_id] = SecretStr(claimed.token)
    own = settings.model_copy(
        update={
            "trading_url": claimed.trading_url.rstrip("/"),
            "data_service_url": claimed.data_service_url.rstrip("/"),
            "seed": claimed.seed,
            "trader_tokens": tokens,
        }
    )
    follows = claimed.fence > 1
    connector = ClaimedConnector(own, journal_dir=journal_dir, fence=fence, follows=follows)
    epoch = f"{claimed.fence:x}" if follows else ""
    return spec, replace(
        connector.context(stays=True),
        epoch=epoch,
        decided=claimed.decided,
        counts_from=numbers_before(claimed.fence),
    )
