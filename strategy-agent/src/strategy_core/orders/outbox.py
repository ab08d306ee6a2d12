"""What went out in a turn, in which order; what has not gone out never happened.

Everything that the manager returns counts as sent. A loop that keeps something back, makes it
smaller or adds something of its own says afterwards what it really sent.
"""

from collections.abc import Sequence

from strategy_core.orders.memory import ZERO, Child, OrderMemory, Sent
from suite.contracts.venue import Action, CancelOrder, ModifyOrder, PlaceOrder

WITHHELD = "the gate kept it back"


def note_sent(memory: OrderMemory, actions: Sequence[Action]) -> None:
    """Put what was really sent in place of what should have been."""
    if not (actions or memory.outbox):
        return
    waiting = {_name(sent.action): sent for sent in memory.outbox}
    outbox: list[Sent] = []
    for action in actions:
        planned = waiting.pop(_name(action), None)
        if planned is None:
            child = _subject(memory, action)
            outbox.append(
                Sent(
                    action=action,
                    cloid=child.cloid if child else "",
                    before=child.done if child else ZERO,
                )
            )
            continue
        if planned.action != action:
            planned.action = action
            _make_smaller(memory, planned)
        outbox.append(planned)
    memory.outbox = outbox
    for sent in waiting.values():
        withhold(memory, sent)


def withhold(memory: OrderMemory, sent: Sent) -> None:
    """An action never went out: an order ends, one that was to be changed stays as it is."""
    child = memory.child(sent.cloid)
    if child is None:
        return
    if isinstance(sent.action, PlaceOrder):
        memory.close(child, "withheld", WITHHELD)
    elif isinstance(sent.action, ModifyOrder) and child.live:
        child.state, child.refusal = "open", WITHHELD


def _make_smaller(memory: OrderMemory, sent: Sent) -> None:
    child = memory.child(sent.cloid)
    if child is None or not isinstance(sent.action, PlaceOrder):
        return
    child.sz = sent.action.sz
    child.reduce_only = sent.action.reduce_only
    if (work := memory.works.get(child.owner)) is not None and child.role == "quote":
        work.goal = work.filled + child.sz


def _subject(memory: OrderMemory, action: Action) -> Child | None:
    """Order that an action is about, None for none of ours."""
    if not isinstance(action, PlaceOrder | ModifyOrder | CancelOrder):
        return None
    if action.cloid is not None:
        return memory.child(action.cloid.lower())
    return (
        None
        if isinstance(action, PlaceOrder) or action.oid is None
        else (memory.child_of(action.oid))
    )


def _name(action: Action) -> tuple[object, ...]:
    """What stays the same of an action when it is made smaller."""
    match action:
        case PlaceOrder():
            return ("order", action.cloid)
        case CancelOrder() | ModifyOrder():
            return (type(action).__name__, action.coin, action.oid, action.cloid)
    return (type(action).__name__, action.coin)
