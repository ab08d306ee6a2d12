"""Drift as it is published: how far the orders of live trading were from the model, in sums."""

from typing import Literal

import msgspec

Outcome = Literal["both", "live_only", "model_only", "neither", "unknown"]
"""Who filled an order; `unknown` where the bars to play it on were not collected."""


class DriftSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The orders of a trader, or of all, in numbers.

    Attributes:
        trader_id: `*` of all together.
        orders: that were sent.
        outcomes: how many of each.
        price_bps_mean, price_bps_median, price_bps_worst: how much worse the live price was, basis
            points of the model's; negative is better. Over orders that both filled, None without.
        fee_bps_mean: how much more was paid, likewise.
        latency_ms_p50, latency_ms_p99: from the decision to the venue's answer, of orders that took
            at once; None without.
        cost_usd: what price and fee cost more than in the model, decimal text.
    """

    trader_id: str
    orders: int
    outcomes: dict[Outcome, int]
    price_bps_mean: float | None
    price_bps_median: float | None
    price_bps_worst: float | None
    fee_bps_mean: float | None
    latency_ms_p50: int | None
    latency_ms_p99: int | None
    cost_usd: str


class DriftSums(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /drift/summary`: a report without a row an order.

    Attributes:
        as_of_ms, since_ms: wall time of the report, and from when on orders are in it.
        summaries: by trader; of more than one, all of them first.
        absent: orders that were sent and that the venue does not show, by trader.
        foreign: orders at the venue that nobody here has sent, by trader.
    """

    as_of_ms: int
    since_ms: int
    summaries: tuple[DriftSummary, ...]
    absent: dict[str, int]
    foreign: dict[str, int]
