"""A market maker's turn: from an observation to the orders that keep its quotes where they belong.

What differs between two makers is their `View` of a coin: where the mid leans, which inventory is
wanted, which side shall not be quoted.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

from strategy_core.port import ZERO, Decision, Instruments, Needs, Observation
from strategy_core.quoting.prices import (
    ONE,
    Inventory,
    Market,
    Quotes,
    Terms,
    clip,
    cost_of_side,
    half_spread,
    quotes_of,
)
from strategy_core.quoting.refreshing import Judge, Resting, Tolerance
from strategy_core.quoting.stamps import FundingStamps, StampsState
from suite.contracts.clock import WakeOn
from suite.contracts.venue import Action, CancelOrder
from suite.fixed import parse_decimal

_FILL: Final = WakeOn(fill=True)
_LIGHT_BLOCK: Final = "1440"
"""Block of a snapshot that changes once a day: the cheapest way to be shown the book."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, either in USD or as a share of equity."""

    value: Decimal
    of_equity: bool

    @classmethod
    def parse(cls, raw: float | str) -> "Amount":
        """Read `250` (USD) or `"2.5%"` (of equity).

        Raises:
            ValueError: not positive, or neither of the two.
        """
        text = str(raw).strip()
        share = text.endswith("%")
        try:
            value = parse_decimal(text.removesuffix("%").strip())
        except ValueError:
            raise ValueError(f'{text[:20]!r} is neither USD (250) nor of equity ("2%")') from None
        if value <= 0:
            raise ValueError(f"{text[:20]!r} is not positive")
        return cls(value / 100 if share else value, share)

    def usd(self, equity: Decimal) -> Decimal:
        """How much it is now."""
        return self.value * max(ZERO, equity) if self.of_equity else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When quotes are left alone or taken away; 0 turns a rule off.

    Attributes:
        fill_delay_ms: pause of a side after it was filled.
        refresh_pause_ms: least time between two changes of a coin's quotes.
        stale_ms: age from which a shown book is no book.
        jump: move of the mid, in half-spreads, that takes all quotes of the coin away.
        jump_window_ms: over which it is measured; where decisions come further apart, the limit
            grows with the square root of the time between them.
        stamp_pause_ms: nothing rests this long before and after a funding stamp.
    """

    fill_delay_ms: int
    refresh_pause_ms: int
    stale_ms: int
    jump: Decimal
    jump_window_ms: int
    stamp_pause_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that two makers have in common.

    Attributes:
        order: worth of the first level, a coin.
        inventory: worth of the largest position, a coin.
        book: ask for the best prices, else keep a tick from the mid itself.
        weighted_mid: quote around the mid weighted with the sizes at the touch.
        atr_block: minutes of the bars whose true range widens the spread; empty for none.
        funding_hours: interval of funding until two stamps were seen.
    """

    terms: Terms
    tolerance: Tolerance
    timing: Timing
    order: Amount
    inventory: Amount
    book: bool
    weighted_mid: bool
    atr_block: str
    funding_hours: int

    def needs(self, symbols: tuple[str, ...], *, funding: bool) -> Needs:
        """What every observation shall hold."""
        stamps = funding or self.timing.stamp_pause_ms > 0
        if not (self.book or self.atr_block or stamps):
            return Needs()
        if self.atr_block:
            return Needs(snapshots=symbols, intervals=(self.atr_block,))
        return Needs(snapshots=symbols, intervals=(_LIGHT_BLOCK,), bars=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a maker thinks of one coin now.

    Attributes:
        lean: where the mid is thought to be, beside the shown one, as a fraction.
        target: inventory that is wanted.
        bids, asks: whether the side is quoted.
        orders: to be sent besides.
        wake_ms: when to look again, None for no time of its own.
        note: for the journal; empty when there is nothing to say.
    """

    lean: Decimal = ZERO
    target: Decimal = ZERO
    bids: bool = True
    asks: bool = True
    orders: tuple[Action, ...] = ()
    wake_ms: int | None = None
    note: str = ""


NEUTRAL: Final = View()


class Opinion(Protocol):
    """Forms a maker's view of a coin."""

    def view(
        self, market: Market, size: Decimal, limit: Decimal, stamps: FundingStamps, now_ms: int
    ) -> View:
        """Look at one coin.

        Args:
            market: of the coin.
            size: held, signed.
            limit: largest size.
            stamps: its funding.
            now_ms: the venue's time.
        """
        ...


class NoOpinion:
    """Quotes around the mid, wants nothing."""

    def view(
        self, market: Market, size: Decimal, limit: Decimal, stamps: FundingStamps, now_ms: int
    ) -> View:
        """Look at one coin."""
        del market, size, limit, stamps, now_ms
        return NEUTRAL


@dataclass(slots=True)
class _Coin:
    """What is remembered of one coin, all of it shown or done before.

    Attributes:
        mids: times and mids, the first at least a jump window old where there is such a one.
        filled_ms: time of the last maker fill, by whether it bought.
        changed_ms: when quotes were last placed or moved.
        due_ms: from when on quotes may be placed or moved again.
    """

    stamps: FundingStamps
    mids: deque[tuple[int, Decimal]] = field(default_factory=deque)
    filled_ms: dict[bool, int] = field(default_factory=dict)
    changed_ms: int | None = None
    due_ms: int = 0


class CoinState(msgspec.Struct, frozen=True, kw_only=True):
    """What a maker remembers of one coin over a restart; see `_Coin`."""

    stamps: StampsState
    mids: tuple[tuple[int, Decimal], ...]
    bought_ms: int | None
    sold_ms: int | None
    changed_ms: int | None
    due_ms: int


@dataclass(slots=True)
class _Turn:
    """Actions and notes of one decision as they come together.

    Attributes:
        wakes: when the coin at hand shall be looked at again.
        next_ms: when any shall.
    """

    next_ms: int
    cancels: list[Action] = field(default_factory=list)
    moves: list[Action] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wakes: list[int] = field(default_factory=list)
    kept: int = 0


class Maker:
    """Keeps the quotes of one trader.

    A coin's quotes are placed and moved at the trader's interval, when the coin was filled or its
    mid has reached a quote, and when a pause of it is over. Between these, whatever else wakes the
    trader, they are only taken away.

    Args:
        settings: how.
        symbols: coins.
        instruments: lattice of each.
        interval_ms: between two decisions.
        opinion: of the coins.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        symbols: tuple[str, ...],
        instruments: Instruments,
        interval_ms: int,
        opinion: Opinion,
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._interval_ms = interval_ms
        self._opinion = opinion
        self._coins = {coin: _Coin(FundingStamps(settings.funding_hours)) for coin in symbols}

    def remember(self) -> dict[str, "CoinState"]:
        """Tell what is known of each coin."""
        return {
            coin: CoinState(
                stamps=memory.stamps.remember(),
                mids=tuple(memory.mids),
                bought_ms=memory.filled_ms.get(True),
                sold_ms=memory.filled_ms.get(False),
                changed_ms=memory.changed_ms,
                due_ms=memory.due_ms,
            )
            for coin, memory in self._coins.items()
        }

    def recall(self, coins: Mapping[str, "CoinState"]) -> None:
        """Know it again."""
        for coin, state in coins.items():
            memory = self._coins[coin]
            memory.stamps.recall(state.stamps)
            memory.mids.extend(state.mids)
            filled = {True: state.bought_ms, False: state.sold_ms}
            memory.filled_ms = {side: at for side, at in filled.items() if at is not None}
            memory.changed_ms, memory.due_ms = state.changed_ms, state.due_ms

    def decide(self, seen: Observation) -> Decision:
        """Answer one observation."""
        for fill in seen.fills:
            if fill.coin in self._coins and not fill.crossed:
                memory = self._coins[fill.coin]
                memory.filled_ms[fill.side == "B"] = fill.time
                memory.due_ms = seen.now_ms
        resting: dict[str, list[Resting]] = {}
        for order in seen.open_orders:
            # reduce-only orders protect the position and are somebody else's
            if not order.reduceOnly:
                resting.setdefault(order.coin, []).append(Resting.read(order))
        boundary = (seen.now_ms // self._interval_ms + 1) * self._interval_ms
        turn = _Turn(boundary)
        for coin, memory in self._coins.items():
            self._turn_of(coin, seen, resting.get(coin, []), turn)
            if memory.due_ms <= seen.now_ms:
                memory.due_ms = boundary
            ahead = [wake for wake in turn.wakes if wake > seen.now_ms]
            memory.due_ms = min([memory.due_ms, *ahead])
            turn.next_ms = min(turn.next_ms, memory.due_ms)
            turn.wakes.clear()
        counts = {"canceled": len(turn.cancels), "sent": len(turn.moves), "kept": turn.kept}
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return Decision(
            actions=(*turn.cancels, *turn.moves),
            reasoning=", ".join([f"quotes: {said or 'none'}", *turn.notes]),
            until_ms=turn.next_ms,
            wake_on=_FILL,
        )

    def _turn_of(self, coin: str, seen: Observation, resting: list[Resting], turn: _Turn) -> None:
        """Quote one coin."""
        memory, snapshot = self._coins[coin], seen.snapshots.get(coin)
        memory.stamps.see(snapshot)
        market = self._market(coin, seen, snapshot)
        limit = self._settings.inventory.usd(seen.capital)
        if market is None or limit <= 0:
            turn.cancels.extend(_all_of(coin, resting))
            turn.notes.append(f"{coin} has no {'equity' if market else 'fresh book'}")
            return
        size = seen.size_of(coin)
        view = self._opinion.view(market, size, limit / market.mid, memory.stamps, seen.now_ms)
        turn.moves.extend(view.orders)
        turn.wakes.extend([] if view.wake_ms is None else [view.wake_ms])
        if view.note:
            turn.notes.append(f"{coin} {view.note}")
        pause = self._pause(memory, market, seen.now_ms, turn)
        if pause or not (view.bids or view.asks):
            turn.cancels.extend(_all_of(coin, resting))
            turn.notes.extend([f"{coin} {pause}"] if pause else [])
            return
        if self._in_danger(resting, market.mid, size * market.mid / limit):
            memory.due_ms = min(memory.due_ms, seen.now_ms)
        if memory.due_ms > seen.now_ms and view.bids and view.asks:
            turn.kept += len(resting)
            return
        quotes = quotes_of(
            self._settings.terms,
            market,
            Inventory(size=size, limit=limit / market.mid, target=view.target),
            base=self._settings.order.usd(seen.capital) / market.mid,
            lean=view.lean,
        )
        self._refresh(
            memory,
            market,
            resting,
            Quotes(quotes.bids if view.bids else (), quotes.asks if view.asks else ()),
            seen.now_ms,
            turn,
        )

    def _in_danger(self, resting: list[Resting], mid: Decimal, share: Decimal) -> bool:
        """Whether something rests that should not, however lately it was looked at.

        Args:
            resting: of the coin.
            mid: of the coin.
            share: inventory over the largest one, signed.
        """
        bids = sum(order.is_buy for order in resting)
        asks = len(resting) - bids
        return (
            max(bids, asks) > self._settings.terms.levels
            or (bids > 0 and share >= ONE)
            or (asks > 0 and share <= -ONE)
            or any(order.crossed_by(mid) for order in resting)
        )

    def _refresh(
        self,
        memory: _Coin,
        market: Market,
        resting: list[Resting],
        quotes: Quotes,
        now_ms: int,
        turn: _Turn,
    ) -> None:
        """Bring what rests to what is wanted, as far as the pauses let it."""
        timing = self._settings.timing
        judge = Judge(
            market=market,
            half=half_spread(self._settings.terms, market),
            least=cost_of_side(self._settings.terms, market),
            tolerance=self._settings.tolerance,
            now_ms=now_ms,
        )
        free_ms = memory.due_ms
        if memory.changed_ms is not None:
            free_ms = max(free_ms, memory.changed_ms + timing.refresh_pause_ms)
        for is_buy in (True, False):
            side_ms = free_ms
            if is_buy in memory.filled_ms:
                side_ms = max(side_ms, memory.filled_ms[is_buy] + timing.fill_delay_ms)
            own = [order for order in resting if order.is_buy is is_buy]
            own.sort(key=lambda order: (-order.price if is_buy else order.price, order.oid))
            changes = judge.changes(
                own, quotes.side(is_buy=is_buy), is_buy=is_buy, movable=side_ms <= now_ms
            )
            turn.cancels.extend(changes.cancels)
            turn.moves.extend(changes.moves)
            turn.kept += changes.kept
            turn.wakes.append(side_ms)
            if changes.moves:
                memory.changed_ms = now_ms

    def _market(self, coin: str, seen: Observation, snapshot: Any) -> Market | None:
        """Read what a coin is quoted from; None where it is missing or too old."""
        mid = seen.mids.get(coin, ZERO)
        if mid <= 0:
            return None
        bid = ask = mid
        settings = self._settings
        if settings.book:
            book = snapshot and snapshot["common_info"]["order_book"]
            stale_ms = settings.timing.stale_ms
            if not book:
                return None
            as_of_ms = book.get("as_of_ms", snapshot["as_of_ms"])
            if stale_ms and seen.now_ms - as_of_ms > stale_ms:
                return None
            bid, ask = _decimal(book["top_bid_price"]), _decimal(book["top_ask_price"])
            if not 0 < bid <= ask:
                return None
            if settings.weighted_mid:
                mid = clip(_weighted_mid(book, bid, ask), bid, ask)
        atr = ZERO
        if settings.atr_block:
            if not snapshot:
                return None
            atr = _decimal(snapshot["intervals_data"][settings.atr_block]["atr_14"] or 0)
        return Market(instrument=self._instruments[coin], mid=mid, bid=bid, ask=ask, atr=atr)

    def _pause(self, memory: _Coin, market: Market, now_ms: int, turn: _Turn) -> str:
        """Why nothing may rest now; empty when it may."""
        timing = self._settings.timing
        if timing.stamp_pause_ms:
            due_ms = memory.stamps.next_ms(now_ms - timing.stamp_pause_ms - 1)
            if due_ms is not None:
                turn.wakes += [due_ms - timing.stamp_pause_ms, due_ms + timing.stamp_pause_ms + 1]
                if abs(due_ms - now_ms) <= timing.stamp_pause_ms:
                    return "waits for its funding stamp"
        if self._jumped(memory, market, now_ms):
            turn.wakes.append(now_ms + timing.jump_window_ms)
            return "jumped"
        return ""

    def _jumped(self, memory: _Coin, market: Market, now_ms: int) -> bool:
        """Whether the mid moved further than quotes can follow; notes the mid too."""
        timing, mids = self._settings.timing, memory.mids
        while len(mids) > 1 and now_ms - mids[1][0] >= timing.jump_window_ms:
            mids.popleft()
        before = mids[0] if mids else None
        if not mids or mids[-1][0] < now_ms:
            mids.append((now_ms, market.mid))
        if before is None or not timing.jump or now_ms - before[0] < timing.jump_window_ms:
            return False
        stretch = (Decimal(now_ms - before[0]) / timing.jump_window_ms).sqrt()
        limit = timing.jump * half_spread(self._settings.terms, market) * max(ONE, stretch)
        return abs(market.mid / before[1] - ONE) > limit


def _all_of(coin: str, resting: Sequence[Resting]) -> list[Action]:
    return [CancelOrder(coin=coin, oid=order.oid) for order in resting]


def _decimal(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _weighted_mid(book: Any, bid: Decimal, ask: Decimal) -> Decimal:
    """Mid that leans to the side on which less is offered."""
    buying, selling = _decimal(book["top_bid_volume"]), _decimal(book["top_ask_volume"])
    if buying + selling <= 0:
        return (bid + ask) / 2
    return (bid * selling + ask * buying) / (buying + selling)
