"""Actions as they are logged: numbers in one notation, masked coins by their recorded names.

Where a mask only moves the point, an action is logged as it would have been sent without the mask,
so that the log, and with it the hash of the report, is that of the recorded market.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from virtual_exchange.domain.masking import CoinMask, Mask

_PRICES: Final = frozenset({"limit_px", "price", "triggerPx", "p"})
_NUMBERS: Final = _PRICES | {"sz", "s"}
_ASSETS: Final = frozenset({"a", "asset"})


def in_recorded_terms(action: object, mask: Mask | None) -> Any:
    """Write an action for the log.

    Args:
        action: as sent.
        mask: one that only moves the point, or None.
    """
    fields = msgspec.to_builtins(action)
    _rewrite(fields, mask, None)
    return fields


def _rewrite(fields: dict[str, Any], mask: Mask | None, coin: CoinMask | None) -> None:
    if mask is not None:
        coin = _coin_of(fields, mask) or coin
    for key, value in fields.items():
        if isinstance(value, str):
            if key in _NUMBERS:
                fields[key] = _number(value, key, coin)
            elif coin is not None and key == "coin":
                fields[key] = coin.true.coin
        elif isinstance(value, dict):
            _rewrite(value, mask, coin)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _rewrite(item, mask, coin)
        elif coin is not None and key in _ASSETS and type(value) is int:
            fields[key] = coin.symbol


def _coin_of(fields: dict[str, Any], mask: Mask) -> CoinMask | None:
    """The coin that a part of an action names, by its name or its asset number."""
    if (name := fields.get("coin")) is not None:
        return next((coin for coin in mask.coins if coin.shown.coin == name), None)
    asset = next((fields[key] for key in _ASSETS if type(fields.get(key)) is int), -1)
    return mask.coins[asset] if 0 <= asset < len(mask.coins) else None


def _number(text: str, key: str, coin: CoinMask | None) -> str:
    if coin is None and "E" not in text and "e" not in text:
        return text.rstrip("0").rstrip(".") if "." in text else text
    number = Decimal(text)
    if not number.is_finite():
        return text
    if coin is not None:
        places = coin.shown.sz_decimals - coin.true.sz_decimals
        number = number.scaleb(-places if key in _PRICES else places)
    return f"{number.normalize():f}"
