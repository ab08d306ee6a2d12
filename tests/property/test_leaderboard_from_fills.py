"""A board's money, reckoned again from fills and funding alone, in whole numbers."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.random_traders import DEPOSITS, MINUTE, Driver, random_tape

from perp_engine.commands import Deposit
from perp_engine.events import Deposited, Event, Fill, FundingPaid, InsuranceMoved
from perp_engine.rules import Rules
from suite.fixed import Usd
from suite.leaderboard import BoardRules, build_leaderboard
from suite.trader_history import TraderHistory

BARS = 90
BILL_USD = 1_234_567  # micro-USD a sample


@dataclass
class Ledger:
    """An account in plain integers: price times size is micro-USD, so nothing is rounded."""

    cash: int
    deposited: int
    held: list[int] = field(default_factory=lambda: [0, 0])

    def book(self, event: Event) -> None:
        match event:
            case Fill():
                signed = int(event.size) * int(event.side)
                self.held[event.symbol] += signed
                self.cash -= signed * int(event.price) + int(event.fee_usd)
            case FundingPaid() | InsuranceMoved():
                self.cash += int(event.usd)
            case Deposited():
                self.cash += int(event.usd)
                self.deposited += int(event.usd)
            case _:
                pass


def played(seed: int) -> tuple[list[TraderHistory], list[list[tuple[int, int]]]]:
    """Two random traders, one of whom gets money now and then.

    Returns:
        What the engine says of them; and by trader, sample by sample, the equity and the deposits
        that its fills and funding make.
    """
    driver = Driver.start(seed, random_tape(seed, BARS), 2, Rules())
    engine, dice = driver.engine, np.random.default_rng(seed)
    ledgers = [Ledger(cash=int(usd), deposited=int(usd)) for usd in DEPOSITS]
    times, told, again = (
        [0],
        [engine.equities()],
        [[(ledger.cash, ledger.deposited)] for ledger in ledgers],
    )
    while not engine.finished:
        events = driver.step()
        if dice.random() < 0.2:
            paid = Usd(int(dice.integers(1, 10**9)))
            events.extend(engine.apply(Deposit(account=1, usd=paid)))
        for event in events:
            if isinstance(event, Fill | FundingPaid | InsuranceMoved | Deposited):
                ledgers[event.account].book(event)
        marks = [int(engine.mark(symbol)) for symbol in range(2)]
        for ledger, rows in zip(ledgers, again, strict=True):
            worth = sum(size * mark for size, mark in zip(ledger.held, marks, strict=True))
            rows.append((ledger.cash + worth, ledger.deposited))
        times.append(engine.now_ms)
        told.append(engine.equities())
    nothing = np.zeros(len(times), np.int64)
    histories = [
        TraderHistory(
            trader_id=f"trader-{account}",
            time_ms=np.array(times, np.int64),
            equity_usd=np.array([row[account] for row in told], np.int64),
            deposits_usd=np.array([deposited for _, deposited in again[account]], np.int64),
            costs_usd=np.arange(len(times), dtype=np.int64) * BILL_USD,
            notional_usd=nothing,
            traded_usd=nothing,
            tokens=nothing,
        )
        for account in range(2)
    ]
    return histories, again


@given(st.integers(0, 2**20))
def test_the_board_is_what_fills_and_funding_make_of_the_first_dollar(seed: int) -> None:
    histories, again = played(seed)
    rules = BoardRules(now_ms=int(histories[0].time_ms[-1]), step_ms=MINUTE, resamples=20)
    rows = {row.trader_id: row for row in build_leaderboard(histories, rules).rows}
    for history, samples in zip(histories, again, strict=True):
        row = rows[history.trader_id]
        kept = [equity - step * BILL_USD for step, (equity, _) in enumerate(samples)]
        paid = samples[-1][1] - samples[0][1]
        assert kept[-1] - kept[0] - paid == row.profit_usd
        assert samples[-1][0] == row.equity_usd
        index = [Fraction(1)]
        for step in range(1, len(kept)):
            flow = samples[step][1] - samples[step - 1][1]
            index.append(index[-1] * Fraction(max(0, kept[step] - flow), max(1, kept[step - 1])))
        if index[-1] == 0:
            assert ("ruined", -1.0) == (row.standing, row.total_return)
            continue
        assert row.total_return is not None
        assert row.max_drawdown is not None
        peaks = [max(index[: step + 1]) for step in range(len(index))]
        deepest = max(1 - now / peak for peak, now in zip(peaks, index, strict=True))
        # What the first deposit became, to the micro-USD.
        assert round(index[-1] * kept[0]) == round((1 + row.total_return) * kept[0])
        assert abs(deepest - Fraction(row.max_drawdown)) < Fraction(1, 10**12)
