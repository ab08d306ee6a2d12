"""From what is followed to what is answered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

import msgspec

from portfolio_service.application.answers import (
    CurveOf,
    PortfolioTotals,
    RiskAnswer,
    RisksAnswer,
    SumsChecked,
    TraderRow,
)
from portfolio_service.application.following import Followed
from portfolio_service.application.manager import ProcessStatus
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.domain.curves import Points, chosen
from portfolio_service.domain.profit import Profit
from portfolio_service.domain.risk import RiskIndicators
from suite.fixed import Usd

_NOTHING = ProcessStatus()


def usd(micro: int | None) -> Decimal | None:
    """Write micro-USD in USD, exactly."""
    return None if micro is None else Decimal(micro).scaleb(-6)


def exactly(micro: int) -> Decimal:
    """Write micro-USD that are known in USD."""
    return Decimal(micro).scaleb(-6)


def shown_trader(
    portfolio: Portfolio, one: Followed, age: Age, allotments: Mapping[str, Usd]
) -> TraderRow:
    """Show one trader."""
    stale = portfolio.is_stale(one, age)
    profit, sample, row = one.told_profit(stale=stale), one.sample, one.managed
    status = (row.status if row else None) or _NOTHING
    known = one.curve.last_ms is not None
    return TraderRow(
        id=one.trader_id,
        name=(row.entry.name if row else "") or one.trader_id,
        kind=row.entry.strategy.kind if row else "",
        account=row.account if row else "",
        symbols=row.entry.symbols if row else (),
        interval=row.entry.interval if row else "",
        status=one.status,
        reason=_reason(portfolio, one, stale=stale),
        removed=one.removed,
        causes=status.causes,
        source=profit.source,
        pnl=usd(profit.net_usd),
        realized_usd=usd(profit.realized_usd),
        unrealized_usd=usd(profit.unrealized_usd),
        fees_usd=usd(profit.fees_usd),
        funding_usd=usd(profit.funding_usd),
        llm_cost_usd=usd(sample.llm_cost_usd if sample else None),
        exact=None if profit.difference_usd is None else not profit.difference_usd,
        difference_usd=usd(profit.difference_usd),
        equity_usd=usd(one.equity_usd),
        net_deposits_usd=usd(sample.net_deposits_usd if sample else None),
        notional_usd=usd(sample.notional_usd if sample else None),
        allocation=usd(allotments.get(one.trader_id)),
        told_allocation=usd(one.told_allocation),
        roi=one.curve.total_return,
        sharpe=one.curve.sharpe,
        drawdown=round(one.curve.fall, 9) if known else None,
        max_drawdown=round(one.curve.deepest, 9) if known else None,
        health=one.health(stale=stale),
        fills=one.sums.fills,
        wins=one.sums.wins,
        losses=one.sums.losses,
        positions=one.positions,
        positions_ms=one.positions_ms,
        sampled_ms=sample.time_ms if sample else None,
        seen_ms=one.seen_ms or None,
        turn=status.turn,
        deciding_since_ms=status.deciding_since_ms,
        last_verdict=status.last_verdict,
        alert=status.alert,
        alert_ms=status.alert_ms,
        model=status.model,
    )


def _reason(portfolio: Portfolio, one: Followed, *, stale: bool) -> str:
    """Say why a trader is not plainly running and known."""
    said = [one.status_reason] if one.status_reason else []
    if one.sample is None:
        said.append("no sample of its account yet")
    elif stale and not one.removed:
        behind = portfolio.venue_trouble or "its account has not been read of late"
        said.append(f"what it has is as last known: {behind}")
    return "; ".join(said)


def totals(
    portfolio: Portfolio,
    age: Age,
    allotments: Mapping[str, Usd],
    *,
    now_ms: int,
    synced_ms: int | None,
    trouble: str,
) -> PortfolioTotals:
    """Sum up."""
    present = portfolio.present
    profits = [one.profit for one in present if one.profit.net_usd is not None]
    samples = [one.sample for one in present if one.sample is not None]
    capital = portfolio.capital_usd
    allotted = sum(allotments.get(one.trader_id, 0) for one in present)
    fees, net = _sum(profits, lambda p: p.fees_usd), _sum(profits, lambda p: p.net_usd)
    checked, curve = portfolio.agreement(age), portfolio.curve
    known = curve.last_ms is not None
    return PortfolioTotals(
        now_ms=now_ms,
        synced_ms=synced_ms,
        world=portfolio.world,
        venue_ms=portfolio.venue_ms,
        trouble=trouble or portfolio.venue_trouble or portfolio.trouble,
        total_pnl=None if net is None or fees is None else exactly(net + fees),
        commission=usd(fees),
        net_pnl=usd(net),
        realized_usd=usd(_sum(profits, lambda p: p.realized_usd)),
        unrealized_usd=usd(_sum(profits, lambda p: p.unrealized_usd)),
        funding_usd=usd(_sum(profits, lambda p: p.funding_usd)),
        llm_cost_usd=exactly(sum(one.llm_cost_usd for one in samples)) if samples else None,
        equity_usd=exactly(sum(one.equity_usd for one in samples)) if samples else None,
        total_return=curve.total_return,
        portfolio_sharpe=curve.sharpe,
        drawdown=round(curve.fall, 9) if known else None,
        max_drawdown=round(curve.deepest, 9) if known else None,
        active_count=sum(one.status == "LIVE" for one in present),
        total_count=len(present),
        unknown=tuple(one.trader_id for one in present if one.profit.net_usd is None),
        risk_level=portfolio.risk().overall_risk_level if samples else "unknown",
        total_capital=exactly(capital),
        allocated=exactly(allotted),
        available_balance=exactly(max(0, capital - allotted)),
        unlimited=sum(one.trader_id not in allotments for one in present),
        session_start_time=portfolio.session_ms,
        sums=SumsChecked(
            ok=checked.holds,
            compared=checked.compared,
            traders_usd=exactly(checked.traders_usd),
            accounts_usd=exactly(checked.accounts_usd),
            difference_usd=exactly(checked.traders_usd - checked.accounts_usd),
            not_compared=checked.not_compared,
        ),
    )


def _sum(profits: Iterable[Profit], part: Callable[[Profit], int | None]) -> int | None:
    """Add up what all have; None where one of them does not have it, or there are none."""
    parts = [part(one) for one in profits]
    known = [one for one in parts if one is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def shown_risk(portfolio: Portfolio) -> RisksAnswer:
    """Show the indicators of all together, and of each."""
    return RisksAnswer(
        **_risk(portfolio.risk()),
        traders={
            one.trader_id: RiskAnswer(**_risk(portfolio.risk([one]))) for one in portfolio.present
        },
    )


def _risk(told: RiskIndicators) -> dict[str, Any]:
    return {one.name: getattr(told, one.name) for one in fields(RiskIndicators)}


def shown_curve(curve: Points, points: int, since_ms: int | None = None) -> CurveOf:
    """Show a curve, thinned to what a screen can.

    Args:
        curve: of one, or of all.
        points: at most; at least 8.
        since_ms: only from then on.
    """
    begin = 0
    if since_ms is not None:
        begin = next((i for i, at in enumerate(curve.time_ms) if at >= since_ms), len(curve.index))
    kept: Sequence[int] = [begin + place for place in chosen(curve.index[begin:], points)]
    return CurveOf(
        time_ms=[curve.time_ms[i] for i in kept],
        equity_usd=[exactly(curve.equity_usd[i]) for i in kept],
        pnl_usd=[exactly(curve.profit_usd[i]) for i in kept],
        index=[curve.index[i] for i in kept],
    )


def fields_of(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields of an answer by name, as they are."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
