"""Orders that were sent, remembered for reports."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.waiting import until

from hyperliquid_exchange.adapters.order_log import KEPT_DAYS, LoggedIntents, OrderLog
from hyperliquid_exchange.adapters.preflight_file import keep_result, kept_result
from hyperliquid_exchange.application.preflight.lines import Result
from hyperliquid_exchange.bootstrap import _keep_orders
from hyperliquid_exchange.domain.intents import Intent, Settled
from suite.bars import DAY_MS
from suite.checklist import failed, passed
from suite.clock import ManualClock

NOW_MS = 1_790_000_000_000
CLOID = "0x" + "ab" * 16


def intent(key: str = "k1", *, kind: str = "order", at: int = NOW_MS, **more: Any) -> Intent:
    item = {
        "a": 1,
        "b": True,
        "p": "2000",
        "s": "0.5",
        "r": False,
        "t": {"limit": {"tif": "Ioc"}},
        "c": CLOID,
    }
    action = {"type": "order", "orders": [item, item | {"b": False}], "grouping": "na"}
    envelope = {
        "action": action,
        "nonce": at,
        "signature": {"r": "0x1", "s": "0x1", "v": 27},
        "vaultAddress": None,
        "expiresAfter": None,
    }
    known: dict[str, Any] = {
        "trader_id": "alice",
        "fingerprint": "f",
        "coins": ("ETH",),
        "adds_risk": True,
        "signer": "0x1",
        "expires_ms": None,
        "payload": msgspec.json.encode(envelope),
    }
    return Intent(key=key, kind=kind, nonce=at, **(known | more))


def settled(key: str = "k1", reply: dict[str, Any] | None = None) -> Settled:
    filled = {"filled": {"oid": 7, "totalSz": "0.5", "avgPx": "2000"}}
    statuses = [filled, {"error": "no"}]
    told = {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}
    return Settled(
        trader_id="alice",
        key=key,
        fingerprint="f",
        outcome="answered",
        reply=told if reply is None else reply,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> OrderLog:
    return OrderLog(tmp_path / "orders", clock)


def test_orders_are_told_with_the_names_that_the_venue_gave_them(log: OrderLog) -> None:
    """Each leg by itself; over a restart too."""
    log.began(intent(), NOW_MS)
    log.settled(settled())
    for reader in (log, OrderLog(log._folder, log._clock)):
        one, two = reader.sent(NOW_MS)
        assert (7, None) == (one.oid, two.oid)
        assert ("alice", NOW_MS, CLOID, True) == (
            one.trader_id,
            one.decided_ms,
            one.leg.cloid,
            one.leg.is_buy,
        )
        leg = two.leg
        assert ("2000", "0.5", "Ioc", 1) == (leg.price, leg.size, leg.tif, leg.place)


def test_when_the_answer_was_here_is_noted(log: OrderLog, clock: ManualClock) -> None:
    """And nothing where none came."""
    log.began(intent(), NOW_MS)
    log.began(intent("k2"), NOW_MS)
    clock.advance_to(NOW_MS + 40)
    log.settled(settled())
    assert [NOW_MS + 40] * 2 + [None] * 2 == [order.told_ms for order in log.sent(0)]


def test_only_orders_since_a_time_are_told(log: OrderLog) -> None:
    log.began(intent("old"), NOW_MS - 1)
    log.began(intent("new"), NOW_MS)
    assert [NOW_MS] * 2 == [order.decided_ms for order in log.sent(NOW_MS)]
    assert 4 == len(log.sent(0))


def test_what_places_no_order_and_what_is_no_request_leave_no_line(log: OrderLog) -> None:
    log.began(intent(kind="cancel"), NOW_MS)
    log.began(intent(payload=b"{}"), NOW_MS)
    log.settled(settled("unknown"))
    assert [] == list(log.sent(0))


def test_line_that_a_power_cut_has_torn_is_passed_over(log: OrderLog) -> None:
    log.began(intent(), NOW_MS)
    (path,) = log._folder.iterdir()
    path.write_bytes(path.read_bytes() + path.read_bytes()[:40])
    log.began(intent("k2"), NOW_MS)
    assert 2 <= len(log.sent(0)) <= 4


def test_days_are_files_and_old_ones_go(log: OrderLog, clock: ManualClock) -> None:
    log.began(intent("first"), NOW_MS)
    clock.advance_to(NOW_MS + (KEPT_DAYS + 1) * DAY_MS)
    log.began(intent("last"), clock.now_ms())
    assert 2 == len(list(log._folder.iterdir()))
    log.forget_old()
    assert 1 == len(list(log._folder.iterdir()))


async def test_old_days_go_while_the_service_runs(log: OrderLog, clock: ManualClock) -> None:
    log.began(intent("first"), NOW_MS)
    clock.advance_to(NOW_MS + (KEPT_DAYS + 1) * DAY_MS)
    keeping = asyncio.create_task(_keep_orders(log))
    await until(lambda: not list(log._folder.iterdir()))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def test_disk_that_refuses_hinders_no_order(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "orders").write_text("no folder")
    log = OrderLog(tmp_path / "orders", clock)
    log.began(intent(), NOW_MS)
    log.settled(settled())
    assert log._is_failing


class Durable:
    """A log that only remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def begin(self, intent: Intent) -> None:
        self.calls.append(f"begin {intent.key}")

    async def count_noop(self, _intent: Intent) -> int:
        return 7

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        self.calls.append(f"settle {settled.key} {durable}")

    def find(self, _trader_id: str, key: str) -> None:
        self.calls.append(f"find {key}")

    def has_room(self, _trader_id: str) -> bool:
        return True

    def holds(self, _intent: Intent) -> bool:
        return True

    def open_intents(self) -> list[Intent]:
        return [intent("open")]


async def test_durable_log_is_asked_first_and_for_everything(log: OrderLog) -> None:
    inner = Durable()
    logged = LoggedIntents(inner, log)
    await logged.begin(intent())
    await logged.settle(settled(), durable=True)
    assert logged.find("alice", "k1") is None
    assert ["begin k1", "settle k1 True", "find k1"] == inner.calls
    assert (True, 7, 1) == (
        logged.holds(intent()),
        await logged.count_noop(intent()),
        len(logged.open_intents()),
    )
    assert 2 == len(log.sent(0))


async def test_order_is_as_old_as_this_clock_says(log: OrderLog, clock: ManualClock) -> None:
    """A nonce may be a client's, by a clock of its own; writing an intent down takes its time."""

    class Slow(Durable):
        async def begin(self, intent: Intent) -> None:
            await super().begin(intent)
            clock.advance_to(NOW_MS + 20)

    await LoggedIntents(Slow(), log).begin(intent(at=NOW_MS + 47_000))
    assert [NOW_MS] * 2 == [order.decided_ms for order in log.sent(0)]


# the result of the preflight


def result(*numbers: int, mode: Any = "live") -> Result:
    lines = [failed(number, "x", "bad", "do") for number in numbers]
    return Result(
        mode=mode,
        network="mainnet",
        as_of_ms=NOW_MS,
        config_hash="c",
        build_hash="b",
        accounts={"alice": "0x1"},
        lines=(passed(1, "y", "well"), *lines),
    )


@pytest.mark.parametrize(
    ("kept", "green"),
    [
        (result(), True),
        (result(37), True),
        (result(9), False),
        (result(9, 37), False),
        (result(mode="offline"), False),
    ],
)
def test_kill_may_be_ended_with_a_result_whose_only_fault_is_the_kill(
    kept: Result, *, green: bool, tmp_path: Path
) -> None:
    """Else none could ever be ended."""
    path = keep_result(kept, tmp_path / "state")
    told = msgspec.json.decode(path.read_bytes())
    assert (green, NOW_MS) == (told["green"], told["at_ms"])
    assert kept == kept_result(tmp_path / "state")


def test_result_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert kept_result(tmp_path) is None
    (tmp_path / "preflight.json").write_text('{"green": true}')
    assert kept_result(tmp_path) is None
