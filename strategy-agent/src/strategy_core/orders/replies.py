"""What the venue's answer to an action makes of the order it is about."""

from strategy_core.orders.answers import Answer
from strategy_core.orders.desk import Desk
from strategy_core.orders.memory import ZERO, Child, Ending, Sent
from suite.contracts.venue import CancelOrder, ModifyOrder, PlaceOrder

_ENDINGS: dict[str, Ending] = {"retry": "retry", "empty": "empty", "flat": "flat"}


def take_answer(desk: Desk, sent: Sent, answer: Answer) -> None:
    """Take in the answer to one action."""
    if answer.outcome == "nonsense":
        desk.trouble.append(f"{sent.action.coin}: answer that nobody understands: {answer.text}")
    child = desk.memory.child(sent.cloid)
    match sent.action:
        case PlaceOrder() if child is not None:
            _take_placed(desk, child, answer)
        case ModifyOrder():
            _take_modified(desk, child, sent, sent.action, answer)
        case CancelOrder() if child is not None and answer.outcome == "done":
            # gone already is success too: whether it was filled, its fills will tell
            desk.memory.close(child, "canceled")


def _take_placed(desk: Desk, child: Child, answer: Answer) -> None:
    memory = desk.memory
    if answer.oid is not None:
        memory.give_oid(child, answer.oid)
    match answer.outcome:
        case "resting" | "done":
            child.state = "open"
        case "filled":
            _fill(desk, child, answer)
        case "unknown" | "nonsense":
            child.state = "unknown"
            desk.notes.append(f"{child.coin}: nobody knows yet what became of {child.cloid}")
        case _:
            memory.close(child, _ENDINGS.get(answer.outcome, "refused"), answer.text)
            if child.role == "plain":
                desk.notes.append(f"{child.coin}: order refused: {answer.text}")


def _take_modified(
    desk: Desk, child: Child | None, sent: Sent, action: ModifyOrder, answer: Answer
) -> None:
    """A refused modification leaves the order as it was."""
    memory, trigger = desk.memory, action.order_type.trigger
    if answer.outcome in {"resting", "done", "filled"}:
        _move_guards(desk, child, action, answer)
    if child is None:
        return
    match answer.outcome:
        case "resting" | "done":
            if answer.oid is not None:
                memory.give_oid(child, answer.oid)
            child.state, child.seen, child.sent_ms = "open", False, desk.now_ms
            child.sz = sent.before + action.sz
            child.px = trigger.triggerPx if trigger else action.limit_px
        case "filled":
            child.sz = sent.before + action.sz
            _fill(desk, child, answer, sent)
        case "unknown" | "nonsense":
            child.state = "unknown"
        case _ if child.live:
            child.state, child.refusal = "open", f"{answer.outcome}: {answer.text}"


def _move_guards(desk: Desk, child: Child | None, action: ModifyOrder, answer: Answer) -> None:
    """A trader that moves a stop wants it there."""
    trigger = action.order_type.trigger
    if trigger is None:
        return
    for guard in desk.memory.guards.values():
        leg = action.oid in guard.stop_legs
        if leg and answer.oid is not None and action.oid is not None:
            guard.stop_legs[guard.stop_legs.index(action.oid)] = answer.oid
        if leg or (child is not None and guard.stop == child.cloid):
            guard.stop_px = trigger.triggerPx
        if child is not None and guard.target == child.cloid:
            guard.target_px = trigger.triggerPx


def _fill(desk: Desk, child: Child, answer: Answer, sent: Sent | None = None) -> None:
    """An order that traded at once; what it did not trade is canceled."""
    memory = desk.memory
    if answer.oid is not None:
        memory.give_oid(child, answer.oid)
    child.told = (sent.before if sent else ZERO) + answer.filled
    if child.told > child.sz:
        desk.trouble.append(f"{child.coin}: {child.told} filled of {child.cloid} over {child.sz}")
        child.told = child.sz
    memory.close(child, "filled" if child.told >= child.sz else "canceled")
    if child.filled < child.told:
        memory.owing[child.cloid] = 0
    desk.credit(child, desk.now_ms)
