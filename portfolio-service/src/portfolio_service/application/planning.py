"""Plans and allotments as they are answered."""

from decimal import Decimal

from portfolio_service.application.answers import (
    AllocationAnswer,
    AllottedRow,
    AutomaticAnswer,
    LimitsAnswer,
    PlanAnswer,
    StepRow,
    TransferRow,
)
from portfolio_service.application.capital import Capital
from portfolio_service.application.following import Followed
from portfolio_service.application.portfolio import Portfolio
from portfolio_service.application.ports import Limits, StepDone, StoredPlan
from portfolio_service.application.rebalancing import Rebalancer, needs_telling
from portfolio_service.application.showing import exactly, usd
from portfolio_service.domain.profit import micro
from suite.fixed import Usd


def shown_limits(limits: Limits) -> LimitsAnswer:
    """Show what bounds allocations."""
    rules = limits.rules
    return LimitsAnswer(
        weight_max=rules.weight_max,
        reserve_min=rules.reserve_min,
        drawdown_stop=rules.drawdown_stop,
        method=limits.method,
    )


def shown_plan(stored: StoredPlan) -> PlanAnswer:
    """Show a plan, and how far it is."""
    plan = stored.plan
    finished = stored.status == "done"
    steps = tuple(
        StepRow(
            number=step.number,
            key=step.key,
            trader=step.trader_id,
            from_usd=usd(stored.allotments.get(step.trader_id)),
            to_usd=exactly(step.to_usd),
            status="done" if finished else _state(stored.steps.get(step.number, StepDone())),
        )
        for step in plan.steps
    )
    kept = {n: v for n, v in stored.allotments.items() if n not in plan.after.by_trader}
    after = {**kept, **plan.after.by_trader}
    before_usd, after_usd = sum(stored.allotments.values()), sum(after.values())
    done = sum(step.status == "done" for step in steps)
    return PlanAnswer(
        plan_id=plan.plan_id,
        status=stored.status,
        note=stored.note,
        method=stored.method,
        reason=stored.reason,
        actor=stored.actor,
        made_ms=stored.made_ms,
        total_capital=exactly(stored.capital_usd),
        reserve_before=exactly(stored.capital_usd - before_usd),
        reserve_after=exactly(stored.capital_usd - after_usd),
        before={name: usd(stored.allotments.get(name)) for name in sorted(after)},
        after={name: exactly(after[name]) for name in sorted(after)},
        steps=steps,
        left=dict(plan.left),
        notes=stored.notes,
        transfers=tuple(
            TransferRow(from_trader=one.from_trader, to_trader=one.to_trader, usd=exactly(one.usd))
            for one in stored.transfers
        ),
        progress=done / len(steps) if steps else 1.0,
    )


def _state(done: StepDone) -> str:
    if done.told:
        return "done"
    return "allotted" if done.allotted else "planned"


def shown_allocation(
    portfolio: Portfolio, capital: Capital, rebalancer: Rebalancer, automatic: AutomaticAnswer
) -> AllocationAnswer:
    """Show who may use how much."""
    total, present = portfolio.capital_usd, portfolio.present
    allotted = sum(capital.allotments.get(one.trader_id, 0) for one in present)
    running = rebalancer.running
    return AllocationAnswer(
        total_capital=exactly(total),
        allocated=exactly(allotted),
        available_balance=exactly(max(0, total - allotted)),
        limits=shown_limits(capital.limits),
        methods=capital.methods,
        traders=tuple(_row(one, capital.allotments.get(one.trader_id), total) for one in present),
        running=None if running is None else shown_plan(running),
        automatic=automatic,
        trouble=rebalancer.trouble,
    )


def _row(one: Followed, allotted: Usd | None, total: int) -> AllottedRow:
    used = None
    if one.positions_ms is not None:
        used = micro(sum((held.margin_used_usd for held in one.positions), Decimal(0)))
    return AllottedRow(
        id=one.trader_id,
        status=one.status,
        allocation=usd(allotted),
        told_allocation=usd(one.told_allocation),
        in_force=not needs_telling(one) or one.told_allocation == allotted,
        share=None if allotted is None or not total else allotted / total,
        equity_usd=usd(one.equity_usd),
        used_usd=usd(used),
        over=allotted is not None and used is not None and used > allotted,
    )
