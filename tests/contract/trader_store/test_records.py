"""What traders did: written once however often it is sent, and read back exactly."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import numpy as np
import pytest
from tests.support.stored_traders import WORLD, decision, positions, sample, trade

from suite.errors import BadRequest, Conflict
from suite.fixed import Usd
from suite.ids import Cloid, TraderId, WorldId
from trader_manager.application.ports import Store
from trader_manager.domain.records import (
    Batch,
    Decision,
    FundingPayment,
    ModelBill,
    Progress,
    Reached,
    TradeTotals,
)

A, B = TraderId("a"), TraderId("b")
_SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
CREATE TRIGGER slowly BEFORE INSERT ON trader_manager.trader_trades
FOR EACH ROW EXECUTE FUNCTION slowly();
"""
WHOLE = Batch(
    trades=(trade("a", 1), replace(trade("a", 2), cloid=Cloid("0x" + "0" * 32))),
    equity=(sample("a", 1), sample("a", 2)),
    decisions=(decision("a", 0), decision("a", 1, nested={"x": [1, None, "ü"]})),
    positions=(positions("a", 60_000, "-0.50", "3"),),
)


async def test_rows_are_read_as_they_were_written(store: Store) -> None:
    assert 7 == await store.save_records(WHOLE)
    assert WHOLE.trades == await store.get_trades(WORLD, A)
    assert "0.033210" == str((await store.get_trades(WORLD, A))[0].fee_usd)
    assert WHOLE.decisions == await store.get_decisions(WORLD, A)
    assert {A: WHOLE.positions[0]} == await store.get_positions(WORLD)
    found = (await store.get_equity_series(WORLD))[A]
    assert [60_000, 120_000] == found.time_ms.tolist()
    assert np.dtype(np.int64) == found.funding_usd.dtype
    assert [-7, -7] == found.funding_usd.tolist()
    assert [73_800_615] * 2 == found.notional_usd.tolist()


async def test_samples_are_read_of_all_or_of_one(store: Store) -> None:
    await store.save_records(Batch(equity=(sample("a", 1), sample("b", 1), sample("b", 2))))
    assert {A, B} == (await store.get_equity_series(WORLD)).keys()
    (found,) = (await store.get_equity_series(WORLD, trader_id=B, until_ms=120_000)).values()
    assert [60_000] == found.time_ms.tolist()


async def test_rows_that_are_there_are_left_alone(store: Store) -> None:
    await store.save_records(WHOLE)
    assert 0 == await store.save_records(WHOLE)
    more = replace(WHOLE, trades=(trade("a", 3), *WHOLE.trades, trade("a", 3)))
    assert 1 == await store.save_records(more)
    same_value = replace(trade("a", 1), price=Decimal("60000.50"))
    assert 0 == await store.save_trade(same_value)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (Batch(trades=(trade("a", 1, price="1"),)), "trader_trades .* tid 1$"),
        (Batch(equity=(sample("a", 2, equity=1),)), "equity .* time_ms 120000"),
        (Batch(decisions=(decision("a", 0, other=True),)), "decisions .* number 0"),
        (Batch(trades=(trade("a", 9), trade("a", 9, pnl="1"))), "tid 9"),
    ],
)
async def test_a_row_that_differs_is_told_and_nothing_of_its_batch_stored(
    store: Store, batch: Batch, said: str
) -> None:
    await store.save_records(WHOLE)
    with pytest.raises(Conflict, match=said):
        await store.save_records(
            replace(batch, trades=(trade("a", 50), *batch.trades), equity=(*batch.equity,))
        )
    assert WHOLE.trades == await store.get_trades(WORLD, A)
    assert WHOLE.decisions == await store.get_decisions(WORLD, A)


async def test_worlds_and_traders_are_apart(store: Store) -> None:
    other = WorldId("w2")
    assert 3 == await store.save_records(
        Batch(trades=(trade("a", 1), trade("b", 1), trade("a", 1, world=other, price="7")))
    )
    assert (trade("a", 1, world=other, price="7"),) == await store.get_trades(other, A)
    assert {A, B} == set(await store.list_performance(WORLD))
    assert {A} == set(await store.list_performance(other))


async def test_the_latest_positions_stay(store: Store) -> None:
    newest = positions("a", 2, "5")
    await store.save_records(Batch(positions=(newest,)))
    assert 0 == await store.save_records(Batch(positions=(positions("a", 1, "9"), newest)))
    assert {A: newest} == await store.get_positions(WORLD)
    closed = positions("a", 3)
    assert 1 == await store.save_records(Batch(positions=(closed,)))
    assert {A: closed} == await store.get_positions(WORLD)


async def test_a_part_of_the_time_is_read(store: Store) -> None:
    await store.save_records(
        Batch(
            trades=tuple(trade("a", tid) for tid in range(5)),
            equity=tuple(sample("a", minute) for minute in range(5)),
            decisions=tuple(decision("a", number) for number in range(5)),
        )
    )
    start = 1_700_000_000_000
    trades = await store.get_trades(WORLD, A, since_ms=start + 1, until_ms=start + 3)
    assert [1, 2] == [found.tid for found in trades]
    series = await store.get_equity_series(WORLD, since_ms=60_000, until_ms=180_000)
    assert [60_000, 120_000] == series[A].time_ms.tolist()
    assert {} == await store.get_equity_series(WORLD, since_ms=10**12)
    some = await store.get_decisions(WORLD, A, after=1, limit=2)
    assert [2, 3] == [found.number for found in some]


async def test_performance_is_summed_exactly(store: Store) -> None:
    await store.save_records(
        Batch(
            trades=(
                trade("a", 1, pnl="0.000001"),
                trade("a", 2, pnl="2.5"),
                trade("a", 3, pnl="-1.000003"),
                trade("a", 4),
            ),
            equity=(sample("a", 1), sample("a", 7, equity=5), sample("a", 3)),
        )
    )
    found = await store.get_trader_performance(WORLD, A)
    assert (
        TradeTotals(
            trades=4,
            winning=2,
            losing=1,
            volume_usd=4 * Decimal("60000.5") * Decimal("0.00123"),
            gross_profit_usd=Decimal("2.500001"),
            gross_loss_usd=Decimal("-1.000003"),
            fees_usd=Decimal("0.132840"),
            first_ms=1_700_000_000_001,
            last_ms=1_700_000_000_004,
        )
        == found.totals
    )
    assert (sample("a", 1), sample("a", 7, equity=5)) == (found.first, found.last)
    assert {A: found} == await store.list_performance(WORLD)


async def test_a_trader_of_which_nothing_is_known_has_no_equity(store: Store) -> None:
    found = await store.get_trader_performance(WORLD, A)
    assert (None, None, TradeTotals()) == (found.first, found.last, found.totals)


async def test_progress_says_where_to_go_on(store: Store) -> None:
    await store.save_records(WHOLE)
    await store.save_records(Batch(equity=(sample("b", 9),)))
    assert {
        A: Progress(
            trades=2,
            decisions=2,
            last_trade_ms=1_700_000_000_002,
            last_equity_ms=120_000,
            last_decision=1,
        ),
        B: Progress(last_equity_ms=540_000),
    } == await store.get_progress(WORLD)


@pytest.mark.parametrize(
    "batch",
    [
        Batch(trades=(trade("a", 1, price="NaN"),)),
        Batch(trades=(trade("a", 1, price="Infinity"),)),
        Batch(trades=(trade("a", 1, price="-1"),)),
        Batch(trades=(trade("a", 1, pnl="NaN"),)),
        Batch(trades=(trade("a", 1 << 63),)),
        Batch(trades=(trade("a\0", 1),)),
        Batch(equity=(replace(sample("a", 1), equity_usd=Usd(1 << 63)),)),
        Batch(decisions=(decision("a", 1, x=float("inf")),)),
    ],
)
async def test_what_is_no_row_is_refused(store: Store, batch: Batch) -> None:
    with pytest.raises(BadRequest):
        await store.save_records(replace(batch, equity=(sample("b", 1), *batch.equity)))
    assert {} == await store.get_progress(WORLD)


async def test_overlapping_batches_at_once_are_all_stored(store: Store, address: str) -> None:
    """In any order of their rows, without waiting for each other in a circle."""
    rows = [trade("a", tid) for tid in range(4)]
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(_SLOWLY)
        added = await asyncio.gather(
            *(store.save_records(Batch(trades=tuple(rows[::step]))) for step in (1, -1, 1, -1))
        )
    finally:
        await connection.execute("DROP FUNCTION slowly CASCADE")
        await connection.close()
    assert 4 == sum(added)
    assert tuple(rows) == await store.get_trades(WORLD, A)


async def test_records_are_read_on_from_where_they_were_read(store: Store) -> None:
    """The same rows as a whole read has; those of the last moment again, samples once."""
    paid = FundingPayment(
        world=WORLD, trader_id=TraderId("a"), time_ms=5, coin="BTC", received_usd=Decimal("-0.1")
    )
    await store.save_records(
        Batch(
            trades=(trade("a", 1), trade("a", 2)),
            equity=(sample("a", 1), sample("a", 2), sample("b", 1)),
            funding=(paid, replace(paid, time_ms=9)),
        )
    )
    assert 0 == await store.save_records(Batch(funding=(paid,)))
    with pytest.raises(Conflict):
        await store.save_records(Batch(funding=(replace(paid, received_usd=Decimal(1)),)))
    whole = await store.read_on(WORLD, {})
    assert {"a", "b"} == whole.keys()
    first = whole[TraderId("a")]
    assert await store.get_trades(WORLD, TraderId("a")) == first.trades
    assert await store.get_funding(WORLD, TraderId("a")) == first.funding
    assert [60_000, 120_000] == first.series.time_ms.tolist()
    reached = Reached(equity_ms=60_000, trade_ms=first.trades[1].time_ms, funding_ms=9)
    gone = Reached(equity_ms=60_000)
    rest = await store.read_on(WORLD, {TraderId("a"): reached, TraderId("b"): gone})
    news = rest[TraderId("a")]
    assert ([120_000], first.trades[1:], first.funding[1:]) == (
        news.series.time_ms.tolist(), news.trades, news.funding,
    )  # fmt: skip
    assert [] == rest[TraderId("b")].series.time_ms.tolist()
    assert {} == await store.read_on(WorldId("another"), {})


async def test_the_bill_of_models_is_summed_of_what_is_a_number(store: Store) -> None:
    """What a trader's process tells may be anything."""
    thoughts: list[Any] = [
        {"llm_cost_usd": "0.001234", "tokens": 900},
        {"llm_cost_usd": "1", "tokens": 1},
        {"llm_cost_usd": "NaN", "tokens": "many"},
        {"llm_cost_usd": -1, "tokens": -5},
        {"llm_cost_usd": {"a": 1}, "tokens": [1]},
        {}, None, "text", [1],
    ]  # fmt: skip
    rows = tuple(
        Decision(
            world=WORLD, trader_id=TraderId("a"), number=number, time_ms=number,
            body={"llm": thought},
        )
        for number, thought in enumerate(thoughts)
    )  # fmt: skip
    await store.save_records(Batch(decisions=rows))
    assert ModelBill(usd=Usd(1_001_234), tokens=901) == await store.get_model_bill(
        WORLD, TraderId("a")
    )
    assert ModelBill() == await store.get_model_bill(WORLD, TraderId("b"))


async def test_who_replays_is_told_by_its_latest_answer(store: Store) -> None:
    """A trader that was recorded and is replayed now; turns without a question say nothing."""
    said: dict[str, list[str | None]] = {
        "a": ["record", "replay", None], "b": ["replay", "live"], "c": [None],
    }  # fmt: skip
    rows = tuple(
        Decision(
            world=WORLD, trader_id=TraderId(name), number=number, time_ms=number,
            body={"llm": None if source is None else {"source": source}},
        )
        for name, sources in said.items()
        for number, source in enumerate(sources)
    )  # fmt: skip
    await store.save_records(Batch(decisions=rows))
    names = [TraderId(name) for name in ("a", "b", "c", "d")]
    assert {"a"} == await store.replaying(WORLD, names)
    assert set() == await store.replaying(WorldId("another"), names)
