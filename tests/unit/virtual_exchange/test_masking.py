"""Masked markets: what stays, what changes, and that results are those of the recorded one."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.support.worlds import START_MS, MemorySource, open_memory_world, random_source

from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.backtest import BacktestRequest, PlannedOrder
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.world import MaskRequest
from suite.errors import BadRequest
from virtual_exchange.application.backtest import run_backtest, run_request
from virtual_exchange.application.market.drawing import MAX_LEVERAGE, SZ_DECIMALS
from virtual_exchange.application.market.masking import WEEK_MS
from virtual_exchange.application.market.recorded_terms import in_recorded_terms
from virtual_exchange.application.report.building import build_report
from virtual_exchange.application.session import Session, world_request

COINS = ("BTC", "ETH", "SOL")


def source(count: int = 3000) -> MemorySource:
    """Three coins with recorded funding every eight hours."""
    markets = random_source(*COINS, count=count)
    stamps = np.arange(START_MS, START_MS + count * 60_000, 8 * HOUR_MS)
    for place, coin in enumerate(COINS):
        markets.funding[coin] = (stamps, np.full(len(stamps), 1e-4 * (place - 1)))
    return markets


def traders() -> tuple[TraderSpec, ...]:
    """The baselines, borrowing, with stops and targets."""
    params: dict[str, dict[str, Any]] = {
        "hodl": {},
        "flat": {},
        "random": {"probability": 0.3, "exposure": 3.0},
        "sma_cross": {"fast": 3, "slow": 8, "stop_loss": 0.004, "take_profit": 0.006},
    }
    return tuple(
        TraderSpec(trader_id=kind, strategy=StrategySpec(kind=kind, params=own), symbols=COINS)
        for kind, own in params.items()
    )


def result_of(**settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report of a backtest: its result with its charts and its hash, and the manifest."""
    record = run_backtest(
        world_request(traders(), seed=5, **settings),
        traders(),
        source=source(),
        clock=ManualClock(0),
        progress=lambda _done: None,
    )
    report = build_report(record)
    result = {name: report[name] for name in ("charts", "guards", "sha256")} | report["result"]
    return result, report["manifest"]


@pytest.mark.parametrize("scale", ["0.01", "1", "10", "100"])
def test_scale_that_is_a_power_of_ten_changes_no_result(scale: str) -> None:
    """Every fill, order, fee, payment, time and price of a whole backtest, guards and hash."""
    plain, _ = result_of()
    assert 40 < len(plain["traders"]["sma_cross"]["trades"])
    assert 40 < len(plain["traders"]["random"]["trades"])
    masked, manifest = result_of(mask=MaskRequest(seed=3, scale=Decimal(scale)))
    assert plain == masked
    assert (scale, True) == (manifest["mask"]["scale"], manifest["mask"]["exact"])
    assert set(COINS) == set(manifest["mask"]["coins"])


def test_power_of_ten_that_changes_the_tick_of_a_price_is_not_called_exact() -> None:
    """Above 100,000 USD the venue's tick is a whole dollar, and 145 USD come to lie there."""
    mask = world(mask=MaskRequest(seed=3, scale=Decimal(1000))).mask
    assert mask is not None
    assert not mask.exact


def test_without_a_scale_the_difference_is_rounding() -> None:
    """A trader that buys once and holds ends within a tenth of a percent."""
    plain, _ = result_of()
    masked, manifest = result_of(mask=True)
    assert not manifest["mask"]["exact"]
    one, other = (float(r["traders"]["hodl"]["total_return"]) for r in (plain, masked))
    assert one != other
    assert abs(one - other) < 1e-3
    assert plain["coins"] == masked["coins"]
    assert plain["period"] == masked["period"]
    bought = masked["traders"]["hodl"]["trades"][0]
    expected = plain["traders"]["hodl"]["trades"][0]
    assert (expected["time"], expected["coin"]) == (bought["time"], bought["coin"])
    assert abs(float(expected["price"]) / float(bought["price"]) - 1) < 1e-4
    assert abs(float(expected["size"]) / float(bought["size"]) - 1) < 1e-3
    bridge = masked["traders"]["random"]["bridge"]
    parts = ("realized", "unrealized", "insurance", "funding")
    total = sum(Decimal(bridge[name]) for name in parts) - Decimal(bridge["fees"])
    assert Decimal(bridge["net"]) == total


def world(**settings: Any) -> Session:
    return open_memory_world(source(), **settings)


def test_masked_coins_are_alike_but_for_their_path() -> None:
    """One lattice, one leverage table, prices of one magnitude, names that say nothing."""
    session = world(mask=MaskRequest(seed=1))
    market, mask = session.world.market, session.mask
    assert mask is not None
    assert {"COIN1", "COIN2", "COIN3"} == set(market.coins)
    assert {SZ_DECIMALS} == {one.sz_decimals for one in market.instruments}
    assert {((0, MAX_LEVERAGE),)} == {
        tuple((tier.lower_bound_usd, tier.max_leverage) for tier in one.tiers)
        for one in market.instruments
    }
    first = market.tape.bars[:, 0, 0] / 10**4
    assert ((first >= 20) & (first < 200)).all()
    assert {"masked"} == set(market.sources)
    recorded = source().bars
    for coin, history in zip(mask.coins, market.history, strict=True):
        true = recorded[coin.true.coin]
        moved = np.diff(np.log(true.close)) - np.diff(np.log(history.close))
        assert np.abs(moved).max() < 1e-5
        money = history.volume.sum() * history.close.mean() / (true.volume * true.close).sum()
        assert abs(money - 1) < 1e-2


def test_dates_move_by_whole_weeks_and_rates_stay() -> None:
    """Weekday, time of day and the stamps of funding keep their places."""
    session, plain = world(mask=MaskRequest(seed=1)), world()
    mask, market = session.mask, session.world.market
    assert mask is not None
    assert 0 == mask.shift_ms % WEEK_MS
    assert 104 * 7 * DAY_MS <= -mask.shift_ms <= 520 * 7 * DAY_MS
    assert session.world.now_ms == START_MS + mask.shift_ms
    for symbol, coin in enumerate(mask.coins):
        shown, true = market.tape.funding[symbol], plain.world.market.tape.funding[coin.symbol]
        assert (shown - [mask.shift_ms, 0]).tolist() == true.tolist()


def test_seed_decides_everything_that_is_drawn() -> None:
    """Equal seeds make equal markets; the world's seed counts where the mask has none."""
    one, same = world(mask=MaskRequest(seed=4)), world(mask=True, seed=4)
    assert one.world.market.coins == same.world.market.coins
    assert (one.world.market.tape.bars == same.world.market.tape.bars).all()
    shifts, names, prices = set(), set(), set()
    for seed in range(12):
        mask = world(mask=MaskRequest(seed=seed)).mask
        assert mask is not None
        shifts.add(mask.shift_ms)
        names.add(tuple(mask.names[coin] for coin in COINS))
        prices.add(float(mask.coins[0].factor))
    assert 12 == len(prices)
    assert 8 < len(shifts)
    assert 3 < len(names)


def test_names_and_weeks_can_be_given() -> None:
    """The coins that are not named take what is left."""
    mask = world(mask=MaskRequest(rename={"BTCUSDT": "ALPHA", "SOL": "COIN1"}, shift_weeks=0)).mask
    assert mask is not None
    assert {"BTC": "ALPHA", "SOL": "COIN1", "ETH": "COIN2"} == mask.names
    assert 0 == mask.shift_ms


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (MaskRequest(rename={"DOGE": "COIN1"}), "'DOGE' is not in this world; it has BTC, ETH"),
        (MaskRequest(rename={"?": "COIN1"}), "not a symbol"),
        (MaskRequest(rename={"BTC": "BTC-PERP"}), "is not the name of a coin"),
        (MaskRequest(rename={"BTC": "A", "ETH": "A"}), "is named twice"),
        (MaskRequest(rename={"BTC": "A", "BTCUSDT": "B"}), "is named twice"),
        (MaskRequest(scale=Decimal(0)), "between 0.01 and 1000"),
        (MaskRequest(scale=Decimal(-1)), "between 0.01 and 1000"),
        (MaskRequest(scale=Decimal("NaN")), "mask.scale"),
        (MaskRequest(scale=Decimal("999.5")), "too high to be counted"),
        (MaskRequest(shift_weeks=-2990), "leaves the years 1970 to 9999"),
    ],
)
def test_mask_that_cannot_be_is_refused_in_one_line(mask: MaskRequest, text: str) -> None:
    """And says why."""
    with pytest.raises(BadRequest, match=text) as caught:
        world(mask=mask)
    assert "\n" not in str(caught.value)


def test_paced_world_may_begin_within_the_last_week() -> None:
    """The weekday and the time of day are the recorded ones, and so is the report."""
    now_ms = START_MS + 1000 * DAY_MS + 12_345
    session = open_memory_world(source(), clock=ManualClock(now_ms), pace="paced", time_shift="now")
    shift_ms = session.world.from_ms - START_MS
    assert 0 == shift_ms % WEEK_MS
    assert 0 <= now_ms - session.world.from_ms < WEEK_MS
    assert COINS == session.world.market.coins
    assert session.world.market.tape.funding[0][0, 0] == START_MS + shift_ms
    record = session.record()
    assert (START_MS, shift_ms // WEEK_MS) == (
        record.from_ms,
        record.manifest["time_shift_weeks"],
    )


def test_world_of_this_week_is_played_up_to_now() -> None:
    """So that a client which counts back from its own clock finds bars."""
    now_ms = START_MS + 21 * DAY_MS + 75 * MINUTE_MS
    session = open_memory_world(source(), clock=ManualClock(now_ms), pace="paced", time_shift="now")
    assert now_ms == session.world.now_ms
    assert START_MS + 21 * DAY_MS == session.world.from_ms
    assert 75 == len(session.data.klines(COINS[0], "1m", None, None)[0])
    ended = ManualClock(START_MS + 27 * DAY_MS)
    session = open_memory_world(source(), clock=ended, pace="paced", time_shift="now")
    assert session.world.from_ms == session.world.now_ms


def test_weeks_of_a_shift_can_be_given() -> None:
    """In any world; 0 is none."""
    assert START_MS + 3 * WEEK_MS == world(time_shift=3).world.now_ms
    assert world(time_shift=0).world.market.mask is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"time_shift": "now"}, "for paced worlds"),
        ({"time_shift": 1, "mask": MaskRequest(shift_weeks=1)}, "either time_shift or mask"),
        ({"time_shift": 450_000}, "leaves the years"),
    ],
)
def test_shift_that_cannot_be_is_refused(settings: dict[str, Any], text: str) -> None:
    """In one line."""
    with pytest.raises(BadRequest, match=text):
        world(**settings)


def test_masked_world_of_longer_bars_keeps_its_path_inside() -> None:
    """The detail is made of the masked minutes."""
    for mask in (MaskRequest(seed=2), MaskRequest(seed=2, scale=Decimal(1))):
        session = world(mask=mask, interval="1h", bar_path="recorded")
        tape = session.world.market.tape
        assert tape.detail is not None
        assert (3, tape.length + 1) == tape.detail.first.shape
        session.world.play(session.world.end_bar)


def test_backtest_job_may_be_masked() -> None:
    """`POST /backtest/run` with traders; a list of orders names what it means and is refused."""

    def run(**more: Any) -> str:
        request = BacktestRequest(traders=traders(), symbols=COINS, **more)
        record = run_request(
            request, source=source(), clock=ManualClock(0), progress=lambda _done: None
        )
        sha256: str = build_report(record)["sha256"]
        return sha256

    assert run() == run(mask=MaskRequest(scale=Decimal(1)))
    assert run(mask=True) == run(mask=True)
    assert run() != run(mask=True)
    with pytest.raises(ValueError, match="mask is for traders"):
        BacktestRequest(orders=(PlannedOrder(coin="BTC", is_buy=True, sz=Decimal(1)),), mask=True)


def test_native_action_is_logged_in_recorded_terms_too() -> None:
    """Asset numbers, prices and sizes are the recorded coin's; flags named alike are left alone."""
    mask = world(mask=MaskRequest(seed=3, scale=Decimal(1))).mask
    assert mask is not None
    places = [coin.true.coin for coin in mask.coins]
    bitcoin = places.index("BTC")
    order = {"a": bitcoin, "b": True, "p": "94.1", "s": "12.5", "r": False}
    trigger = {"t": {"trigger": {"isMarket": True, "triggerPx": "90", "tpsl": "sl"}}}
    told = in_recorded_terms({"type": "order", "orders": [order | trigger], "grouping": "na"}, mask)
    stop = {"t": {"trigger": {"isMarket": True, "triggerPx": "90000", "tpsl": "sl"}}}
    expected = {"a": 0, "b": True, "p": "94100", "s": "0.0125", "r": False}
    assert {"type": "order", "orders": [expected | stop], "grouping": "na"} == told
    modify = {"type": "batchModify", "a": True, "modifies": [{"oid": 7, "order": order}]}
    assert {"type": "batchModify", "a": True, "modifies": [{"oid": 7, "order": expected}]} == (
        in_recorded_terms(modify, mask)
    )
    leverage = {"type": "updateLeverage", "asset": bitcoin, "isCross": True, "leverage": 3}
    assert leverage | {"asset": 0} == in_recorded_terms(leverage, mask)


def test_numbers_are_logged_in_one_notation() -> None:
    """However a client writes them."""
    for text in ("0.5", "0.50", "5e-1", "0.5000"):
        assert {"sz": "0.5"} == in_recorded_terms({"sz": text}, None)
    assert {"sz": "100", "coin": "1e2"} == in_recorded_terms({"sz": "1e2", "coin": "1e2"}, None)
    assert {"px": "1.10"} == in_recorded_terms({"px": "1.10"}, None)
