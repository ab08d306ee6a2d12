"""One trader as it is followed: what it is, what it made, how old that is."""

from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from portfolio_service.application.manager import (
    HeldPosition,
    ManagedTrader,
    NewOfTrader,
    flaw_of,
    is_figure,
)
from portfolio_service.domain.curves import Curve
from portfolio_service.domain.profit import (
    UNKNOWN,
    FillBook,
    FillSums,
    OwnFill,
    Profit,
    Sample,
    micro,
    reckon,
    rounding_of,
)
from portfolio_service.domain.risk import Held
from portfolio_service.domain.statuses import SeenTrader, Status, status_of
from suite.contracts.fills import TradeRow
from suite.fixed import Usd

RECENT = 200
"""Fills that are kept of one trader."""


@dataclass(slots=True)
class Followed:
    """A trader.

    Attributes:
        managed: what the manager says of it; None where it says nothing any more.
        seen_s: when its last sample came, by the process's clock that never goes back; seen_ms:
            the same by the wall's.
        recalled: what is known of it is of before this process began.
        differs_s: since when fills and account say different things; None while they do not.
        flaw: why its newest records cannot be read; empty where they can.
        rounds: the venue rounds what it tells of fills, so that sums may be off by as much.
    """

    trader_id: str
    managed: ManagedTrader | None = None
    removed: bool = False
    status: Status = "unknown"
    status_reason: str = "nothing is known of it yet"
    book: FillBook = field(default_factory=FillBook)
    curve: Curve = field(default_factory=Curve)
    sample: Sample | None = None
    positions: tuple[HeldPosition, ...] = ()
    positions_ms: int | None = None
    profit: Profit = UNKNOWN
    sums: FillSums = field(default_factory=FillSums)
    recent: list[TradeRow] = field(default_factory=list)
    seen_s: float = 0.0
    seen_ms: int = 0
    recalled: bool = False
    differs_s: float | None = None
    flaw: str = ""
    rounds: bool = False

    # what the manager says

    def take_row(self, row: ManagedTrader) -> None:
        """Take in what is seen of it."""
        self.managed, self.removed = row, False
        told = row.status
        seen = SeenTrader(
            desired=row.desired,
            actual=row.actual,
            state=told.state if told else "",
            says=told.status if told else "",
            trouble=_trouble(row),
        )
        self.status, self.status_reason = status_of(seen, self.status)

    def lose_row(self, why: str) -> None:
        """The manager does not say anything of anybody."""
        if not self.removed and self.status != "PAUSED":
            self.status, self.status_reason = "unknown", why

    def remove(self) -> None:
        """The manager knows it no more."""
        self.removed, self.status = True, "STOPPED"
        self.status_reason = "the manager has it no more"

    # what is recorded

    def take_records(self, new: NewOfTrader, now_s: float, now_ms: int, venue_ms: int) -> int:
        """Take in what is new; how many fills there were."""
        self.flaw = flaw_of(new)
        if self.flaw:  # what was known last is shown
            return 0
        fills = self.book.add(map(_own, new.trades))
        if fills:
            known = {one.tid for one in fills}
            self.recent = [*self.recent, *(one for one in new.trades if one.tid in known)][-RECENT:]
        if new.positions is not None:
            self.positions, self.positions_ms = new.positions, new.positions_ms
        columns = (
            *(new.time_ms, new.equity_usd, new.net_deposits_usd, new.fees_usd),
            *(new.funding_usd, new.llm_cost_usd, new.notional_usd),
        )
        came = False
        for row in zip(*columns, strict=True):
            if self.curve.add(row[0], row[1], row[2], row[5]):
                came, self.sample = True, _sample(*row)
        if came and self.sample is not None:
            known_ago_s = max(0, venue_ms - self.sample.time_ms) / 1000
            # Of what is there at the first look nobody saw when it came.
            is_first = self.seen_s == 0.0 or self.recalled
            self.seen_s = now_s - (known_ago_s if is_first else 0.0)
            self.seen_ms, self.recalled = now_ms, False
        if came or fills or self.differs_s is not None:
            self.reckon(now_s)
        return len(fills)

    def reckon(self, now_s: float) -> None:
        """Reckon its profit anew, as of its last sample."""
        if self.sample is None:
            return
        self.sums = self.book.up_to(self.sample.time_ms)
        at_once = self.positions_ms == self.sample.time_ms
        unrealized = micro(sum((one.unrealized_pnl_usd for one in self.positions), Decimal(0)))
        rounding = self.rounding_usd
        self.profit = reckon(self.sample, self.sums, Usd(unrealized) if at_once else None, rounding)
        if self.profit.source == "fills":
            self.differs_s = None
        elif self.differs_s is None:
            self.differs_s = now_s

    @property
    def rounding_usd(self) -> Usd:
        """How far its fills may be from its account by the venue's own rounding, micro-USD."""
        return rounding_of(self.sums, len(self.positions)) if self.rounds else Usd(0)

    def forget_records(self) -> None:
        """Begin its records anew; what was known last is shown until they are there."""
        self.book, self.curve = FillBook(), Curve()
        self.recent.clear()
        self.differs_s = None

    def is_stale(self, now_s: float, venue_ms: int | None, after_s: float) -> bool:
        """Whether what is known of its money is too old to be its present.

        Old by both clocks: a venue may stand still, or run a thousand times as fast.

        Args:
            now_s: by the process's clock.
            venue_ms: the venue's time; None where that is not known either.
            after_s: how old it may be.
        """
        if self.sample is None or self.recalled or self.flaw:
            return True
        if now_s - self.seen_s <= after_s:
            return False
        return venue_ms is None or venue_ms - self.sample.time_ms > after_s * 1000

    # what follows from it

    def told_profit(self, *, stale: bool) -> Profit:
        """Its profit, said to be of before where it is."""
        if self.profit.net_usd is None or not stale:
            return self.profit
        return replace(self.profit, source="last_known", difference_usd=None)

    @property
    def equity_usd(self) -> int | None:
        """Micro-USD; None where nobody knows."""
        return None if self.sample is None else self.sample.equity_usd

    @property
    def is_flat(self) -> bool:
        """It is known to hold nothing."""
        return self.positions_ms is not None and not any(one.size for one in self.positions)

    @property
    def told_allocation(self) -> int | None:
        """What its process says that it may use, micro-USD; None for all of its account."""
        status = self.managed.status if self.managed else None
        if status is None or not status.allocation:
            return None
        try:
            told = Decimal(status.allocation)
        except InvalidOperation:
            return None
        return micro(told) if is_figure(told) else None

    @property
    def held(self) -> tuple[Held, ...]:
        """Its positions, as risk sees them."""
        return tuple(
            Held(
                trader_id=self.trader_id,
                coin=one.coin,
                size=float(one.size),
                mark=float(one.mark_price),
                liquidation=None if one.liquidation_price is None else float(one.liquidation_price),
            )
            for one in self.positions
        )

    def health(self, *, stale: bool) -> float:
        """How far it can be relied on at present, 0 to 1."""
        status = self.managed.status if self.managed else None
        if status is None or stale or self.removed or self.status in {"unknown", "STOPPED"}:
            return 0.0
        health = 1.0
        if self.profit.source != "fills":
            health *= 0.5
        if any(name != "user" for name in status.causes):
            health *= 0.5
        if status.connection not in {"connected", ""}:
            health *= 0.5
        if status.decisions:
            health *= 1.0 - min(1.0, status.faults / status.decisions)
        return round(health, 4)


def _trouble(row: ManagedTrader) -> str:
    told = row.status
    if told is not None:
        causes = "; ".join(why or name for name, why in told.causes.items())
        return told.error or told.lost_reason or causes or row.problem
    return row.problem or row.reason


def _own(fill: TradeRow) -> OwnFill:
    return OwnFill(
        tid=fill.tid,
        time_ms=fill.time_ms,
        realized_usd=fill.closed_pnl_usd,
        fee_usd=fill.fee_usd,
        value_usd=fill.price * fill.size,
    )


def _sample(*row: int) -> Sample:
    time_ms, equity, deposits, fees, funding, cost, notional = row
    return Sample(
        time_ms=time_ms,
        equity_usd=Usd(equity),
        net_deposits_usd=Usd(deposits),
        fees_usd=Usd(fees),
        funding_usd=Usd(funding),
        llm_cost_usd=Usd(cost),
        notional_usd=Usd(notional),
    )
