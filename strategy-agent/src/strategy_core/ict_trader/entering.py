"""From a confidence to an entry: bracket, leverage, margin, size and heat, each of which may skip.

bracket    stop and target by the average true range          `sizing.bracket`
leverage   by record, confidence, volatility and the stop      `sizing.leverage`
margin     Kelly, then the caps of one coin and of all         `sizing.kelly`
size       least of margin, risk at the stop and liquidity     `sizing.stop_distance`
heat       loss if every stop is hit                           `sizing.stop_distance`
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from strategy_core.exits.standing import maintenance_rate
from strategy_core.ict_trader.record import TradeRecord
from strategy_core.lattice import exact
from strategy_core.learning.labels import bracket_at
from strategy_core.learning.rules import LabelRules
from strategy_core.port import ZERO, Observation
from strategy_core.sizing.bracket import Bracket
from strategy_core.sizing.kelly import KellyRules, Reservations
from strategy_core.sizing.leverage import LeverageRules, plan_leverage
from strategy_core.sizing.reasons import SkipReason
from strategy_core.sizing.stop_distance import (
    Liquidity,
    OpenRisk,
    RiskSizing,
    heat_allows,
    loss_per_unit,
    plan_size,
)
from suite.instrument import Instrument

if TYPE_CHECKING:
    from strategy_core.ict_trader.watching import Coin


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """Rules of one trader."""

    label: LabelRules
    kelly: KellyRules
    leverage: LeverageRules
    risk: RiskSizing


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry, and how it came about.

    Attributes:
        side: 1 long, -1 short.
        size: units of the coin, positive.
        leverage: to set before.
        bracket: stop and target.
        note: in words.
    """

    side: int
    size: Decimal
    leverage: int
    bracket: Bracket
    note: str


class Book:
    """What is open and asked for within one decision, so that no two entries take the same room."""

    def __init__(self, observation: Observation, record: TradeRecord) -> None:
        self.capital = observation.capital
        self.reservations = Reservations(
            positions={
                coin: held.margin_used for coin, held in sorted(observation.positions.items())
            }
        )
        self.risks = [
            OpenRisk(held.size, held.entry_px, _stop_of(record, coin))
            for coin, held in sorted(observation.positions.items())
        ]
        self._record = record

    def plan(
        self,
        coin: "Coin",
        instrument: Instrument,
        *,
        side: int,
        price: Decimal,
        confidence: float,
        break_even: float,
        rules: EntryRules,
    ) -> Entry | SkipReason:
        """Plan an entry, and take its room.

        Args:
            coin: as its bars tell.
            instrument: lattice of the coin.
            side: 1 or -1.
            price: expected, USD.
            confidence: of the model, 0 to 1; 0.5 breaks even.
            break_even: win rate that does, at the model's own wins and losses.
            rules: of the trader.
        """
        bracket = bracket_at(side, float(price), coin.atr, instrument, rules.label)
        if bracket.skip is not None:
            return bracket.skip
        rate = maintenance_rate(instrument, ZERO)
        lever = plan_leverage(
            self._record.for_leverage(break_even),
            confidence,
            volatility=coin.volatility,
            stop_distance=float(bracket.distance),
            maintenance_rate=float(rate),
            venue_max=instrument.tiers[0].max_leverage,
            rules=rules.leverage,
        )
        leverage = min(lever.leverage, bracket.leverage_max)
        name = instrument.coin
        margin = self.reservations.reserve(
            name, name, confidence, self.capital, leverage=leverage, rules=rules.kelly
        )
        if margin.skip is not None:
            return margin.skip
        costs = rules.label.costs
        plan = plan_size(
            instrument,
            price=price,
            notional=margin.margin * leverage,
            equity=self.capital,
            stop_distance=bracket.distance,
            costs=costs,
            liquidity=Liquidity(minute_volume=exact(coin.minute_volume)),
            rules=rules.risk,
        )
        risk = plan.size * loss_per_unit(price, bracket.distance, costs)
        skip = plan.skip
        if skip is None and not heat_allows(
            self.risks, risk, equity=self.capital, rules=rules.risk
        ):
            skip = SkipReason.HEAT
        if skip is not None:
            self.reservations.release(name)
            return skip
        self.risks.append(OpenRisk(side * plan.size, price, bracket.stop))
        return Entry(
            side=side,
            size=plan.size,
            leverage=leverage,
            bracket=bracket,
            note=f"size {plan.size.normalize():f} by {plan.bound}, leverage {leverage}, stop "
            f"{bracket.stop.normalize():f}, target {bracket.target.normalize():f}",
        )


def _stop_of(record: TradeRecord, coin: str) -> Decimal | None:
    trade = record.open.get(coin)
    return trade.stop if trade else None
