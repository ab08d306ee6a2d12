"""A venue of the suite through ccxt's `hyperliquid`: every action, the account, a trader."""

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.support.ccxt_exchange import connected, followed, hyperliquid_access
from tests.support.intents import buy, cancel, close
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.adapters.ccxt_exchange.connection import CcxtExchange
from strategy_agent.application.ports import DurableIntent
from strategy_core.orders.answers import read_answer
from strategy_core.port import instruments_of
from suite.contracts.venue import (
    Action,
    ActionReply,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tif, Tpsl

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
FAR = OrderType(limit=LimitType())


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("ccxt"), coins=("BTC", "ETH")) as found:
        yield found


def decided(number: int, action: Action, *, after_ms: int = 15_000) -> DurableIntent:
    now_ms = time.time_ns() // 1_000_000
    return DurableIntent(
        key=f"{number:032x}", action=action, decided_ms=now_ms, expires_ms=now_ms + after_ms
    )


async def with_price(exchange: CcxtExchange, venue: VenueUnderTest) -> None:
    """What the stream of prices does."""
    exchange.mids["BTC"] = Decimal(str(venue.mid("BTC")))


def stop_at(price: Decimal) -> OrderType:
    return OrderType(trigger=TriggerType(isMarket=True, triggerPx=price, tpsl=Tpsl.STOP_LOSS))


async def test_every_kind_of_order_is_carried_out_and_found_again(venue: VenueUnderTest) -> None:
    price = Decimal(str(venue.price("BTC", 0.8)))
    cloid = f"0x{77:032x}"
    rest = buy(limit_px=price, cloid=cloid)
    lower = ModifyOrder(coin="BTC", is_buy=True, sz=rest.sz, limit_px=price - 100, cloid=cloid)
    stop = PlaceOrder(
        coin="BTC", is_buy=False, sz=Decimal("0.01"), order_type=stop_at(price), reduce_only=True
    )
    maker = buy(limit_px=price, order_type=OrderType(limit=LimitType(tif=Tif.ALO)))
    taker = buy(limit_px=price * 2, order_type=OrderType(limit=LimitType(tif=Tif.ALO)))
    empty = buy(limit_px=price, order_type=OrderType(limit=LimitType(tif=Tif.IOC)))
    outcomes: list[tuple[Action, str]] = [
        (SetLeverage(coin="BTC", leverage=3, is_cross=True), "done"),
        (buy(), "filled"), (rest, "resting"), (lower, "resting"), (stop, "resting"),
        (maker, "resting"), (taker, "retry"), (empty, "empty"),
        (close(), "filled"), (close(), "flat"), (buy(size="900"), "refused"),
        (cancel(123_456), "gone"), (buy("DOGE"), "refused"),
    ]  # fmt: skip
    async with connected(hyperliquid_access(venue, venue.wallet()), "BTC") as exchange:
        await with_price(exchange, venue)
        replies: list[ActionReply] = []
        for number, (action, expected) in enumerate(outcomes):
            one = decided(100 + number, action)
            replies.append(await exchange.send(one))
            assert expected == read_answer(replies[-1]).outcome, replies[-1]
            assert replies[-1] == await exchange.send(one)
            if isinstance(action, PlaceOrder) and expected in {"filled", "resting"}:
                found = await exchange.resolve(one)
                assert found is not None
                oids = [read_answer(reply).oid for reply in (replies[-1], found)]
                assert oids[0] == oids[1], (action, found)
        account = await exchange.fetch_account()
        fills = await exchange.fetch_fills(0)
        assert {"BTC", "ETH"} == instruments_of(await exchange.meta()).keys()
    assert () == account.state.assetPositions
    assert [("0.01", "B", "0.0"), ("0.01", "A", "0.01")] == [
        (fill.sz, fill.side, fill.startPosition) for fill in fills
    ]
    assert price - 100 in [Decimal(order.limitPx) for order in account.open_orders]


async def test_account_is_kept_by_its_pushes_and_never_asked_for(venue: VenueUnderTest) -> None:
    """Fills, orders and positions come by themselves; after a cut everything is read once."""
    wallet = venue.wallet()
    async with (
        connected(hyperliquid_access(venue, wallet), "BTC", "ETH") as exchange,
        followed(exchange, "BTC", "ETH") as account,
    ):
        await account.until(lambda: not account.cache.trouble and exchange.mids)
        await exchange.send(decided(1, buy()))
        await account.until(lambda: account.sizes == {"BTC": "0.01"})
        price = Decimal(str(venue.price("ETH", 0.8)))
        await exchange.send(decided(2, buy("ETH", "0.1", limit_px=price, cloid=f"0x{2:032x}")))
        await account.until(lambda: ["ETH"] == [order.coin for order in account.orders])
        asked = dict(exchange.calls.requests)
        await exchange.send(decided(3, close()))
        await account.until(lambda: account.sizes == {})
        assert {**asked, "create_order": 3} == dict(exchange.calls.requests)
        account.stream.reconnect("a test")
        await exchange.send(decided(4, buy()))
        await account.until(lambda: account.stream.connections == 2 and not account.cache.trouble)
        await account.until(lambda: account.sizes == {"BTC": "0.01"})
        view, state = await exchange.fetch_account(), account.cache.state
        assert {"connect": 4} == dict(account.keeper.rest_calls)
    assert ["0.01"] * 3 == [fill.sz for fill in state.fills]
    assert ["0.0", "0.01", "0.0"] == [fill.startPosition for fill in state.fills]
    assert state.view is not None
    assert view.open_orders == state.view.open_orders
    assert 0 == account.cache.differences
