"""What a trader made: from its own fills, held against its account to the micro-USDC.

In order of trust: its fills and its account say the same; its account alone; what was last known,
with its age; nothing. An unknown profit is None, and never 0.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

from suite.fixed import USD_ONE, Usd

Source = Literal["fills", "account", "last_known", "unknown"]
"""What a profit goes by, the best first."""

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An account at one moment of the venue, micro-USD.

    Attributes:
        equity_usd: cash and unrealized PnL; may be negative.
        net_deposits_usd: paid in less taken out since it began.
        fees_usd: since then; positive when paid.
        funding_usd: since then; negative when paid.
        llm_cost_usd: bill of the models since then; no part of equity.
        notional_usd: sum of abs(size) x mark.
    """

    time_ms: int
    equity_usd: Usd
    net_deposits_usd: Usd
    fees_usd: Usd
    funding_usd: Usd
    llm_cost_usd: Usd = Usd(0)
    notional_usd: Usd = Usd(0)

    @property
    def profit_usd(self) -> Usd:
        """What the account says was made, micro-USD."""
        return Usd(self.equity_usd - self.net_deposits_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFill:
    """What a sum needs of a fill.

    Attributes:
        realized_usd: USD, before the fee.
        fee_usd: USD; positive is paid.
        value_usd: price x size, USD.
    """

    tid: int
    time_ms: int
    realized_usd: Decimal
    fee_usd: Decimal
    value_usd: Decimal


@dataclass(slots=True, kw_only=True)
class FillSums:
    """Sums over fills up to a moment, USD.

    Attributes:
        wins, losses: fills that realized a gain, a loss.
    """

    fills: int = 0
    wins: int = 0
    losses: int = 0
    realized_usd: Decimal = _ZERO
    fees_usd: Decimal = _ZERO
    traded_usd: Decimal = _ZERO
    gain_usd: Decimal = _ZERO
    loss_usd: Decimal = _ZERO


class FillBook:
    """Fills of one trader, summed up to the moment of a sample.

    Attributes:
        sums: up to the last moment asked for.
        reached_ms: time of the newest fill, -1 before one.
    """

    def __init__(self) -> None:
        self.sums = FillSums()
        self.reached_ms = -1
        self._at_reached: set[int] = set()
        self._waiting: deque[OwnFill] = deque()

    def add(self, fills: Iterable[OwnFill]) -> list[OwnFill]:
        """Take fills in, by rising time.

        Returns:
            Those that were not known.
        """
        new = []
        for fill in fills:
            if fill.time_ms < self.reached_ms or fill.tid in self._at_reached:
                continue
            if fill.time_ms > self.reached_ms:
                self.reached_ms, self._at_reached = fill.time_ms, set()
            self._at_reached.add(fill.tid)
            self._waiting.append(fill)
            new.append(fill)
        return new

    def up_to(self, time_ms: int) -> FillSums:
        """Sum what happened until then; moments only rise."""
        sums = self.sums
        while self._waiting and self._waiting[0].time_ms <= time_ms:
            fill = self._waiting.popleft()
            sums.fills += 1
            sums.realized_usd += fill.realized_usd
            sums.fees_usd += fill.fee_usd
            sums.traded_usd += fill.value_usd
            if fill.realized_usd > 0:
                sums.wins += 1
                sums.gain_usd += fill.realized_usd
            elif fill.realized_usd < 0:
                sums.losses += 1
                sums.loss_usd += fill.realized_usd
        return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """What a trader made so far, micro-USD; None where nobody knows.

    `net = realized + unrealized + funding - fees`, whatever it goes by.

    Attributes:
        source: what it goes by.
        realized_usd: by fills, before fees.
        unrealized_usd: of its positions.
        fees_usd: positive when paid.
        funding_usd: negative when paid.
        net_usd: all of it.
        difference_usd: what its own fills say less what its account does; 0 where both were
            compared and say the same, None where they could not be.
    """

    source: Source
    realized_usd: Usd | None = None
    unrealized_usd: Usd | None = None
    fees_usd: Usd | None = None
    funding_usd: Usd | None = None
    net_usd: Usd | None = None
    difference_usd: Usd | None = None


UNKNOWN: Final = Profit(source="unknown")


def rounding_of(sums: FillSums, positions: int) -> Usd:
    """How far sums of rounded figures may be from their account's, micro-USD.

    Half a micro-USD for the profit and half a one for the fee of each fill, half a one for each
    position and for the account's own equity; of each that is told to the micro-USD.

    Args:
        sums: over fills.
        positions: that are held.
    """
    return Usd(sums.fills + -(-(positions + 1) // 2))


def reckon(
    sample: Sample,
    sums: FillSums,
    unrealized_usd: Usd | None,
    rounding_usd: Usd = Usd(0),
) -> Profit:
    """Reckon a profit from fills, and hold it against the account.

    Args:
        sample: of the account.
        sums: over its fills up to that moment.
        unrealized_usd: of its positions at that moment, micro-USD; None where they are of another.
        rounding_usd: a difference that the venue's own rounding explains, micro-USD: within it
            both say the same, and the account is believed to the last digit.
    """
    realized, fees = micro(sums.realized_usd), micro(sums.fees_usd)
    settled = Usd(realized - fees + sample.funding_usd)
    account = sample.profit_usd
    if unrealized_usd is None:
        # The rest of what the account says; all that can be compared are the fees.
        difference = Usd(sample.fees_usd - fees)
        if difference:
            return _differing(of_account(sample, difference), rounding_usd)
        return Profit(
            source="fills",
            realized_usd=realized,
            unrealized_usd=Usd(account - settled),
            fees_usd=fees,
            funding_usd=sample.funding_usd,
            net_usd=account,
        )
    difference = Usd(settled + unrealized_usd - account)
    if difference:
        return _differing(of_account(sample, difference, unrealized_usd), rounding_usd)
    return Profit(
        source="fills",
        realized_usd=realized,
        unrealized_usd=unrealized_usd,
        fees_usd=fees,
        funding_usd=sample.funding_usd,
        net_usd=account,
        difference_usd=Usd(0),
    )


def _differing(told: Profit, rounding_usd: Usd) -> Profit:
    is_rounding = abs(told.difference_usd or 0) <= rounding_usd
    return replace(told, source="fills") if is_rounding else told


def of_account(
    sample: Sample, difference: Usd | None = None, unrealized: Usd | None = None
) -> Profit:
    """Go by an account alone.

    Args:
        sample: of it.
        difference: what fills say less what it does, micro-USD; None where they were not compared.
        unrealized: of its positions, micro-USD; None where that is not known.
    """
    account = sample.profit_usd
    realized = (
        None
        if unrealized is None
        else Usd(account - unrealized + sample.fees_usd - sample.funding_usd)
    )
    return Profit(
        source="account",
        realized_usd=realized,
        unrealized_usd=unrealized,
        fees_usd=sample.fees_usd,
        funding_usd=sample.funding_usd,
        net_usd=account,
        difference_usd=difference,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The sum over traders beside the sum over their accounts, micro-USD.

    Attributes:
        compared: traders of which both are known at one moment.
        traders_usd: what their own fills say that they made.
        accounts_usd: what their accounts say.
        rounding_usd: how far the venue's own rounding may put them apart; 0 where it tells exactly.
        not_compared: the others.
    """

    compared: int
    traders_usd: Usd
    accounts_usd: Usd
    rounding_usd: Usd = Usd(0)
    not_compared: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether both are equal, to the micro-USDC where the venue tells exactly."""
        return abs(self.traders_usd - self.accounts_usd) <= self.rounding_usd


def micro(usd: Decimal) -> Usd:
    """Write USD in micro-USD; what a venue tells finer is rounded in the sum only."""
    return Usd(int((usd * USD_ONE).to_integral_value(ROUND_HALF_EVEN)))
