"""The official client as its own examples set it up."""

from dataclasses import dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount
from hyperliquid.exchange import Exchange  # noqa: TID253 - nothing here without it
from hyperliquid.info import Info  # noqa: TID253
from hyperliquid.utils.constants import MAINNET_API_URL  # noqa: TID253
from hyperliquid.utils.signing import (  # noqa: TID253
    get_timestamp_ms,
    sign_usd_class_transfer_action,
)
from hyperliquid.utils.types import Cloid  # noqa: TID253
from hyperliquid.websocket_manager import WebsocketManager  # noqa: TID253
from tests.support.venue_process import VenueUnderTest

GTC: dict[str, Any] = {"limit": {"tif": "Gtc"}}
IOC: dict[str, Any] = {"limit": {"tif": "Ioc"}}
ALO: dict[str, Any] = {"limit": {"tif": "Alo"}}


@dataclass
class Sdk:
    """One user of the official client.

    Attributes:
        info, exchange: the client's two halves, pointed at the venue by `base_url` alone.
    """

    target: VenueUnderTest
    wallet: LocalAccount
    info: Any
    exchange: Any

    @property
    def address(self) -> str:
        return str(self.wallet.address)

    def price(self, coin: str, factor: float) -> float:
        return self.target.price(coin, factor)

    def rest(self, coin: str = "ETH", *, sz: float = 0.02, **more: Any) -> int:
        """Place a bid far below the market; return its oid."""
        reply = self.exchange.order(coin, True, sz, self.price(coin, 0.8), GTC, **more)
        return int(one(reply)["resting"]["oid"])

    def position(self, coin: str = "ETH") -> dict[str, Any] | None:
        """The position in a coin, None where there is none."""
        held = self.info.user_state(self.address)["assetPositions"]
        found = (item["position"] for item in held if item["position"]["coin"] == coin)
        return next(found, None)

    def status(self, oid: int | str) -> Any:
        """Status of an order by its oid or cloid."""
        if isinstance(oid, str):
            reply = self.info.query_order_by_cloid(self.address, Cloid.from_str(oid))
        else:
            reply = self.info.query_order_by_oid(self.address, oid)
        return reply["order"]["status"] if reply["status"] == "order" else reply["status"]


def set_up(target: VenueUnderTest, wallet: LocalAccount | None = None, **options: Any) -> Sdk:
    """Do what `example_utils.setup` does: both halves, and a look at the account."""
    wallet = wallet or target.wallet()
    info = open_info(target, wallet)
    exchange = open_exchange(target, wallet, account_address=wallet.address, **options)
    state = info.user_state(wallet.address)
    assert float(state["marginSummary"]["accountValue"]) > 0
    return Sdk(target, wallet, info, exchange)


def open_info(target: VenueUnderTest, wallet: LocalAccount, *, ws: bool = False) -> Any:
    """Make the reading half; at a venue with tokens its session and its WebSocket carry one.

    The client reads the market while it is made, so there it is given it: an option of its own.
    """
    headers = target.headers(wallet)
    if not headers:
        return Info(target.url, skip_ws=not ws)
    info = Info(target.url, skip_ws=True, **_market(target))
    info.session.headers.update(headers)
    if ws:
        info.ws_manager = WebsocketManager(target.url)
        info.ws_manager.ws.header = headers
        info.ws_manager.start()
    return info


def open_exchange(target: VenueUnderTest, wallet: LocalAccount, **options: Any) -> Any:
    """Make the acting half, likewise."""
    headers = target.headers(wallet)
    if not headers:
        made = ForMainnet if target.is_strict else Exchange
        return made(wallet, target.url, **options)
    exchange = Exchange(wallet, target.url, **_market(target), **options)
    for half in (exchange, exchange.info):
        half.session.headers.update(headers)
    return exchange


class ForMainnet(Exchange):  # type: ignore[misc]
    """The acting half as it signs at mainnet, which it tells by the address, at another one."""

    def __init__(self, wallet: LocalAccount, url: str, **options: Any) -> None:
        super().__init__(wallet, url, **options)
        self._url, self.base_url = url, MAINNET_API_URL

    def post(self, url_path: str, payload: Any = None) -> Any:
        """Send to where the venue is."""
        self.base_url = self._url
        try:
            return super().post(url_path, payload)
        finally:
            self.base_url = MAINNET_API_URL


def _market(target: VenueUnderTest) -> dict[str, Any]:
    return {"meta": target.info("meta"), "spot_meta": target.info("spotMeta")}


def behind(target: VenueUnderTest) -> VenueUnderTest:
    """The venue itself, past a proxy: where a person does what no proxy signs."""
    stack = getattr(target, "stack", None)
    return target if stack is None else replace(stack.venue, is_strict=True)


def move_to_spot(sdk: Sdk, usd: int) -> None:
    """Move money to the spot wallet; past a proxy that moves none, at the venue itself."""
    stack = getattr(sdk.target, "stack", None)
    if stack is None:
        sdk.exchange.usd_class_transfer(usd, False)
        return
    stamp = get_timestamp_ms()
    action = {"type": "usdClassTransfer", "amount": str(usd), "toPerp": False, "nonce": stamp}
    signature = sign_usd_class_transfer_action(sdk.wallet, action, True)
    signed = {"action": action, "nonce": stamp, "signature": signature}
    assert stack.venue.post("/exchange", signed)["status"] == "ok"


def many(reply: Any) -> list[Any]:
    """Statuses of an accepted action."""
    assert reply["status"] == "ok", reply
    found: list[Any] = reply["response"]["data"]["statuses"]
    return found


def one(reply: Any) -> Any:
    """The only status of an accepted action."""
    (status,) = many(reply)
    return status


def trigger(price: float, tpsl: str, *, is_market: bool = True) -> dict[str, Any]:
    """Kind of a stop or take-profit."""
    return {"trigger": {"triggerPx": price, "isMarket": is_market, "tpsl": tpsl}}


def guarded(sdk: Sdk, size: float = 0.02) -> dict[int, str]:
    """Open a long position with a stop and a target so near that one of them soon fires.

    Returns:
        `sl` and `tp` by their oids.
    """
    one(sdk.exchange.market_open("ETH", True, size))
    mid, limit = sdk.target.mid("ETH"), sdk.price("ETH", 0.9)
    leg = {"coin": "ETH", "is_buy": False, "sz": size, "limit_px": limit, "reduce_only": True}
    legs = [
        {**leg, "order_type": trigger(float(f"{mid * factor:.5g}"), tpsl)}
        for tpsl, factor in (("sl", 0.9985), ("tp", 1.0015))
    ]
    many(sdk.exchange.bulk_orders(legs, grouping="positionTpsl"))
    rows = sdk.info.historical_orders(sdk.address)
    kinds = {"Stop Market": "sl", "Take Profit Market": "tp"}
    found = ((row["order"]["oid"], kinds.get(row["order"]["orderType"])) for row in rows)
    return {oid: kind for oid, kind in found if kind is not None}
