"""What an account made and paid since a time, from its own fills and funding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from suite.account.events import FundingPayment
from suite.contracts.hyperliquid_info import UserFill
from suite.fixed import parse_decimal

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlAndFees:
    """Realized result, USD, exact.

    Attributes:
        realized_pnl: of what was closed, before fees and funding.
        fees: positive was paid.
        funding: positive was received.
        volume: traded notional.
        fills: how many there were.
    """

    realized_pnl: Decimal = _ZERO
    fees: Decimal = _ZERO
    funding: Decimal = _ZERO
    volume: Decimal = _ZERO
    fills: int = 0

    @property
    def net(self) -> Decimal:
        """What is left of it: realized, less fees, with funding."""
        return self.realized_pnl - self.fees + self.funding

    def __add__(self, other: "PnlAndFees") -> "PnlAndFees":
        return PnlAndFees(
            realized_pnl=self.realized_pnl + other.realized_pnl,
            fees=self.fees + other.fees,
            funding=self.funding + other.funding,
            volume=self.volume + other.volume,
            fills=self.fills + other.fills,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlReport:
    """The same of the whole account and by coin.

    Attributes:
        start_ms: since when, that time included.
        complete: the fills reach back to it; else it is the result of those there are.
    """

    start_ms: int
    complete: bool
    total: PnlAndFees = PnlAndFees()
    by_coin: Mapping[str, PnlAndFees] = field(default_factory=dict)


def fetch_pnl_and_fees(
    start_time: int,
    *,
    fills: Iterable[UserFill],
    fundings: Iterable[FundingPayment],
    known_from_ms: int = 0,
) -> PnlReport:
    """Sum up fills and funding; each is counted once by whoever keeps them.

    Args:
        start_time: epoch ms, included.
        fills: of the account, in any order.
        fundings: of the account, in any order.
        known_from_ms: since when every fill and payment is among them.

    Raises:
        ValueError: something is no number.

    Source: venue documentation, "Fills", read 2026-11: `closedPnl` excludes the fee.
    """
    by_coin: dict[str, PnlAndFees] = {}
    for fill in fills:
        if fill.time >= start_time:
            made = PnlAndFees(
                realized_pnl=parse_decimal(fill.closedPnl),
                fees=parse_decimal(fill.fee),
                volume=parse_decimal(fill.px) * parse_decimal(fill.sz),
                fills=1,
            )
            by_coin[fill.coin] = by_coin.get(fill.coin, PnlAndFees()) + made
    for paid in fundings:
        if paid.time >= start_time:
            received = PnlAndFees(funding=parse_decimal(paid.usdc))
            by_coin[paid.coin] = by_coin.get(paid.coin, PnlAndFees()) + received
    return PnlReport(
        start_ms=start_time,
        complete=known_from_ms <= start_time,
        total=sum(by_coin.values(), PnlAndFees()),
        by_coin=by_coin,
    )
