"""Values for tests of the trader-manager's store."""

from decimal import Decimal
from typing import Any

from suite.enums import Side
from suite.fixed import Usd
from suite.ids import AccountId, Oid, TraderId, WorldId
from trader_manager.domain.records import Decision, EquitySample, OpenPosition, Positions, Trade
from trader_manager.domain.traders import DesiredState, WantedTrader

WORLD = WorldId("w1")


def wanted(
    name: str,
    *,
    account: str = "",
    desired: DesiredState = DesiredState.RUNNING,
    runtime: str = "process",
    **spec: Any,
) -> WantedTrader:
    return WantedTrader(
        trader_id=TraderId(name),
        spec={"trader_id": name, "strategy": {"kind": "flat"}, "symbols": ["BTC"], **spec},
        account_id=AccountId(account or name),
        desired=desired,
        runtime=runtime,
    )


def trade(
    name: str, tid: int, *, world: WorldId = WORLD, price: str = "60000.5", pnl: str = "0"
) -> Trade:
    return Trade(
        world=world,
        trader_id=TraderId(name),
        tid=tid,
        oid=Oid(tid + 1000),
        time_ms=1_700_000_000_000 + tid,
        coin="BTC",
        side=Side.SELL,
        price=Decimal(price),
        size=Decimal("0.00123"),
        start_position=Decimal("-0.5"),
        closed_pnl_usd=Decimal(pnl),
        fee_usd=Decimal("0.033210"),
        is_taker=True,
        direction="Open Short",
    )


def sample(name: str, minute: int, *, equity: int = 10_000_000_000) -> EquitySample:
    return EquitySample(
        world=WORLD,
        trader_id=TraderId(name),
        time_ms=minute * 60_000,
        equity_usd=Usd(equity),
        net_deposits_usd=Usd(10_000_000_000),
        fees_usd=Usd(33_210),
        funding_usd=Usd(-7),
        llm_cost_usd=Usd(1),
        notional_usd=Usd(73_800_615),
        llm_tokens=12,
    )


def decision(name: str, number: int, **body: Any) -> Decision:
    return Decision(
        world=WORLD,
        trader_id=TraderId(name),
        number=number,
        time_ms=number * 900_000,
        body=body or {"orders": [], "why": "quiet"},
    )


def positions(name: str, time_ms: int, *sizes: str) -> Positions:
    return Positions(
        world=WORLD,
        trader_id=TraderId(name),
        time_ms=time_ms,
        positions=tuple(
            OpenPosition(
                coin=f"C{index}",
                size=Decimal(size),
                entry_price=Decimal("10.50"),
                mark_price=Decimal(11),
                unrealized_pnl_usd=Decimal("0.5"),
                margin_used_usd=Decimal("3.3"),
                leverage=3,
            )
            for index, size in enumerate(sizes)
        ),
    )
