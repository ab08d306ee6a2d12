"""Another market made of a recorded one: other names, prices, volumes and dates.

A trader that knows the past must not find it again. Prices are multiplied by a factor drawn for
each coin and quantised onto one lattice, volumes divided by it, so that money stays what it is;
coins are shuffled and renamed and have the same size decimals and leverage; dates move by whole
weeks, which keeps weekday, time of day and funding stamps in their places. Funding rates stay.

With a scale that is a power of ten only the point moves: a unit is still the same price, so every
result is that of the recorded market, to the last unit.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from perp_engine.tape import Tape
from suite.bars import DAY_MS, F64, I64, Bars
from suite.contracts.world import MaskRequest, WorldRequest
from suite.errors import BadRequest
from suite.fixed import FACTOR_LIMIT, PRODUCT_LIMIT
from suite.moments import LATEST_MS
from virtual_exchange.application.market.drawing import MaskPlan, draw_coins, stream
from virtual_exchange.application.market.tapes import (
    Counts,
    floor_volumes,
    longer,
    new_tape,
    path_inside,
    quantize,
    write_row,
)
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.masking import CoinMask, Mask

WEEK_MS: Final = 7 * DAY_MS
_WEEKS_LEAST, _WEEKS_MOST = 104, 520
_SCALE_LEAST, _SCALE_MOST = Decimal("0.01"), Decimal(1000)


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
    coins = draw_coins(market, plan) if plan.hides else _as_they_are(market)
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
        open_interest=()
        if plan.hides  # its level would tell which market it is
        else tuple((times + shift_ms, values) for times, values in market.open_interest),
        sources=tuple("masked" if plan.hides else coin.source for coin in coins),
        synthetic=tuple(market.synthetic[coin.symbol] for coin in coins),
        manifest=market.manifest | described_mask(mask),
        mask=mask,
    )


def described_mask(mask: Mask) -> dict[str, Any]:
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


def _as_they_are(market: Market) -> tuple[CoinMask, ...]:
    return tuple(
        CoinMask(
            true=one, shown=one, symbol=symbol, source=market.sources[symbol], factor=Fraction(1)
        )
        for symbol, one in enumerate(market.instruments)
    )


def _weeks(market: Market, plan: MaskPlan) -> int:
    """By how many weeks the dates move."""
    first = min(int(bars.open_time_ms[0]) for bars in market.history)
    last = market.tape.time_ms(market.tape.length)
    if plan.shift_weeks is None:
        drawn = int(stream(plan.seed, "weeks").integers(_WEEKS_LEAST, _WEEKS_MOST + 1))
        return -drawn if first >= drawn * WEEK_MS else drawn
    weeks = plan.shift_weeks
    if not (first + weeks * WEEK_MS >= 0 and last + weeks * WEEK_MS < LATEST_MS):
        raise BadRequest(f"a shift by {weeks} weeks leaves the years 1970 to 9999")
    return weeks


def _history(bars: Bars, coin: CoinMask, shift_ms: int) -> Bars:
    """Published bars as they appear."""
    price, volume = _price_change(coin), _volume_change(coin)
    return Bars(
        bars.interval_ms,
        bars.open_time_ms + shift_ms,
        price(bars.open),
        price(bars.high),
        price(bars.low),
        price(bars.close),
        volume(bars.volume),
    )


def _price_change(coin: CoinMask) -> Callable[[F64], F64]:
    """What becomes of prices: nothing, the point moves, or they are scaled and quantised."""
    true, shown, factor = coin.true.price_decimals, coin.shown.price_decimals, float(coin.factor)
    if coin.factor == 1:
        return lambda prices: prices
    if coin.keeps_units:
        return lambda prices: _moved(prices, true, shown)
    return lambda prices: quantize(prices * factor, shown)[0] / 10.0**shown


def _volume_change(coin: CoinMask) -> Callable[[F64], F64]:
    """What becomes of volumes."""
    true, shown, factor = coin.true.sz_decimals, coin.shown.sz_decimals, float(coin.factor)
    if coin.factor == 1:
        return lambda volumes: volumes
    if coin.keeps_units:
        return lambda volumes: _moved(volumes, true, shown)
    return lambda volumes: floor_volumes(volumes / factor, shown)[0] / 10.0**shown


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
            write_row(row, shown, longer(bars, step), from_ms=start_ms, counts=Counts())
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
