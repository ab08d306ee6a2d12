"""What a mask draws from its seed: names, order, factors, and the streams they come from."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from perp_engine.tape import NO_BAR, OPEN, VOLUME, Tape
from suite.errors import BadRequest
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier, coin_of
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.masking import CoinMask

SZ_DECIMALS: Final = 2
"""Of every masked coin, unless a scale that is a power of ten moves the point."""
MAX_LEVERAGE: Final = 20
_LOWEST_PRICE: Final = 20.0
"""A masked coin starts between this and ten times this, USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPlan:
    """What is to be changed; equal plans make equal markets.

    Attributes:
        hides: names, prices and dates; else only the dates move.
        seed: of what is drawn.
        scale: of all prices, None for a factor drawn for each coin.
        shift_weeks: None for one that is drawn.
        rename: recorded and shown names.
    """

    hides: bool
    seed: int = 0
    scale: Decimal | None = None
    shift_weeks: int | None = None
    rename: tuple[tuple[str, str], ...] = ()


def stream(*words: object) -> np.random.Generator:
    """Random numbers for one purpose; equal on every machine."""
    digest = hashlib.sha256("\n".join(map(str, ("mask", *words))).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def draw_coins(market: Market, plan: MaskPlan) -> tuple[CoinMask, ...]:
    """Draw order, names and factors of the coins."""
    power = _power_of_ten(plan.scale)
    names = _names(market.coins, plan, in_order=power is not None)
    masks = []
    for symbol, true in enumerate(market.instruments):
        if power is not None:
            decimals, tiers = SZ_DECIMALS + power, true.tiers
            factor = Fraction(10) ** (decimals - true.sz_decimals)
        else:
            decimals = SZ_DECIMALS
            tiers = (MarginTier(lower_bound_usd=Usd(0), max_leverage=MAX_LEVERAGE),)
            factor = _factor(market.tape, symbol, true, plan)
        shown = Instrument(coin=names[true.coin], sz_decimals=decimals, tiers=tiers)
        source = market.sources[symbol]
        masks.append(CoinMask(true=true, shown=shown, symbol=symbol, source=source, factor=factor))
    places = stream(plan.seed, "order", *sorted(market.coins)).permutation(len(masks))
    by_name = sorted(masks, key=lambda mask: mask.true.coin)
    return tuple(by_name[place] for place in places)


def _power_of_ten(scale: Decimal | None) -> int | None:
    """Exponent of a power of ten, None for any other number."""
    if scale is None:
        return None
    _, digits, exponent = scale.normalize().as_tuple()
    return int(exponent) if digits == (1,) else None


def _names(coins: tuple[str, ...], plan: MaskPlan, *, in_order: bool) -> dict[str, str]:
    """Shown name of each coin.

    Args:
        coins: recorded names.
        plan: with the names that are given.
        in_order: sorted alike under both names, as the engine goes through coins by name.
    """
    given: dict[str, str] = {}
    for true, shown in plan.rename:
        name = _coin("mask.rename", true)
        if name not in coins:
            raise BadRequest(
                f"mask.rename: {true[:20]!r} is not in this world; it has {', '.join(coins)}"
            )
        if _coin("mask.rename", shown) != shown:
            raise BadRequest(f"mask.rename: {shown[:20]!r} is not the name of a coin")
        if name in given or shown in given.values():
            raise BadRequest(f"mask.rename: {true[:20]!r} or {shown[:20]!r} is named twice")
        given[name] = shown
    rest = sorted(set(coins) - set(given))
    width = len(str(len(coins)))
    fresh = [f"COIN{n:0{width}}" for n in range(1, 2 * len(coins) + 1)]
    free = [name for name in fresh if name not in given.values()][: len(rest)]
    if not in_order:
        order = stream(plan.seed, "names", *sorted(coins)).permutation(len(free))
        free = [free[place] for place in order]
    return given | dict(zip(rest, free, strict=True))


def _coin(field: str, name: str) -> str:
    try:
        return coin_of(name)
    except ValueError as error:
        raise BadRequest(f"{field}: {error}") from None


def _factor(tape: Tape, symbol: int, true: Instrument, plan: MaskPlan) -> Fraction:
    """Shown price over recorded price of a coin."""
    if plan.scale is not None:
        return Fraction(plan.scale) * Fraction(10) ** (SZ_DECIMALS - true.sz_decimals)
    there = np.flatnonzero(tape.bars[symbol, VOLUME] != NO_BAR)
    first = int(tape.bars[symbol, OPEN, there[0]]) / 10.0**true.price_decimals
    drawn = float(stream(plan.seed, "price", true.coin).random())
    factor = _LOWEST_PRICE * 10.0**drawn / first
    return Fraction(Decimal(f"{factor:.9g}"))
