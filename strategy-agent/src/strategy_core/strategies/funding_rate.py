"""`funding_rate`: a market maker that leans toward the side that funding pays."""

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from strategy_core.building import Setup
from strategy_core.lattice import exact
from strategy_core.port import ZERO, Decision, Observation
from strategy_core.quoting.funding import (
    FundingTerms,
    lean_of,
    pays_to_hold,
    pays_to_leave,
    target_of,
)
from strategy_core.quoting.maker import CoinState, View
from strategy_core.quoting.prices import Market, Terms, half_spread
from strategy_core.quoting.stamps import FundingStamps
from strategy_core.sizing.targets import market_order
from strategy_core.strategies.fixed_spread import FixedSpread, Milliseconds, maker_of

Rate = Annotated[float, msgspec.Meta(gt=0, le=1)]


class FundingState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered over a restart; see `Maker` and `FundingOpinion`."""

    coins: dict[str, CoinState]
    longs_pay: dict[str, bool]
    leaving: list[str]


class FundingRate:
    """Quote both sides as `fixed_spread` does, leaning toward the side that funding pays."""

    class Params(FixedSpread.Params, frozen=True, kw_only=True):
        """Those of `fixed_spread`, and what funding does to the quotes.

        Attributes:
            kappa: how much of the expected funding goes into the quotes.
            horizon_hours: how long a fill is expected to be held.
            reference_rate: hourly rate; at half of it the wanted inventory is half the largest.
            stress_rate: hourly rate beyond which nothing is quoted.
            taker_fee, slippage: cost of leaving at the market, as fractions.
            stamp_window_ms: how long before a stamp it is decided what is held over it.
        """

        kappa: Annotated[float, msgspec.Meta(ge=0, le=10)] = 1.0
        horizon_hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 4.0
        reference_rate: Rate = 0.0001
        stress_rate: Rate = 0.0005
        taker_fee: Annotated[float, msgspec.Meta(ge=-0.01, le=0.01)] = 0.00045
        slippage: Annotated[float, msgspec.Meta(ge=0, le=0.05)] = 0.00005
        stamp_window_ms: Milliseconds = 300_000

    def __init__(self, setup: Setup, params: "FundingRate.Params") -> None:
        settings = params.settings()
        self._opinion = FundingOpinion(params, settings.terms)
        self._maker = maker_of(setup, params, opinion=self._opinion)
        self.needs = settings.needs(setup.symbols, funding=True)

    def remember(self) -> FundingState:
        """Tell what the maker knows of each coin, and where funding has turned."""
        return FundingState(
            coins=self._maker.remember(),
            longs_pay=dict(self._opinion.longs_pay),
            leaving=sorted(self._opinion.leaving),
        )

    def recall(self, state: Any) -> None:
        """Take it back."""
        known = msgspec.convert(state, FundingState)
        self._maker.recall(known.coins)
        self._opinion.longs_pay, self._opinion.leaving = known.longs_pay, set(known.leaving)

    def decide(self, observation: Observation) -> Decision:
        """Keep the quotes where they belong."""
        return self._maker.decide(observation)


class FundingOpinion:
    """What funding makes of each coin.

    Where the rate changes its sign while a position is held that now pays, the maker gets out of
    it: only the side that reduces it is quoted until it is gone or is paid again.

    Attributes:
        longs_pay: the sign of each coin's last rate that had one.
        leaving: coins whose position is being got rid of.
    """

    def __init__(self, params: FundingRate.Params, terms: Terms) -> None:
        self._quoting = terms
        self._terms = FundingTerms(
            kappa=exact(params.kappa),
            horizon_hours=exact(params.horizon_hours),
            reference_hourly=exact(params.reference_rate),
            stress_hourly=exact(params.stress_rate),
            maker_fee=exact(params.maker_fee),
            taker_fee=exact(params.taker_fee),
            slippage=exact(params.slippage),
            stamp_window_ms=params.stamp_window_ms,
        )
        self.longs_pay: dict[str, bool] = {}
        self.leaving: set[str] = set()

    def view(
        self, market: Market, size: Decimal, limit: Decimal, stamps: FundingStamps, now_ms: int
    ) -> View:
        """Look at one coin."""
        coin, rate = market.instrument.coin, stamps.rate_hourly
        self._note_flip(coin, size, rate)
        wake_ms, at_stamp = self._stamp(stamps, now_ms)
        if at_stamp and pays_to_leave(size, stamps.rate, self._terms):
            order = market_order(coin, -size, reduce_only=True)
            note = f"leaves {size.normalize():f} before it pays {float(stamps.rate):g}"
            return View(bids=False, asks=False, orders=(order,), wake_ms=wake_ms, note=note)
        if abs(rate) > self._terms.stress_hourly:
            note = f"is under stress: funding of {float(rate):g} an hour"
            return View(bids=False, asks=False, wake_ms=wake_ms, note=note)
        bids = asks = True
        if coin in self.leaving:
            bids, asks = size < 0, size > 0
        elif at_stamp and size * rate < 0 and pays_to_hold(stamps.rate, self._terms):
            bids, asks = size > 0, size < 0
        return View(
            lean=lean_of(rate, self._terms, half=half_spread(self._quoting, market)),
            target=target_of(rate, self._terms, limit=limit),
            bids=bids,
            asks=asks,
            wake_ms=wake_ms,
        )

    def _stamp(self, stamps: FundingStamps, now_ms: int) -> tuple[int | None, bool]:
        """When to look before the next stamp, and whether it is that time now."""
        due_ms = stamps.next_ms(now_ms)
        if due_ms is None:
            return None, False
        opens_ms = due_ms - self._terms.stamp_window_ms
        return opens_ms, now_ms >= opens_ms

    def _note_flip(self, coin: str, size: Decimal, rate: Decimal) -> None:
        """Begin to leave where the rate has turned against the position; end where it is over."""
        if size * rate <= ZERO:
            self.leaving.discard(coin)
        if rate == ZERO:
            return
        longs_pay = rate > ZERO
        flipped = self.longs_pay.get(coin, longs_pay) is not longs_pay
        self.longs_pay[coin] = longs_pay
        if flipped and size * rate > ZERO:
            self.leaving.add(coin)
