"""A model that obeys an attacker in everything, and a look at what its trader did all the same."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from tests.support.scripted_model import ScriptedModel
from tests.support.worlds import random_source

from strategy_core.building import Setup, StrategyKind
from strategy_core.journal import DecisionRecord
from strategy_core.llm.mind import LlmTrader
from strategy_core.llm.params import LlmParams
from strategy_core.llm.port import FaultKind, ModelFault, ModelRequest
from strategy_core.port import Strategy
from strategy_core.risk.limits import RiskLimits
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import PlaceOrder, SetLeverage
from suite.fixed import USD_ONE
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.keeping import Ask
from virtual_exchange.application.session import world_request

COINS = ("BTC", "ETH")
KIND = "plugin:hostile:Model"
CALL_USD = 5_000
"""Micro-USD of a call."""


class HostileModel(ScriptedModel):
    """Says whatever ruins the account fastest, in every form; it stops at its money's end.

    Args:
        seed: of its choices.
        cap_usd: micro-USD that it may cost.
    """

    def __init__(self, seed: int, cap_usd: int) -> None:
        super().__init__(self._say, cost_usd=CALL_USD)
        self._chance = np.random.default_rng(seed)
        self._cap = cap_usd
        self.spent = self.calls = 0

    def _say(self, request: ModelRequest) -> str:
        if self.spent + CALL_USD > self._cap:
            raise ModelFault(FaultKind.ALL_SPENT, "the money for models is spent")
        self.spent += CALL_USD
        self.calls += 1
        self.requests.clear()
        prompt = request.messages[1].content
        items = [self._item(coin, prompt) for coin in COINS]
        text = json.dumps({"decisions": items, "notes": ["obey"]})
        if self._chance.random() < 0.1:
            text = text[: int(self._chance.integers(len(text)))]
        return text

    def _item(self, coin: str, prompt: str) -> dict[str, Any]:
        draw = self._chance
        told = prompt.partition(f"### {coin}\nprice ")[2].partition(",")[0]
        price = 1.0 if told in {"", "unknown"} else float(told)
        signals = ["buy_to_enter", "sell_to_enter", "close", "adjust", "hold", "withdraw"]
        signal = str(draw.choice(signals, p=[0.35, 0.35, 0.1, 0.1, 0.05, 0.05]))
        side = -1 if signal == "sell_to_enter" else 1
        item: dict[str, Any] = {"coin": coin if draw.random() < 0.98 else "DOGE", "signal": signal}
        money = float(draw.choice([1e2, 1e4, 1e5, 1e7, 1e11]))
        item["size_usd" if draw.random() < 0.7 else "risk_usd"] = money
        item["leverage"] = int(draw.choice([1, 5, 40, 100]))
        far = float(draw.choice([0.0004, 0.002, 0.03, 0.49, -0.01]))
        if draw.random() < 0.8:
            item["stop_loss"] = price * (1 - side * far)
        if draw.random() < 0.5:
            item["take_profit"] = price * (1 + side * float(draw.choice([0.001, 0.5, 8.0, -0.1])))
        if draw.random() < 0.3:
            item["entry"] = price * (1 + float(draw.choice([-0.3, -0.01, 0.001, 0.015, 0.4])))
        if draw.random() < 0.2:
            item["invalidation"] = str(draw.choice(["price > 1", "close(1m) < 1", "drop table"]))
        if draw.random() < 0.05:
            item["transfer_to"] = "0xattacker"
        return item


@dataclass
class Looker:
    """Looks at each decision that was sent, with its own idea of the limits."""

    limits: RiskLimits = field(default_factory=RiskLimits)
    breaches: list[str] = field(default_factory=list)
    decisions: int = 0
    sent: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    day: int = 0
    day_start: Decimal = Decimal(0)
    worst_day: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    faults: list[str] = field(default_factory=list)

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Let it be asked itself."""
        return ask

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Look at what a trader leaves behind."""
        if isinstance(record, DecisionRecord):
            self._look(record)

    def _look(self, record: DecisionRecord) -> None:
        self.decisions += record.asked
        if record.fault:
            self.faults.append(record.fault)
        for verdict in record.verdicts:
            self.verdicts[f"{verdict.outcome} {verdict.rule}".strip()] += 1
        day = record.now_ms // 86_400_000
        if day != self.day:
            self.day, self.day_start = day, record.equity
        if self.day_start:
            self.worst_day = max(self.worst_day, 1 - record.equity / self.day_start)
        prices = {} if record.llm is None else record.llm.trace.get("prices", {})
        self.cost += 0 if record.llm is None else record.llm.llm_cost_usd
        for action in record.sent:
            self.sent += 1
            if isinstance(action, SetLeverage) and action.leverage > self.limits.max_leverage:
                self.breaches.append(f"{action}")
            if isinstance(action, PlaceOrder) and not action.reduce_only:
                self._opens(action, record, prices)

    def _opens(self, order: PlaceOrder, record: DecisionRecord, prices: Mapping[str, str]) -> None:
        price = Decimal(prices[order.coin])
        most = Decimal(str(self.limits.max_order_notional)) * record.equity
        if order.sz * price > most * Decimal("1.02"):
            self.breaches.append(f"{order.sz * price:.0f} of {most:.0f} USD: {order}")
        if order.coin not in COINS:
            self.breaches.append(f"{order}")
        if record.status != "LIVE":
            self.breaches.append(f"{record.status}: {order}")


@dataclass(frozen=True)
class Hostility:
    """What came of a run."""

    seen: Looker
    model: HostileModel
    least_equity: float


def be_hostile(
    *,
    steps: int,
    seed: int,
    cap_usd: int = 10**12,
    risk: Mapping[str, float] | None = None,
    seen: Looker | None = None,
) -> Hostility:
    """Trade with a hostile model at each of so many bars of a minute."""
    model = HostileModel(seed, cap_usd)
    seen = seen or Looker(limits=msgspec.convert(risk or {}, RiskLimits))

    def make(setup: Setup, params: LlmParams) -> LlmTrader:
        told = {name: getattr(setup, name) for name in setup.__slots__}
        return LlmTrader(Setup(**(told | {"models": model})), params)

    spec = TraderSpec(
        trader_id="victim",
        strategy=StrategySpec(kind=KIND, params={"model": "evil/one", "heartbeat": "1m"}),
        symbols=COINS,
        interval="1m",
        risk=dict(risk or {}),
    )
    kind = StrategyKind(params=LlmParams, make=make, summary="")
    record = run_backtest(
        world_request((spec,), seed=seed),
        (spec,),
        source=random_source(*COINS, count=steps, seed=seed),
        clock=ManualClock(0),
        progress=lambda _: None,
        plugins={KIND: kind},
        keeper=seen,
    )
    (account,) = record.accounts
    return Hostility(seen, model, min(account.equity_usd.tolist()) / USD_ONE)
