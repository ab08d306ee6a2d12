"""The quiet review: while nothing but small moves has happened, what the last look found holds.

Most reviews end in the words of the one before. So a review in full that finds nothing to do, and
every end far away, notes the bounds within which that stays so. While all that is seen lies within
them, a review asks for the same wake-up again and brings up only what the records are made of: best
and worst mark, and funding. The bounds are part of the memory, so a restart changes nothing.

A full review notes bounds where

- the rules ask for none of the seven as a whole, nor for stops behind swings: what can end a
  position then is its liquidation price, the margin guard, or the strategy's own rule;
- it has sent nothing, no exit is on its way, no stop was moved, no rule of the strategy's own is
  there, no plan waits for its entry, and no position is being given up;
- the venue reports every position, each of a known coin, its mark fresh;
- every price that is waited for is at least `FAR` from the mark;
- with all marks at the worse edge of their bounds and the equity at its lower one, not more than
  half of `margin_usage_safe` would be used.

A later review is quiet where there is no fill, the positions are the same in size and entry, still
on the account's margin, marks are fresh and within `MARK_MOVE`, the equity within `EQUITY_MOVE`,
and the venue's liquidation prices are still beyond half of `FAR`, with a range that leaves the
liquidation buffer short of them. Then no condition can fire: the usage is below the safe one
whatever the marks within their bounds, and no mark is within its buffer.

The prices that are waited for stay those of the full review. A position's own mark does not move
them within a margin tier; what does is the equity, so they are off by `EQUITY_MOVE` of the
distance, more or less, and by nothing that the next full review would not put right.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.exits.facts import Sight
from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.ledger import is_amount
from strategy_core.exits.memory import CoinMemory, ExitMemory, Quiet, QuietCoin
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.standing import maintenance_rate
from strategy_core.lattice import exact
from strategy_core.numbers import check_number
from strategy_core.port import ZERO, Instruments, Observation
from suite.contracts.clock import AccountView, PositionView, PriceCross, WakeOn

MARK_MOVE: Final = Decimal("0.03")
"""How far a mark may move from that of the full review, fraction of it."""
EQUITY_MOVE: Final = Decimal("0.05")
"""How far the equity may, fraction of it."""
RANGE: Final = "atr_14"
"""Name of the average true range within a block of a snapshot."""
FAR: Final = Decimal("0.15")
"""Distance of every price that is waited for, fraction of the mark."""
LOW: Final = 1 - MARK_MOVE
HIGH: Final = 1 + MARK_MOVE
BEYOND: Final = {1: 1 - FAR / 2, -1: 1 + FAR / 2}
"""Where the venue's liquidation price must lie beyond, by the side of the position."""
ROOM: Final = FAR / 2 - MARK_MOVE
"""Least distance then between mark and liquidation price, fractions of the mark noted."""


class QuietReviews:
    """Says where a trader's reviews may be quiet, and whether one is.

    Args:
        rules: of the trader.
        instruments: of the venue.
        range_minutes: name of the block, within a snapshot, that the average true range is of.
    """

    def __init__(self, rules: ExitRules, instruments: Instruments, range_minutes: str) -> None:
        self._possible = not (rules.structure_trail or any(map(rules.asked_for, ExitKind)))
        self._rules = rules
        self._judged_by = hashlib.sha256(msgspec.json.encode(rules)).hexdigest()[:16]
        self._usage_max = exact(rules.margin_usage_safe) / 2
        self._instruments = instruments
        self._range_minutes = range_minutes

    def note(self, memory: ExitMemory, sights: Sequence[Sight], wake_on: WakeOn) -> None:
        """Note the bounds of a quiet that a full review has found, if it is one.

        Args:
            memory: changed in place.
            sights: of all positions whose marks are fresh, by a review that sent nothing.
            wake_on: what it asks to be woken by.
        """
        if (
            not self._possible
            or memory.guarding
            or memory.coming
            or not 0 < len(sights) == len(memory.coins)
        ):
            return
        equity = sights[0].backing.equity
        coins: dict[str, QuietCoin] = {}
        needed = ZERO
        for sight in sights:
            held, backing = sight.held, sight.backing
            bounds = _bounds(held, backing.mark)
            if not _rests(sight) or not self._is_small(sight.facts.atr, bounds.room):
                return
            notional = held.size * bounds.high
            needed += notional * maintenance_rate(self._instruments[held.coin], notional)
            coins[held.coin] = bounds
        if needed > self._usage_max * (1 - EQUITY_MOVE) * equity:
            return
        marks = {sight.held.coin: sight.backing.mark for sight in sights}
        if any(_is_near(cross, marks[cross.coin]) for cross in wake_on.price):
            return
        memory.quiet = Quiet(
            judged_by=self._judged_by,
            wake_on=wake_on,
            equity_min=equity * (1 - EQUITY_MOVE),
            equity_max=equity * (1 + EQUITY_MOVE),
            coins=coins,
        )

    def holds(
        self, memory: ExitMemory, observation: Observation, account: AccountView | None
    ) -> bool:
        """Whether the quiet goes on; then best and worst marks and funding are brought up.

        Where it does not, a full review brings up the same, and all the rest.

        Args:
            memory: changed in place.
            observation: what is known; its marks are fresh.
            account: the venue's own report.
        """
        quiet = memory.quiet
        if (
            quiet is None
            or account is None
            or observation.fills
            or quiet.judged_by != self._judged_by
            or len(observation.positions) != len(quiet.coins)
        ):
            return False
        try:
            if not quiet.equity_min <= account.cross_equity <= quiet.equity_max:
                return False
            for coin, bounds in quiet.coins.items():
                if not self._holds_for(memory.coins[coin], bounds, observation):
                    return False
        except ArithmeticError:  # a venue may report anything: the full review knows what to do
            return False
        return True

    def _holds_for(self, held: CoinMemory, bounds: QuietCoin, observation: Observation) -> bool:
        """Whether one position is within its bounds; then what is remembered is brought up."""
        coin = held.coin
        position, mark = observation.positions.get(coin), observation.mids.get(coin)
        if (
            position is None
            or mark is None
            or not bounds.low <= mark <= bounds.high
            or not _is_same(position, held, bounds)
            or position.isolated
        ):
            return False
        liquidation = position.liquidation_px
        if liquidation is not None:
            check_number(liquidation)
            if (liquidation > bounds.liquidation) == (held.side > 0):
                return False
            snapshot = observation.snapshots.get(coin)
            block = snapshot["intervals_data"].get(self._range_minutes) if snapshot else None
            if block and not self._is_small(block.get(RANGE), bounds.room):
                return False
        check_number(position.funding)
        held.see(mark)
        held.funding = position.funding
        return True

    def _is_small(self, atr: float | Decimal | None, room: float) -> bool:
        """Whether the liquidation buffer, if a range makes it, is smaller than the room, USD."""
        return atr is None or float(atr) * self._rules.liquidation_buffer < room


def _is_near(cross: PriceCross, mark: Decimal) -> bool:
    price = cross.below if cross.above is None else cross.above
    return price is None or abs(price - mark) < FAR * mark


def _rests(sight: Sight) -> bool:
    """Whether nothing is under way at a position, and nothing but the account stands behind it."""
    held, backing = sight.held, sight.backing
    at_work = held.pending or held.stop or held.trailing or sight.rule
    return not at_work and backing.told and backing.rate is not None


def _bounds(held: CoinMemory, mark: Decimal) -> QuietCoin:
    return QuietCoin(
        size=held.side * held.size,
        low=mark * LOW,
        high=mark * HIGH,
        liquidation=mark * BEYOND[held.side],
        room=float(mark * ROOM),
    )


def _is_same(position: PositionView, held: CoinMemory, bounds: QuietCoin) -> bool:
    return (
        position.size == bounds.size
        and position.entry_px == held.entry_price
        and is_amount(position.unrealized_pnl)
    )
