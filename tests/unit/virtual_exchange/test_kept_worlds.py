"""Worlds that survive the end of their process: played again, they are what they were."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.wallets import Wallet, order
from tests.support.world_kills import NOW_MS, WANT, trade
from tests.support.worlds import START_MS, MemorySource, random_source

from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest
from suite.contracts.world import AccountRequest, WorldRequest
from suite.errors import JoinFirst, StorageError
from virtual_exchange.adapters.world_journals import WorldFiles
from virtual_exchange.application.clock.barrier import SILENCE_LIMIT_MS
from virtual_exchange.application.inputs import Drop, Fund, Join, Play, Post, Tick, Wait, Wake
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.application.session import Session
from virtual_exchange.application.worlds import Keeping, Worlds
from virtual_exchange.domain.market import Market


class Changed(MemorySource):
    """A store in which a bar was repaired meanwhile."""

    def load(self, query: MarketQuery) -> Market:
        market = super().load(query)
        market.manifest["data"] = {"BTC": {"content_sha256": "1" * 64}}
        return market


def source(*, seed: int = 1) -> MemorySource:
    return random_source("BTC", count=300, seed=seed)


def request(**fields: Any) -> WorldRequest:
    accounts = (AccountRequest(id="alice"), AccountRequest(id="bob", address=Wallet(3).address))
    return WorldRequest(symbols=("BTC",), accounts=accounts, **{"supervised": True, **fields})


@asynccontextmanager
async def life(
    folder: Path, *, which: Any = "supervised", market: MemorySource | None = None, at: int = 0
) -> AsyncIterator[Worlds]:
    """A process that keeps worlds, up to its end."""
    worlds = Worlds(
        source=market or source(),
        clock=ManualClock(NOW_MS + at),
        keeping=Keeping(journals=WorldFiles(folder), which=which),
    )
    try:
        yield worlds
    finally:
        worlds.close()


async def again(folder: Path, **options: Any) -> bytes:
    """Play the one world again; its report."""
    async with life(folder, at=10_000, **options) as worlds:
        (session,) = await worlds.restore()
        return body(session)


def body(session: Session) -> bytes:
    return canonical_report(session.record())[0]


def settle(session: Session) -> None:
    while session.barrier.move():
        pass


async def test_lockstep_world_goes_on_where_it_was(tmp_path: Path) -> None:
    """Steps that waited wait again, and who repeats one has its answer."""
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        for account in (0, 1):
            session.take(Join(account=account, want=WANT))
        wait = WaitRequest(step_seq=1, until_ms=START_MS + 15 * MINUTE_MS, want=WANT)
        session.take(Wait(account=0, request=wait))
        known, name = session.unique_id, session.world.world_id
        report = body(session)
    async with life(tmp_path) as worlds:
        (session,) = await worlds.restore()
        assert (name, known) == (session.world.world_id, session.unique_id)
        assert worlds.get(name) is session
        assert report == body(session)
        repeated = session.take(Wait(account=0, request=wait))
        assert not repeated.done
        session.take(Wait(account=1, request=wait))
        settle(session)
        assert START_MS + 15 * MINUTE_MS == repeated.result().now_ms
        report = body(session)
    assert report == await again(tmp_path)


async def test_paced_world_and_one_that_is_played_by_hand_go_on(tmp_path: Path) -> None:
    async with life(tmp_path / "a") as worlds:
        paced = await worlds.create(request(clock="paced", faucet=Decimal(1000)))
        paced.take(Fund(address="0x" + "ab" * 20))
        for _ in range(30):
            paced.take(Tick())
        report = body(paced)
    assert report == await again(tmp_path / "a")
    async with life(tmp_path / "b") as worlds:
        played = await worlds.create(request())
        for _ in range(3):
            played.take(Play(until_bar=100))
        report = body(played)
    assert report == await again(tmp_path / "b")


async def test_signed_actions_and_refused_ones_are_played_again(tmp_path: Path) -> None:
    """Their nonces are judged by the time at which they came, and stay used."""
    wallet = Wallet(3)
    signed = msgspec.json.encode(wallet.signed(order(), nonce=NOW_MS))
    late = msgspec.json.encode(wallet.signed(order(), nonce=NOW_MS - 3 * 86_400_000))
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        first = session.take(Post(body=signed)).answer
        assert first["status"] == "ok"
        assert session.take(Post(body=late)).answer["status"] == "err"
        report = body(session)
    async with life(tmp_path, at=4 * 86_400_000) as worlds:
        (session,) = await worlds.restore()
        assert report == body(session)
        second = session.take(Post(body=signed)).answer
        assert second["status"] == "err"


async def test_what_nobody_has_signed_is_not_written_down(tmp_path: Path) -> None:
    """Anyone may send it, as often as he likes."""
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        stranger = msgspec.json.encode(Wallet(9).signed(order(), nonce=NOW_MS))
        for _ in range(5):
            assert session.take(Post(body=stranger)).answer["status"] == "err"
        assert session.recorder.records == 0


async def test_silence_before_the_restart_is_not_counted_and_drops_are_kept(tmp_path: Path) -> None:
    async with life(tmp_path, which="all") as worlds:
        session = await worlds.create(request(supervised=False))
        for account in (0, 1):
            session.take(Join(account=account, want=WANT))
        session.take(Drop(accounts=(1,)))
    async with life(tmp_path, which="all", at=10 * SILENCE_LIMIT_MS) as worlds:
        (session,) = await worlds.restore()
        assert session.barrier.silent() == ()
        assert {1} == session.barrier.degraded


@pytest.mark.parametrize(
    ("which", "fields", "kept"),
    [
        ("supervised", {}, True),
        ("supervised", {"supervised": False}, False),
        ("all", {"supervised": False}, True),
    ],
)
async def test_which_worlds_are_kept(
    tmp_path: Path, which: str, fields: dict[str, Any], kept: bool
) -> None:
    async with life(tmp_path, which=which) as worlds:
        await worlds.create(request(**fields))
    async with life(tmp_path, which=which) as worlds:
        assert kept == bool(await worlds.restore())


async def test_deleted_world_does_not_come_back(tmp_path: Path) -> None:
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        worlds.delete(session.world.world_id)
    async with life(tmp_path) as worlds:
        assert await worlds.restore() == []


async def test_world_whose_market_has_changed_is_refused(tmp_path: Path) -> None:
    """It would be another world under the name of the old one."""
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        session.take(Join(account=0, want=WANT))
    longer = Changed(source().bars)
    with pytest.raises(StorageError, match=r"market .* is another now.*or remove .*\.world"):
        await again(tmp_path, market=longer)


async def test_input_that_cannot_be_written_has_changed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        before = body(session)
        assert session.recorder.journal is not None
        with monkeypatch.context() as patch:
            patch.setattr(type(session.recorder.journal), "append", _full)
            for it in (Join(account=0, want=WANT), Play(until_bar=50), Tick()):
                with pytest.raises(StorageError, match="full"):
                    session.take(it)
            signed = msgspec.json.encode(Wallet(3).signed(order(), nonce=NOW_MS))
            with pytest.raises(StorageError, match="full"):
                session.take(Post(body=signed))
        assert before == body(session)
        assert session.take(Post(body=signed)).answer["status"] == "ok"
        report = body(session)
    assert report == await again(tmp_path)


def _full(*_: object) -> None:
    raise StorageError("the disk is full")


async def test_refusals_are_played_again_as_refusals(tmp_path: Path) -> None:
    async with life(tmp_path) as worlds:
        session = await worlds.create(request())
        with pytest.raises(JoinFirst):
            session.take(Wait(account=0, request=WaitRequest(step_seq=1)))
        with pytest.raises(JoinFirst):
            session.take(Wake(account=0, step_seq=1))
        report = body(session)
    assert report == await again(tmp_path)


def test_world_is_the_same_whatever_kills_its_process(tmp_path: Path) -> None:
    """Sixteen of the points, and eight power cuts in one run; all points are the long form's."""
    calm = trade(tmp_path / "calm", [])
    assert len(calm.points) > 500
    for number, point in enumerate(calm.points[3 :: len(calm.points) // 16]):
        killed = trade(tmp_path / str(number), [point])
        assert (1, calm.report) == (killed.kills, killed.report), point
    plan = calm.points[5 :: len(calm.points) // 8]
    cut = trade(tmp_path / "cut", plan, power=True)
    assert cut.kills
    assert calm.report == cut.report
