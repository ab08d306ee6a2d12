"""`ict_xgboost`: market structure proposes trades, a model that is retrained on them judges."""

from typing import Annotated, Any, Final

import msgspec
import numpy as np

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.ict.schema import NAMES, WARM_UP, mirrored
from strategy_core.ict_trader.entering import Book, Entry, EntryRules
from strategy_core.ict_trader.memory import CoinState
from strategy_core.ict_trader.record import TradeRecord
from strategy_core.ict_trader.tutor import RETRAIN_AFTER, ModelState, Tutor, TutorState
from strategy_core.intents import ExitPlan
from strategy_core.learning.events import Events
from strategy_core.learning.rules import LabelRules, SignalMode, TrainingRules
from strategy_core.port import ZERO, Decision, Needs, Observation
from strategy_core.sizing.kelly import KellyRules
from strategy_core.sizing.leverage import LeverageRules
from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.stop_distance import RiskSizing
from strategy_core.sizing.targets import Protection, market_order
from strategy_core.snapshot import INTERVALS, SHOWN_BARS
from suite.bars import MINUTE_MS
from suite.contracts.venue import Action, Leg, SetLeverage
from suite.enums import TraderStatus

_STRUCTURE: Final = NAMES.index("market_structure")
_TREND: Final = NAMES.index("trend_alignment")


class IctState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered over a restart."""

    coins: dict[str, CoinState]
    record: TradeRecord
    tutor: TutorState


class IctXgboost:
    """Trade what market structure proposes and a calibrated model believes in, else stay flat.

    Without a model nothing is traded, and every decision says why. A model must have passed every
    gate of `strategy_core.learning.promotion`; after every 50 closed trades a new one is trained on
    the trades that the market has proposed since, whether taken or not.
    """

    class Params(building.Params, frozen=True, kw_only=True):
        """What is learned, how much is risked.

        Attributes:
            model: name or folder of the model to begin with; empty for none.
            training: train models; the operator's `DISABLE_MODEL_TRAINING` counts before.
            training_minutes: after its begin, when a training takes effect.
            label: which trades are proposed, and how they end.
            learning: how models are trained.
            kelly, leverage, risk: how confidence becomes size.
        """

        model: str = ""
        training: bool = True
        training_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15
        label: LabelRules = LabelRules()
        learning: TrainingRules = TrainingRules()
        kelly: KellyRules = KellyRules()
        leverage: LeverageRules = LeverageRules()
        risk: RiskSizing = RiskSizing()

    def __init__(self, setup: Setup, params: "IctXgboost.Params") -> None:
        from strategy_core.ict_trader.watching import Coin  # compiles

        minutes = setup.interval_ms // MINUTE_MS
        if minutes not in INTERVALS:
            known = ", ".join(map(str, INTERVALS))
            raise ValueError(f"decides on bars of {known} minutes, and the interval has {minutes}")
        learning = setup.learning.open(setup.trader_id, params.model) if setup.learning else None
        label = params.label
        if learning is not None and learning.switches.relaxed:
            label = msgspec.structs.replace(label, mode=SignalMode.RELAXED)
        self._setup = setup
        self._params = params
        self._block = str(minutes)
        self._rules = EntryRules(
            label=label, kelly=params.kelly, leverage=params.leverage, risk=params.risk
        )
        self._coins = {
            coin: Coin(setup.instruments[coin], setup.interval_ms, label) for coin in setup.symbols
        }
        self._record = TradeRecord()
        self._tutor = Tutor(
            learning,
            label=label,
            training=params.learning,
            interval_ms=setup.interval_ms,
            coins=setup.symbols,
            delay_ms=params.training_minutes * MINUTE_MS,
        )
        self._trains = params.training and self._tutor.trains
        self._said = ""
        self.needs = Needs(
            snapshots=setup.symbols,
            intervals=(self._block,),
            slow=self._trains,
            bars=SHOWN_BARS,
            warm_up=WARM_UP + 1,
        )

    def remember(self) -> IctState:
        """Tell what is known of coins, trades and trainings."""
        return IctState(
            coins={coin: one.remember() for coin, one in self._coins.items()},
            record=self._record,
            tutor=self._tutor.state,
        )

    def recall(self, state: Any) -> None:
        """Know it again."""
        known = msgspec.convert(state, IctState)
        for coin, one in known.coins.items():
            self._coins[coin].recall(one)
        self._record = known.record
        self._tutor.recall(known.tutor)

    def describe(self) -> dict[str, Any]:
        """Tell people where the model stands."""
        model, state = self._tutor.model, self._tutor.state
        return {
            "state": self._model_state()[0].value,
            "reason": self._model_state()[1],
            "model_id": model.meta.model_id if model else "",
            "model_created_ms": model.meta.created_ms if model else None,
            "evidence": ("no: " + self._tutor.unproven if self._tutor.unproven else "yes")
            if model
            else "",
            "overridden": bool(self._overridden),
            "synthetic": model.meta.synthetic if model else False,
            "schema_hash": self._tutor.schema,
            "signal_mode": self._rules.label.mode.value,
            "training": self._trains,
            "training_since_ms": state.begun_ms,
            "labelled_trades": self._tutor.rows,
            "closed_trades": self._record.count,
            "closed_since_training": self._record.since_training,
            "trainings": state.jobs,
            "promoted": state.promoted,
            "refused": state.refused,
            "last_attempt": msgspec.to_builtins(state.last) if state.last else None,
            "refused_models": self._tutor.refused,
        }

    def decide(self, observation: Observation) -> Decision:
        """Learn what has closed, look after what is open, and enter what is believed in."""
        labeled: list[Events] = []
        for name, coin in self._coins.items():
            labeled += coin.see(observation.snapshots.get(name), self._block)
        self._tutor.add(labeled)
        self._record.see(observation.fills, observation.equity)
        self._record.give_up(set(observation.positions))
        notes = [self._learn(observation.now_ms)]
        if told := self._overridden:
            notes.append(f"{told}, and TRADE_WITHOUT_EVIDENCE names it")
        actions, plans = self._trade(observation, notes)
        notes += [f"{name}: {coin.refused}" for name, coin in self._coins.items() if coin.refused]
        return Decision(
            actions=tuple(actions),
            plans=tuple(plans),
            reasoning="; ".join(note for note in notes if note) or "nothing is proposed",
        )

    def _learn(self, now_ms: int) -> str:
        """Let trainings begin and take effect."""
        before = self._tutor.state.jobs
        closed = self._record.since_training if self._trains else 0
        told = self._tutor.look(now_ms, closed=closed, due=self._trains)
        if self._tutor.state.jobs > before and closed >= RETRAIN_AFTER:
            self._record.since_training = 0
        return told

    def _trade(
        self, observation: Observation, notes: list[str]
    ) -> tuple[list[Action], list[ExitPlan]]:
        """Judge positions and proposals by the model in one call."""
        held = [
            (name, 1 if observation.size_of(name) > 0 else -1)
            for name, coin in self._coins.items()
            if coin.fresh and coin.ready and observation.size_of(name)
        ]
        proposed = [
            (name, coin.side)
            for name, coin in self._coins.items()
            if coin.side and not observation.size_of(name) and not _resting(observation, name)
        ]
        state, reason = self._model_state()
        model = self._tutor.model
        if ahead := self._tutor.from_future(observation.now_ms):
            model, reason = None, ahead
        if model is None:
            notes.append(f"{ModelState.NO_MODEL}: {reason}; flat")
            return [], [self._plan(name, side, None, "") for name, side in held]
        asked = held + proposed
        if not asked:
            return [], []
        rows = np.array(
            [mirrored(self._coins[name].values, side) for name, side in asked], np.float32
        )
        probability = model.probability(rows)
        confidence = model.calibration.confidence(probability).tolist()
        name_of = model.meta.model_id
        plans = [
            self._plan(name, side, one, name_of)
            for (name, side), one in zip(held, confidence, strict=False)
        ]
        actions: list[Action] = []
        book = Book(observation, self._record)
        first = len(held)
        for place, (name, side) in enumerate(proposed, first):
            where = f"{name} {'long' if side > 0 else 'short'} at {confidence[place]:.3f}"
            if state is not ModelState.READY or observation.status is not TraderStatus.LIVE:
                notes.append(f"{where}: {reason or observation.status}")
                continue
            price = observation.mids.get(name, ZERO)
            entry = book.plan(
                self._coins[name],
                self._setup.instruments[name],
                side=side,
                price=price,
                confidence=confidence[place],
                break_even=model.calibration.break_even,
                rules=self._rules,
            )
            if isinstance(entry, SkipReason):
                notes.append(f"{where}: {entry}")
                continue
            self._record.ask(
                name,
                probability=float(probability[place]),
                model_id=name_of,
                stop=entry.bracket.stop,
            )
            actions += _orders(name, entry)
            plans.append(
                msgspec.structs.replace(
                    self._plan(name, side, confidence[place], name_of),
                    stop=entry.bracket.stop,
                    target=entry.bracket.target,
                )
            )
            notes.append(f"{where}: {entry.note}")
        return actions, plans

    def _plan(self, name: str, side: int, confidence: float | None, model_id: str) -> ExitPlan:
        """Say what the exits need to know of the last bar."""
        values = mirrored(self._coins[name].values, side)
        return ExitPlan(
            coin=name,
            confidence=confidence,
            model_id=model_id,
            structure=float(values[_STRUCTURE]),
            trend=float(values[_TREND]),
        )

    @property
    def _overridden(self) -> str:
        """What would forbid the model in use to risk real money, had the operator not named it."""
        model = self._tutor.model
        if model is None or not (self._tutor.real_money and self._tutor.excused):
            return ""
        return self._tutor.unproven and f"{model.meta.model_id}: {self._tutor.unproven}"

    def _model_state(self) -> tuple[ModelState, str]:
        """Whether there is a model to trade by, and if not, why."""
        model = self._tutor.model
        if model is None:
            return ModelState.NO_MODEL, self._why_none()
        unproven = self._tutor.unproven if self._tutor.real_money else ""
        if unproven and not self._tutor.excused:
            return ModelState.PAPER_ONLY, (
                f"{model.meta.model_id}: {unproven}; paper only (`strategy-agent models attest`, "
                "or name it in TRADE_WITHOUT_EVIDENCE)"
            )
        objection = self._record.objection(model.meta.model_id)
        return (ModelState.SUSPENDED, objection) if objection else (ModelState.READY, "")

    def _why_none(self) -> str:
        """Say why there is no model."""
        parts = [f"refused {text}" for text in self._tutor.refused]
        last = self._tutor.state.last
        if last is not None and last.reason:
            parts.append(f"training {last.number} {last.verdict}: {last.reason}")
        rows, needed = self._tutor.rows, self._params.learning.minimum.events
        if not self._trains:
            parts.append("training is off")
        elif rows < needed:
            parts.append(f"{rows} labelled trades of {needed}")
        cold = [name for name, coin in self._coins.items() if not coin.ready]
        if cold:
            parts.append(f"warming up: {', '.join(cold)}")
        return ", ".join(parts) or "none is trained yet"


def _orders(coin: str, entry: Entry) -> tuple[Action, ...]:
    """Set the leverage, then enter with stop and target as one group."""
    protection = Protection(Leg(price=entry.bracket.stop), Leg(price=entry.bracket.target))
    return (
        SetLeverage(coin=coin, leverage=entry.leverage),
        market_order(coin, entry.side * entry.size, protection=protection),
    )


def _resting(observation: Observation, coin: str) -> bool:
    """Whether an order that may open a position rests already."""
    return any(order.coin == coin and not order.reduceOnly for order in observation.open_orders)
