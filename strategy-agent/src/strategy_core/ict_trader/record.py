"""What the trader has to show for itself: its closed trades, as its own fills tell them."""

from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.port import ZERO
from strategy_core.sizing.leverage import Record
from suite.contracts.hyperliquid_info import UserFill

KEPT: Final = 200
"""Closed trades that count for leverage."""
JUDGED: Final = 100
"""Closed trades that a model in use is judged by."""
BRIER_WORSE_MAX: Final = 0.02
ERRORS_MAX: Final = 3.0
"""Standard errors that realized wins may fall short of predicted ones."""


class OpenTrade(msgspec.Struct):
    """A trade from its first fill on.

    Attributes:
        probability: of a win, as the model said at the entry; None where none did.
        model_id: which model.
        stop: USD, where the entry's stop stands; None where there is none.
        net: so far, USD: realized less fees.
        open: a fill of it was seen.
    """

    probability: float | None = None
    model_id: str = ""
    stop: Decimal | None = None
    net: Decimal = ZERO
    open: bool = False


class ClosedTrade(msgspec.Struct, frozen=True):
    """How a trade ended: won after fees, the probability that was given to that, and by whom."""

    won: bool
    probability: float | None
    model_id: str


class TradeRecord(msgspec.Struct, kw_only=True):
    """Trades of one trader.

    Attributes:
        open: by coin, those entered, asked-for ones among them.
        closed: the last ones, oldest first.
        since_training: closed trades that the last training does not know.
        count: of all closed trades.
        peak: highest equity seen, USD.
        equity: last one seen, USD.
    """

    open: dict[str, OpenTrade] = {}
    closed: list[ClosedTrade] = []
    since_training: int = 0
    count: int = 0
    peak: Decimal = ZERO
    equity: Decimal = ZERO

    def ask(self, coin: str, *, probability: float, model_id: str, stop: Decimal) -> None:
        """Note an entry that is about to be sent."""
        self.open[coin] = OpenTrade(probability=probability, model_id=model_id, stop=stop)

    def see(self, fills: tuple[UserFill, ...], equity: Decimal) -> list[ClosedTrade]:
        """Take fills in, oldest first.

        Returns:
            Trades that they have closed.
        """
        self.equity = equity
        self.peak = max(self.peak, equity)
        return [closed for fill in fills if (closed := self._see(fill)) is not None]

    def give_up(self, held: set[str]) -> None:
        """Forget entries that have come to nothing: neither filled nor held."""
        for coin in [coin for coin, trade in self.open.items() if not trade.open]:
            if coin not in held:
                del self.open[coin]

    def for_leverage(self, break_even: float | None) -> Record:
        """Put it as `plan_leverage` reads it."""
        streak = 0
        for trade in reversed(self.closed):
            if trade.won:
                break
            streak += 1
        drawdown = 1.0 - float(self.equity / self.peak) if self.peak > 0 else 0.0
        return Record(
            wins=sum(trade.won for trade in self.closed),
            trades=len(self.closed),
            drawdown=max(0.0, drawdown),
            loss_streak=streak,
            break_even=break_even,
        )

    def objection(self, model_id: str) -> str:
        """Say why a model in use must open nothing more; empty where nothing is against it."""
        said = [
            (trade.probability, trade.won)
            for trade in self.closed
            if trade.model_id == model_id and trade.probability is not None
        ][-JUDGED:]
        if len(said) < JUDGED:
            return ""
        count = len(said)
        won = sum(won for _, won in said) / count
        told = sum(p for p, _ in said) / count
        brier = sum((p - won) ** 2 for p, won in said) / count
        base = won * (1 - won)
        if brier > base + BRIER_WORSE_MAX:
            return (
                f"over its last {count} trades the Brier score is {brier:.3f}, the base rate's "
                f"{base:.3f}"
            )
        error = (sum(p * (1 - p) for p, _ in said)) ** 0.5 / count
        if told - won > ERRORS_MAX * error:
            return (
                f"over its last {count} trades {won:.0%} won, {told:.0%} were predicted: more than "
                f"{ERRORS_MAX:g} standard errors"
            )
        return ""

    def _see(self, fill: UserFill) -> ClosedTrade | None:
        before = Decimal(fill.startPosition)
        after = before + (Decimal(fill.sz) if fill.side == "B" else -Decimal(fill.sz))
        trade = self.open.get(fill.coin)
        if trade is None:
            trade = self.open[fill.coin] = OpenTrade()
        trade.open = True
        trade.net += Decimal(fill.closedPnl) - Decimal(fill.fee)
        if after * before > 0 or not before:
            return None
        del self.open[fill.coin]
        if after:
            self.open[fill.coin] = OpenTrade(open=True)
        closed = ClosedTrade(trade.net > 0, trade.probability, trade.model_id)
        self.closed = [*self.closed, closed][-KEPT:]
        self.since_training += 1
        self.count += 1
        return closed
