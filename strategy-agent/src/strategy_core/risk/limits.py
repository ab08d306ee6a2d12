"""What `risk` of a trader may say. No limit can be switched off: each has a default and a bound."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, le=0.5)]
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one trader; sizes are relative to its equity, so they hold for every account.

    Attributes:
        max_leverage: gross exposure of the account over its equity; also the highest leverage that
            may be set.
        max_coin_exposure: exposure of one coin over equity.
        max_order_notional: what one order may open or add, over equity.
        max_actions: orders and changes of leverage in one decision that do more than reduce; as
            given for up to 2 coins, see `scaled`.
        max_open_orders: orders resting, protective ones counted too; for up to 3 coins.
        max_orders_per_minute: orders that may add, in any 60 s; for up to 5 coins.
        max_executions: fills that opened or added since a person last started or resumed it.
        max_day_loss: loss since 00:00 UTC as a fraction of the equity then; pauses it for the day.
        at_day_loss: whether positions are then closed, or held.
        drawdown_pause, drawdown_stop: loss from the highest equity, a fraction of that.
        price_collar, exit_price_collar: how much worse than the mid an order's limit may be.
        duplicate_window_s: how long the same order counts as sent by mistake.
        loss_streak: losing trades in a row on a coin after which it rests.
        loss_cool_down_minutes, liquidation_cool_down_minutes: how long a coin rests.
        market_data_age_s, account_age_s: age from which what is known is no ground for new risk;
            two bars where that is less.
        heal_s: how long a trouble must be over before new risk is taken again.
    """

    max_leverage: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    max_coin_exposure: Annotated[float, msgspec.Meta(gt=0, le=100)] = 3.0
    max_order_notional: Annotated[float, msgspec.Meta(gt=0, le=20)] = 2.0
    max_actions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    max_open_orders: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    max_orders_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1200)] = 300
    max_executions: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    max_day_loss: Share = 0.03
    at_day_loss: Literal["close", "hold"] = "close"
    drawdown_pause: Annotated[float, msgspec.Meta(gt=0, le=0.9)] = 0.10
    drawdown_stop: Annotated[float, msgspec.Meta(gt=0, le=0.95)] = 0.20
    price_collar: Annotated[float, msgspec.Meta(gt=0, le=0.2)] = 0.02
    exit_price_collar: Share = 0.05
    duplicate_window_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 2.0
    loss_streak: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    loss_cool_down_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 60
    liquidation_cool_down_minutes: Annotated[int, msgspec.Meta(ge=1, le=10080)] = 60
    market_data_age_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    account_age_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 20.0
    heal_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0

    def __post_init__(self) -> None:
        if self.drawdown_pause >= self.drawdown_stop:
            raise ValueError(
                f"drawdown_pause ({self.drawdown_pause:g}) must be below drawdown_stop "
                f"({self.drawdown_stop:g})"
            )

    def staleness(
        self, *, interval_ms: int, market_age_ms: int, account_age_ms: int
    ) -> tuple[str, ...]:
        """Say which of the things known are too old for new risk.

        Args:
            interval_ms: of the trader's bars.
            market_age_ms, account_age_ms: since the stream last proved to be alive.

        Returns:
            Of `stale_market` and `stale_account` those that hold, as `RiskGate.begin` takes them.
        """
        ages = (
            ("stale_market", market_age_ms, self.market_data_age_s),
            ("stale_account", account_age_ms, self.account_age_s),
        )
        return tuple(name for name, age, most in ages if age > min(2 * interval_ms, most * 1000))


def scaled(symbols: int) -> dict[str, int]:
    """Default limits on numbers of orders for a trader of several coins.

    A maker may quote 10 levels on both sides of each coin, places them at once and renews them
    within a minute; what protects its inventory rests beside them.

    Args:
        symbols: how many coins.
    """
    return {
        name: min(most, max(least, each * symbols))
        for name, least, each, most in (
            ("max_actions", 50, 20, 1000),
            ("max_open_orders", 100, 30, 1000),
            ("max_orders_per_minute", 300, 60, 1200),
        )
    }


YARDSTICK: Final[Mapping[str, Any]] = {
    "at_day_loss": "hold",
    "max_day_loss": 0.5,
    "drawdown_pause": 0.9,
    "drawdown_stop": 0.95,
}
"""Defaults of a baseline that measures the market: bought once, without borrowing, and kept."""
