"""Exits on their way: sent once, again under the same id, or under a new one when long overdue.

A part is taken under one id and no other: sent twice under two, it could be taken twice. A full
close may be, since no reduce-only order can flip a position.
"""

from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.exits.kinds import PREEMPTIVE, ExitKind, ExitState
from strategy_core.exits.memory import CoinMemory, PendingExit
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import Evaluation
from strategy_core.lattice import exact, round_size_down
from strategy_core.port import ZERO, Observation
from strategy_core.sizing.targets import MIN_NOTIONAL, market_order
from suite.contracts.venue import Action, CancelOrder, PlaceOrder
from suite.instrument import Instrument

LATE_MS: Final = 90_000
"""How long an exit may be on its way. The order manager sees each one through long before, order
after order; a position that is still there then needs an exit of its own anew."""


class ExitOrders:
    """Makes the orders of exits, each position's own and one at a time.

    Args:
        trader_id: whose positions; part of every id.
        rules: of the trader.
    """

    def __init__(self, trader_id: str, rules: ExitRules) -> None:
        self._trader_id = trader_id
        self._share = exact(rules.partial_share)

    def partial_size(self, held: CoinMemory, instrument: Instrument, mark: Decimal) -> Decimal:
        """Size of the part that is taken; 0 where either part would be below the least notional."""
        part = round_size_down(instrument, held.size * self._share)
        least = min(part, held.size - part)
        return part if least * mark >= MIN_NOTIONAL else ZERO

    def settle(self, held: CoinMemory, now_ms: int) -> list[str]:
        """See what has become of an exit whose position is still there.

        Returns:
            What happened, for the journal.
        """
        pending = held.pending
        if pending is None or pending.kind is not ExitKind.PARTIAL_TAKE_PROFIT:
            return []
        if held.size < pending.held:
            held.partial_done = held.partial_taken = True
            return _let_go(held, f"{held.coin} took a part, {held.size} are left")
        if now_ms - pending.sent_ms >= LATE_MS:
            held.partial_done = True
            return _let_go(held, f"{held.coin} could not take a part, and does not try again")
        return []

    def may_start(self, held: CoinMemory, kind: ExitKind) -> bool:
        """Whether an exit of a kind may go out now: nothing is on its way that it must wait for."""
        pending = held.pending
        return pending is None or (kind in PREEMPTIVE and pending.kind not in PREEMPTIVE)

    def start(
        self,
        held: CoinMemory,
        found: Evaluation,
        mark: Decimal,
        instrument: Instrument,
        observation: Observation,
    ) -> list[Action]:
        """Send the exit that fired, in place of one that it may pre-empt.

        Args:
            held: the position.
            found: all seven conditions now; one of them fires.
            mark: USD.
            instrument: lattice of the coin.
            observation: what is known.
        """
        if found.fired is None:
            return []
        cancels = self._cancel_pending(held, observation)
        held.pending = PendingExit(
            kind=found.fired,
            generation=0,
            cloid="",
            sent_ms=observation.now_ms,
            held=held.size,
            decision_price=mark,
            attempts=0,
            readings=found.readings,
        )
        return [*cancels, self._order(held, held.pending, mark, instrument, observation.now_ms)]

    def go_on(
        self,
        held: CoinMemory,
        mark: Decimal,
        instrument: Instrument,
        observation: Observation,
    ) -> list[Action]:
        """Send what an exit on its way still needs: the same order again, or a new one when late.

        Args:
            held: the position.
            mark: USD.
            instrument: lattice of the coin.
            observation: what is known.
        """
        pending, now_ms = held.pending, observation.now_ms
        if pending is None:
            return []
        if pending.sent_ms == now_ms:  # the same moment again: the order may never have left
            return [self._repeat(held, pending, mark, instrument)]
        if now_ms - pending.sent_ms < LATE_MS:
            return []
        cancels = self._cancel_pending(held, observation)
        return [*cancels, self._order(held, pending, mark, instrument, now_ms)]

    def _order(
        self,
        held: CoinMemory,
        pending: PendingExit,
        mark: Decimal,
        instrument: Instrument,
        now_ms: int,
    ) -> PlaceOrder:
        """Make the next order of an exit, under an id of its own."""
        pending.cloid = held.name_order(self._trader_id, pending.kind.value)
        pending.generation = held.generation
        pending.sent_ms = now_ms
        pending.held = held.size
        pending.attempts += 1
        partial = pending.kind is ExitKind.PARTIAL_TAKE_PROFIT
        held.state = ExitState.REDUCING if partial else ExitState.CLOSING
        return self._repeat(held, pending, mark, instrument)

    def _repeat(
        self, held: CoinMemory, pending: PendingExit, mark: Decimal, instrument: Instrument
    ) -> PlaceOrder:
        """Make the order that is on its way once more, to the byte."""
        size = pending.held
        if pending.kind is ExitKind.PARTIAL_TAKE_PROFIT:
            size = self.partial_size(held, instrument, mark)
        order = market_order(held.coin, -held.side * size, reduce_only=True)
        return msgspec.structs.replace(order, cloid=pending.cloid)

    def _cancel_pending(self, held: CoinMemory, observation: Observation) -> list[Action]:
        """Take down the order on its way where it rests; an order at market never does."""
        pending = held.pending
        if pending is None:
            return []
        return [
            CancelOrder(coin=held.coin, cloid=pending.cloid)
            for order in observation.open_orders
            if order.coin == held.coin and order.cloid == pending.cloid
        ]


def _let_go(held: CoinMemory, note: str) -> list[str]:
    held.pending = None
    held.state = ExitState.OPEN
    return [note]
