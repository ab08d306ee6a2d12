"""What a trader that asks a model thought: from its journal to tables, traces and trajectories."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy_agent.journal_summary import records_of
from strategy_core.journal import DecisionRecord
from strategy_core.llm.thought import Thought
from strategy_core.llm.trace import first_status
from strategy_core.llm.use import flaw_kind
from suite.contracts.venue import PlaceOrder
from suite.errors import BadRequest
from suite.moments import format_moment

_WIDTH: Final = 34
_CUTOFF: Final = {
    True: "the whole run is after the model's training cut-off",
    False: "part of the run, or all of it, is before the model's training cut-off",
    None: "nobody says when the model's training ended: set training_cutoff",
}


def trajectories(file: Path) -> Iterator[bytes]:
    """Write each question with its answer and what became of it, a line of JSON each.

    A line holds `messages`, as models are trained with them, and around it what was known, the
    verdicts, the orders, the venue's answers, the equity then and at the next question.

    Raises:
        BadRequest: the file cannot be read, or nothing in it was thought.
    """
    asked = [record for record in records_of(file) if record.llm is not None and record.llm.prompt]
    if not asked:
        raise BadRequest(f"{file} holds no question to a model")
    for record, later in zip(asked, [*asked[1:], None], strict=True):
        thought = record.llm or Thought()
        yield msgspec.json.encode(
            {
                "trader_id": record.trader_id,
                "decision": record.decision,
                "now_ms": record.now_ms,
                "messages": [*_messages(thought.prompt), _said(thought)],
                "cause": thought.cause,
                "model": thought.model,
                "template": thought.template,
                "trace": thought.trace,
                "flaws": thought.flaws,
                "actions": record.actions,
                "verdicts": record.verdicts,
                "sent": record.sent,
                "results": record.results,
                "counterfactual": thought.counterfactual,
                "llm_cost_usd": thought.llm_cost_usd,
                "equity": record.equity,
                "equity_next": None if later is None else later.equity,
            }
        )


def report(file: Path) -> Iterator[str]:
    """Sum up: calls and what caused them, calls saved, flaws, faults, money.

    Raises:
        BadRequest: as for `trajectories`.
    """
    looks, calls, retries, tokens = 0, Counter[str](), 0, 0
    flaws, faults, sources, models = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    cost = Decimal(0)
    trader_id, after_cutoff = "", None
    for record in records_of(file):
        looks += record.asked
        thought = record.llm
        if thought is None:
            continue
        trader_id, after_cutoff = record.trader_id, thought.after_cutoff
        cost += thought.llm_cost_usd
        tokens += thought.tokens
        flaws.update(map(flaw_kind, thought.flaws))
        if thought.fault:
            faults[thought.fault.partition(":")[0]] += 1
            continue
        calls[thought.cause.partition(":")[0].partition(",")[0]] += 1
        retries += thought.prompt.count("\n\n[assistant]\n")
        sources[thought.source] += 1
        models[thought.model] += 1
    if not (calls or faults):
        raise BadRequest(f"{file} holds no question to a model")
    asked = sum(calls.values())
    share = 100 * (looks - asked) / looks if looks else 0.0
    yield f"{trader_id}: {asked:,} questions at {looks:,} looks"
    yield _row("saved against asking at each look", looks - asked) + f"  {share:.1f} %"
    yield from _counts("asked because of", calls)
    yield from _counts("answered by", models)
    yield from _counts("answers from", sources)
    yield _row("asked a second time", retries)
    yield from _counts("flaws", flaws)
    yield from _counts("no answer", faults)
    yield _CUTOFF[after_cutoff]
    yield _row("tokens", tokens)
    yield f"{'cost, USD':<{_WIDTH}}{cost:>12.4f}"


def decided(file: Path) -> Iterator[str]:
    """Tell each question in a line: when, why, what was decided, and what the guards made of it.

    Raises:
        BadRequest: as for `trajectories`.
    """
    found = False
    for record in records_of(file):
        if record.llm is None:
            continue
        found = True
        outcomes = Counter(str(one.outcome) for one in record.verdicts)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        at = f"{format_moment(record.now_ms):<16}  {record.trader_id}, {record.llm.cause}"
        yield f"{at}: {record.reasoning}{f' [{told}]' if told else ''}"
    if not found:
        raise BadRequest(f"{file} holds no question to a model")


def trace(file: Path, number: int) -> Iterator[str]:
    """Tell the story of one fill: what was seen, asked, answered, allowed, sent, filled and won.

    Args:
        file: the journal.
        number: of the fill of an order that the trader decided on, from 1.

    Raises:
        BadRequest: there is no such fill.
    """
    records = list(records_of(file))
    fills = list(_fills(records))
    if not 1 <= number <= len(fills):
        raise BadRequest(f"{file} holds {len(fills)} fills of decided orders, not one {number}")
    record, order, filled = fills[number - 1]
    thought = record.llm or Thought()
    at = format_moment(record.now_ms)
    yield f"fill {number} of {len(fills)}: decision {record.decision}, {at}"
    yield f"woken by: {', '.join(record.woke_by)}; asked because of: {thought.cause}"
    for coin, bars in thought.trace.get("bars", {}).items():
        for name, bar in bars.items():
            opened = format_moment(bar["open_time_ms"])
            yield f"bar seen: {coin} {name} of {opened}, close {bar['close']}"
    yield f"template: {thought.template}; model: {thought.model} ({thought.source})"
    yield from _indented("prompt", thought.prompt)
    yield from _indented("reply", thought.reply)
    for one in thought.trace.get("decisions", ()):
        yield f"decision: {msgspec.json.encode(one).decode()}"
    for verdict in record.verdicts:
        yield f"verdict on action {verdict.action}: {verdict}"
    yield f"order: {_order(order)}"
    yield f"fill: {filled.get('totalSz')} at {filled.get('avgPx')}, order id {filled.get('oid')}"
    yield from (f"counterfactual: {line}" for line in thought.counterfactual)
    later = records[records.index(record) + 1 :]
    closed = next((c for r in later for c in r.closed if c.coin == order.coin), None)
    if closed is None:
        yield f"outcome: the position in {order.coin} is still open at the end of the journal"
        return
    yield (
        f"outcome: closed by {closed.kind} at {format_moment(closed.closed_at_ms)}, "
        f"{closed.entry_price:f} -> {closed.exit_price:f}, realized {closed.realized:f}, "
        f"fees {closed.fees:f}, funding {closed.funding:f}, net {closed.net:f} USD"
    )
    yield from _side_by_side(record, order, filled, closed)


def _side_by_side(
    record: DecisionRecord, order: PlaceOrder, filled: dict[str, Any], closed: Any
) -> Iterator[str]:
    """PnL of what was asked, what the guards made of it, and what execution cost."""
    prices = (record.llm or Thought()).trace.get("prices", {})
    if order.coin not in prices:
        return
    mid, size = Decimal(prices[order.coin]), Decimal(str(filled.get("totalSz") or 0))
    side = 1 if order.is_buy else -1
    index = next(
        (i for i, one in enumerate(record.actions) if isinstance(one, PlaceOrder)
         and one.coin == order.coin and not one.reduce_only),
        None,
    )  # fmt: skip
    asked = record.actions[index] if index is not None else order
    wanted = asked.sz if isinstance(asked, PlaceOrder) else order.sz
    move = (closed.exit_price - mid) * side
    paid = (Decimal(str(filled.get("avgPx"))) - mid) * side * size
    yield f"  what the model asked: {wanted:f} from {mid:f}: {wanted * move:.4f} USD"
    yield f"  what the guards let through: {order.sz:f}: {order.sz * move:.4f} USD"
    yield (
        f"  what execution cost: {paid:.4f} USD of price, {closed.fees:.4f} of fees, "
        f"{closed.funding:.4f} of funding"
    )


def _fills(
    records: list[DecisionRecord],
) -> Iterator[tuple[DecisionRecord, PlaceOrder, dict[str, Any]]]:
    """Find orders of questions that were filled in the answer to them."""
    for record in records:
        if record.llm is None or record.results is None:
            continue
        for action, reply in zip(record.sent, record.results, strict=False):
            if not isinstance(action, PlaceOrder):
                continue
            filled = first_status(reply.response).get("filled")
            if isinstance(filled, dict):
                yield record, action, filled


def _messages(prompt: str) -> list[dict[str, str]]:
    """Take a transcript apart again."""
    messages = []
    for part in f"\n\n{prompt}".split("\n\n["):
        role, mark, text = part.partition("]\n")
        if mark and role in {"system", "user", "assistant"}:
            messages.append({"role": role, "content": text})
        elif messages:
            messages[-1]["content"] += f"\n\n[{part}"
    return messages


def _said(thought: Thought) -> dict[str, str]:
    said = {"role": "assistant", "content": thought.reply}
    return said | {"thinking": thought.thinking} if thought.thinking else said


def _order(order: PlaceOrder) -> str:
    return msgspec.json.encode(order).decode()


def _indented(title: str, text: str) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"    {line}" for line in text.splitlines())


def _row(name: str, count: int) -> str:
    return f"{name:<{_WIDTH}}{count:>12,}"


def _counts(name: str, counts: Counter[str]) -> Iterator[str]:
    yield _row(name, sum(counts.values()))
    for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield _row(f"  {key or 'unknown'}", count)
