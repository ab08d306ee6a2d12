"""What is new of one account at the venue, made into rows of the store.

A sample is of one moment of the account: whatever of its fills, funding and transfers is stamped
with that moment is in it, or it is not taken. Where the venue's time stands still, more may happen
at the same time afterwards; that is in the next sample.
"""

import asyncio
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from suite.account_ledger import AccountLedger
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    LedgerRow,
    UserFill,
)
from suite.enums import Side
from suite.errors import UpstreamRefused
from suite.fixed import USD_DECIMALS, USD_ONE, Usd, parse_decimal, parse_fixed
from suite.ids import Cloid, Oid, TraderId, WorldId
from suite.instrument import is_perp
from trader_manager.application.venue_reads import FundingReceipt, VenueReads
from trader_manager.domain.records import EquitySample, OpenPosition, Positions, Trade

_TRIES: Final = 4
_PRICE_STEP: Final = Decimal("0.000001")


@dataclass(slots=True, kw_only=True)
class Recorded:
    """How far an account is recorded.

    Attributes:
        fill_ms: time of the newest fill; 0 before one.
        tids: fills at that time.
        fees_usd: of all fills; positive is paid.
        equity_ms: time of the newest sample; None before one.
    """

    fill_ms: int = 0
    tids: set[int] = field(default_factory=set)
    fees_usd: Decimal = Decimal(0)
    equity_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNews:
    """Rows that are not recorded.

    Attributes:
        sample: None where the account is as it was, not there yet, or moved while it was read.
        positions: None where the account is not there yet.
        moved: it moved whenever it was read, so there is no sample.
    """

    trades: tuple[Trade, ...] = ()
    sample: EquitySample | None = None
    positions: Positions | None = None
    moved: bool = False


class AccountReader:
    """Reads one account on from where it is recorded.

    Args:
        world: that the account is in.
        trader_id: whose it is.
        user: its address.
        recorded: how far; goes on with what is read.
    """

    def __init__(self, world: WorldId, trader_id: TraderId, user: str, recorded: Recorded) -> None:
        self._world = world
        self._trader_id = trader_id
        self._user = user
        self._recorded = recorded
        # Funding and transfers are in no table: they are read from the account's beginning.
        self._ledger = AccountLedger(user)
        self._received_usd = Decimal(0)
        self._funding_ms = 0
        self._paid: set[str] = set()

    async def read(self, venue: VenueReads) -> AccountNews:
        """Read what is new.

        Raises:
            SuiteError: the venue is away; nothing was taken in.
        """
        state = await venue.state(self._user)
        for _ in range(_TRIES):
            to_ms, user = state.time, self._user
            fills, funding, ledger = await asyncio.gather(
                venue.fills(user, from_ms=self._recorded.fill_ms, to_ms=to_ms),
                venue.funding(user, from_ms=self._funding_ms, to_ms=to_ms),
                venue.ledger(user, from_ms=self._ledger.newest_ms, to_ms=to_ms),
            )
            times = {*(row.time for row in fills), *(row.time for row in ledger)}
            if to_ms not in times | {row.time_ms for row in funding}:
                break
            again = await venue.state(user)
            if again == state:
                break
            state = again
        else:
            return self._take(state, fills, funding, ledger, is_steady=False)
        return self._take(state, fills, funding, ledger, is_steady=True)

    def _take(
        self,
        state: ClearinghouseState,
        fills: tuple[UserFill, ...],
        funding: tuple[FundingReceipt, ...],
        ledger: tuple[LedgerRow, ...],
        *,
        is_steady: bool,
    ) -> AccountNews:
        """Take what was read in, all of it or nothing.

        Raises:
            UpstreamRefused: something in it is no number.
        """
        recorded = self._recorded
        fresh = [row for row in fills if row.tid not in recorded.tids and is_perp(row.coin)]
        try:
            trades = tuple(self._trade(fill) for fill in fresh)
            positions = tuple(_position(row) for row in state.assetPositions)
            equity = Usd(parse_fixed(state.marginSummary.accountValue, USD_DECIMALS))
            notional = Usd(parse_fixed(state.marginSummary.totalNtlPos, USD_DECIMALS))
        except ValueError as error:
            raise UpstreamRefused(f"the venue tells an account that is {error}") from None
        self._note_fills(trades)
        self._note_funding(funding)
        self._ledger.add(ledger)
        if not (equity or positions or recorded.fill_ms or self._ledger.newest_ms):
            return AccountNews()  # nobody has opened it yet: that is unknown, and not 0 USD
        sample = None
        if is_steady and (recorded.equity_ms is None or state.time > recorded.equity_ms):
            recorded.equity_ms = state.time
            sample = EquitySample(
                world=self._world,
                trader_id=self._trader_id,
                time_ms=state.time,
                equity_usd=equity,
                net_deposits_usd=_micro(self._ledger.net_usd),
                fees_usd=_micro(recorded.fees_usd),
                funding_usd=_micro(-self._received_usd),
                notional_usd=notional,
            )
        return AccountNews(
            trades=trades,
            sample=sample,
            positions=Positions(
                world=self._world,
                trader_id=self._trader_id,
                time_ms=state.time,
                positions=positions,
            ),
            moved=not is_steady,
        )

    def _note_fills(self, trades: tuple[Trade, ...]) -> None:
        recorded = self._recorded
        for trade in trades:
            if trade.time_ms > recorded.fill_ms:
                recorded.fill_ms, recorded.tids = trade.time_ms, set()
            recorded.tids.add(trade.tid)
            recorded.fees_usd += trade.fee_usd

    def _note_funding(self, funding: tuple[FundingReceipt, ...]) -> None:
        for row in funding:
            if row.time_ms > self._funding_ms:
                self._funding_ms, self._paid = row.time_ms, set()
            if row.coin not in self._paid:
                self._paid.add(row.coin)
                self._received_usd += row.received_usd

    def _trade(self, fill: UserFill) -> Trade:
        return Trade(
            world=self._world,
            trader_id=self._trader_id,
            tid=fill.tid,
            oid=Oid(fill.oid),
            time_ms=fill.time,
            coin=fill.coin,
            side=Side.BUY if fill.side == "B" else Side.SELL,
            price=parse_decimal(fill.px),
            size=parse_decimal(fill.sz),
            start_position=parse_decimal(fill.startPosition),
            closed_pnl_usd=parse_decimal(fill.closedPnl),
            fee_usd=parse_decimal(fill.fee),
            is_taker=fill.crossed,
            direction=fill.dir,
            cloid=Cloid(fill.cloid) if isinstance(fill.cloid, str) else None,
        )


def _position(row: AssetPosition) -> OpenPosition:
    position = row.position
    size, value = parse_decimal(position.szi), parse_decimal(position.positionValue)
    price = position.liquidationPx
    return OpenPosition(
        coin=position.coin,
        size=size,
        entry_price=parse_decimal(position.entryPx),
        mark_price=(value / abs(size)).quantize(_PRICE_STEP) if size else Decimal(0),
        unrealized_pnl_usd=parse_decimal(position.unrealizedPnl),
        margin_used_usd=parse_decimal(position.marginUsed),
        leverage=position.leverage.value,
        liquidation_price=None if price is None else parse_decimal(price),
    )


def _micro(usd: Decimal) -> Usd:
    """Write USD in micro-USD; what a venue tells finer is rounded in the sum only."""
    return Usd(int((usd * USD_ONE).to_integral_value(ROUND_HALF_EVEN)))
