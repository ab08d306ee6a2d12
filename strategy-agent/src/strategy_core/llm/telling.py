"""What a mind says in words: to its model, and to the journal."""

from collections.abc import Sequence
from typing import Any

import msgspec

from strategy_core.building import Setup
from strategy_core.intents import Intent
from strategy_core.llm.answer import Flaw, Item
from strategy_core.llm.outside import plain
from strategy_core.llm.port import Message


def limits_in_words(setup: Setup) -> str:
    limits = setup.limits
    return (
        f"leverage at most {limits.max_leverage:g}, a coin at most {limits.max_coin_exposure:g} "
        f"times equity, an order at most {limits.max_order_notional:g} times equity, a loss of "
        f"{limits.max_day_loss * 100:g} % in a day ends the day, orders of 10 USD at least"
    )


def asked_of(item: Item) -> dict[str, Any]:
    """A decision as plain values, without what it does not say."""
    told = msgspec.to_builtins(item)
    return {key: value for key, value in told.items() if value is not None and value != ""}


def label_of(action: Intent) -> str:
    """Name an action for the model, when it is told what became of it."""
    told = msgspec.to_builtins(action)
    kind = told.get("type", "")
    if kind != "order":
        detail = f" {told['leverage']}" if kind == "leverage" else ""
        return f"{told['coin']} {kind}{detail}"
    side = "buy" if told["is_buy"] else "sell"
    reduces = " to reduce" if told.get("reduce_only") else ""
    return f"{told['coin']} {side}{reduces} {told['sz']}"


def reasoning_of(items: Sequence[Item], flaws: Sequence[Flaw]) -> str:
    """One or two sentences for the journal."""
    said = [f"{item.coin} {item.signal}: {item.reasoning}" for item in items[:4]]
    wrong = [f"{len(flaws)} flaws, first {flaws[0]}"] if flaws else []
    return plain("; ".join((*said, *wrong)) or "hold", 600)


def transcript(messages: Sequence[Message]) -> str:
    return writable("\n\n".join(f"[{one.role}]\n{one.content}" for one in messages))


def writable(text: str) -> str:
    """Leave out halves of characters: no journal can be written with them."""
    return text.encode("utf-8", "replace").decode("utf-8")
