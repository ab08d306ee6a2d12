"""Orders that were sent live, played over the bars that were collected."""

from typing import Any

import numpy as np
import pytest

from hyperliquid_exchange.domain.live_orders import LiveOrder, ModelFill
from hyperliquid_exchange.domain.shadow import simulate, tape_of
from perp_engine.rules import Rules
from suite.bars import MINUTE_MS, Bars
from suite.fixed import Price, Size, Usd
from suite.instrument import default_instrument

ETH = default_instrument("ETH", 2)  # four size decimals, so prices have two
T0 = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
RULES = Rules()


def bars(*rows: tuple[float, float, float, float], missing: tuple[int, ...] = ()) -> Bars:
    """Minutes from T0 of open, high, low, close, each with a volume of 1000 ETH."""
    kept = [place for place in range(len(rows)) if place not in missing]
    table = np.array(rows, float)[kept]
    times = T0 + MINUTE_MS * np.array(kept, np.int64)
    opened, high, low, close = table.T
    return Bars(MINUTE_MS, times, opened, high, low, close, np.full(len(kept), 1000.0))


QUIET = (2000.0, 2001.0, 1999.0, 2000.0)
FALLS = (2000.0, 2000.0, 1980.0, 1985.0)
RISES = (2000.0, 2030.0, 2000.0, 2025.0)


def order(**more: Any) -> LiveOrder:
    """A market buy of one ETH, as clients send it, decided a second into the first minute."""
    known: dict[str, Any] = {
        "trader_id": "alice",
        "coin": "ETH",
        "is_buy": True,
        "size": Size(10_000),
        "limit_price": Price(210_000),
        "reduce_only": False,
        "tif": "Ioc",
        "decided_ms": T0 + 1000,
        "placed_ms": T0 + 1200,
        "ended_ms": None,
        "oid": 7,
        "cloid": None,
    }
    return LiveOrder(**(known | more))


def live_fill(time_ms: int, *, taker: bool = True) -> ModelFill:
    return ModelFill(
        time_ms=time_ms, price=Price(200_000), size=Size(1), fee_usd=Usd(1), is_taker=taker
    )


def test_market_order_meets_the_print_that_opens_its_bar() -> None:
    """Half a spread and slippage beyond it, and the taker's fee: a world's own defaults."""
    (fill,) = simulate(order(), ETH, bars(QUIET), RULES) or ()
    assert (T0, 10_000, True) == (fill.time_ms, fill.size, fill.is_taker)
    assert 200_031 == fill.price  # 1 bp beyond an ask that is 0.5 bp above 2000 USD
    assert -(-fill.price * fill.size * 450_000 // 10**9) == fill.fee_usd


def test_selling_is_its_mirror() -> None:
    selling = order(is_buy=False, limit_price=Price(190_000))
    (fill,) = simulate(selling, ETH, bars(QUIET), RULES) or ()
    assert 199_970 == fill.price


def test_order_that_takes_does_not_wait() -> None:
    """Beyond the market there is no fill, in later bars neither."""
    far = order(limit_price=Price(198_500))
    assert () == simulate(far, ETH, bars(QUIET, FALLS), RULES)


def test_resting_order_fills_where_a_bar_trades_through_it() -> None:
    """As a maker at its own price; a bar that only touches it fills nothing."""
    resting = order(tif="Gtc", limit_price=Price(199_000))
    touched = (2000.0, 2000.0, 1990.0, 1995.0)
    (fill,) = simulate(resting, ETH, bars(QUIET, touched, FALLS), RULES) or ()
    assert (T0 + 3 * MINUTE_MS - 1, 199_000, False) == (fill.time_ms, fill.price, fill.is_taker)
    assert () == simulate(resting, ETH, bars(QUIET, touched), RULES)


def test_canceled_order_fills_no_more() -> None:
    resting = order(tif="Gtc", limit_price=Price(199_000), ended_ms=T0 + MINUTE_MS)
    assert () == simulate(resting, ETH, bars(QUIET, FALLS), RULES)


def test_order_that_filled_live_has_a_day_to_fill_in_the_model() -> None:
    late = order(tif="Gtc", limit_price=Price(199_000), fills=(live_fill(T0, taker=False),))
    assert simulate(late, ETH, bars(QUIET, QUIET, FALLS), RULES)
    assert () == simulate(late, ETH, bars(*[QUIET] * 1442, FALLS), RULES)


def test_stop_fires_on_the_path_of_a_bar() -> None:
    stop = order(
        is_buy=False,
        tif=None,
        limit_price=Price(150_000),
        trigger_price=Price(199_000),
        trigger="sl",
        trigger_is_market=True,
        reduce_only=True,
        held=Size(10_000),
    )
    (fill,) = simulate(stop, ETH, bars(QUIET, FALLS), RULES) or ()
    assert T0 + 2 * MINUTE_MS - 1 == fill.time_ms
    assert 198_000 <= fill.price < 199_000
    assert () == simulate(stop, ETH, bars(QUIET, RISES), RULES)


@pytest.mark.parametrize(("held", "size"), [(4_000, 4_000), (-4_000, 4_000), (90_000, 10_000)])
def test_reduce_only_order_is_cut_to_the_position(held: int, size: int) -> None:
    asked = order(reduce_only=True, held=Size(held))
    (fill,) = simulate(asked, ETH, bars(QUIET), RULES) or ()
    assert size == fill.size


def test_size_zero_of_a_position_stop_is_the_whole_position() -> None:
    asked = order(size=Size(0), reduce_only=True, held=Size(2_500))
    (fill,) = simulate(asked, ETH, bars(QUIET), RULES) or ()
    assert 2_500 == fill.size


def test_bar_that_was_not_collected_makes_it_unknown() -> None:
    """No guess from the bars around it."""
    late = order(decided_ms=T0 + MINUTE_MS + 5, placed_ms=T0 + MINUTE_MS + 5)
    assert simulate(late, ETH, bars(QUIET, QUIET, QUIET, missing=(1,)), RULES) is None
    assert simulate(order(), ETH, bars(QUIET).rows(0, 0), RULES) is None


def test_gap_while_an_order_rests_fills_nothing() -> None:
    resting = order(tif="Gtc", limit_price=Price(199_000))
    assert () == simulate(resting, ETH, bars(QUIET, FALLS, QUIET, missing=(1,)), RULES)


def test_prices_stand_still_in_a_gap() -> None:
    tape = tape_of(bars(QUIET, FALLS, RISES, missing=(1,)), ETH, T0, T0 + 3 * MINUTE_MS)
    assert tape is not None
    assert [200_000] * 4 == tape.bars[0, :4, 1].tolist()
    assert [10_000_000, -1, 10_000_000] == tape.bars[0, 4].tolist()


def test_stand_in_with_a_clock_of_its_own_is_measured_by_that() -> None:
    """Its bars have other dates than the wall."""
    asked = order(decided_ms=T0 + 10**9, placed_ms=T0 + 3, fills=(live_fill(T0 + 3),))
    assert T0 + 3 == asked.begins_ms
    assert simulate(asked, ETH, bars(QUIET), RULES)
