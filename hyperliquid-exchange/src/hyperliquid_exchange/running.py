"""What is running, and whether it may trade live: the kept preflight was of the very same."""

import asyncio
import hashlib
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from hyperliquid_exchange.adapters.preflight_file import kept_result
from hyperliquid_exchange.application.preflight.lines import Running, refusal
from hyperliquid_exchange.custody import Custody
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.settings import Settings
from suite.clock import Clock
from suite.errors import SuiteError
from suite.service.build import build_hash

PACKAGES: Final = ("hyperliquid_exchange", "suite")
"""Whose code is the build."""
BY: Final = "preflight"
_LOOK_S: Final = 5.0
_log = structlog.get_logger(__name__)


class _Ladder(Protocol):
    def engage(self, cause: Cause) -> None: ...

    def release(self, scope: str, by: str) -> None: ...


def running_of(settings: Settings, accounts_path: Path, custody: Custody) -> Running:
    """Name what is about to trade."""
    return Running(
        network=custody.network,
        config_hash=config_hash(settings, accounts_path),
        build_hash=build_hash(*PACKAGES),
        accounts={name: account.address for name, account in custody.accounts.items()},
    )


def config_hash(settings: Settings, accounts_path: Path) -> str:
    """Hash everything that was decided: settings, but for those of logs, and the accounts file."""
    told = settings.model_dump(mode="json", exclude={"log_level", "log_format", "port"})
    digest = hashlib.sha256(msgspec.json.encode(told, order="deterministic"))
    digest.update(accounts_path.read_bytes())
    return digest.hexdigest()


class PreflightGate:
    """Keeps new risk from the real mainnet until a preflight of the very same is green and fresh.

    Anywhere else it only says so. A green result that comes later is taken too, without a restart.

    Args:
        running: what is about to trade.
        state: folder of the result.
        ladder: by which new risk is forbidden.
        clock: wall time.
        is_needed: real money is traded.
    """

    def __init__(
        self, running: Running, state: Path, ladder: _Ladder, clock: Clock, *, is_needed: bool
    ) -> None:
        self._running = running
        self._state = state
        self._ladder = ladder
        self._clock = clock
        self._is_needed = is_needed
        self.is_open = False

    def look(self) -> bool:
        """Look at the kept result; whether trading may begin as far as that goes.

        Raises:
            Conflict, StorageError: what was forbidden cannot be taken back now.
        """
        now_ms = self._clock.now_ms()
        trouble = refusal(kept_result(self._state), self._running, now_ms)
        if trouble is None:
            self._ladder.release(EVERYBODY, BY)
        elif self._is_needed:
            self._ladder.engage(
                Cause(scope=EVERYBODY, level=Level.PAUSED, by=BY, reason=trouble, since_ms=now_ms)
            )
        else:
            _log.warning("no_preflight", reason=trouble)
        self.is_open = trouble is None or not self._is_needed
        return self.is_open


async def await_preflight(gate: PreflightGate) -> None:
    """Take a green checklist that comes later."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            if not gate.is_open and gate.look():
                _log.info("preflight_green")
        except SuiteError as fault:
            _log.warning("preflight_not_taken", reason=str(fault))
