"""Who may use how much: allotments, limits, and plans before they are carried out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from portfolio_service.application.following import Followed
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.application.ports import Limits, PlanStore, StoredPlan
from portfolio_service.domain.allocating import (
    Allocation,
    allocate,
    plan_rebalance,
    transfers_for,
)
from portfolio_service.domain.weighing import (
    BY_LIBRARY,
    Candidate,
    Method,
    Optimize,
    Weights,
    weigh,
)
from suite import performance
from suite.clock import Clock
from suite.contracts.trader import near
from suite.errors import BadRequest, Conflict, NotFound
from suite.fixed import Usd

PLAN_AGE_MAX_MS: Final = 15 * 60_000
"""After which what a plan went by is too old."""
_SLACK: Final = 1e-9
_EDGE: Final = 0.95
"""Probability that a Sharpe ratio is above 0 from which an edge is counted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Who takes part in a rebalance.

    Attributes:
        active: LIVE or PAUSED, with money that is known.
        known: all whose money is known.
        leaving: removed, or stopped and flat: they give up what they have.
        kept: the others that have a limit: it stays as it is.
        total_usd: what there is to be shared out among who is not kept, micro-USD.
    """

    active: Mapping[str, Followed]
    known: Mapping[str, Followed]
    leaving: frozenset[str]
    kept: Mapping[str, Usd]
    total_usd: Usd


class Capital:
    """What is allotted, and what might be.

    Args:
        portfolio: of all traders.
        plans: where it is kept.
        wall: its time.
        optimize: gives shares by methods of a library; None where it is not installed.

    Attributes:
        limits: that bound allocations.
        allotments: micro-USD by trader; who is not among them may use the whole of its account.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        plans: PlanStore,
        wall: Clock,
        optimize: Optimize | None = None,
    ) -> None:
        self.limits = Limits()
        self.allotments: dict[str, Usd] = {}
        self._portfolio = portfolio
        self._plans = plans
        self._wall = wall
        self._optimize = optimize

    @property
    def methods(self) -> tuple[Method, ...]:
        """Those that shares can be given by here."""
        known: tuple[Method, ...] = get_args(Method)
        return tuple(one for one in known if self._optimize or one not in BY_LIBRARY)

    def _check_method(self, method: Method | None) -> None:
        if method is not None and method not in self.methods:
            raise BadRequest(
                f'{method} needs a library: pip install "portfolio-service[skfolio]",'
                " and start the service again"
            )

    async def change_limits(self, *, method: Method | None, **rules: float | None) -> Limits:
        """Keep other limits; what is not given stays.

        Raises:
            BadRequest: one cannot be.
        """
        given: dict[str, Any] = {name: value for name, value in rules.items() if value is not None}
        self._check_method(method)
        changed = replace(self.limits.rules, **given)
        if not 0 < changed.weight_max <= 1:
            raise BadRequest(f"weight_max is above 0 and at most 1, not {changed.weight_max!r}")
        if not 0 <= changed.reserve_min < 1:
            raise BadRequest(f"reserve_min is 0 or more and below 1, not {changed.reserve_min!r}")
        if not 0 < changed.drawdown_stop <= 1:
            raise BadRequest(
                f"drawdown_stop is above 0 and at most 1, not {changed.drawdown_stop!r}"
            )
        limits = Limits(rules=changed, method=method or self.limits.method)
        await self._plans.save_limits(limits)
        self.limits = limits
        return limits

    async def preview(
        self,
        age: Age,
        *,
        method: Method | None = None,
        shares: Mapping[str, float] | None = None,
        reason: str = "",
        actor: str = "",
    ) -> StoredPlan:
        """Think a rebalance through, and keep it to be run.

        Args:
            age: of the picture.
            method: that gives the shares; the usual one where neither is given.
            shares: of the capital by trader, instead; who is not among them gets nothing.
            reason: of who asks; actor: who that is.

        Raises:
            BadRequest: a share is none, or they are more than there is or than limits allow.
            NotFound: a share is of nobody.
            Conflict: no money is known that could be shared out. Whatever is raised, nothing is
                kept.
        """
        if method is not None and shares is not None:
            raise BadRequest("give a method or shares, not both")
        self._check_method(method)
        standing = self._standing(age)
        notes = [f"{name} keeps its limit: {self._why_kept(name)}" for name in standing.kept]
        if shares is not None:
            self._check_shares(shares, standing)
            target, used = allocate(standing.total_usd, shares), ""
        else:
            weights = await self._weights(standing, method or self.limits.method)
            target, used = allocate(standing.total_usd, weights.shares), weights.method
            notes += weights.notes
        given = {name: usd for name, usd in self.allotments.items() if name not in standing.kept}
        is_over = sum(given.values()) > standing.total_usd
        if is_over:
            notes.append("more is allotted than there is by now: it goes all the way at once")
        total = Usd(max(standing.total_usd, sum(given.values())))
        plan = plan_rebalance(
            Allocation(total_usd=total, by_trader=given),
            Allocation(total_usd=total, by_trader=target.by_trader),
            leaving=standing.leaving,
            direct=is_over or shares is not None,
        )
        after = {**standing.kept, **plan.after.by_trader}
        equity = {name: one.equity_usd or 0 for name, one in standing.known.items()}
        stored = StoredPlan(
            plan=plan,
            limits=self.limits,
            allotments=dict(self.allotments),
            capital_usd=self._known_usd(standing.known),
            method=used,
            reason=reason,
            actor=actor,
            made_ms=self._wall.now_ms(),
            notes=tuple(notes),
            transfers=transfers_for(after, equity),
        )
        await self._plans.save_plan(stored)
        return stored

    def outdated(self, stored: StoredPlan, age: Age) -> str:
        """Say why a plan may not be run any more; empty where it may."""
        plan = stored.plan
        if stored.status == "outdated":
            return stored.note or "it was given up"
        if self._wall.now_ms() - stored.made_ms > PLAN_AGE_MAX_MS:
            return f"it was made more than {PLAN_AGE_MAX_MS // 60_000} minutes ago"
        if dict(stored.allotments) != self.allotments:
            return "what is allotted has changed since"
        if stored.limits.rules != self.limits.rules:
            return "the limits have changed since"
        for step in plan.steps:
            if step.to_usd and self._is_gone(step.trader_id):
                return f"{step.trader_id} is no more"
        standing = self._standing(age)
        lost = [
            step.trader_id
            for step in plan.steps
            if step.to_usd and step.trader_id not in standing.known
        ]
        if lost:
            return f"the money of {', '.join(lost)} is unknown by now"
        capital = self._known_usd(standing.known)
        kept = sum(usd for name, usd in standing.kept.items() if name in standing.known)
        given = sum(plan.after.by_trader.values())
        if given + kept > capital:
            return "there is less by now than it would allot"
        return ""

    def _standing(self, age: Age) -> _Standing:
        if age.fleet_s is None or age.records_s is None:
            raise Conflict("the manager has not answered yet: nothing is known to be shared out")
        present = self._portfolio.present
        known = {
            one.trader_id: one
            for one in present
            if one.sample is not None and not self._portfolio.is_stale(one, age)
        }
        active = {n: one for n, one in known.items() if one.status in {"LIVE", "PAUSED"}}
        leaving = frozenset(
            name
            for name in {*self.allotments, *known}
            if self._is_gone(name)
            or (name in known and known[name].status == "STOPPED" and known[name].is_flat)
        )
        kept = {
            name: usd
            for name, usd in self.allotments.items()
            if name not in active and name not in leaving
        }
        held = sum(usd for name, usd in kept.items() if name in known)
        total = Usd(max(0, self._known_usd(known) - held))
        if not total:
            raise Conflict("no trader has money that is known: there is nothing to share out")
        return _Standing(active=active, known=known, leaving=leaving, kept=kept, total_usd=total)

    def _known_usd(self, known: Mapping[str, Followed]) -> Usd:
        return Usd(sum(max(0, one.equity_usd or 0) for one in known.values()))

    def _is_gone(self, name: str) -> bool:
        one = self._portfolio.traders.get(name)
        return one is None or one.removed

    def _why_kept(self, name: str) -> str:
        status = self._portfolio.traders[name].status
        return "it is stopped, and not flat" if status == "STOPPED" else "it is unknown at present"

    def _check_shares(self, shares: Mapping[str, float], standing: _Standing) -> None:
        """Refuse shares of nobody, or above what the limits allow.

        Raises:
            BadRequest, NotFound: what is wrong.
        """
        names, rules = [one.trader_id for one in self._portfolio.present], self.limits.rules
        for name, share in shares.items():
            if name not in names:
                raise NotFound(f"there is no trader {name[:64]!r}{near(name, names)}")
            if not 0 <= share <= 1:  # so is no NaN
                raise BadRequest(f"{name}: a share is 0 to 1, not {share!r}")
            if share > rules.weight_max + _SLACK:
                raise BadRequest(
                    f"{name}: {share:.1%} is more than one trader may have, {rules.weight_max:.1%}"
                    " (weight_max of the limits)"
                )
            if share and name not in standing.known:
                raise Conflict(f"{name}: its money is unknown at present")
            if name in standing.kept:
                raise Conflict(f"{name} keeps its limit: {self._why_kept(name)}")
        whole = sum(shares.values())
        if whole > 1 - rules.reserve_min + _SLACK:
            raise BadRequest(
                f"the shares add up to {whole:.1%}: {rules.reserve_min:.1%} of the capital is kept"
                " in reserve (reserve_min of the limits)"
            )

    async def _weights(self, standing: _Standing, method: Method) -> Weights:
        if not standing.active:
            raise Conflict("no trader is LIVE or PAUSED: there is nobody to share out to")
        candidates = [
            Candidate(
                trader_id=name,
                returns=one.curve.returns,
                drawdown=min(1.0, max(0.0, one.curve.fall)),
                sharpe=one.curve.sharpe,
                health=one.health(stale=False),
                has_edge=(performance.probabilistic_sharpe(one.curve.returns) or 0.0) >= _EDGE,
            )
            for name, one in sorted(standing.active.items())
        ]
        # Of many traders it takes a while, and those who watch go on being told.
        return await asyncio.to_thread(weigh, method, candidates, self.limits.rules, self._optimize)
