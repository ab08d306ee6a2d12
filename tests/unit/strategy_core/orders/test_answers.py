"""The venue's answers, read."""

from decimal import Decimal
from typing import Any

import pytest

from strategy_core.orders.answers import Answer, read_answer
from suite.contracts.venue import ActionReply
from suite.errors import RejectReason
from virtual_exchange.application.exchange.texts import error_text


def order(*statuses: Any) -> ActionReply:
    return ActionReply(status="ok", response={"type": "order", "data": {"statuses": [*statuses]}})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (order({"resting": {"oid": 5}}), Answer(outcome="resting", oid=5)),
        (
            order({"filled": {"oid": 5, "totalSz": "0.25", "avgPx": "1"}}, "waitingForTrigger"),
            Answer(outcome="filled", oid=5, filled=Decimal("0.25")),
        ),
        (order("waitingForFill"), Answer(outcome="resting", text="waitingForFill")),
        (order("success"), Answer(outcome="done", text="success")),
        (ActionReply(status="ok", response={"type": "default"}), Answer(outcome="done")),
        (order("sent"), Answer(outcome="unknown", text="sent")),
        (
            ActionReply(status="err", response="held back: the kill latch is engaged"),
            Answer(outcome="retry", text="held back: the kill latch is engaged"),
        ),
    ],
)
def test_an_answer_is_read_in_the_shape_of_the_venue(reply: ActionReply, expected: Answer) -> None:
    """Of a group the entry's status counts."""
    assert expected == read_answer(reply)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (RejectReason.POST_ONLY_WOULD_MATCH, "retry"),
        (RejectReason.UNKNOWN_ORDER, "gone"),
        (RejectReason.CANNOT_MODIFY, "gone"),
        (RejectReason.REDUCE_ONLY_INCREASES, "flat"),
        (RejectReason.IOC_NO_MATCH, "empty"),
        (RejectReason.MIN_NOTIONAL, "refused"),
        (RejectReason.INSUFFICIENT_MARGIN, "refused"),
        (RejectReason.INVALID_PRICE, "refused"),
        (RejectReason.TOO_MANY_OPEN_ORDERS, "refused"),
    ],
)
def test_refusals_are_told_apart_by_what_may_be_done(reason: RejectReason, outcome: str) -> None:
    """In the very words of the venue, as a status and as an error."""
    text = error_text(reason, 0, bid="1", ask="2")
    assert outcome == read_answer(order({"error": text})).outcome
    assert outcome == read_answer(ActionReply(status="err", response=text)).outcome


def test_a_window_for_post_only_orders_and_a_full_budget_pass() -> None:
    """What is true of this moment only is not a refusal for good."""
    for text in (
        "Only post-only orders allowed immediately after a network upgrade.",
        "Too many requests",
        "Too many cumulative requests sent (11000 > 10000) for cumulative volume traded $0.",
    ):
        assert read_answer(order({"error": text})).outcome == "retry"


@pytest.mark.parametrize(
    "response",
    [
        None,
        "ok",
        7,
        [],
        {"data": {"statuses": []}},
        {"data": {"statuses": "no"}},
        {"data": {"statuses": [7]}},
        {"data": {"statuses": ["maybe"]}},
        {"data": {"statuses": [{}]}},
        {"data": {"statuses": [{"resting": {}}]}},
        {"data": {"statuses": [{"resting": {"oid": "x"}}]}},
        {"data": {"statuses": [{"filled": {"oid": 1, "totalSz": "NaN"}}]}},
        {"data": {"statuses": [{"filled": 3}]}},
    ],
)
def test_nonsense_is_called_so(response: object) -> None:
    """No shape makes it fail, and none passes for an answer."""
    assert read_answer(ActionReply(status="ok", response=response)).outcome == "nonsense"
