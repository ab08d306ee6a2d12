"""Orders through ccxt to a server in Binance's format, with faults on the way and crashes."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.support.binance_trading_server import (
    FAULTS,
    KEY,
    SECRET,
    TradingServer,
    binance_trading,
)
from tests.support.ccxt_exchange import connected
from tests.support.delivery_record import Belief, RecordedIntents, Verdict, judge
from tests.support.intents import buy, close

from strategy_agent.adapters.ccxt_exchange.access import CcxtAccess
from strategy_agent.adapters.ccxt_exchange.connection import CcxtExchange
from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import DeliveryTimeouts, OrderDelivery
from suite.contracts.venue import Action, CancelOrder, OrderType, PlaceOrder, TriggerType
from suite.enums import Tpsl
from suite.service.clock import SystemClock

PRICES: Final = {"BTCUSDT": Decimal(100_000), "ETHUSDT": Decimal(2_500)}
HASTE: Final = DeliveryTimeouts(
    expires_ms=2_000, entry_wanted_ms=500, exit_wanted_ms=1_000, turn_s=0.5,
    first_pause_s=0.05, longest_pause_s=0.3,
)  # fmt: skip
PROOF_MS: Final = 1_000


def access(server: TradingServer) -> CcxtAccess:
    """What ccxt is given to trade at the server."""
    keys = {"apiKey": KEY, "secret": SECRET}
    return CcxtAccess(exchange="binanceusdm", keys=keys, url=server.url)


class Client:
    """Orders through faults, over several lives of the process."""

    def __init__(
        self, exchange: CcxtExchange, folder: Path, chance: random.Random, crash_every: int
    ) -> None:
        self.beliefs: dict[str, Belief] = {}
        self.crashes = self._turn = 0
        self._exchange, self._folder, self._chance = exchange, folder, chance
        self._crash_every = crash_every
        self._start()

    def _start(self) -> None:
        # a new process remembers nothing of what it sent
        self._exchange._told.clear()
        self._log = RecordedIntents(self._folder / "a.intents", self.beliefs)
        self.delivery = OrderDelivery(
            self._exchange,
            self._log,
            SystemClock(),
            trader_id="a",
            latch=KillLatch(self._folder / "a.kill"),
            budget=RateBudget(asyncio.get_running_loop().time, per_minute=10**6, reserve=1),
            jitter=random.Random(8),
            timeouts=HASTE,
        )

    async def stop(self) -> None:
        await self.delivery.close()
        self._log.close()

    async def run(self, intents: int) -> None:
        while len(self.beliefs) < intents:
            self._turn += 1
            actions = [self._action() for _ in range(self._chance.choice((1, 1, 2, 3)))]
            acting = asyncio.ensure_future(
                self.delivery.carry_out(actions, turn=self._turn, decided_ms=self._turn)
            )
            if self._turn % self._crash_every == 0:
                await asyncio.wait([acting], timeout=0.2 * self._chance.random())
                acting.cancel()
                with suppress(asyncio.CancelledError):
                    await acting
                self.crashes += 1
                await self.stop()
                self._start()
            else:
                await acting

    def _action(self) -> Action:
        chance, throw = self._chance, self._chance.random()
        coin = chance.choice(("BTC", "ETH"))
        if throw < 0.4:
            return PlaceOrder(coin=coin, is_buy=chance.random() < 0.5, sz=Decimal("0.01"))
        if throw < 0.65:
            return buy(coin, limit_px=Decimal(1_000))
        if throw < 0.7:
            return _stop(coin, chance)
        resting = [
            b.intent.action for b in self.beliefs.values()
            if isinstance(b.status, dict) and "resting" in b.status
        ][-20:]  # fmt: skip
        if throw < 0.9 and resting:
            chosen = chance.choice(resting)
            assert isinstance(chosen, PlaceOrder)
            return CancelOrder(coin=chosen.coin, cloid=chosen.cloid)
        return close(coin)


def _stop(coin: str, chance: random.Random) -> PlaceOrder:
    trigger = TriggerType(isMarket=True, triggerPx=Decimal(500), tpsl=Tpsl.STOP_LOSS)
    return PlaceOrder(
        coin=coin,
        is_buy=chance.random() < 0.5,
        sz=Decimal("0.01"),
        order_type=OrderType(trigger=trigger),
        reduce_only=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the orders, and what the server saw of them."""

    intents: int
    crashes: int
    done: Counter[str]
    arrived: set[int]
    unsigned: list[str]
    verdict: Verdict

    def check(self) -> None:
        """Nothing was lost, repeated or believed wrongly, and every fault was met."""
        assert {} == self.verdict.problems
        assert {1} == self.arrived - {2}
        assert set(FAULTS) == self.done.keys()
        assert [] == self.unsigned


async def send_through_faults(folder: Path, *, intents: int, crash_every: int) -> Outcome:
    """Send orders through every fault; of so many turns one is a crash of the client."""
    chance, deck = random.Random(5), list[str]()

    def drawn() -> str:
        if not deck:
            deck.extend([*FAULTS, *[""] * 20])
            chance.shuffle(deck)
        return deck.pop()

    server = TradingServer(prices=dict(PRICES), fault=drawn)
    async with (
        binance_trading(server),
        connected(access(server), "BTC", "ETH", proof_ms=PROOF_MS) as exchange,
    ):
        exchange.calls.api.timeout = 400
        client = Client(exchange, folder, random.Random(6), crash_every)
        await client.run(intents)
        server.fault = lambda: ""
        recovering = asyncio.ensure_future(client.delivery.recover())
        async with asyncio.timeout(30):
            while client.delivery.unknown:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        await asyncio.gather(*list(server.late), return_exceptions=True)
        recovering.cancel()
        await client.stop()
    held = {"BTC": server.sizes.get("BTCUSDT", 0), "ETH": server.sizes.get("ETHUSDT", 0)}
    verdict = judge(client.beliefs, server.rows(), {c: str(size) for c, size in held.items()})
    return Outcome(
        intents=len(client.beliefs),
        crashes=client.crashes,
        done=server.done,
        arrived=set(server.arrived.values()),
        unsigned=server.unsigned,
        verdict=verdict,
    )
