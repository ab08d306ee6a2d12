"""`binanceusdm` of ccxt at a server that answers as Binance does, with faults on the way."""

import asyncio
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.binance_trading_server import (
    FAULTS,
    SECRET,
    TradingServer,
    binance_trading,
)
from tests.support.ccxt_delivery import PRICES, access, send_through_faults
from tests.support.ccxt_exchange import Followed, connected, followed
from tests.support.intents import buy, cancel, close

from strategy_agent.application.ports import DurableIntent
from strategy_core.orders.answers import read_answer
from strategy_core.port import instruments_of
from suite.contracts.venue import (
    Action,
    AdjustMargin,
    CancelOrder,
    Leg,
    LimitType,
    ModifyOrder,
    OrderType,
    PlaceOrder,
    SetLeverage,
    TriggerType,
)
from suite.enums import Tif, Tpsl
from suite.errors import UpstreamTimeout

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


def decided(number: int, action: Action, *, after_ms: int = 5_000) -> DurableIntent:
    now_ms = time.time_ns() // 1_000_000
    return DurableIntent(
        key=f"{number:032x}", action=action, decided_ms=now_ms, expires_ms=now_ms + after_ms
    )


def stop_order(price: int) -> PlaceOrder:
    trigger = TriggerType(isMarket=True, triggerPx=Decimal(price), tpsl=Tpsl.STOP_LOSS)
    return PlaceOrder(
        coin="BTC",
        is_buy=False,
        sz=Decimal("0.01"),
        order_type=OrderType(trigger=trigger),
        reduce_only=True,
        cloid=f"0x{55:032x}",
    )


def touch(account: Followed, coin: str) -> tuple[float, ...] | None:
    """Best prices and their sizes, as a strategy is shown them."""
    found = account.keeper.prices.best(coin)
    if found is None:
        return None
    best, _ = found
    return best.bid, best.bid_size, best.ask, best.ask_size


async def test_every_kind_of_action_is_answered_and_found_again() -> None:
    stop, cloid = stop_order(90_000), f"0x{77:032x}"
    rest = buy(limit_px=Decimal(80_000), cloid=cloid)
    lower = ModifyOrder(coin="BTC", is_buy=True, sz=rest.sz, limit_px=Decimal(70_000), cloid=cloid)
    higher = ModifyOrder(
        coin="BTC", is_buy=False, sz=stop.sz, limit_px=Decimal(0), cloid=stop.cloid,
        order_type=stop_order(95_000).order_type, reduce_only=True,
    )  # fmt: skip
    maker = OrderType(limit=LimitType(tif=Tif.ALO))
    at_once = OrderType(limit=LimitType(tif=Tif.IOC))
    outcomes: list[tuple[Action, str]] = [
        (SetLeverage(coin="BTC", leverage=3, is_cross=False), "done"),
        (SetLeverage(coin="BTC", leverage=4, is_cross=False), "done"),
        (buy(), "filled"), (AdjustMargin(coin="BTC", margin=Decimal(5)), "done"),
        (rest, "resting"), (lower, "resting"), (stop, "resting"), (higher, "resting"),
        (buy(limit_px=Decimal(200_000), order_type=maker), "retry"),
        (buy(limit_px=Decimal(50_000), order_type=at_once), "empty"),
        (close(), "filled"), (close(), "flat"), (buy(size="90"), "refused"),
        (buy(size="0.0101"), "refused"), (buy("DOGE"), "refused"),
        (CancelOrder(coin="BTC", cloid=cloid), "done"), (cancel(123), "gone"),
        (CancelOrder(coin="BTC", cloid=stop.cloid), "done"),
        (ModifyOrder(coin="BTC", is_buy=True, sz=rest.sz, limit_px=Decimal(1), oid=5), "gone"),
    ]  # fmt: skip
    async with (
        binance_trading(TradingServer(prices=dict(PRICES))) as server,
        connected(access(server), "BTC", "ETH") as exchange,
    ):
        for number, (action, expected) in enumerate(outcomes):
            one = decided(100 + number, action)
            reply = await exchange.send(one)
            assert expected == read_answer(reply).outcome, (action, reply)
            if expected in {"filled", "resting"} and action is not higher:
                found = await exchange.resolve(one)
                assert found is not None
                assert read_answer(reply).oid == read_answer(found).oid, (action, found)
        account = await exchange.fetch_account()
        fills = await exchange.fetch_fills(0)
        assert {"BTC", "ETH"} == instruments_of(await exchange.meta()).keys()
    assert ("ISOLATED", 4) == (server.modes["BTCUSDT"], server.leverages["BTCUSDT"])
    assert ((), ()) == (account.state.assetPositions, account.open_orders)
    assert server.cash == Decimal(account.state.marginSummary.totalRawUsd)
    assert [("0.01", "B", "0.0", "0.5"), ("0.01", "A", "0.01", "0.5")] == [
        (fill.sz, fill.side, fill.startPosition, fill.fee) for fill in fills
    ]
    assert [] == server.unsigned
    assert {1} == {count for name, count in server.arrived.items() if name != stop.cloid[2:]}  # type: ignore[index]


async def test_entry_brings_its_stop_and_its_target() -> None:
    guarded = buy(stop_loss=Leg(price=Decimal(90_000)), take_profit=Leg(price=Decimal(120_000)))
    async with (
        binance_trading(TradingServer(prices=dict(PRICES))) as server,
        connected(access(server), "BTC") as exchange,
    ):
        one = decided(1, guarded)
        reply = await exchange.send(one)
        assert reply == await exchange.resolve(one)
        account = await exchange.fetch_account()
    assert [("A", "0.01", "90000.0", True), ("A", "0.01", "120000.0", True)] == [
        (order.side, order.sz, order.limitPx, order.reduceOnly) for order in account.open_orders
    ]
    assert 3 == len(reply.response["data"]["statuses"])  # type: ignore[index]


async def test_account_is_kept_by_its_pushes_and_never_asked_for() -> None:
    """Fills, orders and positions come by themselves; after a cut everything is read once."""
    server = TradingServer(prices=dict(PRICES))
    async with (
        binance_trading(server),
        connected(access(server), "BTC", "ETH") as exchange,
        followed(exchange, "BTC", "ETH") as account,
    ):
        await account.until(lambda: not account.cache.trouble and len(exchange.mids) == 2)
        assert Decimal(100_000) == exchange.mids["BTC"]
        assert (99_999.9, 10.0, 100_000.1, 10.0) == touch(account, "BTC")
        await exchange.send(decided(1, buy()))
        await account.until(lambda: account.sizes == {"BTC": "0.01"})
        await exchange.send(decided(2, buy("ETH", "0.1", limit_px=Decimal(1_000))))
        await exchange.send(decided(3, stop_order(90_000)))
        await account.until(lambda: len(account.orders) == 2)
        asked = server.asked.copy()
        await exchange.send(decided(4, close(size="0.005")))
        await account.until(lambda: account.sizes == {"BTC": "0.005"})
        await asyncio.sleep(1.0)
        assert {"POST v1/order": 1} == dict(server.asked - asked)
        server.is_quiet = True
        for socket in list(server.private):
            await socket.close()
        await exchange.send(decided(5, close(size="0.005")))
        await account.until(lambda: account.stream.connections == 2 and not account.cache.trouble)
        await account.until(lambda: account.sizes == {})
        assert touch(account, "BTC") is None, "nobody has told it over this connection"
        server.is_quiet = False
        await account.until(lambda: touch(account, "BTC"))
        view, state = await exchange.fetch_account(), account.cache.state
        assert {"connect": 4} == dict(account.keeper.rest_calls)
    assert ["0.0", "0.01", "0.005"] == [fill.startPosition for fill in state.fills]
    assert state.view is not None
    assert sorted(o.oid for o in view.open_orders) == sorted(o.oid for o in state.view.open_orders)
    assert server.cash == state.view.equity
    assert 0 == account.cache.differences


@pytest.mark.parametrize("fault", [*FAULTS])
async def test_fault_is_resolved_by_evidence_alone(fault: str) -> None:
    """Never a second order; that it is not found counts only once it can no longer arrive."""
    faults = iter([fault])
    server = TradingServer(prices=dict(PRICES), late_s=0.3, fault=lambda: next(faults, ""))
    async with (
        binance_trading(server),
        connected(access(server), "BTC", proof_ms=500) as exchange,
    ):
        exchange.calls.api.timeout = 500
        one = decided(9, buy(limit_px=Decimal(90_000), cloid=f"0x{9:032x}"), after_ms=1_500)
        if fault == "429":
            reply = await exchange.send(one)
            assert "retry" == read_answer(reply).outcome
            return
        try:
            reply = await exchange.send(one)
        except UpstreamTimeout as fault_told:
            told = str(fault_told)
        else:
            told = ""
            assert fault == "garbage after"  # the order is looked up at once
            assert "resting" == read_answer(reply).outcome
        assert SECRET not in told
        assert "signature" not in told
        async with asyncio.timeout(10):
            while True:
                with suppress(UpstreamTimeout):
                    found = await exchange.resolve(one)
                    break
                await asyncio.sleep(0.05)
    executed = [row["oid"] for row in server.rows()]
    assert len(executed) == (0 if fault.endswith("before") or fault == "-1008" else 1)
    assert executed == ([] if found is None else [read_answer(found).oid])


async def test_no_order_is_lost_duplicated_or_misbelieved_under_faults(tmp_path: Path) -> None:
    """Every fault at least once; `make chaos` sends 200 intents."""
    outcome = await send_through_faults(tmp_path, intents=40, crash_every=5)
    outcome.check()
    assert outcome.crashes > 3


@pytest.mark.parametrize("fault", ["502 after", "502 before"])
async def test_fate_of_a_change_is_found_by_how_its_order_looks(fault: str) -> None:
    """A modification and a cancellation, each with its answer lost."""
    server = TradingServer(prices=dict(PRICES))
    executed = fault.endswith("after")
    async with (
        binance_trading(server),
        connected(access(server), "BTC", proof_ms=100) as exchange,
    ):
        rest = decided(1, buy(limit_px=Decimal(80_000), cloid=f"0x{1:032x}"))
        oid = read_answer(await exchange.send(rest)).oid
        assert oid is not None
        smaller = ModifyOrder(
            coin="BTC", is_buy=True, sz=Decimal("0.005"), limit_px=Decimal(80_000), oid=oid
        )
        actions: list[Action] = [smaller, cancel(oid)]
        for number, action in enumerate(actions, start=2):
            faults = iter([fault, "429"])
            server.fault = lambda faults=faults: next(faults, "")  # type: ignore[misc]
            one = decided(number, action, after_ms=300)
            with pytest.raises(UpstreamTimeout):
                await exchange.send(one)
            await asyncio.sleep(0.5)
            if isinstance(action, CancelOrder):
                with pytest.raises(UpstreamTimeout, match="says nothing"):
                    await exchange.resolve(one)
            found = await exchange.resolve(one)
            if isinstance(action, ModifyOrder):
                assert executed == (found is not None)
                assert Decimal("0.005" if executed else "0.01") == server.orders[oid].quantity
            else:
                assert found is not None
                assert "done" == read_answer(found).outcome, "429 is no evidence about the first"
                assert "CANCELED" == server.orders[oid].status
