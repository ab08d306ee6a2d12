"""Coins of the suite and the perpetuals of an exchange.

A coin is the base of a linear perpetual, in the exchange's spelling; where there are several, that
which is settled in USDT, then USDC. Sizes go out in contracts and come back in coins.
"""

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls
from suite.contracts.trader import near
from suite.errors import ConfigError, UpstreamRefused

_SETTLES: Final = ("USDT", "USDC")
_MOST_DECIMALS: Final = 5
"""Of sizes, in the suite's rules for prices."""


class Markets:
    """What an account may trade.

    Args:
        calls: of the exchange, whose markets are loaded.
        leverages: largest by symbol, where the exchange tells them apart from its markets.

    Raises:
        ConfigError: it has no linear perpetuals.
    """

    def __init__(self, calls: CcxtCalls, leverages: Mapping[str, int]) -> None:
        self._api = calls.api
        self._leverages = leverages
        listed = [market for market in self._api.markets.values() if _is_ours(market)]
        listed.sort(key=lambda market: _SETTLES.index(market["settle"]), reverse=True)
        self._by_coin: dict[str, dict[str, Any]] = {market["base"]: market for market in listed}
        if not listed:
            raise ConfigError(
                f"{calls.access.exchange} has no perpetuals settled in {' or '.join(_SETTLES)}"
            )
        settles = [market["settle"] for market in self._by_coin.values()]
        self.settle = max(_SETTLES, key=settles.count)
        self._by_coin = {c: m for c, m in self._by_coin.items() if m["settle"] == self.settle}
        self._coins = {market["symbol"]: coin for coin, market in self._by_coin.items()}

    def meta(self) -> dict[str, Any]:
        """Describe the coins in the shape of the venue's `meta`."""
        universe = [
            {
                "name": coin,
                "szDecimals": min(_MOST_DECIMALS, self._size_decimals(market)),
                "maxLeverage": self._leverage(market),
            }
            for coin, market in self._by_coin.items()
        ]
        return {"universe": universe}

    def symbol(self, coin: str) -> str:
        """Find the symbol of a coin.

        Raises:
            UpstreamRefused: it is not traded.
        """
        market = self._by_coin.get(coin)
        if market is None:
            hint = near(coin, list(self._by_coin))
            raise UpstreamRefused(f"{self._api.id} does not trade {coin[:40]!r}{hint}")
        return str(market["symbol"])

    def coin(self, symbol: str) -> str | None:
        """Find the coin of a symbol; None for a market that is not ours."""
        return self._coins.get(symbol)

    def amount(self, coin: str, size: Decimal) -> str:
        """Write a size as the exchange wants it.

        Raises:
            UpstreamRefused: it cannot be written exactly; what is sent is what was decided.
        """
        wanted = size / self._contract(coin)
        try:
            with decimal.localcontext():
                written = str(self._api.amount_to_precision(self.symbol(coin), f"{wanted:f}"))
        except Exception as error:  # noqa: BLE001 - ccxt's words for a size that is too small
            raise UpstreamRefused(f"{coin}: size {size} is not possible: {error}") from None
        if Decimal(written) != wanted:
            raise UpstreamRefused(f"{coin}: size {size} is no multiple of the smallest step")
        return written

    def price(self, coin: str, price: Decimal) -> str:
        """Write a price on the exchange's own tick, the nearest one."""
        with decimal.localcontext():
            return str(self._api.price_to_precision(self.symbol(coin), f"{price:f}"))

    def size(self, coin: str, contracts: Any) -> Decimal:
        """Read a size; None counts as 0."""
        return Decimal(str(contracts or 0)) * self._contract(coin)

    def _contract(self, coin: str) -> Decimal:
        market = self._by_coin.get(coin) or {}
        return Decimal(str(market.get("contractSize") or 1))

    def _size_decimals(self, market: dict[str, Any]) -> int:
        """Digits of the smallest step, whatever way the exchange states it."""
        precision = market["precision"]["amount"]
        if precision is None:
            return 0
        step = Decimal(str(precision))
        if self._api.precisionMode != self._api_tick_size:
            return int(step)
        step *= self._contract(market["base"])
        exponent = step.normalize().as_tuple().exponent
        return max(0, -int(exponent))

    @property
    def _api_tick_size(self) -> int:
        import ccxt

        return int(ccxt.TICK_SIZE)

    def _leverage(self, market: dict[str, Any]) -> int:
        told = self._leverages.get(market["symbol"])
        if told is not None:
            return told
        limit = market.get("limits", {}).get("leverage", {}).get("max")
        return max(1, int(Decimal(str(limit)))) if limit else 1


async def load_markets(calls: CcxtCalls) -> Markets:
    """Ask the exchange what is traded there.

    Raises:
        ConfigError: nothing that a trader could trade.
        SuiteError: it does not answer.
    """
    await calls.read("load_markets")
    leverages: dict[str, int] = {}
    if calls.api.has.get("fetchLeverageTiers") is True:
        for symbol, tiers in (await calls.read("fetch_leverage_tiers")).items():
            found = [tier["maxLeverage"] for tier in tiers if tier.get("maxLeverage")]
            if found:
                leverages[symbol] = int(max(map(Decimal, map(str, found))))
    return Markets(calls, leverages)


def _is_ours(market: Mapping[str, Any]) -> bool:
    return bool(
        market.get("swap")
        and market.get("linear")
        and market.get("active") is not False
        and market.get("settle") in _SETTLES
    )
