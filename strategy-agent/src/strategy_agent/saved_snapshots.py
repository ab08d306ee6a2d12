"""Snapshots that a user saved from `GET /gpt-latest/{symbol}`, as what a trader sees."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from strategy_core.port import Observation
from suite.contracts.trader import near
from suite.errors import BadRequest
from suite.instrument import coin_of


def observation_of(files: Sequence[Path], symbols: Sequence[str], equity: Decimal) -> Observation:
    """Put saved snapshots together, for an account without positions.

    Args:
        files: one for each coin of the trader.
        symbols: its coins.
        equity: of the account, USD.

    Raises:
        BadRequest: one cannot be read, is no snapshot, or a coin has none.
    """
    snapshots = dict(map(_read, files))
    for coin in symbols:
        if coin not in snapshots:
            raise BadRequest(
                f"there is no snapshot of {coin}{near(coin, list(snapshots))}: save the answer of "
                f"/gpt-latest/{coin} and name it with --snapshot too"
            )
    return Observation(
        now_ms=max(told["as_of_ms"] for told in snapshots.values()),
        woke_by=("asked",),
        equity=equity,
        available=equity,
        mids={coin: _price(coin, told) for coin, told in snapshots.items()},
        snapshots=snapshots,
    )


def _read(file: Path) -> tuple[str, Mapping[str, Any]]:
    """Read one.

    Returns:
        Its coin, and the snapshot.

    Raises:
        BadRequest: it is none.
    """
    try:
        told = json.loads(file.read_bytes())
    except OSError as error:
        raise BadRequest(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise BadRequest(f"{file} is no JSON: {error}") from None
    names = ("symbol", "as_of_ms", "intervals_data")
    lacks = [name for name in names if not isinstance(told, dict) or name not in told]
    if lacks:
        raise BadRequest(
            f"{file} is no answer of /gpt-latest/{{symbol}}: it has no {', '.join(lacks)}"
        )
    kinds = (type(told["symbol"]), type(told["as_of_ms"]))
    blocks = told["intervals_data"]
    if kinds != (str, int) or not isinstance(blocks, dict):
        raise BadRequest(
            f"{file}: symbol is a text, as_of_ms a number and intervals_data an object"
        )
    for name, block in blocks.items():
        if not isinstance(block, dict) or not isinstance(block.get("bars"), list):
            raise BadRequest(f"{file}: intervals_data.{name[:20]} has no list of bars")
    return coin_of(told["symbol"]), told


def _price(coin: str, told: Mapping[str, Any]) -> Decimal:
    """The last price; where no ticker tells it, the last close of the shortest bars.

    Raises:
        BadRequest: there is neither.
    """
    price = ((told.get("common_info") or {}).get("ticker") or {}).get("last_price")
    if not isinstance(price, int | float):
        blocks = sorted(told["intervals_data"].items(), key=lambda one: float(one[0]))
        price = next((block.get("close") for _, block in blocks if block.get("close")), None)
    if not isinstance(price, int | float) or not price > 0:
        raise BadRequest(f"the snapshot of {coin} holds no price")
    return Decimal(str(price))
