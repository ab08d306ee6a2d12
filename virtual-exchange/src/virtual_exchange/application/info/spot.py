"""Spot as far as there is any: its names, which clients read when they start, and USDC wallets.

Nothing is traded there. Pairs have an empty book and no price, and orders for them are refused.
"""

from typing import Any, Final

from virtual_exchange.application.info.values import usd
from virtual_exchange.application.world import World

_USDC: Final = "0x6d1e7cde53ba9467b783cb7c530ce054"
_PURR: Final = "0xc1fb593aeffbeb02f85e0308e9956a90"
_HFUN: Final = "0xbaf265ef389da684513d98d68edf4eae"


def _token(name: str, index: int, token_id: str, sz: int, wei: int, full_name: str) -> Any:
    return {
        "name": name,
        "szDecimals": sz,
        "weiDecimals": wei,
        "index": index,
        "tokenId": token_id,
        "isCanonical": index < 2,
        "evmContract": None,
        "fullName": full_name,
        "deployerTradingFeeShare": "0.0",
    }


TOKENS: Final[list[dict[str, Any]]] = [
    _token("USDC", 0, _USDC, 8, 8, "USD Coin"),
    _token("PURR", 1, _PURR, 0, 5, "Purr"),
    _token("HFUN", 2, _HFUN, 2, 8, "HyperFun"),
]
PAIRS: Final[list[dict[str, Any]]] = [
    {"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True},
    {"tokens": [2, 0], "name": "@1", "index": 1, "isCanonical": False},
]
"""Those that the examples of the venue's SDK look for; a pair's place is its index."""
COINS: Final = frozenset(pair["name"] for pair in PAIRS)
META: Final[dict[str, Any]] = {"tokens": TOKENS, "universe": PAIRS}


def contexts() -> list[dict[str, Any]]:
    """State of each pair's market: never traded."""
    nothing = dict.fromkeys(
        ("prevDayPx", "dayNtlVlm", "markPx", "circulatingSupply", "totalSupply", "dayBaseVlm"),
        "0.0",
    )
    return [{"coin": pair["name"], "midPx": None, **nothing} for pair in PAIRS]


def token_details(token_id: str | None) -> dict[str, Any] | None:
    """What is known of a token, None when there is none of this id."""
    token = next((token for token in TOKENS if token["tokenId"] == token_id), None)
    if token is None:
        return None
    amounts = ("maxSupply", "totalSupply", "circulatingSupply", "midPx", "markPx", "prevDayPx")
    return {
        "name": token["name"],
        "szDecimals": token["szDecimals"],
        "weiDecimals": token["weiDecimals"],
        **dict.fromkeys((*amounts, "seededUsdc", "futureEmissions"), "0.0"),
        "genesis": None,
        "deployer": None,
        "deployGas": None,
        "deployTime": None,
        "nonCirculatingUserBalances": [],
    }


def balances(world: World, account: int | None) -> dict[str, Any]:
    """The spot wallet of an account: its USDC."""
    total = 0 if account is None else world.books[account].spot_usd
    row = {"coin": "USDC", "token": 0, "total": usd(total), "hold": "0.0", "entryNtl": "0.0"}
    return {"balances": [row] if account is not None else []}
