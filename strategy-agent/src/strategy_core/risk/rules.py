"""The rules of the gate, by the names that verdicts carry, in the order they are looked at."""

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule.

    Attributes:
        meaning: of a verdict that names it.
        limits: fields of `RiskLimits` that set it; empty for a rule of form.
        outcome: what it does to an order that may add, and to one that only reduces.
    """

    meaning: str
    limits: tuple[str, ...]
    outcome: str
    reducing: str


RULES: Final[dict[str, Rule]] = {
    "bad_form": Rule("it is no action, or a field has another type", (), "rejected", "rejected"),
    "unknown_coin": Rule(
        "not one of the trader's symbols, and no position to reduce", (), "rejected", "rejected"
    ),
    "bad_number": Rule(
        "not finite, of a size that no market has, or not positive where it must be",
        (),
        "rejected",
        "rejected",
    ),
    "outdated": Rule("decided on what was so too long ago", (), "rejected", "passes"),
    "moved_on": Rule("decided on another price, or another position", (), "rejected", "passes"),
    "too_many_actions": Rule(
        "more in one decision than allowed",
        ("max_actions",),
        "rejected",
        "passes at the market, of others a hundred",
    ),
    "stopped": Rule("the trader is STOPPED", ("drawdown_stop",), "rejected", "passes"),
    "paused": Rule(
        "the trader is PAUSED: by a person, for the day, by the drawdown, by too many executions, "
        "by old data",
        (
            "max_day_loss",
            "drawdown_pause",
            "max_executions",
            "market_data_age_s",
            "account_age_s",
        ),
        "rejected",
        "passes",
    ),
    "coin_paused": Rule(
        "something is unclear about this coin, e.g. the fate of an order", (), "rejected", "passes"
    ),
    "cool_down": Rule(
        "the coin rests after losses in a row or a liquidation",
        ("loss_streak", "loss_cool_down_minutes", "liquidation_cool_down_minutes"),
        "rejected",
        "passes",
    ),
    "no_price": Rule("there is nothing to judge its worth by", (), "rejected", "passes"),
    "lot": Rule("size down to the lot; 0 is refused", (), "clamped", "clamped"),
    "tick": Rule("price to the tick", (), "clamped", "clamped"),
    "min_notional": Rule(
        "opens or adds less than 10 USD; never made larger", (), "rejected", "passes"
    ),
    "collar": Rule(
        "its limit is worse than the mid by more than allowed",
        ("price_collar", "exit_price_collar"),
        "rejected",
        "clamped",
    ),
    "trigger_side": Rule(
        "a stop or target on the side where it fires at once", (), "rejected", "rejected"
    ),
    "would_cross": Rule("post-only, and beyond the last known touch", (), "rejected", "passes"),
    "reduce_only": Rule(
        "larger than what it could reduce beside the limit orders before it; "
        "with nothing to reduce it is refused",
        (),
        "passes",
        "clamped",
    ),
    "max_coin_exposure": Rule("exposure of the coin", ("max_coin_exposure",), "clamped", "passes"),
    "max_leverage": Rule(
        "exposure of the account; the leverage set", ("max_leverage",), "clamped", "passes"
    ),
    "max_order_notional": Rule(
        "what one order opens or adds", ("max_order_notional",), "clamped", "passes"
    ),
    "margin": Rule("the margin that is free, fees included", (), "clamped", "passes"),
    "margin_removal": Rule(
        "margin may be added only: taking it out brings liquidation nearer",
        (),
        "rejected",
        "rejected",
    ),
    "max_open_orders": Rule("orders at rest", ("max_open_orders",), "rejected", "passes"),
    "max_orders_per_minute": Rule(
        "orders within 60 s", ("max_orders_per_minute",), "rejected", "passes"
    ),
    "duplicate": Rule(
        "the same order was let through just before", ("duplicate_window_s",), "rejected", "passes"
    ),
}
