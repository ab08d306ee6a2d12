"""Keys that sign as the official client does, and the bodies they post."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec
from eth_account import Account
from hyperliquid.utils import signing  # noqa: TID253 - nothing here without it

from virtual_exchange.application.session import Session

_SIGN = {
    "usdSend": signing.sign_usd_transfer_action,
    "spotSend": signing.sign_spot_transfer_action,
    "withdraw3": signing.sign_withdraw_from_bridge_action,
    "usdClassTransfer": signing.sign_usd_class_transfer_action,
    "sendAsset": signing.sign_send_asset_action,
    "approveAgent": signing.sign_agent,
    "approveBuilderFee": signing.sign_approve_builder_fee,
    "userSetAbstraction": signing.sign_user_set_abstraction_action,
}
_TIMED = {"usdSend", "spotSend", "withdraw3"}


@dataclass
class Wallet:
    """One private key; `mainnet` chooses the network that its signatures are for."""

    number: int = 17
    mainnet: bool = False
    nonces: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.key = Account.from_key("0x" + f"{self.number:02x}" * 32)

    @property
    def address(self) -> str:
        return str(self.key.address).lower()

    def signed(
        self,
        action: dict[str, Any],
        *,
        nonce: int | None = None,
        vault: str | None = None,
        expires: int | None = None,
    ) -> dict[str, Any]:
        """Envelope of a trader's action."""
        nonce = next(self.nonces) if nonce is None else nonce
        signature = signing.sign_l1_action(self.key, action, vault, nonce, expires, self.mainnet)
        return {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    def user_signed(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Envelope of an action that a wallet shows before it signs."""
        nonce = next(self.nonces)
        stamp = {"time" if kind in _TIMED else "nonce": nonce}
        action = {"type": kind, **fields, **stamp}
        signature = _SIGN[kind](self.key, action, self.mainnet)
        return {"action": action, "nonce": nonce, "signature": signature}


def post(session: Session, envelope: dict[str, Any]) -> Any:
    """Bring an envelope to a world's native gateway."""
    return session.gateway.post(msgspec.json.encode(envelope)).answer


def item(
    asset: int = 0,
    px: str = "80000",
    sz: str = "0.01",
    *,
    is_buy: bool = True,
    reduce_only: bool = False,
    kind: dict[str, Any] | None = None,
    cloid: str | None = None,
) -> dict[str, Any]:
    """One order in the venue's order of keys."""
    order = {
        "a": asset,
        "b": is_buy,
        "p": px,
        "s": sz,
        "r": reduce_only,
        "t": kind or {"limit": {"tif": "Gtc"}},
    }
    return order if cloid is None else {**order, "c": cloid}


def order(*items: dict[str, Any], grouping: str = "na", **more: Any) -> dict[str, Any]:
    """An order action."""
    return {"type": "order", "orders": list(items or (item(),)), "grouping": grouping, **more}


def trigger(px: str, tpsl: str, *, is_market: bool = True) -> dict[str, Any]:
    """Kind of a stop or take-profit."""
    return {"trigger": {"isMarket": is_market, "triggerPx": px, "tpsl": tpsl}}


def statuses(reply: Any) -> list[Any]:
    """Statuses of an accepted action."""
    assert reply["status"] == "ok", reply
    found: list[Any] = reply["response"]["data"]["statuses"]
    return found
