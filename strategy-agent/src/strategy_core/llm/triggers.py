"""Whether a model is worth asking now: something has happened, or it was long ago."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from strategy_core.exits.invalidation import (
    MINUTES,
    Invalidation,
    InvalidRule,
    compile_rule,
    evaluate_rule,
    reader,
)
from strategy_core.lattice import exact
from strategy_core.llm.memory import MindMemory
from strategy_core.port import ZERO, Observation

ATR: Final = "atr_14"
Positive = Annotated[float, msgspec.Meta(gt=0, le=100)]


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a trader ask its model before the heartbeat.

    Attributes:
        rule: of bars, asked about each coin, in the language of invalidations; counts when it
            comes true. Empty for none.
        volatility: a short bar's move from the close before, in its average true ranges; None for
            never.
        funding_flip: the settled rate has changed its sign.
        fill: an order was filled.
        closed: a position has ended, be it by its stop, its rule or the gate.
        stop_near: the price has come within so many average true ranges of a stop; None for never.
    """

    rule: str = ""
    volatility: Positive | None = 2.5
    funding_flip: bool = True
    fill: bool = True
    closed: bool = True
    stop_near: Positive | None = 0.5

    def __post_init__(self) -> None:
        if self.rule:
            try:
                compile_rule(self.rule)
            except InvalidRule as error:
                raise ValueError(f"rule: {error}") from None

    @property
    def compiled(self) -> Invalidation | None:
        """The bar rule; None for none."""
        return compile_rule(self.rule) if self.rule else None


def causes_of(
    triggers: Triggers,
    seen: Observation,
    memory: MindMemory,
    *,
    coins: tuple[str, ...],
    short: str,
) -> list[str]:
    """Find what has happened since the last look, and note it in the memory.

    Args:
        triggers: of the trader.
        seen: what is known now.
        memory: of the mind; what was seen last is brought up to date.
        coins: of the trader.
        short: name of the interval whose bars count.

    Returns:
        Causes by name, each once, in a fixed order.
    """
    found: list[str] = []
    if "asked" in seen.woke_by:
        found.append("asked")
    if triggers.fill and seen.fills:
        found.append("fill")
    if "liquidation" in seen.woke_by:
        found.append("liquidation")
    sizes = {coin: seen.size_of(coin) for coin in coins if seen.size_of(coin)}
    if triggers.closed:
        found += [f"closed:{coin}" for coin in coins if coin in memory.held and coin not in sizes]
    memory.held = sizes
    for coin in coins:
        found += _of_coin(coin, triggers, seen, memory, short)
    return found


def _of_coin(
    coin: str, triggers: Triggers, seen: Observation, memory: MindMemory, short: str
) -> Iterator[str]:
    snapshot = seen.snapshots.get(coin)
    block = (snapshot or {}).get("intervals_data", {}).get(str(MINUTES[short])) or {}
    price = seen.mids.get(coin)
    if (rule := triggers.compiled) is not None:
        truth = evaluate_rule(rule.rule, reader(snapshot, price, seen.now_ms))
        if truth is not None:
            if truth and not memory.rule.get(coin, False):
                yield f"rule:{coin}"
            memory.rule[coin] = truth
    atr = block.get(ATR)
    if triggers.volatility is not None and atr and _is_new(block, coin, memory, short):
        rows = block["bars"]
        if len(rows) > 1 and abs(rows[-1][4] - rows[-2][4]) >= triggers.volatility * atr:
            yield f"volatility:{coin}"
    if triggers.funding_flip:
        yield from _flipped(coin, (snapshot or {}).get("funding"), memory)
    if triggers.stop_near is not None:
        yield from _near_stop(coin, price, atr, triggers.stop_near, memory)


def _is_new(block: Mapping[str, Any], coin: str, memory: MindMemory, short: str) -> bool:
    """Whether a bar has closed that was not looked at yet."""
    marks = memory.marks.get(f"{coin} {short}")
    closed_ms = block["open_time_ms"] + block["timeframe"] * 60_000
    return not marks or marks[-1].close_ms < closed_ms


def _flipped(coin: str, funding: Any, memory: MindMemory) -> Iterator[str]:
    rate = (funding or {}).get("rate_hourly")
    if not rate:
        return
    sign = 1 if rate > 0 else -1
    if memory.funding.get(coin, sign) != sign:
        yield f"funding_flip:{coin}"
    memory.funding[coin] = sign


def _near_stop(
    coin: str, price: Decimal | None, atr: float | None, share: float, memory: MindMemory
) -> Iterator[str]:
    idea, held = memory.ideas.get(coin), memory.held.get(coin, ZERO)
    is_near = False
    if idea is not None and idea.stop is not None and held and price and atr:
        is_near = abs(price - idea.stop) <= exact(share) * exact(atr)
    if is_near and coin not in memory.near:
        memory.near.append(coin)
        yield f"stop_near:{coin}"
    elif not is_near and coin in memory.near:
        memory.near.remove(coin)
