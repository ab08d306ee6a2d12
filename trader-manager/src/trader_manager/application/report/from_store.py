"""The view of what runs: filled from the database, as the venue's time goes on."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from strategy_core.journal import DecisionRecord, GuardTally
from suite.bars import INTERVAL_MS
from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from suite.enums import Side
from suite.errors import SuiteError
from suite.fixed import USD_ONE
from suite.ids import TraderId, WorldId
from suite.trader_history import FLAT_USD
from suite.wealth import wealth_index
from trader_manager.application.board import Board
from trader_manager.application.comparing import ComparedStore
from trader_manager.application.report.tracing import link_fills, link_trades
from trader_manager.application.report.view import (
    ArenaView,
    Bounds,
    Curve,
    DecisionView,
    FillView,
    PositionView,
    PriceView,
    TraderPage,
    TradeView,
)
from trader_manager.application.runtime import Sighting
from trader_manager.domain.records import (
    LIVE_WORLD,
    Decision,
    EquitySeries,
    Moment,
    Positions,
    Progress,
    Trade,
)
from trader_manager.domain.round_trips import RoundTrip, round_trips
from trader_manager.domain.traders import StoredTrader

_AT_ONCE: Final = 4
_COINS_MAX: Final = 12
_CANDLES_MAX: Final = 5000
"""What a venue tells of a coin at one time."""
_NOTE: Final = (
    "Ranked by what the window that all share bears out: traders that luck may have put apart"
    " share a rank, in the order of their returns. Intervals are 95 %. Who has no sample of late is"
    " unknown, which is not 0."
)


class Candles(Protocol):
    """Reads candles of a venue."""

    async def candles(
        self, coin: str, *, interval: str, from_ms: int, to_ms: int
    ) -> tuple[tuple[Any, ...], ...]:
        """Read open time in ms, then open, high, low and close as texts, oldest first.

        Raises:
            SuiteError: the venue is away, too slow or answers something else.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What is read of all traders at one time."""

    moment: Moment
    board: Leaderboard
    traders: Mapping[TraderId, StoredTrader]
    series: Mapping[TraderId, EquitySeries]
    positions: Mapping[TraderId, Positions]
    progress: Mapping[TraderId, Progress]


class StoredReport:
    """Shows what is stored of the venue's present world.

    Args:
        store: of the traders and their records.
        board: compares them.
        candles: of the venue.
        look: says where a trader runs at present, and how that went.
    """

    def __init__(
        self,
        *,
        store: ComparedStore,
        board: Board,
        candles: Candles,
        look: Callable[[TraderId], Sighting],
    ) -> None:
        self._store = store
        self._board = board
        self._candles = candles
        self._look = look

    async def view(self) -> ArenaView:
        """Fill the view with all traders of the board.

        Raises:
            SuiteError: the database is away, or the venue has been since this process began.
        """
        compared = await self._board.compare_performance()
        world, board = compared.moment.world, compared.board
        stored = _Stored(
            moment=compared.moment,
            board=board,
            traders={
                one.trader_id: one for one in await self._store.list_traders(with_removed=True)
            },
            series=await self._store.get_equity_series(world),
            positions=await self._store.get_positions(world),
            progress=await self._store.get_progress(world),
        )
        bounds = Bounds.for_traders(len(board.rows), 3)
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(row: LeaderboardRow) -> TraderPage:
            async with places:
                return await self._page(stored, row, bounds)

        pages = await asyncio.gather(*map(one, board.rows))
        times = [series.time_ms for series in stored.series.values() if len(series.time_ms)]
        from_ms = min((int(time[0]) for time in times), default=None)
        to_ms = max((int(time[-1]) for time in times), default=None)
        trouble = compared.moment.trouble
        return ArenaView(
            kind="live" if world == LIVE_WORLD else "paper",
            from_ms=from_ms,
            to_ms=to_ms,
            window=None
            if board.from_ms is None or board.to_ms is None
            else (board.from_ms, board.to_ms),
            traders=tuple(pages),
            prices=await self._prices(pages, from_ms, to_ms),
            board_note=_NOTE,
            groups=board.groups,
            missing_baselines=board.missing_baselines,
            facts=(("World", str(world)),),
            notes=(f"The venue is away, so this is as it was last known: {trouble}",)
            if trouble
            else (),
        )

    async def _page(self, stored: _Stored, row: LeaderboardRow, bounds: Bounds) -> TraderPage:
        name, world = TraderId(row.trader_id), stored.moment.world
        trader = stored.traders.get(name)
        series = stored.series.get(name)
        if trader is None and series is None:
            return _added(row, stored.board)
        progress = stored.progress.get(name, Progress())
        trades = await self._store.get_trades(world, name)
        decisions = await self._decisions(world, name, progress, bounds.decisions)
        guards = _guards(decisions, progress.decisions)
        fills = link_fills([_fill(trade) for trade in trades[-bounds.fills :]], decisions)
        trips = round_trips(trades, await self._store.get_funding(world, name))
        held = stored.positions.get(name)
        spec = trader.spec if trader is not None else {}
        flags, note = self._state(trader, decisions)
        last = None if series is None or not len(series.time_ms) else len(series.time_ms) - 1
        money = {
            field: None if series is None or last is None else int(getattr(series, field)[last])
            for field in ("fees_usd", "funding_usd", "llm_cost_usd", "llm_tokens")
        }
        return TraderPage(
            trader_id=name,
            name=str(spec.get("name", "")),
            row=row,
            curve=None if series is None or last is None else _curve(series),
            strategy=spec.get("strategy", {}),
            fees_usd=_usd(money["fees_usd"]),
            funding_usd=_usd(money["funding_usd"]),
            flags=flags,
            note=note,
            metrics=_metrics(row, trades, money),
            bridge=None if series is None or last is None else _bridge(series, last, trades),
            positions=tuple(map(_position, () if held is None else held.positions)),
            positions_ms=None if held is None else held.time_ms,
            trades=link_trades([_trade(trip) for trip in trips[-bounds.trades :]], fills, guards),
            trades_total=len(trips),
            fills=fills,
            fills_total=len(trades),
            guards=guards,
            decisions=decisions or None,
            decisions_total=progress.decisions,
        )

    async def _decisions(
        self, world: WorldId, name: TraderId, progress: Progress, most: int
    ) -> tuple[DecisionView, ...]:
        if progress.last_decision is None:
            return ()
        after = max(-1, progress.last_decision - most)
        found = await self._store.get_decisions(world, name, after=after, limit=most)
        return tuple(map(_decision, found))

    def _state(
        self, trader: StoredTrader | None, decisions: Sequence[DecisionView]
    ) -> tuple[tuple[str, ...], str]:
        """What to know of a trader before its numbers are read."""
        if trader is None or trader.removed_ms is not None:
            return ("removed",), ""
        sighting = self._look(trader.trader_id)
        flags: list[str] = [sighting.actual] if sighting.actual in ("failed", "crashed") else []
        status = str(decisions[-1].body.get("status", "LIVE")) if decisions else "LIVE"
        if status != "LIVE":
            flags.append(status.lower())
        return tuple(flags), sighting.reason

    async def _prices(
        self, pages: Sequence[TraderPage], from_ms: int | None, to_ms: int | None
    ) -> Mapping[str, PriceView]:
        """Candles of the coins that were traded most; of those that the venue tells."""
        if from_ms is None or to_ms is None:
            return {}
        counts: dict[str, int] = {}
        for page in pages:
            for fill in page.fills:
                counts[fill.coin] = counts.get(fill.coin, 0) + 1
        coins = sorted(counts, key=lambda coin: (-counts[coin], coin))[:_COINS_MAX]
        most = min(_CANDLES_MAX, Bounds.for_traders(len(pages), len(coins)).candles)
        span = max(1, to_ms - from_ms)
        fitting = ((name, ms) for name, ms in INTERVAL_MS.items() if span // ms < most)
        interval, interval_ms = min(fitting, key=lambda one: one[1], default=("1d", 86_400_000))
        prices: dict[str, PriceView] = {}
        for coin in coins:
            try:
                found = await self._candles.candles(
                    coin, interval=interval, from_ms=from_ms, to_ms=to_ms
                )
            except SuiteError:
                continue
            if found:
                prices[coin] = PriceView(interval_ms=interval_ms, candles=found)
        return prices


def _added(row: LeaderboardRow, board: Leaderboard) -> TraderPage:
    """A baseline that the board adds: it never trades."""
    curve = None
    if board.from_ms is not None and board.to_ms is not None and board.to_ms > board.from_ms:
        curve = Curve(
            time_ms=np.array([board.from_ms, board.to_ms], dtype=np.int64),
            equity_usd=np.array([FLAT_USD, FLAT_USD], dtype=np.int64),
            growth=np.ones(2),
        )
    return TraderPage(
        trader_id=row.trader_id,
        name="added by the board",
        row=row,
        curve=curve,
        strategy={"kind": row.baseline or ""},
        fees_usd=Decimal(0),
        funding_usd=Decimal(0),
    )


def _curve(series: EquitySeries) -> Curve:
    value = series.equity_usd - series.llm_cost_usd
    return Curve(
        time_ms=series.time_ms,
        equity_usd=series.equity_usd,
        growth=wealth_index(value, series.net_deposits_usd),
    )


def _metrics(
    row: LeaderboardRow, trades: Sequence[Trade], money: Mapping[str, int | None]
) -> dict[str, Any]:
    names = ("sharpe", "sortino", "calmar", "max_drawdown", "win_rate", "profit_factor")
    told: dict[str, Any] = {
        name: getattr(row, name) for name in (*names, "exposure", "mean_leverage", "turnover")
    }
    traded = sum((trade.price * trade.size for trade in trades), Decimal(0))
    makers = sum(not trade.is_taker for trade in trades)
    return told | {
        "fills": len(trades),
        "maker_share": makers / len(trades) if trades else None,
        "traded": str(traded),
        "fees": _said(_usd(money["fees_usd"])),
        "llm_cost": _said(_usd(money["llm_cost_usd"])),
        "llm_tokens": money["llm_tokens"],
    }


def _bridge(series: EquitySeries, last: int, trades: Sequence[Trade]) -> dict[str, Decimal]:
    """From gross to net since the account began, at the last sample."""
    sums = {
        name: Decimal(int(getattr(series, name)[last])) / USD_ONE
        for name in ("equity_usd", "net_deposits_usd", "fees_usd", "funding_usd")
    }
    end_ms = int(series.time_ms[last])
    realized = sum(
        (trade.closed_pnl_usd for trade in trades if trade.time_ms <= end_ms), Decimal(0)
    )
    net = sums["equity_usd"] - sums["net_deposits_usd"]
    return {
        "realized": realized,
        "unrealized": net - realized + sums["fees_usd"] - sums["funding_usd"],
        "fees": sums["fees_usd"],
        "funding": sums["funding_usd"],
        "net": net,
    }


def _guards(decisions: Sequence[DecisionView], total: int) -> dict[str, Any] | None:
    """Sum up the guards over the decisions that are shown; those that cannot be read are left."""
    tally, read = GuardTally(), 0
    for decision in decisions:
        try:
            tally.add(msgspec.convert(decision.body, DecisionRecord, strict=False))
        except msgspec.ValidationError:
            continue
        read += 1
    if not read:
        return None
    told: dict[str, Any] = msgspec.to_builtins(tally.summary())
    return told | ({"of_latest": read} if read < total else {})


def _fill(trade: Trade) -> FillView:
    return FillView(
        time_ms=trade.time_ms,
        coin=trade.coin,
        side="buy" if trade.side is Side.BUY else "sell",
        price=trade.price,
        size=trade.size,
        fee_usd=trade.fee_usd,
        realized_usd=trade.closed_pnl_usd,
        is_taker=trade.is_taker,
        start=trade.start_position,
        oids=(trade.oid,),
        cloid=trade.cloid,
        cause="liquidation" if "liquidat" in trade.direction.lower() else "",
    )


def _trade(trip: RoundTrip) -> TradeView:
    return TradeView(
        coin=trip.coin,
        side="long" if trip.side is Side.BUY else "short",
        entry_ms=trip.opened_ms,
        exit_ms=trip.closed_ms,
        size=trip.size,
        entry_price=_rounded(trip.entry_price),
        exit_price=_rounded(trip.exit_price),
        fees_usd=trip.fees_usd,
        funding_usd=trip.funding_usd,
        net_usd=trip.net_usd,
    )


def _position(held: Any) -> PositionView:
    return PositionView(
        coin=held.coin,
        size=held.size,
        entry_price=held.entry_price,
        mark_price=held.mark_price,
        unrealized_usd=held.unrealized_pnl_usd,
        leverage=held.leverage,
        liquidation_price=held.liquidation_price,
    )


def _decision(decision: Decision) -> DecisionView:
    return DecisionView(number=decision.number, time_ms=decision.time_ms, body=decision.body)


def _rounded(price: Decimal | None) -> Decimal | None:
    """An average in as many digits as a price has, and two more."""
    return None if price is None else Decimal(f"{price:.7g}")


def _usd(micro: int | None) -> Decimal | None:
    return None if micro is None else Decimal(micro) / USD_ONE


def _said(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
