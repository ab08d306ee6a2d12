"""Another market made of a recorded one: other names, prices, volumes and dates.

A trader that knows the past must not find it again. Prices are multiplied by a factor drawn for
each coin and quantised onto one lattice, volumes divided by it, so that money stays what it is;
coins are shuffled and renamed and have the same size decimals and leverage; dates move by whole
weeks, which keeps weekday, time of day and funding stamps in their places. Funding rates stay.

With a scale that is a power of ten only the point moves: a unit is still the same price, so every
result is that of the recorded market, to the last unit.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from perp_engine.tape import NO_BAR, OPEN, VOLUME, Tape
from suite.bars import DAY_MS, F64, I64, Bars
from suite.contracts.world import MaskRequest, WorldRequest
from suite.errors import BadRequest
from suite.fixed import FACTOR_LIMIT, PRODUCT_LIMIT, Usd
from suite.instrument import Instrument, MarginTier, coin_of
from suite.moments import LATEST_MS
from virtual_exchange.application.tape_building import (
    Counts,
    fill_row,
    floor_volumes,
    longer,
    new_tape,
    path_inside,
    quantize_prices,
)
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.masking import CoinMask, Mask

WEEK_MS: Final = 7 * DAY_MS
SZ_DECIMALS: Final = 2
"""Of every masked coin, unless a scale that is a power of ten moves the point."""
MAX_LEVERAGE: Final = 20
_LOWEST_PRICE: Final = 20.0
"""A masked coin starts between this and ten times this, USD."""
_WEEKS_LEAST, _WEEKS_MOST = 104, 520
_SCALE_LEAST, _SCALE_MOST = Decimal("0.01"), Decimal(1000)


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


def plan_of(request: WorldRequest, *, start_ms: int, now_ms: int) -> MaskPlan | None:
    """Read from a request what is to be changed, None when nothing is.

    Args:
        request: of the world.
        start_ms: recorded start of its range.
        now_ms: wall time.

    Raises:
        BadRequest: the options contradict each other, or a scale is impossible.
    """
    weeks = request.time_shift
    if weeks == "now":
        if request.clock != "paced":
            raise BadRequest("time_shift now is for paced worlds; give a number of weeks")
        weeks = (now_ms - start_ms) // WEEK_MS
    if request.mask is None or request.mask is False:
        return MaskPlan(hides=False, shift_weeks=weeks) if weeks else None
    wanted = MaskRequest() if request.mask is True else request.mask
    if weeks is not None and wanted.shift_weeks is not None:
        raise BadRequest("give either time_shift or mask.shift_weeks")
    scale = wanted.scale
    if scale is not None and not (scale.is_finite() and _SCALE_LEAST <= scale <= _SCALE_MOST):
        raise BadRequest(f"mask.scale must be between {_SCALE_LEAST} and {_SCALE_MOST}")
    return MaskPlan(
        hides=True,
        seed=request.seed if wanted.seed is None else wanted.seed,
        scale=scale,
        shift_weeks=wanted.shift_weeks if weeks is None else weeks,
        rename=tuple(sorted(wanted.rename.items())),
    )


def masked(market: Market, plan: MaskPlan) -> Market:
    """Make the other market.

    Args:
        market: as recorded; it stays as it is.
        plan: what to change.

    Raises:
        BadRequest: a name in the plan is unknown or used twice, the dates leave the calendar, or
            prices come to lie too high to be counted.
    """
    coins = _coins(market, plan) if plan.hides else _as_they_are(market)
    shift_ms = WEEK_MS * _weeks(market, plan)
    history = tuple(_history(market.history[coin.symbol], coin, shift_ms) for coin in coins)
    tape = _tape(market.tape, coins, history, shift_ms)
    mask = Mask(
        shift_ms=shift_ms,
        coins=coins,
        hides=plan.hides,
        seed=plan.seed,
        scale=None if plan.scale is None else f"{plan.scale.normalize():f}",
        exact=_is_exact(market, coins),
    )
    return Market(
        instruments=tuple(coin.shown for coin in coins),
        tape=tape,
        history=history,
        sources=tuple("masked" if plan.hides else coin.source for coin in coins),
        synthetic=tuple(market.synthetic[coin.symbol] for coin in coins),
        manifest=market.manifest | described(mask),
        mask=mask,
    )


def described(mask: Mask) -> dict[str, Any]:
    """Name a mask, for the operator's report and status."""
    weeks = mask.shift_ms // WEEK_MS
    if not mask.hides:
        return {"time_shift_weeks": weeks}
    return {
        "mask": {
            "seed": mask.seed,
            "scale": mask.scale,
            "shift_weeks": weeks,
            "coins": mask.names,
            "factors": {coin.true.coin: f"{float(coin.factor):.9g}" for coin in mask.coins},
            "exact": mask.exact,
        }
    }


def _stream(*words: object) -> np.random.Generator:
    """Random numbers for one purpose; equal on every machine."""
    digest = hashlib.sha256("\n".join(map(str, ("mask", *words))).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def _as_they_are(market: Market) -> tuple[CoinMask, ...]:
    return tuple(
        CoinMask(
            true=one, shown=one, symbol=symbol, source=market.sources[symbol], factor=Fraction(1)
        )
        for symbol, one in enumerate(market.instruments)
    )


def _coins(market: Market, plan: MaskPlan) -> tuple[CoinMask, ...]:
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
    places = _stream(plan.seed, "order", *sorted(market.coins)).permutation(len(masks))
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
        order = _stream(plan.seed, "names", *sorted(coins)).permutation(len(free))
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
    drawn = float(_stream(plan.seed, "price", true.coin).random())
    factor = _LOWEST_PRICE * 10.0**drawn / first
    return Fraction(Decimal(f"{factor:.9g}"))


def _weeks(market: Market, plan: MaskPlan) -> int:
    """By how many weeks the dates move."""
    first = min(int(bars.open_time_ms[0]) for bars in market.history)
    last = market.tape.time_ms(market.tape.length)
    if plan.shift_weeks is None:
        drawn = int(_stream(plan.seed, "weeks").integers(_WEEKS_LEAST, _WEEKS_MOST + 1))
        return -drawn if first >= drawn * WEEK_MS else drawn
    weeks = plan.shift_weeks
    if not (first + weeks * WEEK_MS >= 0 and last + weeks * WEEK_MS < LATEST_MS):
        raise BadRequest(f"a shift by {weeks} weeks leaves the years 1970 to 9999")
    return weeks


def _history(bars: Bars, coin: CoinMask, shift_ms: int) -> Bars:
    """Published bars as they appear."""
    times = bars.open_time_ms + shift_ms
    prices, volume = (bars.open, bars.high, bars.low, bars.close), bars.volume
    if coin.factor == 1:
        return Bars(bars.interval_ms, times, *prices, volume)
    price, size = coin.shown.price_decimals, coin.shown.sz_decimals
    if coin.keeps_units:
        moved = [_moved(column, coin.true.price_decimals, price) for column in prices]
        volume = _moved(volume, coin.true.sz_decimals, size)
    else:
        factor = float(coin.factor)
        moved = [quantize_prices(column * factor, price)[0] / 10.0**price for column in prices]
        volume = floor_volumes(volume / factor, size)[0] / 10.0**size
    return Bars(bars.interval_ms, times, *moved, volume)


def _moved(values: F64, true_decimals: int, shown_decimals: int) -> F64:
    """Move the point; what lies on the lattice lies on the other one exactly."""
    units = np.rint(values * 10.0**true_decimals)
    on_lattice = units / 10.0**true_decimals == values
    moved = values * 10.0**true_decimals / 10.0**shown_decimals
    return np.where(on_lattice, units / 10.0**shown_decimals, moved)


def _tape(
    tape: Tape, coins: tuple[CoinMask, ...], history: tuple[Bars, ...], shift_ms: int
) -> Tape:
    """The engine's market as it appears; arrays that stay as they are, are shared."""
    start_ms, step = tape.start_ms + shift_ms, tape.interval_ms
    end_ms = start_ms + tape.length * step
    symbols = [coin.symbol for coin in coins]
    instruments = tuple(coin.shown for coin in coins)
    funding = tuple(_shifted(tape.funding[symbol], shift_ms) for symbol in symbols)
    table, detail = tape.bars, tape.detail
    as_stored = symbols == list(range(len(coins)))
    inside = tuple(bars.between(start_ms, end_ms) for bars in history)
    if all(coin.keeps_units for coin in coins):
        if not as_stored:
            table = np.ascontiguousarray(table[symbols])
    else:
        table = np.empty_like(tape.bars)
        for row, shown, bars in zip(table, instruments, inside, strict=True):
            fill_row(row, shown, longer(bars, step), from_ms=start_ms, counts=Counts())
        if 5 * int(table[:, :4].max()) * FACTOR_LIMIT >= PRODUCT_LIMIT:
            raise BadRequest("mask: a price rises too high to be counted; take another scale")
    if detail is not None and not (as_stored and table is tape.bars):
        detail = path_inside(instruments, inside, from_ms=start_ms, to_ms=end_ms, step=step)
    names = tuple(shown.coin for shown in instruments)
    return new_tape(names, start_ms, step, table, funding, detail)


def _shifted(stamps: I64, shift_ms: int) -> I64:
    moved = stamps.copy()
    moved[:, 0] += shift_ms
    return moved


def _is_exact(market: Market, coins: Iterable[CoinMask]) -> bool:
    """Whether nothing that the engine counts is different."""
    coins = tuple(coins)
    by_true = sorted(coins, key=lambda coin: coin.true.coin)
    by_shown = sorted(coins, key=lambda coin: coin.shown.coin)
    return by_true == by_shown and all(
        coin.keeps_units
        and coin.true.tiers == coin.shown.tiers
        and _ticks_agree(coin, int(market.tape.bars[coin.symbol, :4].max()))
        for coin in coins
    )


def _ticks_agree(coin: CoinMask, highest: int) -> bool:
    """Whether prices up to the highest have the same distance under both names."""
    return coin.true.tick(highest) == coin.shown.tick(highest)
