"""Channels that show the state of an account: its money, positions and open orders."""

from collections.abc import Callable
from typing import Any

from suite.contracts import hyperliquid_ws as ws
from virtual_exchange.application.stream.feeds import Feed, StateFeed
from virtual_exchange.application.stream.reads import Ask
from virtual_exchange.application.world import World


class AccountStates:
    """Makers of the feeds of accounts that are states."""

    def __init__(self, world: World, ask: Ask) -> None:
        self._world = world
        self._ask = ask

    def maker(self, wanted: ws.OfUser) -> Callable[[], Feed] | None:
        """Find what makes the feed of a subscription, None where it is no state."""
        read = self._state(wanted)
        channel = str(wanted.__struct_config__.tag)
        return None if read is None else lambda: StateFeed(channel, read)

    def _state(self, wanted: ws.OfUser) -> Callable[[], Any] | None:
        user, ask = wanted.user, self._ask
        if isinstance(wanted, ws.ActiveAssetData):
            coin = wanted.coin
            known = coin in self._world.symbols
            return (lambda: ask("activeAssetData", user=user, coin=coin)) if known else None

        def money() -> Any:
            return ask("clearinghouseState", user=user)

        def page(name: str) -> Any:
            return ask("webData2", user=user)[name]

        of_dex = {"dex": "", "user": user}
        reads: dict[type[ws.OfUser], Callable[[], Any]] = {
            ws.Clearinghouse: lambda: of_dex | {"clearinghouseState": money()},
            ws.AllDexsClearinghouse: lambda: {"user": user, "clearinghouseStates": [["", money()]]},
            ws.SpotState: lambda: {
                "user": user,
                "spotState": ask("spotClearinghouseState", user=user),
            },
            ws.OpenOrders: lambda: of_dex | {"orders": ask("frontendOpenOrders", user=user)},
            ws.TwapStates: lambda: of_dex | {"states": page("twapStates")},
            ws.WebData2: lambda: ask("webData2", user=user),
            ws.WebData3: lambda: self._web_data_3(user),
        }
        return reads.get(type(wanted))

    def _web_data_3(self, user: str) -> dict[str, Any]:
        page = self._ask("webData2", user=user)
        shown = ("agentAddress", "agentValidUntil", "cumLedger", "serverTime", "isVault", "user")
        dex = {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}
        return {"userState": {name: page[name] for name in shown}, "perpDexStates": [dex]}
