"""What is new of one account at the venue, made into rows of the store.

A sample is of one moment of the account: whatever of its fills, funding and transfers is stamped
with that moment is in it, or it is not taken. Where the venue's time stands still, more may happen
at the same time afterwards; that is in the next sample.

Cash and sizes of the account say whether anything happened to it: while they are as they were,
nothing else is read, and what explains a change to the last digit ends the search for more. What
they cannot tell, as two fills that cancel each other out, is found at the next change, or within
`_EVERYTHING_MS`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Final

from suite.account_ledger import AccountLedger
from suite.bars import HOUR_MS
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
from trader_manager.domain.records import (
    EquitySample,
    FundingPayment,
    OpenPosition,
    Positions,
    Trade,
)

_TRIES: Final = 4
_EVERYTHING_MS: Final = 6 * HOUR_MS
"""Between two times that everything is read whatever the account says, the venue's time."""
_PRICE_STEP: Final = Decimal("0.000001")


@dataclass(slots=True, kw_only=True)
class Recorded:
    """How far an account is recorded.

    Attributes:
        fill_ms: time of the newest fill; 0 before one.
        tids: fills at that time.
        fees_usd: of all fills; positive is paid.
        funding_ms: time of the newest funding payment; 0 before one.
        coins: that were paid for at that time.
        received_usd: by all funding payments.
        equity_ms: time of the newest sample; None before one.
    """

    fill_ms: int = 0
    tids: set[int] = field(default_factory=set)
    fees_usd: Decimal = Decimal(0)
    funding_ms: int = 0
    coins: set[str] = field(default_factory=set)
    received_usd: Decimal = Decimal(0)
    equity_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """An account of which everything up to a moment is read.

    Attributes:
        cash_usd: what the venue calls `totalRawUsd`.
        sizes: signed, by coin.
    """

    cash_usd: Decimal
    sizes: Mapping[str, Decimal]


@dataclass(slots=True, kw_only=True)
class _Read:
    """What was read of an account."""

    fills: tuple[UserFill, ...] = ()
    funding: tuple[FundingReceipt, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()

    def times(self) -> set[int]:
        """Tell the moments at which something happened."""
        return {
            *(row.time for row in self.fills),
            *(row.time_ms for row in self.funding),
            *(row.time for row in self.ledger),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNews:
    """Rows that are not recorded.

    Attributes:
        sample: None where the account is as it was, not there yet, or moved while it was read.
        positions: None where the account is not there yet.
        moved: it moved whenever it was read, so there is no sample.
    """

    trades: tuple[Trade, ...] = ()
    funding: tuple[FundingPayment, ...] = ()
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
        # Transfers are in no table: they are read from the account's beginning.
        self._ledger = AccountLedger(user)
        self._standing: _Standing | None = None
        self._everything_ms: int | None = None

    async def read(self, venue: VenueReads) -> AccountNews:
        """Read what is new.

        Raises:
            SuiteError: the venue is away; nothing was taken in.
        """
        state = await venue.state(self._user)
        read, is_steady = _Read(), False
        for _ in range(_TRIES):
            standing = _standing(state)
            is_due = self._everything_ms is None or (
                state.time - self._everything_ms >= _EVERYTHING_MS
            )
            if standing == self._standing and not is_due:
                is_steady = True
                break
            read = await self._read(venue, state.time, standing, everything=is_due)
            if state.time not in read.times():
                is_steady = True
                break
            again = await venue.state(self._user)
            if again == state:
                is_steady = True
                break
            state = again
        return self._take(state, read, is_steady=is_steady)

    async def _read(
        self, venue: VenueReads, to_ms: int, standing: _Standing, *, everything: bool
    ) -> _Read:
        """Read what happened up to a moment: all, or what explains how the account stands."""
        user, recorded, known = self._user, self._recorded, self._standing
        fills = partial(venue.fills, user, from_ms=recorded.fill_ms, to_ms=to_ms)
        funding = partial(venue.funding, user, from_ms=recorded.funding_ms, to_ms=to_ms)
        ledger = partial(venue.ledger, user, from_ms=self._ledger.newest_ms, to_ms=to_ms)
        if everything or known is None:
            rows = await asyncio.gather(fills(), funding(), ledger())
            self._everything_ms = to_ms
            return _Read(fills=rows[0], funding=rows[1], ledger=rows[2])
        read = _Read()
        moved = standing.sizes != known.sizes
        for what in ("fills", "funding", "ledger") if moved else ("funding", "fills", "ledger"):
            match what:
                case "fills":
                    read.fills = await fills()
                case "funding":
                    read.funding = await funding()
                case _:
                    read.ledger = await ledger()
            if known.cash_usd + self._cash_of(read) == standing.cash_usd and (
                not moved or read.fills
            ):
                break
        return read

    def _cash_of(self, read: _Read) -> Decimal:
        """What those of some rows that are new made of the cash.

        Raises:
            UpstreamRefused: something in them is no number.
        """
        try:
            cash = sum((_cash_of(fill) for fill in self._fresh(read.fills)), Decimal(0))
        except ValueError as error:
            raise UpstreamRefused(f"the venue tells a fill that is {error}") from None
        return cash + sum((row.received_usd for row in self._unpaid(read.funding)), Decimal(0))

    def _fresh(self, fills: Sequence[UserFill]) -> list[UserFill]:
        tids = self._recorded.tids
        return [row for row in fills if row.tid not in tids and is_perp(row.coin)]

    def _unpaid(self, funding: Sequence[FundingReceipt]) -> list[FundingReceipt]:
        recorded = self._recorded
        return [
            row
            for row in funding
            if row.time_ms > recorded.funding_ms or row.coin not in recorded.coins
        ]

    def _take(self, state: ClearinghouseState, read: _Read, *, is_steady: bool) -> AccountNews:
        """Take what was read in, all of it or nothing.

        Raises:
            UpstreamRefused: something in it is no number.
        """
        recorded = self._recorded
        try:
            trades = tuple(self._trade(fill) for fill in self._fresh(read.fills))
            positions = tuple(_position(row) for row in state.assetPositions)
            equity = Usd(parse_fixed(state.marginSummary.accountValue, USD_DECIMALS))
            notional = Usd(parse_fixed(state.marginSummary.totalNtlPos, USD_DECIMALS))
        except ValueError as error:
            raise UpstreamRefused(f"the venue tells an account that is {error}") from None
        funding = tuple(self._payment(row) for row in self._unpaid(read.funding))
        self._note_fills(trades)
        self._note_funding(funding)
        self._ledger.add(read.ledger)
        self._standing = _standing(state) if is_steady else None
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
                funding_usd=_micro(recorded.received_usd),
                notional_usd=notional,
            )
        return AccountNews(
            trades=trades,
            funding=funding,
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

    def _note_funding(self, funding: Sequence[FundingPayment]) -> None:
        recorded = self._recorded
        for row in funding:
            if row.time_ms > recorded.funding_ms:
                recorded.funding_ms, recorded.coins = row.time_ms, set()
            recorded.coins.add(row.coin)
            recorded.received_usd += row.received_usd

    def _payment(self, row: FundingReceipt) -> FundingPayment:
        return FundingPayment(
            world=self._world,
            trader_id=self._trader_id,
            time_ms=row.time_ms,
            coin=row.coin,
            received_usd=row.received_usd,
        )

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


def _standing(state: ClearinghouseState) -> _Standing:
    """Read how an account stands.

    Raises:
        UpstreamRefused: something in it is no number.
    """
    try:
        return _Standing(
            cash_usd=parse_decimal(state.marginSummary.totalRawUsd),
            sizes={
                row.position.coin: parse_decimal(row.position.szi) for row in state.assetPositions
            },
        )
    except ValueError as error:
        raise UpstreamRefused(f"the venue tells an account that is {error}") from None


def _cash_of(fill: UserFill) -> Decimal:
    """What a fill made of the cash: its value, and its fee."""
    value = parse_decimal(fill.px) * parse_decimal(fill.sz)
    return (-value if fill.side == "B" else value) - parse_decimal(fill.fee)


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
