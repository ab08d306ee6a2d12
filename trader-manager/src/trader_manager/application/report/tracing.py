"""Which decision led to which fill: by the ids of the orders it sent, and of those they became."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from trader_manager.application.report.view import DecisionView, FillView, TradeView

_ENDS: Final = {"stop", "take_profit", "liquidation", "backstop"}
"""Causes of fills that say by themselves what ended a trade."""


def latest_turns(decisions: Iterable[DecisionView]) -> Iterable[DecisionView]:
    """Tell each turn once: one that is told again is the same, and its answered form counts."""
    last: DecisionView | None = None
    for decision in decisions:
        if last is not None and last.number == decision.number:
            last = decision if decision.body.get("results") is not None else last
            continue
        if last is not None:
            yield last
        last = decision
    if last is not None:
        yield last


class DecisionPicker:
    """Chooses the decisions that a page shows: the latest that did something, then the latest.

    Args:
        most: how many.
        oids, cloids: of orders whose decision is wanted whenever it was; half of `most` at most.

    Attributes:
        closed: of all decisions, by coin and time what closed a position, and by which rule.
        total: how many there were.
    """

    def __init__(
        self, most: int, *, oids: Collection[int] = (), cloids: Collection[str] = ()
    ) -> None:
        self._most = most
        self._oids = frozenset(oids)
        self._cloids = frozenset(cloids)
        self._wanted: deque[DecisionView] = deque(maxlen=max(1, most // 2))
        self._acting: deque[DecisionView] = deque(maxlen=most)
        self._quiet: deque[DecisionView] = deque(maxlen=most)
        self.closed: dict[tuple[str, int], tuple[str, str]] = {}
        self.total = 0

    def take(self, decision: DecisionView) -> None:
        """Look at one; oldest first."""
        self.total += 1
        for one in decision.body.get("closed") or ():
            match one:
                case {
                    "coin": str() as coin,
                    "closed_at_ms": int() as time_ms,
                    "kind": str() as kind,
                }:
                    self.closed[coin, time_ms] = (kind, str(one.get("rule", "")))
        if not decision.acts:
            self._quiet.append(decision)
            return
        if len(self._acting) == self._most and self._is_wanted(self._acting[0]):
            self._wanted.append(self._acting[0])
        self._acting.append(decision)

    def chosen(self) -> tuple[DecisionView, ...]:
        """Those that are shown, by number."""
        acting = list(self._acting)[-(self._most - len(self._wanted)) :]
        room = self._most - len(self._wanted) - len(acting)
        quiet = list(self._quiet)[-room:] if room else []
        return tuple(sorted([*self._wanted, *acting, *quiet], key=lambda decision: decision.number))

    def _is_wanted(self, decision: DecisionView) -> bool:
        oids, cloids = ids_of(decision.body)
        return not self._oids.isdisjoint(oids) or not self._cloids.isdisjoint(cloids)


def ids_of(body: Mapping[str, Any]) -> tuple[set[int], set[str]]:
    """All ids of orders that a turn placed: the venue's, and the trader's own."""
    oids: set[int] = set()
    cloids = {action["cloid"] for action in body.get("sent") or () if _placed(action)}
    for result in body.get("results") or ():
        for status in _statuses(result):
            placed = status.get("resting") or status.get("filled") or {}
            if isinstance(placed, Mapping):
                if isinstance(placed.get("oid"), int):
                    oids.add(placed["oid"])
                if isinstance(placed.get("cloid"), str):
                    cloids.add(placed["cloid"])
    return oids, cloids


def link_fills(
    fills: Sequence[FillView], decisions: Sequence[DecisionView]
) -> tuple[FillView, ...]:
    """Name the decision of each fill, where it is among those given."""
    by_oid: dict[int, int] = {}
    by_cloid: dict[str, int] = {}
    for decision in decisions:
        oids, cloids = ids_of(decision.body)
        by_oid.update(dict.fromkeys(oids, decision.number))
        by_cloid.update(dict.fromkeys(cloids, decision.number))

    def found(fill: FillView) -> int | None:
        if fill.cloid in by_cloid:
            return by_cloid[fill.cloid]
        return next((by_oid[oid] for oid in fill.oids if oid in by_oid), None)

    return tuple(replace(fill, decision=found(fill)) for fill in fills)


def link_trades(
    trades: Sequence[TradeView],
    fills: Sequence[FillView],
    guards: Mapping[str, Any] | None,
    told: Mapping[tuple[str, int], tuple[str, str]] | None = None,
) -> tuple[TradeView, ...]:
    """Name the decisions of each trade's ends by its first and last fill, and what ended it.

    Args:
        trades: to be linked.
        fills: that know their decisions.
        guards: of the trader, with the latest closings.
        told: of the journal, by coin and time what closed a position, and by which rule.
    """
    opens: dict[tuple[str, int, str], int] = {}
    ends: dict[tuple[str, int], int] = {}
    for fill in fills:
        if fill.decision is not None:
            opens.setdefault((fill.coin, fill.time_ms, fill.side), fill.decision)
            ends[fill.coin, fill.time_ms] = fill.decision
    by_fill = {(fill.coin, fill.time_ms): (fill.cause, "") for fill in fills if fill.cause in _ENDS}
    by_guard = {
        (one["coin"], one["closed_ms"]): (one["kind"], one["rule"])
        for one in (guards or {}).get("closed", ())
    }
    closed = {**by_fill, **(told or {}), **by_guard}
    linked = []
    for trade in trades:
        entry = (trade.coin, trade.entry_ms or 0, "buy" if trade.side == "long" else "sell")
        kind, rule = closed.get((trade.coin, trade.exit_ms or 0), (trade.ended_by, trade.rule))
        linked.append(
            replace(
                trade,
                entry_decision=opens.get(entry),
                exit_decision=ends.get((trade.coin, trade.exit_ms or 0)),
                ended_by=kind,
                rule=rule,
            )
        )
    return tuple(linked)


def _placed(action: Mapping[str, Any]) -> bool:
    return action.get("type") in ("order", "modify") and isinstance(action.get("cloid"), str)


def _statuses(result: Any) -> Iterable[Mapping[str, Any]]:
    """The venue's words on each order of one action; a refusal has none."""
    response = result.get("response") if isinstance(result, Mapping) else None
    data = response.get("data") if isinstance(response, Mapping) else None
    found = data.get("statuses") if isinstance(data, Mapping) else None
    return (one for one in found or () if isinstance(one, Mapping))
