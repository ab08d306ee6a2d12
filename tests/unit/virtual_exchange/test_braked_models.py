"""A trader whose model is held back, in the real engine: what it has it may protect and close."""

from typing import Any

from tests.support.scripted_model import Said, ScriptedModel, decisions
from tests.support.worlds import random_source

from strategy_core.journal import DecisionRecord
from strategy_core.llm.port import ModelRequest
from strategy_core.port import Strategy
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import PlaceOrder
from suite.enums import Side
from virtual_exchange.application.backtest import Means, run_backtest
from virtual_exchange.application.keeping import Ask
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import AccountRecord

HOURLY: dict[str, Any] = {
    "model": "scripted/one",
    "heartbeat": "1h",
    "triggers": {"volatility": None, "fill": False, "closed": False, "stop_near": None},
    "brake": {"least": 1, "size_jump": 20, "pause": "12h"},
}


class Records:
    """Keeps the decisions of a run."""

    def __init__(self) -> None:
        self.asked: list[DecisionRecord] = []

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Let it be asked itself."""
        return ask

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Keep it where a model was asked."""
        if isinstance(record, DecisionRecord) and record.llm is not None:
            self.asked.append(record)


def entry(request: ModelRequest, coin: str, size_usd: int, stop: float = 0.9) -> dict[str, Any]:
    """A long position, with a stop at a fraction of the price that the prompt tells."""
    told = request.messages[1].content.partition(f"### {coin}\nprice ")[2].partition(",")[0]
    return {
        "coin": coin, "signal": "buy_to_enter", "size_usd": size_usd,
        "stop_loss": float(told) * stop, "reasoning": "up",
    }  # fmt: skip


def drifting(request: ModelRequest, number: int) -> Said:
    """Enter as usual, then far larger, and then look after what is held."""
    large = entry(request, "ETH", 5_000)
    nearer = {"coin": "BTC", "signal": "adjust", "stop_loss": entry(request, "BTC", 1)["stop_loss"]}
    scripted = {
        1: (entry(request, "BTC", 50, 0.5),),
        2: (large,),
        3: (nearer, large),
        4: ({"coin": "BTC", "signal": "close"}, large),
    }
    return decisions(*scripted.get(number, ()))


def traded() -> tuple[list[DecisionRecord], AccountRecord]:
    asked: list[int] = []

    def say(request: ModelRequest) -> Said:
        asked.append(1)
        return drifting(request, len(asked))

    strategy = StrategySpec(kind="llm", params=HOURLY)
    spec = TraderSpec(trader_id="mind", strategy=strategy, symbols=("BTC", "ETH"), interval="15m")
    kept = Records()
    record = run_backtest(
        world_request((spec,), seed=1),
        (spec,),
        source=random_source("BTC", "ETH", count=6 * 60),
        clock=ManualClock(0),
        progress=lambda _: None,
        means=Means(models=ScriptedModel(say)),
        keeper=kept,
    )
    return kept.asked, record.accounts[0]


def test_a_held_model_protects_and_closes_its_position_and_opens_nothing() -> None:
    """Through gate, exits and order manager; the refusals are told, and the trader stays LIVE."""
    (first, held, adjusted, closed, *_), account = traded()
    assert first.llm is not None
    assert "" == first.llm.brake
    for record in (held, adjusted, closed):
        assert record.llm is not None
        assert record.llm.brake.startswith("the model drifts: an entry of 0.50 times equity")
        assert any("braked" in flaw for flaw in record.llm.flaws)
        assert "LIVE" == record.status
        assert not [one for one in record.sent if isinstance(one, PlaceOrder) and one.is_buy]
    assert () == held.sent
    assert {"accepted"} == {one.outcome for one in (*adjusted.verdicts, *closed.verdicts)}
    (stop,) = (one for one in adjusted.sent if isinstance(one, PlaceOrder))
    assert stop.reduce_only
    (taken,) = (one for one in first.sent if isinstance(one, PlaceOrder))
    (out,) = (one for one in closed.sent if isinstance(one, PlaceOrder))
    assert (True, taken.sz) == (out.reduce_only, out.sz)
    opened, shut = account.fills
    assert (Side.BUY, Side.SELL, opened.size) == (opened.side, shut.side, shut.size)
