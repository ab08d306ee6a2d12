"""Where an account stands: how much of its equity keeps positions open, and what would end them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

import msgspec

from strategy_core.numbers import check_number
from strategy_core.port import ZERO, Instruments, Observation
from suite.contracts.clock import AccountView, PositionView
from suite.fixed import RATE_ONE, USD_ONE, Rate
from suite.instrument import Instrument

EVERYTHING = Decimal("Infinity")
"""Share of an equity that is gone."""


class Backing(msgspec.Struct, frozen=True, kw_only=True):
    """One position and what stands behind it.

    Attributes:
        size: signed, units of the coin.
        mark: USD.
        rate: maintenance, fraction of the notional; None when unknown.
        equity: of the pool behind it, USD: the account's, or the position's own margin.
        maintenance: of that pool, USD.
        liquidation_price: as the venue tells it, USD.
        told: whether the venue told it; else it is worked out.
        funding: paid since the position was opened, USD; negative when received.
    """

    size: Decimal
    mark: Decimal
    rate: Decimal | None
    equity: Decimal
    maintenance: Decimal
    liquidation_price: Decimal | None = None
    told: bool = False
    funding: Decimal = ZERO

    @property
    def usage(self) -> Decimal | None:
        """Maintenance over equity, 1 at liquidation; None when unknown."""
        if self.rate is None:
            return None
        return self.maintenance / self.equity if self.equity > 0 else EVERYTHING

    def price_at(self, usage: Decimal) -> Decimal | None:
        """Price of the coin at which maintenance reaches a share of equity, all else equal.

        Both change with the price p: `M + |q| r (p - p0) = usage * (E + q (p - p0))`.

        Args:
            usage: maintenance over equity; 1 is liquidation.

        Returns:
            USD; None when no price above 0 does it.

        Source: venue documentation, "Liquidations", read 2026-11, solved for the price.
        """
        if self.rate is None:
            return None
        slope = abs(self.size) * self.rate - usage * self.size
        if not slope:
            return None
        price = self.mark + (usage * self.equity - self.maintenance) / slope
        return price if price > 0 else None

    @property
    def liquidation(self) -> Decimal | None:
        """Price, USD, at which the venue would act; None when there is none."""
        return self.liquidation_price if self.told else self.price_at(Decimal(1))


@dataclass(frozen=True, slots=True)
class Standing:
    """All positions of an account at one time."""

    backings: Mapping[str, Backing] = field(default_factory=dict)

    @property
    def usage(self) -> Decimal | None:
        """Highest usage of any pool; None without a known one."""
        known = [item.usage for item in self.backings.values() if item.usage is not None]
        return max(known) if known else None


def standing_of(
    observation: Observation,
    instruments: Instruments,
    account: AccountView | None,
    *,
    marks_are_old: bool,
) -> Standing:
    """Work out where an account stands.

    Args:
        observation: what is known.
        instruments: margin tiers of each coin.
        account: the venue's own report that the observation is of, where there is one: isolated
            margin, liquidation prices and funding count then. Without one every position counts
            as cross.
        marks_are_old: read each mark from the position's own report.

    Raises:
        ArithmeticError: the report is of nonsense.
    """
    told = account is not None
    if account is not None:
        _check(account, observation.positions.values())
    marks: dict[str, Decimal] = {}
    rates: dict[str, Decimal | None] = {}
    needed: dict[str, Decimal] = {}
    maintenance = ZERO
    for coin, position in observation.positions.items():
        mark = marks[coin] = _mark(position, observation, marks_are_old=marks_are_old)
        notional, instrument = abs(position.size) * mark, instruments.get(coin)
        rate = rates[coin] = maintenance_rate(instrument, notional) if instrument else None
        needed[coin] = notional * (rate or ZERO)
        if not (told and position.isolated):
            maintenance += needed[coin]
    equity = observation.equity if account is None else account.cross_equity
    backings: dict[str, Backing] = {}
    for coin, position in observation.positions.items():
        alone = told and position.isolated
        backings[coin] = Backing(
            size=position.size,
            mark=marks[coin],
            rate=rates[coin],
            equity=position.margin_used if alone else equity,
            maintenance=needed[coin] if alone else maintenance,
            liquidation_price=position.liquidation_px if told else None,
            told=told,
            funding=position.funding if told else ZERO,
        )
    return Standing(backings)


def _check(account: AccountView, positions: Iterable[PositionView]) -> None:
    check_number(account.cross_equity)
    for held in positions:
        check_number(held.margin_used)
        check_number(held.funding)
        if held.liquidation_px is not None:
            check_number(held.liquidation_px)


def maintenance_rate(instrument: Instrument, notional: Decimal) -> Decimal:
    """Maintenance rate of the tier that a notional lies in, as a fraction.

    Args:
        instrument: of the coin.
        notional: USD.
    """
    usd = notional * USD_ONE
    for tier in reversed(instrument.tiers):
        if tier.lower_bound_usd <= usd:
            return _fraction(tier.maintenance)
    return _fraction(instrument.tiers[-1].maintenance)


@lru_cache(maxsize=256)
def _fraction(rate: Rate) -> Decimal:
    return Decimal(rate) / RATE_ONE


def _mark(position: PositionView, observation: Observation, *, marks_are_old: bool) -> Decimal:
    """Mark of a coin; from the position's own gain where there is no fresh one."""
    mid = observation.mids.get(position.coin)
    if mid is not None and mid > 0 and not marks_are_old:
        return mid
    return position.entry_px + position.unrealized_pnl / position.size
