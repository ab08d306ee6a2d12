"""The board, from what is stored."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pyarrow.parquet
import pytest
from tests.support.scripted_venue import MemoryRecords, followed
from tests.support.stored_traders import WORLD, decision, sample, trade

from suite.bars import DAY_MS, HOUR_MS
from suite.contracts.leaderboard import Leaderboard
from suite.enums import Side
from suite.fixed import Usd
from suite.ids import TraderId
from trader_manager.adapters.exports import Exports
from trader_manager.application.comparing import Comparison
from trader_manager.application.exporting import Form, Kind
from trader_manager.domain.records import Batch, Decision, EquitySample, FundingPayment

HOURS = 72
END_MS = HOURS * HOUR_MS


def hourly(name: str, *equity: int, until: int = HOURS, **more: int) -> tuple[EquitySample, ...]:
    """Samples of every hour, of some values over and over."""
    return tuple(
        replace(
            sample(name, 60 * hour),
            equity_usd=Usd(equity[hour % len(equity)]),
            llm_cost_usd=Usd(more.get("bill", 0) * hour),
        )
        for hour in range(until + 1)
    )


def spec(store: MemoryRecords, name: str, kind: str, called: str = "", **params: Any) -> None:
    written = {"strategy": {"kind": kind, "params": params}, "name": called}
    store.traders.append(replace(followed(name), spec=written))


async def written(exports: Exports, names: list[TraderId], kind: Kind, form: Form) -> bytes:
    return b"".join([piece async for piece in exports.export(WORLD, names, kind, form)])


async def board_of(store: Any) -> Leaderboard:
    return await Comparison(store).compare_performance(WORLD, now_ms=END_MS)


async def test_a_row_is_the_stored_money_of_the_shared_window() -> None:
    store = MemoryRecords()
    spec(store, "a", "sma_cross")
    buy = replace(trade("a", 1), time_ms=HOUR_MS, side=Side.BUY, start_position=Decimal(0))
    sell = replace(trade("a", 2, pnl="5"), time_ms=2 * HOUR_MS, start_position=Decimal("0.00123"))
    await store.save_records(
        Batch(equity=hourly("a", 10_000_000_000, 10_000_000_001, bill=3), trades=(buy, sell))
    )
    board = await board_of(store)
    row = next(row for row in board.rows if row.trader_id == "a")
    assert (0, END_MS, HOUR_MS) == (board.from_ms, board.to_ms, board.step_ms)
    assert (-3 * HOURS, 3 * HOURS) == (row.profit_usd, row.cost_usd)
    assert (1, 1.0) == (row.trades, row.win_rate)
    turned = 2 * float(buy.price * buy.size) / 10_000 / 3
    assert turned == pytest.approx(row.turnover, rel=1e-6)
    assert ("hodl", "random") == board.missing_baselines


async def test_a_board_goes_on_from_what_was_read_and_is_the_one_of_a_first_look() -> None:
    """Also with fills of the last moment that was read, and funding that comes behind a fill."""
    store: Any = MemoryRecords()
    spec(store, "a", "sma_cross")
    rows = hourly("a", 10**10, 10**10 + 1, 10**10 - 3)
    buy = replace(trade("a", 1), time_ms=HOUR_MS, side=Side.BUY, start_position=Decimal(0))
    sell = replace(trade("a", 2, pnl="5"), time_ms=9 * HOUR_MS, start_position=Decimal("0.00123"))
    again = replace(buy, tid=3, time_ms=9 * HOUR_MS)
    paid = FundingPayment(
        world=WORLD, trader_id=TraderId("a"), time_ms=2 * HOUR_MS, coin="BTC",
        received_usd=Decimal(-6),
    )  # fmt: skip
    comparison = Comparison(store)
    told: list[Leaderboard] = []
    for batch in (
        Batch(equity=rows[:20], trades=(buy,)),
        Batch(equity=rows[20:40], trades=(sell,)),
        Batch(equity=rows[40:], trades=(again,), funding=(paid,)),
    ):
        await store.save_records(batch)
        now_ms = batch.equity[-1].time_ms
        told.append(await comparison.compare_performance(WORLD, now_ms=now_ms))
        assert told[-1] == await Comparison(store).compare_performance(WORLD, now_ms=now_ms)
    rates = [row.win_rate for one in told for row in one.rows if row.trader_id == "a"]
    assert [None, 1.0, 0.0] == rates
    reads = [read["a"].equity_ms for read in store.reads if read]
    assert [19 * HOUR_MS, 39 * HOUR_MS] == reads[:2], "only what is new is read"


async def test_money_that_was_paid_in_is_no_profit() -> None:
    store = MemoryRecords()
    spec(store, "a", "sma_cross")
    before, after = hourly("a", 10**10)[:30], hourly("a", 3 * 10**10)[30:]
    paid = tuple(replace(row, net_deposits_usd=Usd(3 * 10**10)) for row in after)
    await store.save_records(Batch(equity=(*before, *paid)))
    row = next(row for row in (await board_of(store)).rows if row.trader_id == "a")
    assert (0, 0.0) == (row.profit_usd, row.total_return)


async def test_baselines_seeds_and_models_are_told_by_what_traders_are() -> None:
    store = MemoryRecords()
    spec(store, "buys", "hodl")
    for seed in (1, 2, 3):
        spec(store, f"m{seed}", "llm", called=f"M {seed}", model="gpt", seed=seed)
    spec(store, "x1", "sma_cross", called="pair")
    spec(store, "x2", "sma_cross", called="pair")
    spec(store, "alone", "sma_cross", called="Alone")
    equity = tuple(row for one in store.traders for row in hourly(one.trader_id, 10**10))
    await store.save_records(Batch(equity=equity))
    board = await board_of(store)
    rows = {row.trader_id: row for row in board.rows}
    assert ("hodl", "flat") == (rows["buys"].baseline, rows["flat"].baseline)
    assert ("random",) == board.missing_baselines
    assert ("gpt", 2) == (rows["m2"].group, rows["m2"].seed)
    assert [("gpt", 3), ("pair", 2)] == [(one.group, one.seeds) for one in board.groups]
    assert rows["alone"].group is None


async def test_who_has_no_sample_of_late_is_unknown_and_never_0() -> None:
    store = MemoryRecords()
    for name in ("fresh", "late", "silent", "gone"):
        spec(store, name, "sma_cross")
    store.traders[-1] = replace(store.traders[-1], removed_ms=1)
    await store.save_records(
        Batch(equity=(*hourly("fresh", 10**10), *hourly("late", 10**10, until=HOURS - 4)))
    )
    rows = {row.trader_id: row for row in (await board_of(store)).rows}
    assert {"fresh", "late", "silent", "flat"} == rows.keys()
    assert ("stale", None) == (rows["late"].standing, rows["late"].profit_usd)
    assert ("new", None) == (rows["silent"].standing, rows["silent"].stale_ms)
    assert "ranked" == rows["fresh"].standing


async def test_who_was_removed_is_on_the_board_until_it_is_stale() -> None:
    """It ends nobody's window; and a removed trader that did nothing takes no baseline away."""
    store: Any = MemoryRecords()
    for name, kind in (("a", "hodl"), ("gone", "sma_cross"), ("old", "sma_cross"), ("flat", "flat"),
                       ("idle", "flat")):  # fmt: skip
        spec(store, name, kind)
    store.traders[1:] = [replace(one, removed_ms=1) for one in store.traders[1:]]
    ends = {"a": HOURS, "gone": HOURS - 1, "old": HOURS - 4, "flat": HOURS - 1, "idle": HOURS - 4}
    equity = (row for name, end in ends.items() for row in hourly(name, 10**10, until=end))
    await store.save_records(Batch(equity=tuple(equity)))
    board = await board_of(store)
    rows = {row.trader_id: row for row in board.rows}
    assert {"a", "gone", "flat"} == rows.keys()
    assert (END_MS, END_MS) == (board.to_ms, rows["flat"].own_to_ms)
    named = await Comparison(store).compare_performance(
        WORLD, now_ms=END_MS, trader_ids=[TraderId("a"), TraderId("old")]
    )
    assert "stale" == next(row.standing for row in named.rows if row.trader_id == "old")


async def test_the_best_performer_is_no_baseline_and_may_be_nobody() -> None:
    store: Any = MemoryRecords()
    assert await Comparison(store).get_best_performer(WORLD, now_ms=END_MS) is None
    spec(store, "flat", "sma_cross")
    spec(store, "buys", "hodl")
    rising = tuple(
        replace(row, equity_usd=Usd(row.equity_usd + row.time_ms)) for row in hourly("flat", 10**10)
    )
    buys = tuple(replace(row, trader_id=TraderId("buys"), equity_usd=Usd(row.equity_usd * 2))
                 for row in rising)  # fmt: skip
    await store.save_records(Batch(equity=(*rising, *buys)))
    best = await Comparison(store).get_best_performer(WORLD, now_ms=END_MS)
    assert best is not None
    assert "flat" == best.trader_id, "a trader may have the name of the baseline"


async def test_a_board_of_an_earlier_time_knows_nothing_of_what_came_later() -> None:
    store: Any = MemoryRecords()
    spec(store, "a", "sma_cross")
    late = replace(trade("a", 1), time_ms=END_MS)
    await store.save_records(Batch(equity=hourly("a", 10**10, 2 * 10**10), trades=(late,)))
    board = await Comparison(store).compare_performance(
        WORLD, now_ms=END_MS, since_ms=HOUR_MS, until_ms=2 * DAY_MS
    )
    assert (HOUR_MS, 2 * DAY_MS - HOUR_MS) == (board.from_ms, board.to_ms)
    row = next(row for row in board.rows if row.trader_id == "a")
    assert 0.0 == row.turnover


async def test_a_history_is_of_one_trader() -> None:
    store: Any = MemoryRecords()
    await store.save_records(Batch(equity=(*hourly("a", 1), *hourly("b", 2))))
    found = await Comparison(store).get_history(WORLD, TraderId("b"), until_ms=2 * HOUR_MS)
    assert [2, 2] == found.equity_usd.tolist()
    assert [] == (await Comparison(store).get_history(WORLD, TraderId("c"))).time_ms.tolist()


async def test_exports_say_what_is_stored_in_both_forms() -> None:
    store: Any = MemoryRecords("a", "b")
    await store.save_records(
        Batch(
            equity=(sample("a", 1), sample("b", 1, equity=-7)),
            trades=(trade("a", 1, price="60000.5"),),
            decisions=tuple(decision("a", number, why='ü, "x"') for number in range(1500)),
        )
    )
    exports, names = Exports(store), [TraderId("a"), TraderId("b"), TraderId("nobody")]
    counts: dict[Kind, int] = {"equity": 2, "trades": 1, "decisions": 1500}
    for kind, rows in counts.items():
        packed = await written(exports, names, kind, "parquet")
        table = pyarrow.parquet.read_table(io.BytesIO(packed)).to_pylist()
        text = (await written(exports, names, kind, "csv")).decode()
        lines = list(csv.DictReader(io.StringIO(text)))
        assert (rows, rows) == (len(table), len(lines))
        assert list(table[0]) == list(lines[0])
        match kind:
            case "equity":
                assert [10_000_000_000, -7] == [row["equity_micro_usd"] for row in table]
                assert ["10000000000", "-7"] == [row["equity_micro_usd"] for row in lines]
            case "trades":
                assert (Decimal("60000.5"), "sell") == (table[0]["price"], table[0]["side"])
                assert ("60000.5", "0") == (lines[0]["price"], lines[0]["closed_pnl_usd"])
            case _:
                assert '{"why":"ü, \\"x\\""}' == table[7]["body"] == lines[7]["body"]


async def test_an_export_of_nothing_has_its_columns() -> None:
    store: Any = MemoryRecords()
    for kind in get_args(Kind):
        text = await written(Exports(store), [], kind, "csv")
        assert text.startswith(b'"trader_id",')
        assert 1 == text.count(b"\n")


async def test_a_model_may_have_seen_what_is_not_after_its_cutoff() -> None:
    """Told with the row, beside whether its bill is that of a recording; rules do not remember."""
    store = MemoryRecords()
    spec(store, "clean", "llm", model="m", training_cutoff="1970-01-01")
    spec(store, "seen", "llm_meeting", model="m2")
    spec(store, "rules", "sma_cross")
    names = ("clean", "seen", "rules")
    told = [
        Decision(
            world=WORLD, trader_id=TraderId(name), number=1, time_ms=1,
            body={"llm": {"source": source}},
        )
        for name, source in (("clean", "replay"), ("seen", "live"))
    ]  # fmt: skip
    samples = [one for name in names for one in hourly(name, 10_000_000_000, bill=1)[48:]]
    await store.save_records(Batch(equity=tuple(samples), decisions=tuple(told)))
    rows = {row.trader_id: row for row in (await board_of(store)).rows}
    assert ("after_cutoff", True) == (rows["clean"].memory, rows["clean"].is_replayed)
    assert ("may_have_seen", False) == (rows["seen"].memory, rows["seen"].is_replayed)
    assert (None, False) == (rows["rules"].memory, rows["rules"].is_replayed)
    assert HOURS - 48 == rows["clean"].cost_usd
