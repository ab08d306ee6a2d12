"""The values that a prompt may show, each with the time since which it is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from strategy_core.exits.invalidation import FIELD_NAMES, MINUTES
from strategy_core.llm.memory import SERIES_MAX, Idea, Mark, MindMemory, Trade
from strategy_core.llm.outside import amount, quoted
from strategy_core.llm.template import Known, Template
from strategy_core.port import ZERO, Observation
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.contracts.clock import PositionView

DIGITS: Final = 6
"""Significant digits of a number in a prompt: machines that differ in the last bit ask the same."""
UNKNOWN: Final = "unknown"
NONE: Final = "none"
NEWS_MAX: Final = 10
BODY_CAP: Final = 500
CLOSE, CLOSE_MS = 4, 0
MARKED: Final = ("ema_20", "macd_line", "rsi_7", "rsi_14")
"""Indicators of which a series is shown."""

_COIN = {
    "coin": "its name",
    "price": "mid price now, USD",
    "open_interest": "units of the coin, the last reading",
    "funding": "the last settled rate, a fraction an hour; positive is paid by longs",
    "short": "name of the short interval",
    "long": "name of the long interval",
    **{name: f"{name} of the last closed short bar" for name in (*MARKED, "atr_14")},
    "short_closes": "closes of short bars",
    "long_closes": "closes of long bars",
    "short_volumes": "volumes of short bars, units of the coin",
    **{f"short_{name}": f"{name} of short bars since the trader began" for name in MARKED},
    **{f"long_{name}": f"{name} of long bars since the trader began" for name in MARKED},
    **{
        f"long_{name}_now": f"{name} of the last closed long bar"
        for name in ("ema_20", "ema_50", "atr_3", "atr_14", "volume", "volume_average")
    },
}
_POSITION = {
    "coin": "its name",
    "side": "long or short",
    "size": "units of the coin",
    "entry_price": "average, USD",
    "price": "mid price now, USD",
    "notional": "worth now, USD",
    "pnl": "unrealized, USD",
    "leverage": "as set",
    "liquidation": "price, USD",
    "held_for": "since the decision to enter",
    "stop": "of the exit plan, USD",
    "target": "of the exit plan, USD",
    "invalidation": "rule of the exit plan",
    "confidence": "when it was decided",
    "reasoning": "of the decision, in quotes",
}
_SYSTEM = {
    "coins": "those it may trade",
    "heartbeat": "the longest time between two questions",
    "short": "name of the short interval",
    "long": "name of the long interval",
    "limits": "of the gate, in words",
    "stop_rule": "whether an entry needs a stop",
    "rule_fields": "names that an invalidation rule may use",
    "rule_intervals": "intervals that it may use",
}
_USER = {
    **_SYSTEM,
    "since_start": "time since the trader's first turn",
    "call": "number of the question",
    "cause": "why it is asked",
    "coin_blocks": "the section coin, for each coin",
    "position_blocks": "the section position, for each position",
    "equity": "account value, USD",
    "available": "equity less margin in use, USD",
    "return_percent": "of the equity since the trader's first turn",
    "status": "LIVE, or that only reducing is possible",
    "waiting": "entries that rest, a line each",
    "verdicts": "what became of the last decisions, a line each",
    "trades": "own last fills, a line each",
    "notes": "what it wrote down itself, quoted",
    "news": "text from outside, quoted, a line each",
}

VARIABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "system": _SYSTEM,
    "coin": _COIN,
    "position": _POSITION,
    "user": _USER,
    "again": {"problems": "what was wrong with the answer"},
}
"""What each section of a template may name, and what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What is the same in all prompts of a trader.

    Attributes:
        coins: it may trade.
        short, long: names of the intervals, as a rule names them.
        heartbeat_ms: longest time between two questions.
        limits: of the gate, in words.
        stop_rule: in words.
    """

    coins: tuple[str, ...]
    short: str
    long: str
    heartbeat_ms: int
    limits: str
    stop_rule: str


def system_values(style: Style) -> dict[str, Known]:
    """Values of the section `system`."""
    return {
        "coins": Known(", ".join(style.coins)),
        "heartbeat": Known(span(style.heartbeat_ms)),
        "short": Known(style.short),
        "long": Known(style.long),
        "limits": Known(style.limits),
        "stop_rule": Known(style.stop_rule),
        "rule_fields": Known(", ".join(FIELD_NAMES)),
        "rule_intervals": Known(", ".join(MINUTES)),
    }


def user_values(
    template: Template, style: Style, seen: Observation, memory: MindMemory, cause: str
) -> dict[str, Known]:
    """Values of the section `user`, with the sections that it is made of."""
    now_ms = seen.now_ms
    coins = [
        template.render("coin", coin_values(coin, style, seen, memory), now_ms)
        for coin in style.coins
    ]
    positions = [
        template.render("position", _position_values(held, seen, memory.ideas.get(coin)), now_ms)
        for coin, held in sorted(seen.positions.items())
        if coin in style.coins
    ]
    start = memory.start_equity or seen.equity
    gain = (seen.equity / start - 1) * 100 if start > 0 else ZERO
    live = "you may trade" if seen.status == "LIVE" else f"{seen.status}: you may only reduce"
    return {
        **system_values(style),
        "since_start": Known(span(now_ms - (memory.began_ms or now_ms))),
        "call": Known(str(memory.tally.asked + 1)),
        "cause": Known(cause),
        "coin_blocks": _together(coins, "\n\n"),
        "position_blocks": _together(positions, "\n"),
        "equity": Known(number(seen.equity), now_ms),
        "available": Known(number(seen.available), now_ms),
        "return_percent": Known(number(gain), now_ms),
        "status": Known(live, now_ms),
        "waiting": Known(_waiting(seen, memory.ideas, style.coins), now_ms),
        "verdicts": Known(_lines(memory.verdicts), memory.verdicts_ms),
        "trades": Known(
            _lines(_trade(trade, now_ms) for trade in memory.trades),
            max((trade.at_ms for trade in memory.trades), default=0),
        ),
        "notes": Known(_lines(quoted(note) for note in memory.notes)),
        "news": _news(seen, style.coins),
    }


def coin_values(coin: str, style: Style, seen: Observation, memory: MindMemory) -> dict[str, Known]:
    """Values of the section `coin`."""
    snapshot = seen.snapshots.get(coin) or {}
    as_of_ms = int(snapshot.get("as_of_ms") or 0)
    blocks = snapshot.get("intervals_data") or {}
    short, long = (blocks.get(str(MINUTES[name])) or {} for name in (style.short, style.long))
    funding = snapshot.get("funding") or {}
    values = {
        "coin": Known(coin),
        "price": Known(number(seen.mids.get(coin)), seen.now_ms if coin in seen.mids else 0),
        "open_interest": Known(number(snapshot.get("open_interest")), as_of_ms),
        "funding": Known(
            number(funding.get("rate_hourly")), int(funding.get("settled_at_ms") or 0)
        ),
        "short": Known(style.short),
        "long": Known(style.long),
        "short_closes": _series(short, CLOSE),
        "short_volumes": _series(short, CLOSE + 1),
        "long_closes": _series(long, CLOSE),
    }
    for name in (*MARKED, "atr_14"):
        values[name] = _last(short, name)
    for name in MARKED:
        values[f"short_{name}"] = _marked(memory.marks.get(f"{coin} {style.short}", ()), name)
        values[f"long_{name}"] = _marked(memory.marks.get(f"{coin} {style.long}", ()), name)
    for name in ("ema_20", "ema_50", "atr_3", "atr_14", "volume", "volume_average"):
        values[f"long_{name}_now"] = _last(long, name)
    return values


def mark_of(block: Mapping[str, Any] | None) -> Mark | None:
    """Read the indicators of the last closed bar of a block; None where there is no bar."""
    if not block or block.get("open_time_ms") is None:
        return None
    return Mark(close_ms=_closed_ms(block), values={name: block.get(name) for name in MARKED})


def number(value: object) -> str:
    """Write a number with six significant digits, without an exponent."""
    if value is None:
        return UNKNOWN
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        return UNKNOWN
    short = Decimal(f"{exact:.{DIGITS}g}")
    return f"{short.normalize() + ZERO:f}"


def span(length_ms: int) -> str:
    """Write a length of time in days, hours and minutes."""
    parts = []
    for unit_ms, name in ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m")):
        count, length_ms = divmod(max(0, length_ms), unit_ms)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts) or "0m"


def _closed_ms(block: Mapping[str, Any]) -> int:
    return int(block["open_time_ms"]) + int(block["timeframe"]) * MINUTE_MS


def _last(block: Mapping[str, Any], name: str) -> Known:
    """A number of the last closed bar, known since it closed."""
    if block.get("open_time_ms") is None:
        return Known(UNKNOWN)
    return Known(number(block.get(name)), _closed_ms(block))


def _series(block: Mapping[str, Any], column: int) -> Known:
    """A column of the last closed bars, known since the last of them closed."""
    rows: Sequence[Sequence[Any]] = (block.get("bars") or ())[-SERIES_MAX:]
    if not rows:
        return Known(UNKNOWN)
    length_ms = int(block["timeframe"]) * MINUTE_MS
    latest = max(int(row[CLOSE_MS]) for row in rows) + length_ms
    return Known(", ".join(number(row[column]) for row in rows), latest)


def _marked(marks: Sequence[Mark], name: str) -> Known:
    if not marks:
        return Known(UNKNOWN)
    return Known(", ".join(number(mark.values.get(name)) for mark in marks), marks[-1].close_ms)


def _position_values(held: PositionView, seen: Observation, idea: Idea | None) -> dict[str, Known]:
    now_ms, price = seen.now_ms, seen.mids.get(held.coin)
    plan: dict[str, str] = dict.fromkeys(
        ("held_for", "stop", "target", "invalidation", "confidence", "reasoning"), UNKNOWN
    )
    if idea is not None:
        plan = {
            "held_for": span(now_ms - idea.since_ms),
            "stop": number(idea.stop) if idea.stop is not None else NONE,
            "target": number(idea.target) if idea.target is not None else NONE,
            "invalidation": idea.invalidation or NONE,
            "confidence": NONE if idea.confidence is None else number(idea.confidence),
            "reasoning": quoted(idea.reasoning),
        }
    told = {
        "coin": held.coin,
        "side": "long" if held.size > 0 else "short",
        "size": number(abs(held.size)),
        "entry_price": number(held.entry_px),
        "price": number(price),
        "notional": number(None if price is None else abs(held.size) * price),
        "pnl": number(held.unrealized_pnl),
        "leverage": str(held.leverage),
        "liquidation": number(held.liquidation_px),
    }
    return {
        **{name: Known(text, now_ms) for name, text in told.items()},
        **{name: Known(text) for name, text in plan.items()},
    }


def _waiting(seen: Observation, ideas: Mapping[str, Idea], coins: Sequence[str]) -> str:
    lines = []
    for order in seen.open_orders:
        if order.reduceOnly or order.coin not in coins:
            continue
        idea = ideas.get(order.coin)
        left = f", given up in {span(idea.until_ms - seen.now_ms)}" if idea is not None else ""
        side = "buy" if order.side == "B" else "sell"
        price = amount(order.limitPx)
        lines.append(f"- {order.coin} {side} {amount(order.sz)} at {price}{left}")
    return _lines(lines)


def _trade(trade: Trade, now_ms: int) -> str:
    return (
        f"- {span(now_ms - trade.at_ms)} ago {trade.coin} {trade.what} {trade.size} at "
        f"{trade.price}, realized {trade.realized}, fee {trade.fee}"
    )


def _news(seen: Observation, coins: Sequence[str]) -> Known:
    """Texts that a data service may send with a snapshot; each with the time it came out."""
    told: dict[tuple[int, str], str] = {}
    for coin in coins:
        for one in ((seen.snapshots.get(coin) or {}).get("news") or ())[-NEWS_MAX:]:
            if isinstance(one, Mapping) and isinstance(one.get("at_ms"), int):
                text = f"- {coin} {quoted(one.get('headline', ''))}"
                if one.get("body"):
                    text += f" {quoted(one['body'], BODY_CAP)}"
                told[one["at_ms"], text] = text
    newest = sorted(told)[-NEWS_MAX:]
    return Known(_lines(told[key] for key in newest), max((at for at, _ in newest), default=0))


def _together(blocks: Sequence[Known], between: str) -> Known:
    text = between.join(block.text for block in blocks) or NONE
    return Known(text, max((block.since_ms for block in blocks), default=0))


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or NONE
