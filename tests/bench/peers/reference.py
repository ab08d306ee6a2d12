"""The work in plain Python, a second opinion on every engine, and the rules by which they differ.

An engine that reads the work otherwise is compared with this text under the rules it is known for.
"""

from collections.abc import Callable, Collection, Iterator

from common import (
    BRACKET_SIZE,
    CROSS_SIZE,
    DISTANCE,
    FAST,
    HALF_SPREAD,
    MAKER,
    QUOTE_CAP,
    QUOTE_SIZE,
    SLOW,
    TAKER,
    TREND,
    Outcome,
    Series,
    around,
    mean,
    turns,
)

RULES = {
    "first_bar": "its first decision comes a bar later",
    "last_bar": "it decides nothing after the last bar",
    "market_at_close": "a market order trades at the close it was decided on",
    "open_first": "the next open meets what rests before the strategy acts",
    "long_only": "one direction a run: the long half",
    "limit_at_price": "a limit that the open is already beyond fills at its own price",
    "legs_later": "take-profit and stop act from the bar after the entry",
    "exit_seen_later": "an exit is seen a bar later, and so the next entry comes a bar later",
    "off_grid": "take-profit and stop are not rounded to the price grid",
}
CONVENTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ours, jitted", "b"): ("open_first", "last_bar"),
    ("ours, jitted", "c"): ("open_first", "last_bar"),
    ("ours, callback", "b"): ("open_first", "last_bar"),
    ("ours, callback", "c"): ("open_first", "last_bar"),
    ("raptorbt", "a"): ("long_only",),
    ("raptorbt callback", "c"): ("legs_later", "exit_seen_later", "limit_at_price"),
    ("vectorbt", "c"): ("market_at_close", "exit_seen_later", "off_grid"),
    ("hftbacktest", "b"): ("last_bar", "limit_at_price"),
    ("backtesting.py", "b"): ("first_bar",),
    ("backtesting.py", "c"): ("first_bar",),
    ("backtrader", "c"): ("legs_later",),
    ("nautilus", "a"): ("market_at_close",),
    ("nautilus", "c"): ("market_at_close",),
}
"""Rules of an engine in a work; it reads the work as we do where it is not named."""

Rules = Collection[str]
Prices = tuple[float, float, float, float]


class Account:
    """Cash that trades change."""

    def __init__(self) -> None:
        self.cash = self.position = 0.0
        self.fills = 0

    def trade(self, change: float, price: float, fee: float) -> None:
        """Signed size at a price."""
        self.cash -= change * price + abs(change) * price * fee
        self.position = round(self.position + change, 5)
        self.fills += 1

    def outcome(self, orders: int, close: float) -> Outcome:
        """What has become of it."""
        return Outcome(orders, self.fills, self.cash + self.position * close)


def cross(series: Series, rules: Rules) -> Outcome:
    """(a)"""
    [(up, down)] = turns(series, [(FAST, SLOW)])
    at_close, account, orders = "market_at_close" in rules, Account(), 0
    target_below = 0.0 if "long_only" in rules else -CROSS_SIZE
    for bar in (up | down).nonzero()[0].tolist():
        change = (CROSS_SIZE if up[bar] else target_below) - account.position
        if change == 0:
            continue
        orders += 1
        if at_close:
            account.trade(change, series.close[bar], TAKER)
        elif bar + 1 < series.bars:
            account.trade(change, series.open[bar + 1], TAKER)
    return account.outcome(orders, series.close[-1])


class Pair:
    """A bid and an ask; None where there is none."""

    def __init__(self, account: Account, rules: Rules) -> None:
        self._account, self._at_price = account, "limit_at_price" in rules
        self._bid: float | None = None
        self._ask: float | None = None

    def meet(self, opened: float, high: float, low: float, fee: float = MAKER) -> None:
        """Fill what a bar or a print reaches."""
        if self._bid is not None and low <= self._bid:
            price = self._bid if self._at_price else min(self._bid, opened)
            self._account.trade(QUOTE_SIZE, price, fee)
            self._bid = None
        if self._ask is not None and high >= self._ask:
            price = self._ask if self._at_price else max(self._ask, opened)
            self._account.trade(-QUOTE_SIZE, price, fee)
            self._ask = None

    def renew(self, close: float) -> int:
        """Quote around a close; how many quotes that are."""
        held = self._account.position
        self._bid = around(close, -HALF_SPREAD) if held < QUOTE_CAP else None
        self._ask = around(close, HALF_SPREAD) if held > -QUOTE_CAP else None
        return (self._bid is not None) + (self._ask is not None)


def quotes(series: Series, rules: Rules) -> Outcome:
    """(b)"""
    account, orders, opens = Account(), 0, series.open.tolist()
    pair, first = Pair(account, rules), int("first_bar" in rules)
    end = series.bars - ("last_bar" in rules)
    for bar, (opened, high, low, close) in enumerate(rows(series)):
        pair.meet(opened, high, low)
        if not first <= bar < end:
            continue
        coming = opens[bar + 1] if "open_first" in rules and bar + 1 < series.bars else None
        if coming is not None:
            pair.meet(coming, coming, coming)
        orders += pair.renew(close)
        if coming is not None:
            pair.meet(coming, coming, coming, TAKER)
    return account.outcome(orders, series.close[-1])


def bracket(series: Series, rules: Rules) -> Outcome:
    """(c)"""
    account, orders, waiting, opens = Account(), 0, False, series.open.tolist()
    side, take, stop = 0, 0.0, 0.0
    end = series.bars - ("last_bar" in rules)
    trend = (mean(series.ticks[3], TREND) / 10).tolist()
    first, level = TREND - 1 + ("first_bar" in rules), off_grid if "off_grid" in rules else around
    for bar, prices in enumerate(rows(series)):
        close, acting = prices[3], not (waiting and "legs_later" in rules)
        if waiting:
            account.trade(side * BRACKET_SIZE, prices[0], TAKER)
            waiting = False
        price = leg_met(side, take, stop, prices, rules) if account.position and acting else None
        if price is not None and "exit_seen_later" in rules:
            first = bar + 1
        if price is None and account.position and "open_first" in rules and bar + 1 < end:
            price = leg_met(side, take, stop, 4 * (opens[bar + 1],), rules)
        if price is not None:
            account.trade(-side * BRACKET_SIZE, price, TAKER)
        if account.position or not first <= bar < end:
            continue
        side = 1 if close > trend[bar] else -1
        take, stop = level(close, side * DISTANCE), level(close, -side * DISTANCE)
        orders += 3
        waiting = "market_at_close" not in rules
        if not waiting:
            account.trade(side * BRACKET_SIZE, close, TAKER)
    return account.outcome(orders, series.close[-1])


def leg_met(side: int, take: float, stop: float, prices: Prices, rules: Rules) -> float | None:
    """Where a bar ends a position; of both legs in one bar the stop comes first."""
    opened, high, low, _ = prices
    worst, best = (low, high) if side > 0 else (high, low)
    if side * (stop - worst) >= 0:
        return side * min(side * stop, side * opened)
    if side * (best - take) >= 0:
        return take if "limit_at_price" in rules else side * max(side * take, side * opened)
    return None


def off_grid(close: float, distance: int) -> float:
    """A level as it comes."""
    return close * (1 + distance / 10_000)


def rows(series: Series) -> Iterator[Prices]:
    """Open, high, low and close of each bar."""
    columns = (series.open, series.high, series.low, series.close)
    return zip(*(column.tolist() for column in columns), strict=True)


WORKS: dict[str, Callable[[Series, Rules], Outcome]] = {"a": cross, "b": quotes, "c": bracket}


def same(one: Outcome, other: Outcome) -> bool:
    """Equal but for fees that are rounded, at most a micro-dollar a fill, and for half a cent."""
    if one.profit is None or other.profit is None or one.fills != other.fills:
        return False
    counted = one.orders is None or other.orders is None or one.orders == other.orders
    return counted and bool(abs(one.profit - other.profit) <= 0.005 + 1e-6 * (one.fills or 0))
