"""Random traders over a real market with its funding and tiers: every fill is audited."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from tests.support.auditor import audit
from tests.support.real_data import COINS, END, START, needs_real_data, real_markets
from tests.support.wild_traders import WildTraders

from perp_engine.commands import Advance, Command, Deposit, NewOrder, PlaceOrders, SetLeverage
from perp_engine.engine import Engine
from perp_engine.events import Event, Fill, FundingPaid, Liquidated
from perp_engine.rules import PLAIN, BarPath, FillAt, Rules
from suite.bars import HOUR_MS
from suite.enums import FillCause, MarginMode, Side, Tif
from suite.fixed import USD_ONE, Size, Usd
from suite.moments import parse_moment
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.domain.market import Market

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_real_data]


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> StoreMarkets:
    """A store with everything the folder has of the perpetuals."""
    return real_markets(tmp_path_factory.mktemp("real"))


def load(markets: StoreMarkets, coins: tuple[str, ...], start: str, end: str) -> Market:
    query = MarketQuery(
        coins=coins,
        from_ms=parse_moment(start),
        to_ms=parse_moment(end),
        interval="1m",
        allow_partial=True,
    )
    return markets.load(query)


@pytest.mark.parametrize(
    ("rules", "start", "end", "fills"),
    [
        (Rules(), START, END, 30_000),
        (PLAIN, "2025-05-25", "2025-06-05", 5_000),
        (Rules(bar_path=BarPath.OLHC, fill_at=FillAt.CLOSE), "2025-05-25", "2025-06-05", 5_000),
        (Rules(decision_latency_ms=90_000), "2025-05-25", "2025-06-05", 5_000),
    ],
    ids=["default", "plain", "last close", "latency"],
)
def test_no_fill_of_random_traders_over_a_real_market_has_a_fault(
    markets: StoreMarkets, rules: Rules, start: str, end: str, fills: int
) -> None:
    """13 perpetuals with their brackets and settled funding; the books are proved by the engine."""
    market = load(markets, COINS, start, end)
    assert all(instrument.tiers[0].maintenance_rate for instrument in market.instruments)
    assert all(len(stamps) for stamps in market.tape.funding)
    traders = WildTraders.start(7, market.instruments, market.tape, rules, accounts=10)
    traders.run(every=6)
    report = audit(market.instruments, market.tape, rules, traders.log, money=traders.money())
    assert report.faults == []
    assert report.fills > fills
    seen = [event for _, events in traders.log for event in events if isinstance(event, Fill)]
    assert set(range(len(COINS))) == {fill.symbol for fill in seen}
    assert {True, False} == {fill.is_taker for fill in seen}
    causes = Counter(fill.cause for fill in seen)
    assert causes[FillCause.LIQUIDATION] > 0
    assert causes[FillCause.SETTLEMENT] > 0
    assert report.funding > 500


DAY_BARS = 1440


@dataclass
class Stubborn:
    """Four accounts in LAYER at leverage 10, long and short, cross and isolated.

    Each opens anew every day, and with new money as soon as it was liquidated.
    """

    engine: Engine
    log: list[tuple[Command, tuple[Event, ...]]]

    def send(self, command: Command) -> None:
        self.log.append((command, self.engine.apply(command)))

    def run(self) -> None:
        for account in range(4):
            mode = MarginMode.ISOLATED if account >= 2 else MarginMode.CROSS
            self.send(Deposit(account=account, usd=Usd(1_000 * USD_ONE)))
            self.send(SetLeverage(account=account, symbol=0, leverage=10, mode=mode))
        while not self.engine.finished:
            for account in range(4):
                held = self.engine.position(account, 0).size
                if held and self.engine.bar % DAY_BARS == 0:
                    self.trade(account, -held)
                    held = Size(0)
                if held == 0:
                    self.enter(account)
            self.send(Advance(until_bar=self.engine.bar + 30))

    def enter(self, account: int) -> None:
        cash = self.engine.account(account).cash_usd
        self.send(Deposit(account=account, usd=Usd(1_000 * USD_ONE - cash)))
        size = 9_500 * USD_ONE // self.engine.mark(0)
        self.trade(account, size if account % 2 == 0 else -size)

    def trade(self, account: int, change: int) -> None:
        side = Side.BUY if change > 0 else Side.SELL
        order = NewOrder(symbol=0, side=side, size=Size(abs(change)), tif=Tif.IOC)
        self.send(PlaceOrders(account=account, orders=(order,)))


def test_leverage_of_ten_is_liquidated_both_ways_in_layer(markets: StoreMarkets) -> None:
    """A month from 3.39 to 0.76 and back up in between: longs and shorts, cross and isolated."""
    market = load(markets, ("LAYER",), "2025-05-04T15:37", "2025-06-03T15:35")
    traders = Stubborn(Engine(market.instruments, market.tape, 4, Rules()), [])
    traders.run()
    states = [traders.engine.account(account) for account in range(4)]
    money = [state.cash_usd + state.isolated_usd for state in states]
    report = audit(market.instruments, market.tape, Rules(), traders.log, money=money)
    assert report.faults == []
    events = [event for _, events in traders.log for event in events]
    ruined = Counter(event.account for event in events if isinstance(event, Liquidated))
    assert all(ruined[account] > 0 for account in range(4)), ruined
    assert report.liquidations == ruined.total()


def test_funding_of_layer_goes_from_four_hours_to_one(markets: StoreMarkets) -> None:
    """Payments come at the stamps as they were settled, whatever their distance."""
    market = load(markets, ("LAYER",), "2025-05-04T15:37", "2025-06-03T15:35")
    traders = Stubborn(Engine(market.instruments, market.tape, 4, Rules()), [])
    traders.run()
    paid = {
        event.time_ms
        for _, events in traders.log
        for event in events
        if isinstance(event, FundingPaid)
    }
    steps = Counter((np.diff(sorted(paid)) // HOUR_MS).tolist())
    assert {1, 4} <= steps.keys()
    stamp = traders.engine.last_funding(0)
    assert stamp is not None
    assert stamp.interval_ms == HOUR_MS
