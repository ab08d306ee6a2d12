"""Paper worlds, with a feed that says what the test makes it say."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.paper import NOW_MS, WARM_UP, FakeFeed, Paper, minute, open_paper
from tests.support.waiting import until
from tests.support.wallets import Wallet, post
from tests.support.worlds import random_bars

from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts import hyperliquid_ws as ws
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import CancelOrder, LimitType, OrderType, PlaceOrder
from suite.enums import Tif
from suite.errors import BadRequest
from virtual_exchange.application.stream.market import MarketStreams
from virtual_exchange.domain.live import HourlyRate, Print, Prints

OWNER = Wallet(31)
GTC = OrderType(limit=LimitType(tif=Tif.GTC))
IOC = OrderType(limit=LimitType(tif=Tif.IOC))


def order(*, buy: bool = True, size: str = "0.1", price: str = "0", kind: Any = IOC) -> PlaceOrder:
    return PlaceOrder(
        coin="BTC", is_buy=buy, sz=Decimal(size), limit_px=Decimal(price), order_type=kind
    )


def status(response: Any) -> Any:
    (only,) = response["data"]["statuses"]
    return only


async def test_market_order_fills_at_the_last_trade_before_its_boundary() -> None:
    """Not at the price that stood when it was sent: that may be a second old."""
    paper = await open_paper(profile="plain")
    paper.connect(BTC=94_000.0)
    assert "94000.0" == paper.mid("BTC")
    delivery = paper.session.barrier.send(0, order())
    assert not delivery.arrived
    paper.trades("BTC", 94_010.0, 94_020.0)
    paper.second()
    assert "94020.0" == status(delivery.answer.response)["filled"]["avgPx"]


async def test_resting_limit_fills_when_trades_go_through_it() -> None:
    """With its share of the volume of that second, and of the next ones."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    oid = status(paper.act(order(size="0.3", price="93990", kind=GTC)))["resting"]["oid"]
    paper.trades("BTC", 93_990.0, size=5.0)
    paper.second()
    assert not paper.session.world.books[0].fills
    paper.trades("BTC", 93_989.0, size=2.0)
    paper.second()
    paper.trades("BTC", 94_005.0, size=0.0)
    paper.second()
    paper.trades("BTC", 93_980.0, size=2.0)
    paper.second()
    fills = paper.session.world.books[0].fills
    assert [(oid, 939_900, 20_000), (oid, 939_900, 10_000)] == [
        (fill.oid, fill.price, fill.size) for fill in fills
    ]


async def test_trades_told_first_are_of_the_past_and_have_no_volume() -> None:
    """What a feed says when one connects gives the price; no resting order can meet it."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    bars = paper.session.world.market.tape.bars
    assert [940_000] * 4 + [0] == bars[0, :, 1].tolist()
    paper.trades("BTC", 94_001.0, 93_999.5, 94_000.5, size=0.5)
    paper.second()
    assert [940_000, 940_010, 939_995, 940_005, 150_000] == bars[0, :, 1].tolist()


async def test_without_a_connection_nothing_trades_and_the_mark_stands() -> None:
    """Takers are refused, makers rest, resting orders wait; then it all goes on."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    paper.act(order())
    paper.run.lost("the cable was cut")
    paper.second(3)
    assert "94000.0" == paper.mid("BTC")
    assert "could not immediately match" in str(paper.act(order()))
    resting = status(paper.act(order(buy=False, price="94100", kind=GTC)))["resting"]
    assert 1 == len(paper.session.world.books[0].fills)
    paper.run.connected()
    paper.second()
    assert "could not immediately match" in str(paper.act(order()))
    paper.trades("BTC", 94_200.0)
    paper.second()
    assert 1 == len(paper.session.world.books[0].fills)
    paper.trades("BTC", 94_200.0, size=3.0)
    paper.second()
    assert resting["oid"] == paper.session.world.books[0].fills[-1].oid
    assert "94200.0" == paper.mid("BTC")


async def test_status_says_why_and_since_when_the_feed_is_of_no_use() -> None:
    """First there is no connection, then no price, then all is well, until it is lost."""
    paper = await open_paper("BTC", "ETH")
    assert "not connected yet" == paper.run.described()["reason"]
    paper.connect(BTC=94_000.0)
    assert (["ETH"], "no price yet of ETH") == (
        paper.run.described()["without_price"],
        paper.run.status.text,
    )
    paper.trades("ETH", 1800.0)
    assert "live" == paper.run.described()["state"]
    paper.run.lost("the cable was cut")
    told = paper.run.described()
    assert ("degraded", "the cable was cut", 1000) == (
        told["state"],
        told["reason"],
        told["since_ms"],
    )


async def test_minutes_are_shown_as_told_when_they_end_and_put_right_later() -> None:
    """Klines, candles and snapshots follow; the minute that is open is no kline."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    data = paper.session.data
    paper.tell(minute("BTC", NOW_MS, 94_000.0, 94_050.0, 93_950.0, 94_010.0, 7.0))
    assert NOW_MS - MINUTE_MS == data.klines("BTC", "1m", None, None)[0].open_time_ms[-1]
    candles = paper.session.queries.market.candles
    (present,) = candles.candles(0, "1m", NOW_MS, NOW_MS + 1000)
    assert ("94050.0", "93950.0", "94000.0", "7.0") == tuple(present[name] for name in "hlcv")
    paper.second(59)
    assert 94_010.0 == data.snapshot("BTC")["intervals_data"]["1"]["close"]
    paper.tell(minute("BTC", NOW_MS, 94_000.0, 94_050.0, 93_950.0, 94_011.0, 7.5))
    klines, _ = data.klines("BTC", "1m", None, None)
    assert (NOW_MS, 94_011.0, 7.5) == (
        klines.open_time_ms[-1],
        klines.close[-1],
        klines.volume[-1],
    )


async def test_candle_channel_tells_the_open_minute_and_its_end_once() -> None:
    """As a client hears it, second by second."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    streams = MarketStreams(paper.session.world, paper.session.queries.market, lambda *_a, **_k: 0)
    maker = streams.maker(ws.Candle(coin="BTC", interval="1m"))
    assert maker is not None
    feed, told = maker(), list[Any]()
    pull = feed.pull(None)
    for number in range(70):
        opened = (NOW_MS + paper.clock.now_ms()) // MINUTE_MS * MINUTE_MS
        paper.tell(minute("BTC", opened, 94_000, 94_010 + number, 93_950, 94_005, number + 1))
        paper.second()
        feed.touch()
        pull = feed.pull(pull.cursor)
        told += [msgspec.json.decode(message)["data"] for message in pull.messages]
    first = [row for row in told if row["t"] == NOW_MS]
    assert ("94068.0", "94005.0", "59.0") == (first[-1]["h"], first[-1]["c"], first[-1]["v"])
    assert 71 == len(told)
    assert NOW_MS + MINUTE_MS == told[-1]["t"]


async def test_longer_bars_of_a_snapshot_are_made_of_the_minutes_as_they_are_now() -> None:
    """A quarter whose last minute is put right after its end is made anew."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    for number in range(15):
        paper.tell(minute("BTC", NOW_MS + number * MINUTE_MS, 94_000, 94_001, 93_999, 94_000, 1))
        paper.second(60)
    quarter = paper.session.data.snapshot("BTC")["intervals_data"]["15"]
    assert (NOW_MS, 15.0, True) == (quarter["open_time_ms"], quarter["volume"], quarter["complete"])
    paper.tell(minute("BTC", NOW_MS + 14 * MINUTE_MS, 94_000, 94_001, 93_999, 94_000, 6))
    assert 20.0 == paper.session.data.snapshot("BTC")["intervals_data"]["15"]["volume"]


async def test_minutes_that_were_missed_are_asked_for_until_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also the one that was open when the feed was lost: what was told of it may not be all."""
    monkeypatch.setattr("virtual_exchange.application.paper.run._AGAIN_S", 0.001)
    feed = FakeFeed()
    paper = await open_paper(feed=feed)
    task = asyncio.get_running_loop().create_task(paper.run.run())
    await feed.followed.wait()
    paper.connect(BTC=94_000.0)
    await until(lambda: feed.asked)
    await until(lambda: not paper.run._missing)
    paper.tell(minute("BTC", NOW_MS, 94_000, 94_050, 93_950, 94_010, 7))
    paper.run.lost("the cable was cut")
    paper.clock.advance_to(6 * MINUTE_MS)
    history, asked = paper.session.world.market.history[0], len(feed.asked)
    paper.run.connected()
    paper.tell(minute("BTC", NOW_MS + 5 * MINUTE_MS, 94_000, 94_001, 93_999, 94_000, 1))
    await until(lambda: len(feed.asked) > asked + 2)
    feed.later["BTC"] = random_bars("BTC", 5, seed=9, start_ms=NOW_MS)
    await until(lambda: len(history) == WARM_UP + 6)
    await until(lambda: not paper.run._missing)
    assert {("BTC", NOW_MS - MINUTE_MS)} == set(feed.asked)
    assert (np.diff(history.open_time_ms) == MINUTE_MS).all()
    assert feed.later["BTC"].close[0] == history.close[WARM_UP]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_world_moves_with_the_clock_and_skips_what_nobody_saw() -> None:
    """Five seconds late still have the last price; of an hour nothing is known."""
    paper = await open_paper()
    task = asyncio.get_running_loop().create_task(paper.run.run())
    paper.connect(BTC=94_000.0)
    world = paper.session.world
    paper.clock.advance_to(3200)
    await until(lambda: world.engine.bar == 3)
    assert [0, 0, 0] == world.market.tape.bars[0, 4, 1:4].tolist()
    paper.clock.advance_to(HOUR_MS + 3200)
    await until(lambda: world.engine.bar == 3 + 3600, 30)
    volumes = world.market.tape.bars[0, 4, 4 : 4 + 3600]
    assert 3600 - 6 == int((volumes == -1).sum())
    assert NOW_MS + HOUR_MS + 3000 == world.now_ms
    assert "94000.0" == paper.mid("BTC")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_funding_is_paid_at_the_full_hour_at_the_rate_told_last() -> None:
    """On the mark; what is settled stays as it was paid."""
    paper = await open_paper(profile="plain")
    paper.connect(BTC=94_000.0)
    paper.act(order(size="1"))
    paper.tell(HourlyRate(coin="BTC", rate=0.0001))
    paper.tell(HourlyRate(coin="BTC", rate=0.0002))
    paper.second(3600)
    (paid,) = paper.session.world.books[0].funding
    assert (NOW_MS + HOUR_MS, -18_800_000) == (paid.time_ms, paid.usd)
    paper.tell(HourlyRate(coin="BTC", rate=0.0009))
    assert "0.0002" == paper.session.queries.market.contexts()[0]["funding"]
    assert 0.0002 == paper.session.data.snapshot("BTC")["funding"]["rate_hourly"]


async def test_settled_funding_is_asked_for_where_no_rate_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It then stands for the coming hour."""
    monkeypatch.setattr("virtual_exchange.application.paper.run._RATES_S", 0.001)
    feed = FakeFeed()
    feed.rate = 0.0003
    paper = await open_paper(feed=feed)
    task = asyncio.get_running_loop().create_task(paper.run.run())
    funding = paper.session.world.market.tape.funding[0]
    await until(lambda: 300_000 in funding[:, 1])
    coming = int(np.flatnonzero(funding[:, 1] == 300_000)[0])
    assert NOW_MS + HOUR_MS == funding[coming, 0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_feed_that_tells_minutes_only_is_read_by_how_they_grow() -> None:
    """A venue without a stream of trades can be traded too."""
    paper = await open_paper()
    paper.run.connected()
    paper.tell(minute("BTC", NOW_MS, 94_000, 94_010, 93_990, 94_000, 5))
    paper.second()
    paper.tell(minute("BTC", NOW_MS, 94_000, 94_020, 93_990, 94_015, 6.5))
    paper.second()
    paper.tell(minute("BTC", NOW_MS + MINUTE_MS, 94_015, 94_030, 94_005, 94_010, 2))
    paper.second()
    bars = paper.session.world.market.tape.bars[0, :, 1:3].T.tolist()
    assert [940_000, 940_200, 940_000, 940_150, 150_000] == bars[0]
    assert [940_150, 940_300, 940_050, 940_100, 200_000] == bars[1]


async def test_trades_that_are_told_late_fill_nothing() -> None:
    """A collector that was away tells them all when it is back; they are of the past."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    paper.act(order(size="0.3", price="93990", kind=GTC))
    past = Print(time_ms=NOW_MS - 30_000, price=90_000.0, size=50.0)
    paper.tell(Prints(coin="BTC", prints=(past,)))
    assert "another time" in paper.run.status.text
    paper.second()
    assert not paper.session.world.books[0].fills
    assert "94000.0" == paper.mid("BTC")
    paper.trades("BTC", 94_001.0)
    assert not paper.run.status.degraded


async def test_minutes_of_another_time_are_not_kept_and_told() -> None:
    """A simulated feed that was started anew is not in the past of this world."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    paper.tell(minute("BTC", NOW_MS - HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert "another time" in paper.run.described()["reason"]
    history = paper.session.world.market.history[0]
    assert (WARM_UP, 1.0) == (len(history), 1.0)
    assert not (history.close == 1.0).any()


async def test_waiting_participant_is_woken_and_its_orders_arrive() -> None:
    """As in a paced world: nobody has to have joined, and time waits for none."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    barrier = paper.session.barrier
    barrier.join(0, Want())
    request = WaitRequest(
        step_seq=1, orders=(order(),), wake_on=WakeOn(bar="1m"), want=Want(snapshots=("BTC",))
    )
    ticket = barrier.wait(0, request)
    paper.second(58)
    assert not ticket.done
    paper.second()
    reply = ticket.result()
    assert (NOW_MS + MINUTE_MS, ("bar",)) == (reply.now_ms, reply.woke_by)
    assert "filled" in status(reply.results[0].response)


async def test_slices_of_a_twap_come_every_half_minute() -> None:
    """As at the venue, though orders meet the market every second."""
    paper = await open_paper(faucet=Decimal(10_000))
    paper.connect(BTC=94_000.0)
    paper.session.identity.register(OWNER.address)
    parts = {"a": 0, "b": True, "s": "0.1", "r": False, "m": 5, "t": False}
    envelope = OWNER.signed({"type": "twapOrder", "twap": parts}, nonce=1)
    reply = post(paper.session, envelope)
    assert {"running": {"twapId": 1}} == reply["response"]["data"]["status"]
    fills = paper.session.world.books[1].fills
    paper.second(29)
    assert 1 == len(fills)
    paper.second(1 + 8 * 30)
    assert 10 == len(fills)


async def test_cancel_and_finish_of_a_world_are_as_anywhere() -> None:
    """A canceled order meets nothing; the world has a year before it ends."""
    paper = await open_paper()
    paper.connect(BTC=94_000.0)
    oid = status(paper.act(order(price="93000", kind=GTC)))["resting"]["oid"]
    assert "success" == status(paper.act(CancelOrder(coin="BTC", oid=oid)))
    state = paper.session.clock_state()
    assert ("wall", 1.0, False) == (state.mode, state.speed, state.finished)
    assert 366 * 24 * HOUR_MS == paper.session.world.to_ms - paper.session.world.from_ms


async def test_second_of_a_fast_feed_is_a_longer_bar() -> None:
    """A paced world at speed 60 is followed a minute of it a second."""
    paper = await open_paper(feed=FakeFeed(speed=60.0))
    paper.connect(BTC=94_000.0)
    paper.second(2)
    assert ("60s", NOW_MS + 3 * MINUTE_MS) == (paper.session.interval, paper.session.world.now_ms)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"from_": "2025-05-05"}, "leave out from"),
        ({"interval": "5m"}, "leave out interval"),
        ({"mask": True}, "leave out mask"),
        ({"participants": ("alice",)}, "leave out participants"),
        ({"fill_at": "close"}, "leave out fill_at"),
    ],
)
async def test_what_is_for_recorded_markets_is_refused(settings: Any, text: str) -> None:
    """In one line."""
    with pytest.raises(BadRequest, match=text):
        await open_paper(**settings)


async def test_coin_without_any_history_begins_with_its_first_price() -> None:
    """A collector that has just begun knows nothing of the past."""
    paper: Paper = await open_paper(feed=FakeFeed(warm_up=0))
    assert "0.0" == paper.mid("BTC")
    paper.connect(BTC=94_000.0)
    assert "94000.0" == paper.mid("BTC")
    assert paper.session.data.snapshot("BTC")["intervals_data"]["1"]["close"] is None
