"""An account that has done a little of everything, so that each answer has something in it."""

from typing import Any

from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import get_timestamp_ms, sign_l1_action  # noqa: TID253
from hyperliquid.utils.types import Cloid  # noqa: TID253
from tests.support.sdk import ALO, GTC, Sdk, many, one, set_up, trigger
from tests.support.venue_process import VenueUnderTest, eventually

BUILDER = "0x8c967e73e7b15087c42a10d344cff4c96d877f1d"
CLOID = Cloid.from_int(77)


def act(sdk: Sdk, action: dict[str, Any]) -> Any:
    """Send an action that the client has no method for."""
    nonce = get_timestamp_ms()
    signature = sign_l1_action(sdk.wallet, action, None, nonce, None, sdk.target.is_strict)
    body = {"action": action, "nonce": nonce, "signature": signature}
    return sdk.exchange.post("/exchange", body)


def busy_user(target: VenueUnderTest, wallet: LocalAccount | None = None) -> Sdk:
    """Open an account and use it."""
    sdk = set_up(target, wallet)
    exchange = sdk.exchange
    exchange.set_referrer("FRIEND")
    exchange.approve_agent("bot")
    exchange.approve_builder_fee(BUILDER, "0.01%")
    exchange.usd_class_transfer(100, to_perp=False)
    address = exchange.create_sub_account("second")["response"]["data"]
    exchange.sub_account_transfer(address, is_deposit=True, usd=50_000_000)
    exchange.update_leverage(5, "SOL", is_cross=False)
    one(exchange.market_open("SOL", False, 2.0))
    exchange.update_leverage(10, "ETH")
    one(exchange.market_open("ETH", True, 0.5, builder={"b": BUILDER, "f": 10}))
    one(exchange.market_open("ETH", False, 0.1))
    exchange.cancel("ETH", sdk.rest("ETH"))
    sdk.rest("BTC", sz=0.001, cloid=CLOID)
    exchange.order("ETH", True, 0.02, sdk.price("ETH", 1.02), ALO)
    low, high = sdk.price("ETH", 0.8), sdk.price("ETH", 1.2)
    protect(sdk, low, high)
    twap = {"a": 0, "b": True, "s": "0.02", "r": False, "m": 30, "t": False}
    act(sdk, {"type": "twapOrder", "twap": twap})
    eventually(lambda: sdk.info.user_funding_history(sdk.address, 0))
    eventually(lambda: sdk.info.user_twap_slice_fills(sdk.address))
    return sdk


def protect(sdk: Sdk, low: float, high: float) -> None:
    """A stop and a limit target of the position, and an entry with its own that waits."""
    base = {"coin": "ETH", "is_buy": False, "sz": 0.02, "reduce_only": True}
    stop = {**base, "limit_px": low, "order_type": trigger(low, "sl")}
    target = {**base, "limit_px": high, "order_type": trigger(high, "tp", is_market=False)}
    entry = {**base, "is_buy": True, "reduce_only": False, "limit_px": low, "order_type": GTC}
    under = float(f"{low * 0.9:.4g}")
    lower = {**base, "limit_px": under, "order_type": trigger(under, "sl")}
    many(sdk.exchange.bulk_orders([entry, target, lower], grouping="normalTpsl"))
    many(sdk.exchange.bulk_orders([stop, target]))
