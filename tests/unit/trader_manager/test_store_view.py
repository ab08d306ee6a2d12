"""What is stored becomes the same view as a backtest's report, with equal numbers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support.arena_example import REASON, arena_report
from tests.support.example_report import NAMES
from tests.support.runs import random_run
from tests.support.scripted_venue import MemoryRecords, followed
from tests.support.stored_traders import sample

from suite.contracts.clock import ClockState
from suite.enums import Side
from suite.errors import UpstreamUnavailable
from suite.fixed import Usd, parse_fixed
from suite.ids import Cloid, Oid, TraderId, WorldId
from trader_manager.application.board import Board
from trader_manager.application.comparing import Comparison
from trader_manager.application.report.from_backtest import view_of_backtest
from trader_manager.application.report.from_store import StoredReport
from trader_manager.application.report.page import render_page
from trader_manager.application.report.view import ArenaView, TraderPage, TradeView
from trader_manager.application.runtime import Sighting
from trader_manager.domain.records import (
    Batch,
    Decision,
    EquitySample,
    FundingPayment,
    Positions,
    Trade,
)
from virtual_exchange.application.report.building import build_report, encode_report

WORLD = WorldId("w1")
NOBODY = Sighting(actual="running")


class StoredRun(MemoryRecords):
    """Records of which positions are read too."""

    async def get_positions(self, world: WorldId) -> Mapping[TraderId, Positions]:
        return self.positions


class QuietVenue:
    """A venue that tells the time, and candles of one coin."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.asked: list[tuple[str, str]] = []

    async def clock(self) -> ClockState:
        return ClockState(mode="lockstep", now_ms=self.now_ms, speed=0, world=WORLD)

    async def candles(
        self, coin: str, *, interval: str, from_ms: int, to_ms: int
    ) -> tuple[tuple[Any, ...], ...]:
        self.asked.append((coin, interval))
        if coin != "BTC":
            raise UpstreamUnavailable("no candles")
        return ((from_ms, "1", "2", "0.5", "1.5"),)


def micro(text: str) -> Usd:
    return Usd(parse_fixed(text, 6))


async def stored(report: dict[str, Any]) -> StoredRun:
    """Store what a backtest's report tells, as the collector would."""
    traders = report["result"]["traders"]
    store = StoredRun(*traders)
    for place, (name, told) in enumerate(traders.items()):
        store.traders[place] = replace(followed(name), spec={"strategy": told["strategy"]})
        first = micro(told["initial_balance"])
        fees = [(fill["time"], micro(fill["fee"])) for fill in told["trades"]]
        paid = [(one["time"], micro(one["usd"])) for one in told.get("funding", ())]
        await store.save_records(
            Batch(
                trades=tuple(_trade(name, fill, told["orders"]) for fill in told["trades"]),
                funding=tuple(
                    FundingPayment(
                        world=WORLD,
                        trader_id=TraderId(name),
                        time_ms=one["time"],
                        coin=one["coin"],
                        received_usd=Decimal(one["usd"]),
                    )
                    for one in told.get("funding", ())
                ),
                equity=tuple(
                    EquitySample(
                        world=WORLD,
                        trader_id=TraderId(name),
                        time_ms=time_ms,
                        equity_usd=micro(equity),
                        net_deposits_usd=first,
                        fees_usd=Usd(sum(fee for at, fee in fees if at <= time_ms)),
                        funding_usd=Usd(sum(usd for at, usd in paid if at <= time_ms)),
                    )
                    for time_ms, equity in told["equity_curve"]
                ),
            )
        )
    return store


def _trade(name: str, fill: dict[str, Any], orders: list[dict[str, Any]]) -> Trade:
    order = next((one for one in orders if one["oid"] == fill["oid"]), {})
    return Trade(
        world=WORLD,
        trader_id=TraderId(name),
        tid=fill["tid"],
        oid=Oid(fill["oid"]),
        time_ms=fill["time"],
        coin=fill["coin"],
        side=Side.BUY if fill["side"] == "buy" else Side.SELL,
        price=Decimal(fill["price"]),
        size=Decimal(fill["size"]),
        start_position=Decimal(fill["start_position"]),
        closed_pnl_usd=Decimal(fill["realized_pnl"]),
        fee_usd=Decimal(fill["fee"]),
        is_taker=fill["liquidity"] == "taker",
        direction="",
        cloid=Cloid(order["cloid"]) if order.get("cloid") else None,
    )


async def viewed(store: StoredRun, venue: Any, look: Sighting = NOBODY) -> ArenaView:
    board = Board(store=store, venue=venue, comparison=Comparison(store))
    report = StoredReport(store=store, board=board, candles=venue, look=lambda _name: look)
    return await report.view()


def page_of(view: ArenaView, name: str) -> TraderPage:
    return next(page for page in view.traders if page.trader_id == name)


@pytest.mark.parametrize("seed", [3, 7, 11])
async def test_both_sources_show_equal_numbers_of_the_same_run(seed: int) -> None:
    """Money to the micro-USD: fills, trades, equity, return, drawdown, and the bridge."""
    report = json.loads(encode_report(build_report(random_run(seed))))
    backtest = view_of_backtest(report, lambda _name: None)
    live = await viewed(await stored(report), QuietVenue(report["result"]["period"]["to_ms"]))
    assert ("backtest", "paper") == (backtest.kind, live.kind)
    for one in backtest.traders:
        other = page_of(live, one.trader_id)
        assert one.curve is not None
        assert other.curve is not None
        assert one.curve.equity_usd.tolist() == other.curve.equity_usd.tolist()
        assert one.curve.growth.tolist() == pytest.approx(other.curve.growth.tolist(), abs=1e-12)
        assert (one.row.equity_usd, one.row.profit_usd) == (
            other.row.equity_usd,
            other.row.profit_usd,
        )
        assert one.row.total_return == pytest.approx(other.row.total_return, abs=1e-9)
        assert one.row.max_drawdown == pytest.approx(other.row.max_drawdown, abs=1e-9)
        plain = [replace(fill, mid=None, cause="", cloid=None, oids=()) for fill in one.fills]
        assert plain == [replace(fill, cause="", cloid=None, oids=()) for fill in other.fills]
        assert one.bridge is not None
        assert other.bridge is not None
        for part in ("realized", "fees", "funding", "net"):
            assert one.bridge[part] == other.bridge[part]
        assert [_ends(trade) for trade in one.trades] == [_ends(trade) for trade in other.trades]


def _ends(trade: TradeView) -> tuple[Any, ...]:
    """All but the averages, which are written with another number of digits."""
    money = (trade.fees_usd, trade.funding_usd, trade.net_usd)
    return (trade.coin, trade.side, trade.entry_ms, trade.exit_ms, trade.size, *money)


async def test_stored_decisions_are_traced_and_their_guards_summed_up() -> None:
    report, journals = arena_report(NAMES)
    store = await stored(report)
    name = NAMES[0]
    decisions = tuple(
        Decision(
            world=WORLD, trader_id=TraderId(name), number=one["decision"], time_ms=one["now_ms"],
            body={**one, "trader_id": name},
        )
        for one in journals[name]
    )  # fmt: skip
    await store.save_records(Batch(decisions=decisions))
    view = await viewed(store, QuietVenue(report["result"]["period"]["to_ms"]))
    page = page_of(view, name)
    numbers = {one.number: one for one in page.decisions or ()}
    reasons = {numbers[fill.decision].body["reasoning"] for fill in page.fills if fill.decision}
    assert {REASON, "it crossed back"} == reasons
    assert page.guards is not None
    assert {"max_coin_exposure": 1} == page.guards["clamped"]
    assert {"min_notional": 1} == page.guards["rejected"]
    assert page_of(view, NAMES[1]).decisions is None


async def test_prices_are_those_that_the_venue_tells() -> None:
    """A coin of which it tells none has no chart, and the page is there all the same."""
    report, _ = arena_report(NAMES, days=2)
    venue = QuietVenue(report["result"]["period"]["to_ms"])
    view = await viewed(await stored(report), venue)
    assert {"BTC", "ETH", "SOL"} == {coin for coin, _ in venue.asked}
    assert {"1m"} == {interval for _, interval in venue.asked}
    assert ["BTC"] == list(view.prices)
    assert "PAPER" in render_page(view)


async def test_a_trader_that_failed_or_is_silent_is_shown_as_what_it_is() -> None:
    report, _ = arena_report(NAMES, days=2)
    store = await stored(report)
    store.traders.append(followed("silent"))
    failed = Sighting(actual="failed", reason="a wrong token")
    later = report["result"]["period"]["to_ms"] + 24 * 3_600_000
    view = await viewed(store, QuietVenue(later), failed)
    silent = page_of(view, "silent")
    assert ("new", None, None) == (silent.row.standing, silent.curve, silent.row.total_return)
    assert ("failed", "a wrong token") == (silent.flags[0], silent.note)
    busy = page_of(view, NAMES[0])
    assert ("stale", None) == (busy.row.standing, busy.row.rank)
    assert busy.curve is not None  # what is known of it is shown, and no number is made of it


async def test_a_world_in_which_nothing_happened_yet_has_a_page() -> None:
    view = await viewed(StoredRun("a"), QuietVenue(0))
    assert (None, {}) == (view.from_ms, view.prices)
    assert {"a", "flat"} == {page.trader_id for page in view.traders}
    assert render_page(view).startswith("<!doctype html>")


async def test_a_curve_is_net_of_the_models_bill_and_deposits_are_no_gain() -> None:
    """100 USD of bill on 10,000 is one per cent; what was paid in is none."""
    store = StoredRun("a")
    samples = [
        replace(sample("a", 60 * hour), llm_cost_usd=Usd(hour * 10**6), llm_tokens=hour * 1000)
        for hour in range(101)
    ]
    samples[50:] = [
        replace(one, equity_usd=Usd(2 * 10**10), net_deposits_usd=Usd(2 * 10**10))
        for one in samples[50:]
    ]
    await store.save_records(Batch(equity=tuple(samples)))
    page = page_of(await viewed(store, QuietVenue(100 * 3_600_000)), "a")
    assert page.curve is not None
    assert page.row.total_return == pytest.approx(page.curve.growth[-1] - 1, abs=1e-9)
    assert page.curve.growth[49] == pytest.approx(1 - 49 / 10_000)
    assert (100 * 10**6, 100_000) == (page.row.cost_usd, page.row.tokens)
    assert ("100", 100_000) == (page.metrics["llm_cost"], page.metrics["llm_tokens"])
