"""`fixed_spread`: post-only quotes at a fixed distance on both sides of the mid."""

from typing import Annotated, Any, TypeAlias

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.lattice import exact
from strategy_core.port import Decision, Observation
from strategy_core.quoting.maker import (
    Amount,
    CoinState,
    Maker,
    NoOpinion,
    Opinion,
    Settings,
    Timing,
)
from strategy_core.quoting.prices import Terms, least_spread
from strategy_core.quoting.refreshing import Tolerance

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Fee = Annotated[float, msgspec.Meta(ge=-0.01, le=0.01)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
Money: TypeAlias = float | str


class FixedSpread:
    """Quote both sides of the mid at a fixed spread, leaning against the inventory."""

    class Params(building.Params, frozen=True, kw_only=True):
        """Where quotes stand and when they move; distances are fractions of the mid.

        Attributes:
            spread: full width; refused below twice `maker_fee + adverse`.
            order_notional, max_inventory: of one coin, USD (`250`) or of equity (`"2%"`).
            inventory_skew: how far a full inventory moves both quotes, in half-spreads.
            levels, level_step, level_decay: quotes a side; distance of each further one in
                half-spreads; its size over that of the one before.
            maker_fee: of a fill as maker; negative is a rebate.
            adverse: how far the price is expected to go against a fill.
            volatility_factor, volatility_minutes: the half-spread is at least this many average
                true ranges (14 bars of these minutes); 0 for none.
            refresh_tolerance: price a quote may be off, in half-spreads (a tick always).
            size_tolerance: size it may be off, as a fraction of it.
            max_age_ms: when it is placed anew at the latest.
            fill_delay_ms, refresh_pause_ms, jump, jump_window_ms, stale_ms, stamp_pause_ms: when
                quotes wait or are taken away; see `docs/market-making.md`.
            book: read the best prices of every coin; without, quotes keep a tick from the mid.
            weighted_mid: quote around the mid weighted with the sizes at the touch.
            funding_hours: interval of funding until the venue has shown it.
        """

        spread: Annotated[float, msgspec.Meta(gt=0, le=0.2)] = 0.001
        order_notional: Money = "1%"
        max_inventory: Money = "5%"
        inventory_skew: Share = 1.0
        levels: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
        level_step: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0
        level_decay: Annotated[float, msgspec.Meta(gt=0, le=2)] = 1.0
        maker_fee: Fee = 0.00015
        adverse: Annotated[float, msgspec.Meta(ge=0, le=0.05)] = 0.0001
        volatility_factor: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
        volatility_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 1
        refresh_tolerance: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.15
        size_tolerance: Share = 0.1
        max_age_ms: Annotated[int, msgspec.Meta(ge=1000)] = 300_000
        fill_delay_ms: Milliseconds = 2_000
        refresh_pause_ms: Milliseconds = 1_000
        jump: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 3.0
        jump_window_ms: Annotated[int, msgspec.Meta(ge=1000, le=3_600_000)] = 5_000
        stale_ms: Milliseconds = 2_000
        stamp_pause_ms: Milliseconds = 0
        book: bool = True
        weighted_mid: bool = False
        funding_hours: Annotated[int, msgspec.Meta(ge=1, le=24)] = 1

        def __post_init__(self) -> None:
            least = least_spread(maker_fee=exact(self.maker_fee), adverse=exact(self.adverse))
            if exact(self.spread) < least:
                raise ValueError(
                    f"spread {self.spread:g} is below 2 * maker_fee + 2 * adverse = "
                    f"{float(least):g}: every round trip would lose (SPREAD_BELOW_COST)"
                )
            order, inventory = Amount.parse(self.order_notional), Amount.parse(self.max_inventory)
            if order.of_equity == inventory.of_equity and order.value > inventory.value:
                raise ValueError(
                    f"order_notional ({self.order_notional}) must not be above max_inventory "
                    f"({self.max_inventory})"
                )
            if self.weighted_mid and not self.book:
                raise ValueError("weighted_mid needs book")

        def settings(self) -> Settings:
            """Put them as the maker works with them."""
            return Settings(
                terms=Terms(
                    spread=exact(self.spread),
                    maker_fee=exact(self.maker_fee),
                    adverse=exact(self.adverse),
                    skew=exact(self.inventory_skew),
                    levels=self.levels,
                    level_step=exact(self.level_step),
                    level_decay=exact(self.level_decay),
                    volatility_factor=exact(self.volatility_factor),
                ),
                tolerance=Tolerance(
                    price=exact(self.refresh_tolerance),
                    size=exact(self.size_tolerance),
                    age_ms=self.max_age_ms,
                ),
                timing=Timing(
                    fill_delay_ms=self.fill_delay_ms,
                    refresh_pause_ms=self.refresh_pause_ms,
                    stale_ms=self.stale_ms,
                    jump=exact(self.jump),
                    jump_window_ms=self.jump_window_ms,
                    stamp_pause_ms=self.stamp_pause_ms,
                ),
                order=Amount.parse(self.order_notional),
                inventory=Amount.parse(self.max_inventory),
                book=self.book,
                weighted_mid=self.weighted_mid,
                atr_block=str(self.volatility_minutes) if self.volatility_factor else "",
                funding_hours=self.funding_hours,
            )

    def __init__(self, setup: Setup, params: "FixedSpread.Params") -> None:
        self._maker = maker_of(setup, params, opinion=NoOpinion())
        self.needs = params.settings().needs(setup.symbols, funding=False)

    def remember(self) -> dict[str, CoinState]:
        """Tell what the maker knows of each coin."""
        return self._maker.remember()

    def recall(self, state: Any) -> None:
        """Let it know that again."""
        self._maker.recall(msgspec.convert(state, dict[str, CoinState]))

    def decide(self, observation: Observation) -> Decision:
        """Keep the quotes where they belong."""
        return self._maker.decide(observation)


def maker_of(setup: Setup, params: FixedSpread.Params, *, opinion: Opinion) -> Maker:
    """Build the maker of one trader."""
    return Maker(
        params.settings(),
        symbols=setup.symbols,
        instruments=setup.instruments,
        interval_ms=setup.interval_ms,
        opinion=opinion,
    )
