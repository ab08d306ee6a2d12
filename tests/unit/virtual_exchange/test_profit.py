"""Where a profit came from: by hand, and over random runs."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.records import fills_of, funding_of
from tests.support.runs import random_run
from tests.support.worlds import open_memory_world, path_bars, random_source

from perp_engine.commands import NewOrder
from perp_engine.events import InsuranceMoved
from suite.checks import InvariantViolated
from suite.enums import Side, Tif
from suite.fixed import Price, Size, Usd
from virtual_exchange.application.report.building import build_report, profit_split
from virtual_exchange.application.session import Session
from virtual_exchange.domain.profit import ProfitSplit, split_by_coin, total_of

SEEDS = st.integers(0, 10_000)
PARTS = ("spread", "inventory", "fees", "funding")


def parts(split: ProfitSplit) -> tuple[int, int, int, int]:
    return split.spread_usd, split.inventory_usd, split.fees_usd, split.funding_usd


def test_a_quote_earns_its_distance_and_the_inventory_the_rest() -> None:
    """Bought at 1,999 with the mid at 2,000, sold at 2,003 with it at 2,002.

    One dollar each by the price; the coin went up two in between.
    """
    fills = fills_of((0, 1, "1", "1999", "0.3", "0"), (1, 2, "-1", "2003", "0.3", "4"))
    split = split_by_coin(
        fills,
        [200_000, 200_200],
        funding=[funding_of(1, "1", "-0.05")],
        insurance=[],
        marks=[190_000],
    )
    assert {0: (2_000_000, 2_000_000, -600_000, -50_000)} == {
        symbol: parts(part) for symbol, part in split.items()
    }
    assert 3_350_000 == split[0].net_usd


def test_an_open_position_is_worth_its_mark() -> None:
    """Short at 2,000 with the mid there; the mark ends at 2,010."""
    fills = fills_of((0, 1, "-1", "2000", "0", "0"))
    split = split_by_coin(fills, [200_000], funding=[], insurance=[], marks=[201_000])
    assert (0, -10_000_000, 0, 0) == parts(split[0])


def test_insurance_belongs_to_the_inventory() -> None:
    """It is what the price took beyond the account's money, or what was left of it."""
    moved = InsuranceMoved(time_ms=0, account=0, symbol=0, usd=Usd(5))
    split = split_by_coin([], [], funding=[], insurance=[moved], marks=[1])
    assert (0, 5, 0, 0) == parts(split[0])


@given(SEEDS)
@example(420)  # the insurance keeps what a liquidation left
@example(1082)  # the insurance pays what an account could not
def test_the_four_parts_are_the_profit_to_the_micro_usd(seed: int) -> None:
    """In total and coin by coin, liquidations, flips and open positions included."""
    record = random_run(seed)
    for account in record.accounts:
        coins = split_by_coin(
            account.fills,
            account.mids,
            funding=account.funding,
            insurance=account.insurance,
            marks=[market.mark for market in record.markets],
        )
        gained = int(account.equity_usd[-1] - account.equity_usd[0])
        assert gained == total_of(coins.values()).net_usd
    for trader in build_report(record)["result"]["traders"].values():
        split = trader["profit_split"]
        rows = [split, *split["coins"].values()]
        assert all(
            Decimal(row["net"]) == sum((Decimal(row[part]) for part in PARTS), Decimal(0))
            for row in rows
        )
        for part in (*PARTS, "net"):
            total = sum((Decimal(row[part]) for row in split["coins"].values()), Decimal(0))
            assert Decimal(split[part]) == total
        assert split["net"] == trader["bridge"]["net"]
        assert -Decimal(split["fees"]) == Decimal(trader["bridge"]["fees"])
        assert split["funding"] == trader["bridge"]["funding"]


@given(SEEDS, st.integers(-1000, 1000))
def test_the_choice_of_mids_moves_profit_between_two_parts_only(seed: int, shift: int) -> None:
    """Whatever a fill is measured by, spread and inventory together stay what they were."""
    record = random_run(seed)
    account = record.accounts[0]
    moved = replace(account, mids=[Price(mid + shift) for mid in account.mids])
    one, other = (profit_split(record, each) for each in (account, moved))
    assert one["net"] == other["net"]
    assert (one["fees"], one["funding"]) == (other["fees"], other["funding"])


def test_a_report_whose_parts_do_not_add_up_is_not_written() -> None:
    """A micro-dollar too much is a bug, and said so."""
    record = random_run(5)
    record.accounts[0].equity_usd[-1] += 1
    with pytest.raises(InvariantViolated, match="trader-0"):
        build_report(record)


# ---- the mid that a fill is measured by ---------------------------------------------------------


def place(session: Session, side: Side, price: int, tif: Tif = Tif.GTC) -> None:
    order = NewOrder(symbol=0, side=side, size=Size(10_000), limit_price=Price(price), tif=tif)
    session.trading.place(session.world.books[0], (order,))


def split_of(session: Session) -> dict[str, Any]:
    record = session.record()
    return profit_split(record, record.accounts[0])


def eth(*rows: tuple[float, float, float, float]) -> Session:
    source = random_source("ETH", count=1)
    source.bars["ETH"] = path_bars([*rows])
    return open_memory_world(source)


def test_a_quote_met_inside_a_bar_is_measured_by_the_print_at_its_start() -> None:
    """A bid at 1,799 under a print of 1,800; the bar ends at 1,797."""
    session = eth((1800.0, 1800.0, 1796.0, 1797.0), (1797.0, 1797.0, 1797.0, 1797.0))
    place(session, Side.BUY, 179_900, Tif.ALO)
    session.world.play(2)
    split = split_of(session)
    assert ("1.0", "-3.0", "-0.26985") == (split["spread"], split["inventory"], split["fees"])


def test_a_taker_pays_the_modelled_spread_and_slippage() -> None:
    """Half a basis point and one more, of 1,800: the print is its mid."""
    session = eth(*[(1800.0, 1800.0, 1800.0, 1800.0)] * 2)
    place(session, Side.BUY, 190_000, Tif.IOC)
    session.world.play(2)
    split = split_of(session)
    assert ("-0.28", "0.0") == (split["spread"], split["inventory"])


def test_a_running_world_counts_what_was_traded_since_its_last_hour() -> None:
    """Its report ends now, and adds up now; a fill at this very boundary is in it."""
    session = open_memory_world(random_source("ETH", count=200))
    for bar in (10, 70, 120):
        session.world.play(bar)
        place(session, Side.BUY, 200_000, Tif.IOC)
        split, record = split_of(session), session.record()
        assert Decimal(split["spread"]) < 0
        assert session.world.now_ms == record.equity_time_ms[-1]
        assert len(set(record.equity_time_ms.tolist())) == len(record.equity_time_ms)
