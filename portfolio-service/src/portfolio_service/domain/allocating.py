"""From shares to money: allocations that add up to the micro-USDC, and the steps of a rebalance.

An allocation is a limit, no transfer: it bounds the risk that a trader may take. So a step has no
counterpart and moves nothing by itself; but at no moment may the allocations together be more than
there is, so what is given up is given up first.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from suite.checks import check
from suite.errors import BadRequest
from suite.fixed import Usd

POINTS_MIN: Final = 0.02
"""A share that is this far from its target at most stays as it is."""
RELATIVE_MIN: Final = 0.2
"""So does one within this part of its target."""
PACE: Final = Fraction(1, 2)
"""How far a rebalance goes to its target: estimates are noise, and the rest comes next time."""

Status = Literal["planned", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Who may risk how much.

    Attributes:
        total_usd: micro-USD.
        by_trader: micro-USD, none negative.
    """

    total_usd: Usd
    by_trader: Mapping[str, Usd]

    def __post_init__(self) -> None:
        check(all(usd >= 0 for usd in self.by_trader.values()), "an allocation is negative")
        check(self.reserve_usd >= 0, "more is allocated than there is")

    @property
    def reserve_usd(self) -> Usd:
        """What nobody has, micro-USD."""
        return Usd(self.total_usd - sum(self.by_trader.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one trader's limit.

    Attributes:
        number: from 1, in the order in which they are done.
        key: the same for the same step of the same plan: it takes effect once.
        from_usd, to_usd: micro-USD.
    """

    number: int
    key: str
    trader_id: str
    from_usd: Usd
    to_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A rebalance that was thought through before its first step.

    Attributes:
        plan_id: of what it is from and where it leads: the same question has the same plan.
        before, after: all limits.
        steps: what is given up first; empty where nothing is worth a change.
        left: why a trader that is off its target is left alone, by trader.
    """

    plan_id: str
    before: Allocation
    after: Allocation
    steps: tuple[Step, ...]
    left: Mapping[str, str]


def allocate(total_usd: Usd, shares: Mapping[str, float]) -> Allocation:
    """Turn shares into money by largest remainder; the reserve is the rest.

    Args:
        total_usd: micro-USD, not negative.
        shares: by trader, 0 to 1, together at most 1.

    Raises:
        BadRequest: a share is none, or they are more than there is.
    """
    exact: dict[str, Fraction] = {}
    for name, share in shares.items():
        if not 0 <= share <= 1:  # so is no NaN
            raise BadRequest(f"{name}: a share is 0 to 1, not {share!r}")
        exact[name] = Fraction(share) * total_usd
    given = sum(exact.values(), Fraction(0))
    if given > total_usd * (1 + Fraction(1, 10**9)):
        raise BadRequest(f"the shares add up to {float(given / max(total_usd, 1)):.1%} of all")
    floors = {name: int(amount) for name, amount in exact.items()}
    missing = min(round(given), total_usd) - sum(floors.values())
    by_remainder = sorted(exact, key=lambda name: (floors[name] - exact[name], name))
    for name in by_remainder[: max(missing, 0)]:
        floors[name] += 1
    return Allocation(total_usd=total_usd, by_trader={n: Usd(floors[n]) for n in exact})


def plan_rebalance(
    before: Allocation,
    target: Allocation,
    *,
    leaving: frozenset[str] = frozenset(),
    direct: bool = False,
) -> Plan:
    """Think a rebalance through.

    Args:
        before: as it is; who is not in it has nothing.
        target: where it shall lead in the end; who is not in it gets nothing.
        leaving: traders that are no more: they give up all at once.
        direct: all the way at once, however near: a person has said where to.
    """
    check(before.total_usd == target.total_usd, "before and after are of different totals")
    total, after, left = before.total_usd, dict(before.by_trader), {}
    for name in sorted({*before.by_trader, *target.by_trader}):
        now, wanted = before.by_trader.get(name, Usd(0)), target.by_trader.get(name, Usd(0))
        whole = direct or name in leaving or 0 in {now, wanted}
        if now != wanted and not whole and (why := _near(now, wanted, total)):
            left[name] = why
            continue
        after[name] = Usd(wanted if whole else now + round(PACE * (wanted - now)))
    _fit(after, before, total)
    result = Allocation(total_usd=total, by_trader=after)
    plan_id = _digest(before, result)
    moves = [
        (name, before.by_trader.get(name, Usd(0)), usd)
        for name, usd in sorted(after.items())
        if usd != before.by_trader.get(name, Usd(0))
    ]
    moves.sort(key=lambda move: move[2] > move[1])  # stable: what is given up comes first
    steps = tuple(
        Step(number=n, key=f"{plan_id}-{n}", trader_id=name, from_usd=now, to_usd=to)
        for n, (name, now, to) in enumerate(moves, 1)
    )
    return Plan(plan_id=plan_id, before=before, after=result, steps=steps, left=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that somebody has to move, so that limits can be used: nothing here moves it."""

    from_trader: str
    to_trader: str
    usd: Usd


def transfers_for(after: Mapping[str, Usd], equity: Mapping[str, int]) -> tuple[Transfer, ...]:
    """Say which transfers would give each account at least its allocation, the largest first.

    Args:
        after: allocations, micro-USD.
        equity: of accounts that are known, micro-USD; one that lacks more than others can spare
            gets what they can.
    """
    spare = {name: usd - after.get(name, 0) for name, usd in equity.items()}
    lacking = sorted((gap, name) for name, gap in spare.items() if gap < 0 and name in after)
    givers = sorted(((gap, name) for name, gap in spare.items() if gap > 0), reverse=True)
    found = []
    left = {name: gap for gap, name in givers}
    for gap, name in lacking:
        needed = -gap
        for giver, can in left.items():
            usd = min(needed, can)
            if usd > 0:
                found.append(Transfer(from_trader=giver, to_trader=name, usd=Usd(usd)))
                left[giver] -= usd
                needed -= usd
    return tuple(found)


def _near(now: int, wanted: int, total: int) -> str:
    """Say why a limit is near enough to its target; empty where it is not."""
    apart = abs(now - wanted)
    if apart <= POINTS_MIN * total:
        return f"within {POINTS_MIN:.0%} of all"
    return f"within {RELATIVE_MIN:.0%} of its target" if apart <= RELATIVE_MIN * wanted else ""


def _fit(after: dict[str, Usd], before: Allocation, total: int) -> None:
    """Give less to those that get more, where others that stay leave too little for all."""
    excess = sum(after.values()) - total
    if excess <= 0:
        return
    gains = {
        name: usd - before.by_trader.get(name, Usd(0))
        for name, usd in after.items()
        if usd > before.by_trader.get(name, Usd(0))
    }
    whole, rest = sum(gains.values()), excess
    for name, gain in sorted(gains.items()):
        cut = min(gain, -(-excess * gain // whole), rest)
        after[name] = Usd(after[name] - cut)
        rest -= cut
    check(rest == 0, "a rebalance cannot be made to fit")


def _digest(before: Allocation, after: Allocation) -> str:
    text = "\n".join(
        f"{name} {before.by_trader.get(name, 0)} {after.by_trader.get(name, 0)}"
        for name in sorted({*before.by_trader, *after.by_trader})
    )
    return hashlib.sha256(f"{before.total_usd}\n{text}".encode()).hexdigest()[:16]
