"""Replays of order lists by an exchange at `BACKTEST_URL`, for traders that ask before they act."""

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, DecimalException
from typing import Any, Final

import httpx
import msgspec
from pydantic import SecretStr

from strategy_agent.settings import Settings
from strategy_core.llm.rehearsing import Skipped, Trial
from suite.contracts.venue import PlaceOrder
from suite.errors import ConfigError, one_line

_PATIENCE_S: Final = 40.0
_PAUSE_S: Final = 0.1
_MINUTE_MS: Final = 60_000
_SAID_MAX: Final = 200
_CALL_S: Final = 10.0
_SAME_MARKET: Final = Decimal("0.02")
"""How far the price of a fill may be from that which the trader was shown, as a fraction."""


def rehearsals_of(settings: Settings) -> "BacktestHttp":
    """Open who replays orders for the traders of a process, at `BACKTEST_URL`.

    Raises:
        ConfigError: the file of the token cannot be read.
    """
    token, file = settings.backtest_token, settings.backtest_token_file
    if file is not None and not token.get_secret_value():
        try:
            token = SecretStr(file.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"BACKTEST_TOKEN_FILE: cannot read {file}") from None
    return BacktestHttp(settings.backtest_url, token)


class BacktestHttp:
    """Asks an exchange; blocks the thread of the strategy that asks, and no other.

    Args:
        url: of the exchange.
        token: of its operator: backtests are no trader's to start.
        patience_s: how long a replay may take.
        now_s: a clock that never goes back; sleep: waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        patience_s: float = _PATIENCE_S,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._token, self._patience_s = url.rstrip("/"), token, patience_s
        self._now_s, self._sleep = now_s, sleep

    def replay(self, trials: Sequence[Trial]) -> list[float | None]:
        """Replay entries, each on an account of its own.

        Raises:
            Skipped: they cannot be replayed.
        """
        try:
            report = self._report(_request(trials))
            traders = report["result"]["traders"]
            return [_return(traders[_name(n)], trial) for n, trial in enumerate(trials)]
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise Skipped(f"the exchange at BACKTEST_URL cannot be reached: {kind}") from None
        except (LookupError, TypeError, ValueError, DecimalException) as error:
            kind = type(error).__name__
            raise Skipped(f"the exchange at BACKTEST_URL answers another form: {kind}") from None

    def _report(self, request: bytes) -> dict[str, Any]:
        """Start a backtest and wait for its report.

        Raises:
            Skipped: it was refused, failed, or takes too long; then it is canceled.
        """
        until_s = self._now_s() + self._patience_s
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Content-Type": "application/json",
        }
        with httpx.Client(
            base_url=self._url, headers=headers, timeout=_CALL_S, trust_env=False
        ) as client:
            job = _told(client.post("/backtest/run", content=request))
            place = f"/backtest/jobs/{job['job_id']}"
            while job["status"] == "running":
                if self._now_s() >= until_s:
                    client.delete(place)
                    raise Skipped(f"the replay took more than {self._patience_s:g} s")
                self._sleep(_PAUSE_S)
                job = _told(client.get(place))
            if job["status"] != "done":
                raise Skipped(one_line(f"the replay {job['status']}: {job.get('error') or ''}"))
            return _told(client.get(f"{place}/report"))


def _told(reply: httpx.Response) -> dict[str, Any]:
    """Read an answer.

    Raises:
        Skipped: it is a refusal.
    """
    if reply.status_code >= httpx.codes.BAD_REQUEST:
        said = one_line(reply.text)[:_SAID_MAX] or reply.reason_phrase
        raise Skipped(f"the exchange refused it ({reply.status_code}): {said}")
    told: dict[str, Any] = msgspec.json.decode(reply.content)
    return told


def _name(number: int) -> str:
    return f"window-{number + 1}"


def _request(trials: Sequence[Trial]) -> bytes:
    """Ask for one run: entries at the starts of their windows, what they became closed at the ends.

    Nothing of it is later than the end of the last window, which the trader's own now has passed.
    """
    orders: list[Mapping[str, Any]] = []
    for number, trial in enumerate(trials):
        entry, account = msgspec.to_builtins(trial.order), _name(number)
        order = trial.order
        close = PlaceOrder(coin=order.coin, is_buy=not order.is_buy, sz=order.sz, reduce_only=True)
        last_ms = trial.to_ms - _MINUTE_MS
        orders += [
            entry | {"at": trial.from_ms, "account": account},
            msgspec.to_builtins(close) | {"at": last_ms, "account": account},
        ]
    return msgspec.json.encode(
        {
            "symbol": trials[0].order.coin,
            "from": min(trial.from_ms for trial in trials),
            "to": max(trial.to_ms for trial in trials),
            "orders": orders,
        }
    )


def _return(account: Mapping[str, Any], trial: Trial) -> float | None:
    """What came of an entry by the end of its window, on its notional.

    Raises:
        Skipped: the exchange has another market than the one that the trader sees.
    """
    fills = [one for one in account["trades"] if one["time"] < trial.to_ms]
    if not fills:
        return None
    first = Decimal(fills[0]["price"])
    wanted = trial.order.limit_px or trial.base
    if abs(first - wanted) > _SAME_MARKET * wanted:
        raise Skipped(
            f"the exchange at BACKTEST_URL has another market: {first:f} where the trader sees "
            f"{wanted:f}"
        )
    paid = sum((Decimal(one["realized_pnl"]) - Decimal(one["fee"]) for one in fills), Decimal(0))
    held = [one for one in account["funding"] if one["time"] < trial.to_ms]
    paid += sum((Decimal(one["usd"]) for one in held), Decimal(0))
    return float(paid / (trial.order.sz * wanted))
