"""What a mind takes in before it looks whether to ask: fills, verdicts, bars."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from strategy_core.exits.invalidation import MINUTES
from strategy_core.llm.memory import (
    SERIES_MAX,
    TRADES_MAX,
    VERDICTS_MAX,
    MindMemory,
    Trade,
)
from strategy_core.llm.outside import amount, name_of, plain, quoted
from strategy_core.llm.sheet import mark_of
from strategy_core.port import Observation
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import ActionReply

_WAYS: Final = frozenset(
    {
        "Open Long",
        "Open Short",
        "Close Long",
        "Close Short",
        "Long > Short",
        "Short > Long",
        "Auto-Deleveraging",
        "Liquidated Cross Long",
        "Liquidated Cross Short",
        "Liquidated Isolated Long",
        "Liquidated Isolated Short",
    }
)
"""What the venue says of a fill; anything else is put into quotes."""


def learn(memory: MindMemory, seen: Observation, interval_ms: int) -> Observation:
    """Take in what became of the last decision.

    Args:
        memory: brought up to date.
        seen: what is known now.
        interval_ms: of the trader.

    Returns:
        The same with those fills only that are news: an order at the market was answered with
        its own.
    """
    fresh = [fill for fill in seen.fills if fill.tid not in memory.fills_known]
    for fill in fresh:
        memory.trades.append(_trade(fill))
    del memory.trades[:-TRADES_MAX]
    memory.fills_known = [*memory.fills_known, *(fill.tid for fill in fresh)][-200:]
    if seen.verdicts:
        lines = (*memory.said, *_verdict_lines(memory.labels, seen))
        memory.verdicts, memory.verdicts_ms = lines[-VERDICTS_MAX:], seen.now_ms
    resting = {order.coin for order in seen.open_orders if not order.reduceOnly}
    for coin, idea in list(memory.ideas.items()):
        over = seen.now_ms - idea.since_ms > 2 * interval_ms
        was_held = coin in memory.held
        if not seen.size_of(coin) and coin not in resting and (over or was_held):
            del memory.ideas[coin]
    answered = _filled_at_once(seen.results)
    return replace(seen, fills=tuple(fill for fill in fresh if fill.oid not in answered))


def note_bars(
    memory: MindMemory, seen: Observation, coins: Sequence[str], intervals: Sequence[str]
) -> None:
    """Keep the indicators of bars that have closed since the last look, for their series."""
    for coin in coins:
        blocks = (seen.snapshots.get(coin) or {}).get("intervals_data") or {}
        for name in intervals:
            mark = mark_of(blocks.get(str(MINUTES[name])))
            marks = memory.marks.setdefault(f"{coin} {name}", [])
            if mark is not None and (not marks or marks[-1].close_ms < mark.close_ms):
                marks.append(mark)
                del marks[:-SERIES_MAX]


def _trade(fill: UserFill) -> Trade:
    return Trade(
        at_ms=fill.time,
        coin=name_of(fill.coin),
        what=fill.dir if fill.dir in _WAYS else quoted(fill.dir, 40),
        size=amount(fill.sz),
        price=amount(fill.px),
        realized=amount(fill.closedPnl),
        fee=amount(fill.fee),
    )


def _verdict_lines(labels: Sequence[str], seen: Observation) -> Iterator[str]:
    """Tell of each action what the gate and then the venue made of it."""
    results = iter(seen.results)
    for verdict in seen.verdicts:
        if verdict.action >= len(labels):
            yield f"- exit plan {verdict.outcome}: {quoted(verdict.reason)}"
            continue
        line = f"- {plain(labels[verdict.action], 80)}: {plain(verdict, 160)}"
        if verdict.outcome != "rejected":
            line += _answer(next(results, None))
        yield line


def _answer(reply: ActionReply | None) -> str:
    if reply is None:
        return ""
    if reply.status != "ok":
        return f"; the venue refused: {quoted(reply.response)}"
    match reply.response:
        case {"data": {"statuses": [{"error": str() as error}, *_]}}:
            return f"; the venue refused: {quoted(error)}"
        case {"data": {"statuses": [{"filled": {"totalSz": size, "avgPx": price}}, *_]}}:
            return f"; filled {amount(size)} at {amount(price)}"
        case {"data": {"statuses": [{"resting": _}, *_]}}:
            return "; it rests"
    return ""


def _filled_at_once(results: Sequence[ActionReply]) -> set[int]:
    """Ids of orders that were filled in the answer to them."""
    found = set()
    for reply in results:
        match reply.response:
            case {"data": {"statuses": list() as statuses}}:
                for status in statuses:
                    match status:
                        case {"filled": {"oid": int() as oid}}:
                            found.add(oid)
    return found
