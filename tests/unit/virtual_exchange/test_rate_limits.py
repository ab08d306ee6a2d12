"""Weights of reads, the bucket of an address, and the actions of an account."""

from pathlib import Path

import pytest
from tests.support.served import served
from tests.support.worlds import open_memory_world, random_source

from suite.info_weights import items_of, weight
from virtual_exchange.domain.rate_limits import ActionBudgets, WeightLimits, action_weight

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("kind", "items", "expected"),
    [
        ("l2Book", 0, 2),
        ("allMids", 300, 2),
        ("clearinghouseState", 0, 2),
        ("spotClearinghouseState", 0, 2),
        ("orderStatus", 0, 2),
        ("exchangeStatus", 0, 2),
        ("userRole", 0, 60),
        ("meta", 0, 20),
        ("unheardOf", 500, 20),
        ("userFills", 19, 20),
        ("userFills", 2000, 120),
        ("userFunding", 500, 45),
        ("candleSnapshot", 59, 20),
        ("candleSnapshot", 5000, 103),
    ],
)
def test_read_weighs_what_the_venue_says(kind: str, items: int, expected: int) -> None:
    """Some by their rows too."""
    assert expected == weight(kind, items)


@pytest.mark.parametrize(("batch", "expected"), [(1, 1), (39, 1), (40, 2), (200, 6)])
def test_action_weighs_by_its_batch(batch: int, expected: int) -> None:
    assert expected == action_weight(batch)


def test_rows_are_counted_where_there_are_any() -> None:
    assert [3, 2, 0, 0] == [items_of(answer) for answer in ([1, 2, 3], (1, 2), {"a": 1}, None)]


def test_address_spends_its_minute_and_gets_it_back_steadily() -> None:
    """Another one is not touched by it."""
    limits = WeightLimits()
    assert [True] * 60 + [False] == [limits.allow("a", 20, 0) for _ in range(61)]
    assert limits.allow("b", 1200, 0)
    assert not limits.allow("a", 20, 999)
    assert limits.allow("a", 20, 1000)
    assert not limits.allow("a", 20, 1000)
    assert limits.allow("a", 1200, 2 * MINUTE_MS)
    assert not limits.allow("a", 1, 2 * MINUTE_MS)


def test_weight_that_is_known_later_is_owed() -> None:
    """The reply is sent, and what follows waits for it."""
    limits = WeightLimits()
    assert limits.allow("a", 1200, 0)
    limits.charge("a", 100, 0)
    assert not limits.allow("a", 1, 5000)
    assert limits.allow("a", 1, 5050)


def test_clock_that_goes_back_gives_nothing() -> None:
    """Nor takes it."""
    limits = WeightLimits()
    assert limits.allow("a", 1200, MINUTE_MS)
    assert not limits.allow("a", 1, 0)
    assert not limits.allow("a", 1, MINUTE_MS)


def test_strangers_do_not_fill_the_memory() -> None:
    """A full bucket is one that was never there."""
    limits = WeightLimits()
    for number in range(25_000):
        limits.charge(f"ip{number}", 1, 0 if number < 5000 else 10 * MINUTE_MS)
    assert len(limits._buckets) <= 10_000


def test_account_may_send_what_its_volume_allows() -> None:
    """Beyond it one action in ten seconds; cancels have more."""
    budgets = ActionBudgets()
    volume_usd = 500 * 10**6
    assert 10_500 == budgets.cap(volume_usd)

    def refusal(*, cancels: bool = False, now_ms: int = 0) -> str | None:
        return budgets.refusal(3, volume_usd=volume_usd, cancels=cancels, now_ms=now_ms)

    budgets.count(3, 10_499)
    assert refusal() is None
    budgets.count(3, 1)
    assert refusal(now_ms=MINUTE_MS) is None
    text = refusal(now_ms=MINUTE_MS + 9_999)
    assert text is not None
    assert "Too many cumulative requests sent (10500 > 10500)" in text
    assert "traded $500.0." in text
    assert refusal(now_ms=MINUTE_MS + 10_000) is None
    assert refusal(cancels=True, now_ms=MINUTE_MS + 10_001) is None
    budgets.count(3, 10_500)
    assert refusal(cancels=True, now_ms=MINUTE_MS + 10_002) is not None
    assert 21_000 == budgets.used(3)
    assert 0 == budgets.used(4)


def test_limits_of_a_world_go_by_what_its_accounts_traded() -> None:
    """As `userRateLimit` tells."""
    session = open_memory_world(random_source("BTC"))
    limits = session.queries.limits
    limits.count(0, 7)
    assert (7, 10_000) == (limits.used(0), limits.cap(0))
    assert limits.refusal(0, cancels=False, now_ms=0) is None


async def test_reads_beyond_the_weight_are_refused_with_null(tmp_path: Path) -> None:
    """429 and JSON `null`, as the venue's SDK expects; the other addresses go on."""
    async with served(tmp_path, rate_limits=True) as venue:
        replies = [await venue.post("/info", {"type": "meta"}, None) for _ in range(61)]
        assert {200} == {reply.status_code for reply in replies[:60]}
        last = replies[-1]
        assert (429, "null", "application/json") == (
            last.status_code,
            last.text,
            last.headers["content-type"],
        )


async def test_reads_are_not_limited_unless_asked(tmp_path: Path) -> None:
    """A backtest asks as fast as it can."""
    async with served(tmp_path) as venue:
        for _ in range(61):
            reply = await venue.post("/info", {"type": "meta"}, None)
        assert 200 == reply.status_code


async def test_value_the_venue_has_not_is_its_own_error(tmp_path: Path) -> None:
    """500 and `null`; what follows the first JSON value is ignored."""
    async with served(tmp_path) as venue:
        reply = await venue.post("/info", {"type": "l2Book", "coin": "BTC", "nSigFigs": 7}, None)
        assert (500, "null") == (reply.status_code, reply.text)
        headers = {"content-type": "application/json"}
        body = b'{"type":"l2Book","coin":"BTC","more":1} and more'
        reply = await venue.client.post("/info", content=body, headers=headers)
        assert (200, "BTC") == (reply.status_code, reply.json()["coin"])
        wrong = b'{"type":"l2Book","coin":7}'
        reply = await venue.client.post("/info", content=wrong, headers=headers)
        assert 422 == reply.status_code
        assert reply.text.startswith("Failed to deserialize the JSON body into the target type")
        assert reply.headers["content-type"].startswith("text/plain")
