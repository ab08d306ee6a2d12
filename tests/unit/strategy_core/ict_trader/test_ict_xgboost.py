"""The trader `ict_xgboost`: cold start, entries, labels as it goes, trainings at their set time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.strategy_core.fake_venue import INSTRUMENTS
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import QUICK, drawn_events

from strategy_core.building import Setup
from strategy_core.ict.features import batch
from strategy_core.ict_trader.record import TradeRecord
from strategy_core.learning.artefact import META, Meta
from strategy_core.learning.events import Events
from strategy_core.learning.evidence import EVIDENCE, Evidence, Subject, attest
from strategy_core.learning.jobs import outcome_of
from strategy_core.learning.labels import Market, events_of
from strategy_core.learning.port import Attempt, Files, Job, Outcome, Switches
from strategy_core.learning.rules import LabelRules
from strategy_core.learning.training import Circumstances, Trained, train
from strategy_core.port import Decision, Observation
from strategy_core.strategies.ict_xgboost import IctXgboost
from suite.bars import DAY_MS, MINUTE_MS, Bars
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import PlaceOrder, SetLeverage
from suite.errors import ConfigError

LABEL = LabelRules(horizon=30, stop_atr=3, reward_risk=1.0)
NOW_MS = 20_041 * DAY_MS


@dataclass
class Desk:
    """A `Learning` without disk or process: trainings run when their result is asked for."""

    files: Sequence[tuple[str, Files]] = field(default_factory=list)
    switches: Switches = field(default_factory=Switches)
    jobs: list[Job] = field(default_factory=list)
    kept: list[tuple[int, Outcome]] = field(default_factory=list)
    rows: list[Events] = field(default_factory=list)

    def open(self, trader_id: str, model: str) -> "Desk":
        return self

    def champions(self) -> tuple[tuple[str, Files], ...]:
        return tuple(self.files)

    def known(self) -> tuple[Events, ...]:
        return tuple(self.rows)

    def add(self, events: Events) -> None:
        self.rows.append(events)

    def begin(self, job: Job) -> None:
        self.jobs.append(job)

    def outcome(self) -> Outcome | None:
        return outcome_of(self.jobs[-1])

    def keep(self, outcome: Outcome, *, now_ms: int) -> None:
        self.kept.append((now_ms, outcome))


def trader(desk: Desk | None = None, coins: Sequence[str] = ("BTC",), **params: Any) -> IctXgboost:
    setup = Setup(
        trader_id="t", symbols=tuple(coins), instruments=INSTRUMENTS, interval_ms=MINUTE_MS,
        generator=np.random.default_rng(0), learning=desk,
    )  # fmt: skip
    return IctXgboost(setup, IctXgboost.Params(**{"label": LABEL, "learning": QUICK, **params}))


def seen(bars: Bars, end: int, **fields: Any) -> Observation:
    rows = [
        [int(bars.open_time_ms[row]), *(float(column[row]) for column in (
            bars.open, bars.high, bars.low, bars.close, bars.volume
        ))]
        for row in range(max(0, end - 50), end)
    ]  # fmt: skip
    snapshot = {"intervals_data": {"1": {"bars": rows}}, "funding": None}
    price = Decimal(repr(float(bars.close[end - 1])))
    return Observation(
        **{
            "now_ms": int(bars.open_time_ms[end - 1]) + MINUTE_MS,
            "equity": Decimal(10_000),
            "mids": {"BTC": round(price, 1)},
            "snapshots": {"BTC": snapshot},
            **fields,
        }
    )


def follow(one: IctXgboost, bars: Bars, first: int, end: int, **fields: Any) -> list[Decision]:
    return [one.decide(seen(bars, at, **fields)) for at in range(first, end + 1)]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return wandering(3400, 21)


def model_of(now_ms: int, *, always: float = 0.0) -> dict[str, bytes]:
    """A model with an edge, of the trader's own rules; its data ends at a time."""
    events = drawn_events(edge=0.8)
    moved = now_ms - NOW_MS
    events = Events(
        coins=("BTC", "ETH"), start_ms=events.start_ms + moved, end_ms=events.end_ms + moved,
        coin=events.coin, side=events.side, gross=events.gross + always, net=events.net + always,
        features=events.features,
    )  # fmt: skip
    found = train(events, Circumstances(MINUTE_MS, LABEL, QUICK, now_ms))
    assert isinstance(found, Trained)
    return found.files


def test_without_a_model_it_is_flat_and_says_why(bars: Bars) -> None:
    one = trader()
    decisions = follow(one, bars, 1, 60)
    assert not any(decision.actions for decision in decisions)
    assert "NO_MODEL: training is off, warming up: BTC; flat" == decisions[-1].reasoning
    one = trader(Desk())
    assert (
        "NO_MODEL: 0 labelled trades of 400, warming up: BTC; flat"
        == one.decide(seen(bars, 60)).reasoning
    )
    assert "NO_MODEL" == one.describe()["state"]


def test_trades_labelled_as_it_goes_are_those_of_all_bars(bars: Bars) -> None:
    desk = Desk()
    follow(trader(desk), bars, 50, len(bars))
    features = batch(bars)
    empty = np.zeros(0, np.int64)
    market = Market(
        instrument=INSTRUMENTS["BTC"], bars=bars, values=features.values, atr=features.atr,
        funding_ms=empty, funding_rate=np.zeros(0),
    )  # fmt: skip
    whole = events_of(market, LABEL)
    assert len(whole) > 5
    assert len(whole) == sum(map(len, desk.rows))
    for index, one in enumerate(desk.rows):
        assert whole.take(np.array([index])).digest() == one.digest()


def test_a_believed_proposal_becomes_an_entry_with_leverage_stop_target_and_plan(
    bars: Bars,
) -> None:
    """The whole chain from confidence to order; stop and target are those of the label."""
    desk = Desk([("m", model_of(0, always=0.004))])
    decisions = follow(trader(desk), bars, 50, len(bars))
    entries = [decision for decision in decisions if decision.actions]
    assert entries
    for decision in entries:
        lever, order = decision.actions
        assert isinstance(lever, SetLeverage)
        assert isinstance(order, PlaceOrder)
        assert 1 == lever.leverage  # a record of few trades earns no more
        assert order.stop_loss is not None
        assert order.take_profit is not None
        side = 1 if order.is_buy else -1
        (plan,) = decision.plans
        assert plan.stop == order.stop_loss.price
        assert side * (order.take_profit.price - order.stop_loss.price) > 0
        assert plan.confidence is not None
        assert 0.5 < plan.confidence <= 1
        price = (order.take_profit.price + order.stop_loss.price) / 2
        assert order.sz * price <= Decimal(10_000) * Decimal("0.1")
        assert "size" in decision.reasoning


def test_a_model_that_has_seen_what_is_to_come_is_not_used(bars: Bars) -> None:
    desk = Desk([("m", model_of(int(bars.open_time_ms[-1]) + 30 * DAY_MS, always=0.004))])
    one = trader(desk)
    decisions = follow(one, bars, 50, len(bars))
    assert not any(decision.actions for decision in decisions)
    assert "days that are still to come" in decisions[-1].reasoning


def test_foreign_model_stops_the_start_unless_the_lock_is_open() -> None:
    files = model_of(0)
    meta = json.loads(files[META])
    meta["schema_hash"] = "0" * 16
    foreign = {**files, META: json.dumps(meta).encode()}
    with pytest.raises(ConfigError, match=r"model m: .*made for features.*FEATURE_SCHEMA_LOCK"):
        trader(Desk([("m", foreign)]))
    one = trader(Desk([("m", foreign)], switches=Switches(schema_lock=False)))
    assert "made for features" in one.describe()["reason"]


def test_damaged_champion_leaves_the_last_good_model_in_use() -> None:
    files = model_of(0)
    broken = {**files, "model.ubj": b"x" + files["model.ubj"][1:]}
    one = trader(Desk([("new", broken), ("old", files)]))
    told = one.describe()
    assert "READY" == told["state"]
    assert ["new: model.ubj is damaged: its hash is not the one in meta.json"] == told[
        "refused_models"
    ]


def test_relaxed_proposals_need_a_model_of_their_own() -> None:
    one = trader(Desk([("m", model_of(0))], switches=Switches(relaxed=True)))
    told = one.describe()
    assert ("NO_MODEL", "relaxed") == (told["state"], told["signal_mode"])
    assert "judges other trades (mode strict, not relaxed)" in told["reason"]


def proof(files: Files, *, passed: bool = True) -> Files:
    """The same entry, evaluated."""
    meta = msgspec.json.decode(files[META], type=Meta)
    subject = Subject(
        schema_hash=meta.schema_hash, interval_ms=meta.interval_ms, coins=meta.coins,
        label=meta.label, training=meta.training, synthetic=False, data_digest="d",
        start_ms=0, end_ms=1,
    )  # fmt: skip
    evidence = Evidence(passed=passed, conditions=(("trades", passed, "200 needed"),))
    return {**files, EVIDENCE: attest(subject, evidence)}


REAL = Switches(real_money=True)


def test_real_money_is_not_risked_without_evidence(bars: Bars) -> None:
    files = model_of(0, always=0.004)
    for entry, why in (
        (files, "it has not been evaluated; paper only"),
        (proof(files, passed=False), "found no edge (not met: trades); paper only"),
    ):
        one = trader(Desk([("m", entry)], switches=REAL))
        decisions = follow(one, bars, 50, len(bars))
        assert not any(decision.actions for decision in decisions)
        assert any(why in decision.reasoning for decision in decisions)
        told = one.describe()
        assert "PAPER_ONLY" == told["state"]
        assert "TRADE_WITHOUT_EVIDENCE" in told["reason"]
        assert told["evidence"].startswith("no: ")


def test_real_money_is_risked_with_evidence_or_where_the_operator_names_the_model(
    bars: Bars,
) -> None:
    files = model_of(0, always=0.004)
    name = json.loads(files[META])["model_id"]
    one = trader(Desk([("m", proof(files))], switches=REAL))
    proven = follow(one, bars, 50, len(bars))
    assert any(decision.actions for decision in proven)
    assert ("READY", "yes", False) == tuple(
        one.describe()[name] for name in ("state", "evidence", "overridden")
    )
    named = replace(REAL, unproven=("m-other", name))
    one = trader(Desk([("m", files)], switches=named))
    excused = follow(one, bars, 50, len(bars))
    assert [decision.actions for decision in proven] == [decision.actions for decision in excused]
    said = f"{name}: it has not been evaluated, and TRADE_WITHOUT_EVIDENCE names it"
    assert all(said in decision.reasoning for decision in excused)
    assert not any(said in decision.reasoning for decision in proven)
    assert one.describe()["overridden"]


def test_retrained_model_inherits_the_evidence_of_its_rules(bars: Bars) -> None:
    first, second = model_of(0), model_of(DAY_MS)

    class Taught(Desk):
        def outcome(self) -> Outcome | None:
            return Outcome(attempt=Attempt(number=1, begun_ms=0, verdict="promoted"), files=second)

    desk = Taught([("m", proof(first))], switches=REAL)
    one = trader(desk)
    one.decide(seen(bars, 100, fills=fifty()))
    one.decide(seen(bars, 116))
    ((_, kept),) = desk.kept
    assert EVIDENCE in (kept.files or {})
    assert json.loads(second[META])["model_id"] == one.describe()["model_id"]
    assert "yes" == one.describe()["evidence"]


def test_model_that_a_person_has_chosen_is_in_use_after_a_restart(bars: Bars) -> None:
    first, second = model_of(0), model_of(DAY_MS)
    one = trader(Desk([("m", first), ("n", second)]))
    one.decide(seen(bars, 100))
    kept = json.loads(msgspec.json.encode(one.remember()))
    again = trader(Desk([("n", second), ("m", first)]))
    again.recall(kept)
    assert json.loads(second[META])["model_id"] == again.describe()["model_id"]


def fill(number: int, *, closes: bool, won: bool) -> UserFill:
    return UserFill(
        coin="BTC", px="100", sz="1", side="A" if closes else "B", time=number,
        startPosition="1" if closes else "0", dir="", hash="", oid=number, crossed=True, fee="0.1",
        tid=number, closedPnl=("5" if won else "-5") if closes else "0",
    )  # fmt: skip


def fifty(first: int = 0) -> tuple[UserFill, ...]:
    return tuple(
        fill(first + 2 * one + side, closes=bool(side), won=one % 2 == 0)
        for one in range(50)
        for side in (0, 1)
    )


def test_fifty_closed_trades_begin_one_training_that_takes_effect_at_its_time(bars: Bars) -> None:
    desk = Desk([("m", model_of(0))])
    one = trader(desk, training_minutes=20)
    one.decide(seen(bars, 100, fills=fifty()[:-1]))
    assert [] == desk.jobs
    said = one.decide(seen(bars, 101, fills=fifty()[-1:]))
    assert "training 1 begins" in said.reasoning
    (job,) = desk.jobs
    assert job.champion is not None
    assert 101 * MINUTE_MS == job.begun_ms
    follow(one, bars, 102, 120, fills=())
    assert [] == desk.kept
    told = one.decide(seen(bars, 121, fills=fifty(200)))
    (kept,) = desk.kept
    assert 121 * MINUTE_MS == kept[0]
    assert "training 1: untrained (INSUFFICIENT_DATA" in told.reasoning
    assert "stays" in told.reasoning
    assert "training 2 begins" in told.reasoning  # the trigger that came meanwhile was merged
    assert 2 == len(desk.jobs)


@pytest.mark.parametrize("training", [True, False])
def test_training_that_is_switched_off_counts_and_collects(bars: Bars, training: bool) -> None:
    """By the operator for all, or by the trader's own file."""
    desk = Desk([("m", model_of(0))], switches=Switches(training=not training))
    one = trader(desk, training=training)
    one.decide(seen(bars, 100, fills=fifty()))
    assert [] == desk.jobs
    assert 50 == one.describe()["closed_since_training"]
    assert not one.needs.slow


def test_restart_goes_on_as_if_nothing_was(bars: Bars) -> None:
    files = [("m", model_of(0, always=0.004))]
    through, desk = trader(Desk(files)), Desk(files)
    whole = follow(through, bars, 50, 2600)
    first = trader(desk)
    parts = follow(first, bars, 50, 2000)
    kept = json.loads(msgspec.json.encode(first.remember()))
    second = trader(desk)
    second.recall(kept)
    parts += follow(second, bars, 2001, 2600)
    assert whole == parts
    assert msgspec.json.encode(through.remember()) == msgspec.json.encode(second.remember())


def test_bars_that_closed_unseen_begin_the_warm_up_anew(bars: Bars) -> None:
    one = trader()
    follow(one, bars, 1, 60)
    one.decide(seen(bars, 200))
    assert "warming up" in one.decide(seen(bars, 201)).reasoning
    assert 51 == one._coins["BTC"].bars


def test_bar_that_cannot_be_is_told_and_changes_nothing(bars: Bars) -> None:
    one = trader()
    one.decide(seen(bars, 60))
    wrong = seen(bars, 61)
    wrong.snapshots["BTC"]["intervals_data"]["1"]["bars"][-1][2] = float("nan")
    assert "a price or volume is not a number" in one.decide(wrong).reasoning
    assert "not a number" not in one.decide(seen(bars, 62)).reasoning


def test_model_that_does_worse_than_it_says_opens_nothing_more() -> None:
    record = TradeRecord()
    for number in range(100):
        record.ask("BTC", probability=0.8, model_id="m", stop=Decimal(1))
        record.see((fill(2 * number, closes=False, won=False),), Decimal(10_000))
        record.see((fill(2 * number + 1, closes=True, won=number % 2 == 0),), Decimal(10_000))
    assert "Brier score is 0.340, the base rate's 0.250" in record.objection("m")
    assert "" == record.objection("another")
    assert (50, 100) == (record.for_leverage(None).wins, record.for_leverage(None).trades)
    assert 1 == record.for_leverage(None).loss_streak


def test_positions_are_judged_at_every_close(bars: Bars) -> None:
    held = {
        "BTC": PositionView(
            coin="BTC",
            size=Decimal("-0.1"),
            entry_px=Decimal(100),
            unrealized_pnl=Decimal(0),
            leverage=1,
            margin_used=Decimal(10),
        )
    }
    one = trader(Desk([("m", model_of(0))]))
    decisions = follow(one, bars, 50, 1600, positions=held)
    assert not any(decision.actions for decision in decisions)
    (plan,) = decisions[-1].plans
    assert plan.confidence is not None
    assert plan.model_id == one.describe()["model_id"]
    assert plan.structure == -one._coins["BTC"].values[0] + 0.0
