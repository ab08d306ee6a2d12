"""From a probability of winning to the margin that a position may commit.

    multiplier = (confidence - 0.5) * 4                      0 to 2, no floor
    wanted     = base_fraction * equity * multiplier
    margin     = min(wanted, position_cap * equity - its)    after Kelly; its: the same coin's
    margin     = min(margin, account_cap * equity - all)     all: positions and resting entries

`confidence` is centered so that 0.5 breaks even after costs; the multiplier is then twice the full
Kelly fraction. Less than `min_fill_share` of what was wanted is not worth the fees and is skipped.
Caps compare with equity, never with the balance, and never close what is there.

Source: J. L. Kelly, "A New Interpretation of Information Rate", 1956, for an even bet:
f = 2p - 1.
"""

import math
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from strategy_core.port import ZERO
from strategy_core.sizing.reasons import SkipReason

BREAK_EVEN: Final = Decimal("0.5")
KELLY_SLOPE: Final = 4
"""Multiplier gained for each unit of confidence: 2 at certainty, 1 at three quarters."""
POSITION_CAP_MAX: Final = 0.10
ACCOUNT_CAP_MAX: Final = 0.50
"""Shares of equity that no configuration exceeds."""


class CapBasis(StrEnum):
    """What the two caps are read on."""

    MARGIN = "margin"
    """Notional over leverage: what a position commits."""
    NOTIONAL = "notional"
    """The whole value of the position: stricter by the leverage."""


class KellyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How probabilities become margin.

    Attributes:
        base_fraction: of equity, committed at a confidence of 0.75.
        position_cap, account_cap: largest share of equity for one coin, and for all.
        min_fill_share: smallest part of the wanted margin that is still worth a trade.
        cap_basis: what the caps are read on.
    """

    base_fraction: Annotated[float, msgspec.Meta(gt=0, le=0.10)] = 0.05
    position_cap: Annotated[float, msgspec.Meta(gt=0, le=POSITION_CAP_MAX)] = POSITION_CAP_MAX
    account_cap: Annotated[float, msgspec.Meta(gt=0, le=ACCOUNT_CAP_MAX)] = ACCOUNT_CAP_MAX
    min_fill_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.50
    cap_basis: CapBasis = CapBasis.MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What is committed already, USD, in the unit of the caps.

    Attributes:
        coin: of the coin to be traded: its position and its resting entries.
        account: of all coins, that one included.
    """

    coin: Decimal = ZERO
    account: Decimal = ZERO


NOTHING_IN_USE: Final = InUse()


@dataclass(frozen=True, slots=True, kw_only=True)
class KellyMargin:
    """The margin of a trade, and how it came about.

    Attributes:
        multiplier: 0 to 2.
        wanted: USD, before any cap.
        margin: USD that may be committed; 0 when skipped.
        bound: the cap that made it smaller, None for none.
        skip: why nothing is traded, None when something is.
    """

    multiplier: Decimal = ZERO
    wanted: Decimal = ZERO
    margin: Decimal = ZERO
    bound: SkipReason | None = None
    skip: SkipReason | None = None


def kelly_multiplier(confidence: float | None) -> Decimal | SkipReason:
    """Turn a probability into a multiplier of the base size.

    Args:
        confidence: probability of a win after costs, 0 to 1; None where there is none.

    Returns:
        `(confidence - 0.5) * 4`, above 0 and at most 2, or why there is none. Exactly 0.5 has no
        edge.
    """
    if confidence is None or not math.isfinite(confidence) or not 0 <= confidence <= 1:
        return SkipReason.NO_CONFIDENCE
    edge = Decimal(repr(float(confidence))) - BREAK_EVEN
    return edge * KELLY_SLOPE if edge > 0 else SkipReason.NO_EDGE


def plan_margin(
    confidence: float | None,
    equity: Decimal,
    *,
    in_use: InUse = NOTHING_IN_USE,
    leverage: int = 1,
    rules: KellyRules,
) -> KellyMargin:
    """Decide how much margin a trade may commit.

    Args:
        confidence: as for `kelly_multiplier`.
        equity: account value, USD.
        in_use: committed already, resting entries at their full margin; notionals where the caps
            are read on notional.
        leverage: of the trade; matters only where the caps are read on notional.
        rules: of the trader.

    Returns:
        A margin that is at most `position_cap * equity` together with the coin's own, and at most
        `account_cap * equity` together with all; or why there is none.
    """
    multiplier = kelly_multiplier(confidence)
    if isinstance(multiplier, SkipReason):
        return KellyMargin(skip=multiplier)
    if not (equity.is_finite() and equity > 0):
        return KellyMargin(multiplier=multiplier, skip=SkipReason.NO_EQUITY)
    scale = leverage if rules.cap_basis is CapBasis.NOTIONAL else 1
    wanted = Decimal(repr(rules.base_fraction)) * equity * multiplier
    cap = Decimal(repr(rules.position_cap)) * equity
    of_coin = max(ZERO, cap - in_use.coin) / scale
    of_account = max(ZERO, Decimal(repr(rules.account_cap)) * equity - in_use.account) / scale
    margin, bound = wanted, None
    for room, reason in ((of_coin, SkipReason.CAP_POSITION), (of_account, SkipReason.CAP_ACCOUNT)):
        if room < margin:
            margin, bound = room, reason
    # the cap of one position alone makes a trade smaller, never not worth making
    worthwhile = Decimal(repr(rules.min_fill_share)) * min(wanted, cap / scale)
    if margin < worthwhile or margin <= 0:
        return KellyMargin(multiplier=multiplier, wanted=wanted, bound=bound, skip=bound)
    return KellyMargin(multiplier=multiplier, wanted=wanted, margin=margin, bound=bound)


@dataclass(slots=True)
class Reservations:
    """Margin of positions and of entries on their way, so that no two trades take the same room.

    `reserve` checks and takes in one call: of two signals at one time the second sees what the
    first has left.

    Attributes:
        positions: committed by open positions, by coin.
        pending: entries sent and not yet at their end, by the key they were reserved under.
    """

    positions: dict[str, Decimal] = field(default_factory=dict)
    pending: dict[str, tuple[str, Decimal]] = field(default_factory=dict)

    def in_use(self, coin: str) -> InUse:
        """Add up what is committed, for a trade of one coin."""
        by_coin = dict(self.positions)
        for name, amount in self.pending.values():
            by_coin[name] = by_coin.get(name, ZERO) + amount
        return InUse(coin=by_coin.get(coin, ZERO), account=sum(by_coin.values(), ZERO))

    def reserve(
        self,
        key: str,
        coin: str,
        confidence: float | None,
        equity: Decimal,
        *,
        leverage: int = 1,
        rules: KellyRules,
    ) -> KellyMargin:
        """Size a trade and hold its margin under a key until it is released or filled.

        A key that is held already is sized anew, without its own reservation in the way.
        """
        self.pending.pop(key, None)
        plan = plan_margin(
            confidence, equity, in_use=self.in_use(coin), leverage=leverage, rules=rules
        )
        if plan.margin:
            scale = leverage if rules.cap_basis is CapBasis.NOTIONAL else 1
            self.pending[key] = (coin, plan.margin * scale)
        return plan

    def release(self, key: str) -> None:
        """Give back what an entry held that was refused or canceled; unknown keys hold nothing."""
        self.pending.pop(key, None)

    def fill(self, key: str) -> None:
        """Move what an entry held to its coin's position."""
        held = self.pending.pop(key, None)
        if held is not None:
            coin, amount = held
            self.positions[coin] = self.positions.get(coin, ZERO) + amount

    def close(self, coin: str) -> None:
        """Forget the position of a coin that is flat."""
        self.positions.pop(coin, None)
