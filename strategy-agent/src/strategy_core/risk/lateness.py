"""A decision that took time: what of it may still be done when it comes."""

from strategy_core.intents import ParentOrder
from strategy_core.llm.thought import Basis
from strategy_core.port import Decision, Observation
from suite.contracts.venue import PlaceOrder, SetLeverage


def late_actions(decision: Decision, seen: Observation) -> dict[int, str]:
    """Find the actions that may add, and whose grounds are no more.

    Args:
        decision: with what it was based on; without, everything may be done.
        seen: what is so now.

    Returns:
        The rule by which each of them is refused, by its place in the decision.
    """
    basis = decision.basis
    if basis is None:
        return {}
    late: dict[int, str] = {}
    for index, action in enumerate(decision.actions):
        adds = isinstance(action, SetLeverage) or (
            isinstance(action, PlaceOrder | ParentOrder) and not action.reduce_only
        )
        if adds and (rule := _rule(basis, action.coin, seen)):
            late[index] = rule
    return late


def _rule(basis: Basis, coin: str, seen: Observation) -> str:
    """Say by which rule nothing of a coin may be opened any more; empty where it may."""
    if seen.now_ms > basis.until_ms:
        return "outdated"
    before, price = basis.prices.get(coin), seen.mids.get(coin)
    if before is None or price is None or abs(price - before) > basis.tolerance * before:
        return "moved_on"
    return "" if seen.size_of(coin) == basis.sizes.get(coin, 0) else "moved_on"
