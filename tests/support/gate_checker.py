"""A second opinion on the gate of the live venue: each limit in the plainest words.

It knows what the gate cannot: the account as it is at the venue, and everything that is still on
its way there. It shares no code with the gate and reads the words of the wire for itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass
class OpenOrder:
    """An order at the venue, or on its way to it; sizes in coins, prices in USD."""

    coin: str
    is_buy: bool
    price: Decimal
    left: Decimal
    reduce_only: bool
    oid: int = 0
    cloid: str | None = None
    stop: Decimal | None = None
    rests: bool = True
    replaces: int | None = None

    @property
    def content(self) -> tuple[object, ...]:
        return (self.coin, self.is_buy, self.price, self.left, self.reduce_only, self.stop)


@dataclass
class TrueAccount:
    """An account as it is."""

    positions: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    resting: dict[int, OpenOrder] = field(default_factory=dict)
    flying: list[OpenOrder] = field(default_factory=list)

    def worst_usd(self, mids: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Worth of the largest position that could come about in each coin."""
        found = {}
        for coin, mid in mids.items():
            held = self.positions[coin]
            buys = sells = ZERO
            for order in (*self.resting.values(), *self.flying):
                if order.coin == coin and not order.reduce_only:
                    worth = order.left * max(order.price, order.stop or ZERO, mid)
                    buys += worth if order.is_buy else ZERO
                    sells += ZERO if order.is_buy else worth
            long_usd = (held if held > 0 else ZERO) * mid + buys
            short_usd = (-held if held < 0 else ZERO) * mid + sells
            found[coin] = max(long_usd, short_usd)
        return found


@dataclass
class GateChecker:
    """Looks at everything that was let through, with a memory of its own.

    Args:
        limits: by trader; numbers of USD and of the wire.
        overall: over all.
    """

    limits: Mapping[str, Mapping[str, Any]]
    overall: Mapping[str, Any]
    breaches: list[str] = field(default_factory=list)
    times: list[tuple[str, float, int]] = field(default_factory=list)
    contents: dict[str, list[tuple[float, tuple[object, ...]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def passed(
        self,
        who: str,
        orders: list[OpenOrder],
        accounts: Mapping[str, TrueAccount],
        mids: Mapping[str, Decimal],
        now_s: float,
        known: Mapping[str, Any],
    ) -> None:
        """Check an action that was let through; its orders are on their way by now.

        Args:
            who: trader.
            orders: that it places.
            accounts: as they are, with what is on its way.
            mids: in USD.
            now_s: of a clock.
            known: what the trader's facts said: `fresh`, `executions`, `lost`, `below`,
                `all_lost`.
        """
        limits, adding = self.limits[who], [one for one in orders if not one.reduce_only]
        if not adding:
            self._left(who, orders, now_s)
            return
        if not known["fresh"]:
            self._found("it was let through on stale facts")
        for name, limit in (("executions", "max_executions"), ("lost", "max_day_loss"),
                            ("below", "max_drawdown")):  # fmt: skip
            if known[name] >= limits[limit]:
                self._found(f"{name} {known[name]}")
        if known["all_lost"] >= self.overall["max_day_loss"]:
            self._found("all have lost too much")
        for order in adding:
            self._order(order, limits, mids)
        self._exposure(who, {one.coin for one in adding}, accounts, mids)
        resting = sum(one.rests for one in (*accounts[who].resting.values(), *accounts[who].flying))
        if any(one.rests for one in orders) and resting > limits["max_open_orders"]:
            self._found(f"{resting} orders rest")
        self._rates(who, orders, now_s)

    def leverage(self, who: str, coin: str, leverage: int, *, fresh: bool) -> None:
        """Check a choice of leverage that was let through."""
        limits = self.limits[who]
        if leverage > limits["max_leverage"] or coin not in limits["symbols"] or not fresh:
            self._found(f"leverage {leverage} in {coin}")

    def _order(
        self, order: OpenOrder, limits: Mapping[str, Any], mids: Mapping[str, Decimal]
    ) -> None:
        if order.coin not in limits["symbols"]:
            self._found(f"an order in {order.coin}")
            return
        mid = mids[order.coin]
        if order.left * max(order.price, order.stop or ZERO, mid) > limits["max_order"]:
            self._found("an order is too large")
        base = order.stop if order.stop is not None else mid
        far = order.price / base - 1 if order.is_buy else 1 - order.price / base
        if far > limits["collar"]:
            self._found(f"a price is {far} beyond")

    def _exposure(
        self,
        who: str,
        coins: set[str],
        accounts: Mapping[str, TrueAccount],
        mids: Mapping[str, Decimal],
    ) -> None:
        """Check what could come about; a coin that is not added to may have grown by its price."""
        worst = {name: account.worst_usd(mids) for name, account in accounts.items()}
        for coin, usd in worst[who].items():
            if coin in coins and usd > self.limits[who]["max_position"]:
                self._found(f"{coin} may come to {usd}")
        if sum(worst[who].values()) > self.limits[who]["max_account"]:
            self._found(f"the account may come to {sum(worst[who].values())}")
        gross = sum(sum(one.values()) for one in worst.values())
        if gross > self.overall["max_gross"]:
            self._found(f"all may come to {gross}")

    def _rates(self, who: str, orders: list[OpenOrder], now_s: float) -> None:
        limits = self.limits[who]
        recent = {
            content for at_s, content in self.contents[who] if now_s - at_s < limits["duplicate_s"]
        }
        for order in orders:
            if not order.reduce_only and order.content in recent:
                self._found("an order left twice")
            recent.add(order.content)
        self._left(who, orders, now_s)
        of_who = [(at_s, count) for name, at_s, count in self.times if name == who]
        for limit, within_s, times in (
            (limits["max_orders_per_s"], 1, of_who),
            (limits["max_orders_per_minute"], 60, of_who),
            (self.overall["max_orders_per_s"], 1, [one[1:] for one in self.times]),
        ):
            if _count(times, now_s, within_s) > limit:
                self._found(f"{_count(times, now_s, within_s)} orders within {within_s} s")

    def _left(self, who: str, orders: list[OpenOrder], now_s: float) -> None:
        self.times.append((who, now_s, len(orders)))
        if any(not one.reduce_only for one in orders):
            self.contents[who] += [(now_s, one.content) for one in orders]

    def _found(self, breach: str) -> None:
        self.breaches.append(breach)


def _count(times: Iterable[tuple[float, int]], now_s: float, within_s: int) -> int:
    return sum(count for at_s, count in times if now_s - at_s < within_s)
