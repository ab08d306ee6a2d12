"""The watchdog, its ear and its alarms, without a process: what counts as progress."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.gate_setting import ANNA, NOW_MS

from hyperliquid_exchange.adapters.beat_file import BeatFile
from hyperliquid_exchange.adapters.safety_files import SafetyFiles
from hyperliquid_exchange.application.pulse import Pulse, PulseRules
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.watchdog import CancelPath, Fired, Watchdog
from hyperliquid_exchange.domain.progress import Beat, Progress, ProgressRules
from hyperliquid_exchange.domain.safety import Cause, Level
from suite.clock import ManualClock
from suite.contracts.hyperliquid_exchange import (
    Kind,
    L1Action,
    LimitKind,
    Noop,
    Order,
    OrderItem,
)
from suite.errors import Forbidden, StorageError
from suite.notices import Notices

RULES = ProgressRules(limit_s=60.0, lag_ms=5_000)


def beat(number: int, **changed: Any) -> Beat:
    return Beat(number=number, at_ms=NOW_MS, **changed)


def seen(limit: ProgressRules = RULES) -> Progress:
    """A peer that has got on at 2 s."""
    progress = Progress(limit, 0.0)
    progress.look(beat(1), 1.0)
    progress.look(beat(2), 2.0)
    return progress


@pytest.mark.parametrize(
    ("later", "gets_on"),
    [
        (beat(3), True),
        (beat(1), True),  # a new process
        (beat(2), False),
        (None, False),
        (beat(3, lag_ms=4_999), True),
        (beat(3, lag_ms=5_000), False),
        (beat(3, facts_age_ms=59_999), True),
        (beat(3, facts_age_ms=60_000), False),
    ],
)
def test_what_counts_as_progress(later: Beat | None, gets_on: bool) -> None:
    progress = seen()
    progress.look(later, 10.0)

    assert gets_on is not bool(progress.trouble)
    assert (0.0 if gets_on else 8.0) == progress.silent_s(10.0)


@pytest.mark.parametrize(("now_s", "is_over"), [(61.999, False), (62.0, True), (62.001, True)])
def test_the_limit_is_kept_to(now_s: float, is_over: bool) -> None:
    progress = seen()
    for at_s in range(3, 62):
        progress.look(None, float(at_s))

    assert is_over is progress.is_over(now_s)


def test_a_watcher_that_was_frozen_itself_begins_anew() -> None:
    progress = seen()
    progress.look(None, 100.0)

    assert not progress.is_over(159.9)


def test_a_file_that_was_left_is_no_progress() -> None:
    progress = Progress(RULES, 0.0)
    for at_s in range(60):
        progress.look(beat(7), float(at_s))

    assert (progress.was_seen, progress.is_over(60.0)) == (False, True)


class Memory:
    """A beat in memory."""

    def __init__(self, told: Beat | None = None) -> None:
        self.told = told
        self.fails = False

    def write(self, one: Beat) -> None:
        if self.fails:
            raise StorageError("full")
        self.told = one

    def read(self) -> Beat | None:
        return self.told


class Peer:
    def __init__(self) -> None:
        self.told: Beat | None = beat(1)
        self.refuses = False

    async def beat(self) -> Beat | None:
        if self.refuses:
            raise Forbidden("401")
        return self.told


@dataclass
class Stand:
    """A watchdog whose peer, time and disk are a test's."""

    theirs: Memory = field(default_factory=Memory)
    now_s: float = 0.0
    fails: bool = False
    placed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peer, self.mine, self.fired = Peer(), Memory(), Fired()
        self.alerts = Notices([], ManualClock(NOW_MS))
        self.told: list[tuple[str, bool]] = []
        self.alerts.tell = self._alert  # type: ignore[method-assign]
        self.causes: list[Cause] = []
        self.fired.on_engage.append(self.causes.append)
        self.dog = Watchdog(
            peer=self.peer,
            files=(self.theirs, self.mine),
            fired=self.fired,
            place=self._place,
            alerts=self.alerts,
            clock=ManualClock(NOW_MS),
            rules=RULES,
            now_s=lambda: self.now_s,
        )

    async def seconds(self, count: int, *, gets_on: bool = False) -> None:
        for _ in range(count):
            self.now_s += 1.0
            if gets_on and self.peer.told is not None:
                self.peer.told = beat(self.peer.told.number + 1)
            await self.dog.look()

    def _place(self, reason: str) -> None:
        if self.fails:
            raise StorageError("no folder")
        self.placed.append(reason)

    def _alert(self, kind: str, text: str, *, is_critical: bool = False) -> None:
        assert text
        self.told.append((kind, is_critical))


async def test_it_fires_once_at_the_limit_and_looks_at_the_venue_again() -> None:
    one = Stand()
    await one.seconds(100, gets_on=True)
    await one.seconds(59)
    assert (one.placed, one.causes) == ([], [])

    await one.seconds(1)
    assert ["watchdog: no progress for 60 s: it does not move"] == one.placed
    assert [("killed", True)] == one.told
    assert [Level.KILLED] == [cause.level for cause in one.causes]
    assert one.fired.level(ANNA) is Level.KILLED

    await one.seconds(60)
    assert (1, 3) == (len(one.placed), len(one.causes))


async def test_it_is_armed_again_when_its_peer_is_back() -> None:
    one = Stand()
    await one.seconds(3, gets_on=True)
    await one.seconds(60)
    await one.seconds(3, gets_on=True)
    assert (Level.LIVE, ["killed", "peer_back"]) == (
        one.fired.level(ANNA),
        [kind for kind, _ in one.told],
    )

    await one.seconds(60)
    assert len(one.placed) == 2


async def test_a_disk_that_refuses_hinders_no_cancel_and_is_tried_again() -> None:
    one = Stand()
    await one.seconds(3, gets_on=True)
    one.fails = True
    await one.seconds(61)
    assert (one.placed, len(one.causes)) == ([], 1)

    one.fails = False
    await one.seconds(1)
    assert len(one.placed) == 1


async def test_a_peer_that_was_never_there_is_told_of_once_and_not_killed() -> None:
    one = Stand()
    one.peer.told = None
    await one.seconds(200)

    assert ([], [("peer_never_seen", False)]) == (one.placed, one.told)


async def test_one_that_left_a_file_is_missed() -> None:
    one = Stand(theirs=Memory(beat(9)))
    one.peer.told = None
    await one.seconds(60)

    assert len(one.placed) == 1


async def test_a_token_that_is_refused_is_no_frozen_peer() -> None:
    one = Stand(theirs=Memory(beat(1)))
    one.peer.refuses = True
    for number in range(100):
        one.theirs.told = beat(number)
        await one.seconds(1)

    assert ([], {("peer_refuses", False)}) == (one.placed, set(one.told))


class Signer:
    def sign(
        self, trader_id: str, action: L1Action, *, nonce: int, expires_ms: int | None
    ) -> bytes:
        raise AssertionError((trader_id, action, nonce, expires_ms))

    def next(self, signer: str) -> int:
        raise AssertionError(signer)

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        raise AssertionError(payload)

    async def info(self, body: bytes) -> tuple[int, bytes]:
        raise AssertionError(body)


@pytest.mark.parametrize("reduce_only", [True, False])
async def test_the_watchdog_signs_cancels_alone(reduce_only: bool) -> None:
    parts = Signer()
    path = CancelPath(
        accounts={}, signer=parts, nonces=parts, upstream=parts, clock=ManualClock(NOW_MS)
    )
    kind = Kind(limit=LimitKind(tif="Ioc"))
    order = OrderItem(a=0, b=True, p="1", s="1", r=reduce_only, t=kind)
    for action in (Order(orders=[order], grouping="na"), Noop()):
        with pytest.raises(Forbidden):
            await path.send(ANNA, action)


def ladder_in(folder: Path) -> KillLadder:
    clock = ManualClock(NOW_MS)
    return KillLadder(SafetyFiles(folder, clock), [ANNA], clock)


def pulse(
    folder: Path,
    theirs: Memory,
    now: list[float],
    *,
    is_required: bool,
    ladder: KillLadder | None = None,
) -> Pulse:
    return Pulse(
        mine=BeatFile(folder / "proxy.beat"),
        theirs=theirs,
        ladder=ladder or ladder_in(folder),
        ages_s=lambda: [9.0, 2.5],
        clock=ManualClock(NOW_MS),
        rules=PulseRules(progress=RULES, is_required=is_required),
        now_s=lambda: now[0],
    )


@pytest.mark.parametrize("is_required", [True, False])
def test_new_risk_waits_for_a_watchdog_where_one_is_required(
    tmp_path: Path, is_required: bool
) -> None:
    theirs, now = Memory(beat(1)), [0.0]
    ladder = ladder_in(tmp_path)
    one = pulse(tmp_path, theirs, now, is_required=is_required, ladder=ladder)
    one.look()
    assert (Level.PAUSED if is_required else Level.LIVE) is ladder.level(ANNA)

    theirs.told = beat(2)
    one.look()
    assert ladder.level(ANNA) is Level.LIVE

    for _ in range(59):
        now[0] += 1
        one.look()
    assert ladder.level(ANNA) is Level.LIVE
    now[0] += 1
    one.look()
    assert ladder.level(ANNA) is Level.PAUSED

    theirs.told = beat(3)
    one.look()
    assert ladder.level(ANNA) is Level.LIVE


def test_a_beat_is_told_in_a_file(tmp_path: Path) -> None:
    one = pulse(tmp_path, Memory(), [0.0], is_required=False)
    one.tick(7)
    one.tick(8)

    told = BeatFile(tmp_path / "proxy.beat").read()
    assert told == Beat(number=2, at_ms=NOW_MS, lag_ms=8, facts_age_ms=2_500)
    (tmp_path / "proxy.beat").write_bytes(b"{")
    assert BeatFile(tmp_path / "proxy.beat").read() is None
