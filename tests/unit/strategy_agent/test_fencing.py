"""What leaves in the name of a trader that was claimed, and until when."""

import asyncio
import random
import re

import pytest
from tests.unit.strategy_agent.scripted import ScriptedSteps
from tests.unit.strategy_core.fake_venue import FakeVenue

from strategy_agent.application.fencing import Fence, FencedSteps, LeaseOver
from strategy_agent.claimed import FencedCalls
from suite.clock import ManualClock
from suite.contracts.clock import JoinRequest, WaitRequest
from suite.contracts.venue import CancelOrder
from suite.service.http import step_session


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def fence_at(now: Time) -> Fence:
    fence = Fence(now_s=now, wall=ManualClock(50_000))
    fence.renewed(asked_s=99.0, ttl_s=30.0)
    return fence


def test_a_lease_counts_from_before_it_was_asked_for() -> None:
    """Safe for two thirds, over at its end, and never open before it is given."""
    now = Time()
    fence = fence_at(now)
    assert (True, 79_000) == (fence.is_safe, fence.end_ms)
    now.now_s = 119.0
    assert not fence.is_safe
    now.now_s = 128.9
    fence.check()
    now.now_s = 129.0
    with pytest.raises(LeaseOver):
        fence.check()
    fence.renewed(asked_s=90.0, ttl_s=30.0)  # an answer that was slept over
    with pytest.raises(LeaseOver):
        fence.check()
    fence.renewed(asked_s=129.0, ttl_s=30.0)
    fence.check()
    with pytest.raises(LeaseOver):
        Fence(now_s=now, wall=ManualClock(0)).check()


async def test_steps_take_no_new_risk_while_the_lease_may_run_out_and_carry_nothing_after_it() -> (
    None
):
    now = Time()
    inner = ScriptedSteps(FakeVenue(steps=9), sleeps=False)
    inner.trouble = ("kill_latch",)
    steps = FencedSteps(inner, fence_at(now))
    await steps.join(JoinRequest())
    assert ["kill_latch"] == list(steps.trouble)
    now.now_s = 120.0
    assert ["kill_latch", "lease"] == list(steps.trouble)
    order = (CancelOrder(coin="BTC", oid=1),)
    await steps.wait(WaitRequest(step_seq=1, until_ms=1, orders=order))
    now.now_s = 130.0
    with pytest.raises(LeaseOver):
        await steps.wait(WaitRequest(step_seq=2, until_ms=1, orders=order))
    assert 1 == inner.turns


async def test_no_call_leaves_after_the_lease_and_none_is_valid_for_longer() -> None:
    """As a venue sees it: what is not sent is not there."""
    came: list[str] = []

    async def venue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        expires = re.search(r"expires-after: (\d+)", head)
        came.append(expires[1] if expires else "")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()

    now = Time()
    async with await asyncio.start_server(venue, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        calls = FencedCalls(
            step_session(url), url, name="the venue", hints={}, connect_window_s=1,
            retry_window_s=1, jitter=random.Random(1),
        )  # fmt: skip
        calls.fence = fence_at(now)
        for until_ms in ("60000", "90000"):
            headers = {"Expires-After": until_ms}
            await calls.once("POST", "exchange/order", b"{}", reason="order", headers=headers)
        await calls.once("GET", "info", None, reason="look")
        now.now_s = 129.0
        with pytest.raises(LeaseOver):
            await calls.once("POST", "exchange/cancel", b"{}", reason="cancel")
        await calls.close()
    assert ["60000", "79000", ""] == came
    assert {"order": 2, "look": 1} == calls.requests
