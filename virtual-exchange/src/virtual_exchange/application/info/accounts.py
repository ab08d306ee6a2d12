"""Reads of accounts in the venue's own shapes: money and positions."""

from decimal import Decimal
from typing import Any, Final, TypeAlias

from perp_engine.views import AccountState, PositionState
from suite.contracts.clock import AccountView, PositionView
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    CumFunding,
    Leverage,
    MarginSummary,
    Position,
)
from suite.enums import MarginMode
from suite.fixed import USD_DECIMALS, Usd, div_half_even, format_fixed
from virtual_exchange.application.info.fills import FillReads
from virtual_exchange.application.info.ledgers import LedgerReads
from virtual_exchange.application.info.orders import OrderReads
from virtual_exchange.application.info.values import amount, usd
from virtual_exchange.application.world import World

_ROE_ONE: Final = 10**10
_NO_MONEY: Final = MarginSummary(
    accountValue="0.0", totalNtlPos="0.0", totalRawUsd="0.0", totalMarginUsed="0.0"
)


def _withdrawable(state: AccountState) -> int:
    """What may leave: free margin, and a tenth of the cross notional stays."""
    stays = -(-state.cross_notional_usd // 10)
    return max(0, min(state.available_usd, state.cross_equity_usd - stays))


_Kept: TypeAlias = tuple[tuple[int, int, int], Decimal, Decimal, Decimal]
"""What of a position seldom changes: what it follows from, size, entry price and funding."""


class AccountReads:
    """The accounts of one world.

    Attributes:
        orders, fills, ledger: what else is read of them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self.orders = OrderReads(world)
        self.fills = FillReads(world)
        self.ledger = LedgerReads(world)
        self._moved: dict[int, tuple[Usd, Decimal]] = {}
        self._kept: dict[tuple[int, int], _Kept] = {}

    def clearinghouse(self, account: int | None) -> ClearinghouseState:
        """Money and positions of an account; all zero for an unknown one, as the venue does."""
        world = self._world
        if account is None:
            return ClearinghouseState(
                marginSummary=_NO_MONEY,
                crossMarginSummary=_NO_MONEY,
                crossMaintenanceMarginUsed="0.0",
                withdrawable="0.0",
                assetPositions=(),
                time=world.now_ms,
            )
        state = world.engine.account(account)
        held = [
            (symbol, world.engine.position(account, symbol))
            for symbol in world.engine.held(account)
        ]
        signed = sum(_value(position) for _, position in held)
        summary = MarginSummary(
            accountValue=usd(state.equity_usd),
            totalNtlPos=usd(state.notional_usd),
            totalRawUsd=usd(state.equity_usd - signed),
            totalMarginUsed=usd(_margin_used_by_all(state)),
        )
        cross = sum(_value(position) for _, position in held if position.mode is MarginMode.CROSS)
        return ClearinghouseState(
            marginSummary=summary,
            crossMarginSummary=MarginSummary(
                accountValue=usd(state.cross_equity_usd),
                totalNtlPos=usd(state.cross_notional_usd),
                totalRawUsd=usd(state.cross_equity_usd - cross),
                totalMarginUsed=usd(state.position_margin_usd),
            ),
            crossMaintenanceMarginUsed=usd(state.maintenance_usd),
            withdrawable=usd(_withdrawable(state)),
            assetPositions=tuple(
                AssetPosition(position=self._position(symbol, position))
                for symbol, position in held
            ),
            time=world.now_ms,
        )

    def view(self, account: int) -> AccountView:
        """What a trader reads of an account: of `clearinghouse` and `openOrders`, as numbers."""
        engine = self._world.engine
        state = engine.account(account)
        equity_usd, cross_usd = state.equity_usd, state.cross_equity_usd
        equity = amount(equity_usd, USD_DECIMALS)
        return AccountView(
            equity=equity,
            cross_equity=equity if cross_usd == equity_usd else amount(cross_usd, USD_DECIMALS),
            margin_used=amount(_margin_used_by_all(state), USD_DECIMALS),
            positions=tuple([self._held(account, symbol) for symbol in engine.held(account)]),
            open_orders=self.orders.open_orders(account),
            net_deposits=self._deposits(account),
        )

    def _deposits(self, account: int) -> Decimal:
        """Net deposits, USD; they seldom change."""
        moved_usd, kept = self._world.books[account].moved_usd, self._moved.get(account)
        if kept is None or kept[0] != moved_usd:
            kept = self._moved[account] = moved_usd, amount(moved_usd, USD_DECIMALS)
        return kept[1]

    def _held(self, account: int, symbol: int) -> PositionView:
        position = self._world.engine.position(account, symbol)
        instrument, liquidation = self._instruments[symbol], position.liquidation_price
        digits = instrument.price_decimals
        basis = (position.size, position.cost_usd, position.funding_open_usd)
        kept = self._kept.get((account, symbol))
        if kept is None or kept[0] != basis:
            size, entry = amount(position.size, instrument.sz_decimals), _entry(position)
            paid = amount(position.funding_open_usd, USD_DECIMALS)
            kept = self._kept[account, symbol] = basis, size, amount(entry, digits), paid
        return PositionView(
            coin=instrument.coin,
            size=kept[1],
            entry_px=kept[2],
            unrealized_pnl=amount(position.unrealized_usd, USD_DECIMALS),
            leverage=position.leverage,
            isolated=position.mode is MarginMode.ISOLATED,
            margin_used=amount(_margin_used(position), USD_DECIMALS),
            liquidation_px=None if liquidation is None else amount(liquidation, digits),
            funding=kept[3],
        )

    def _position(self, symbol: int, position: PositionState) -> Position:
        instrument = self._instruments[symbol]
        cost = abs(position.cost_usd)
        value = abs(_value(position))
        equity = position.unrealized_usd * _ROE_ONE * position.leverage
        return Position(
            coin=instrument.coin,
            szi=instrument.format_size(position.size),
            leverage=self._leverage(position, value),
            entryPx=instrument.format_price(_entry(position)),
            positionValue=usd(value),
            unrealizedPnl=usd(position.unrealized_usd),
            returnOnEquity=format_fixed(div_half_even(equity, cost) if cost else 0, 10),
            liquidationPx=(
                None
                if position.liquidation_price is None
                else instrument.format_price(position.liquidation_price)
            ),
            marginUsed=usd(_margin_used(position)),
            maxLeverage=instrument.max_leverage,
            cumFunding=CumFunding(
                allTime=usd(position.funding_all_usd),
                sinceOpen=usd(position.funding_open_usd),
                sinceChange=usd(position.funding_open_usd),
            ),
        )

    def _leverage(self, position: PositionState, value: int) -> Leverage:
        if position.mode is MarginMode.CROSS:
            return Leverage(type="cross", value=position.leverage)
        signed = value if position.size > 0 else -value
        raw = position.bucket_usd + position.unrealized_usd - signed
        return Leverage(type="isolated", value=position.leverage, rawUsd=usd(raw))

    def active_asset(
        self, account: int | None, symbol: int, *, user: str, mark_text: str
    ) -> dict[str, Any]:
        """What an account may trade of a coin, bought and sold.

        Closing frees a position's margin, and the other side may take as much again.

        Args:
            account: None where there is none.
            symbol: index of the coin.
            user: its address, as it is echoed.
            mark_text: mark price as it is shown.
        """
        world = self._world
        instrument, mark = self._instruments[symbol], world.engine.mark(symbol)
        leverage = Leverage(type="cross", value=instrument.max_leverage)
        sides = [0, 0]
        if account is not None:
            position = world.engine.position(account, symbol)
            free = max(0, world.engine.account(account).available_usd)
            leverage = self._leverage(position, abs(position.size) * mark)
            sides = [free, free]
            if position.size:
                sides[position.size > 0] += 2 * _margin_used(position)
        sizes = [usd_ * leverage.value // mark if mark else 0 for usd_ in sides]
        return {
            "user": user,
            "coin": instrument.coin,
            "leverage": leverage,
            "maxTradeSzs": [instrument.format_size(size) for size in sizes],
            "availableToTrade": [usd(side) for side in sides],
            "markPx": mark_text,
        }


def _value(position: PositionState) -> int:
    """Signed value of a position at the mark, micro-USD: what it cost, and what it has gained."""
    return position.cost_usd + position.unrealized_usd


def _entry(position: PositionState) -> int:
    """Average entry price, price units."""
    return div_half_even(abs(position.cost_usd), abs(position.size))


def _margin_used_by_all(state: AccountState) -> int:
    """Margin behind all positions, micro-USD."""
    return state.position_margin_usd + state.isolated_usd + state.isolated_unrealized_usd


def _margin_used(position: PositionState) -> int:
    """Margin behind a position, micro-USD, with its profit where that is its own."""
    if position.mode is MarginMode.CROSS:
        return position.margin_usd
    return position.bucket_usd + position.unrealized_usd
