"""Feature locks of a collector that runs: what they leave out is left out, and told."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.collector_process import CollectorProcess
from tests.support.http_faults import Reply, Request
from tests.support.venue_process import running_venue
from tests.support.watched_stack import until
from tests.support.way_to_venue import WayToVenue, way_to

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]
PATIENCE_S = 60.0


async def test_a_venue_is_not_asked_for_gaps_where_that_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISABLE_REST_FALLBACK", "true")
    (tmp_path / "venue").mkdir()
    (tmp_path / "collector").mkdir()
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=300) as venue:
        async with way_to(venue.url) as way:
            asked = _asked_of(way, monkeypatch)

            def collect() -> None:
                collector = CollectorProcess(tmp_path / "collector", way.url, "BTC")
                try:
                    assert "DISABLE_REST_FALLBACK" == collector.get("/health")["locks"]
                    until(lambda: collector.bars() > 5, PATIENCE_S)
                    way.sever()
                    then_ms = venue.get("/clock")["now_ms"]
                    until(lambda: venue.get("/clock")["now_ms"] > then_ms + 600_000, PATIENCE_S)
                    way.mend()
                    until(lambda: collector.missing()["BTC"] > 0, PATIENCE_S)
                    stopped = collector.bars()
                    until(lambda: collector.bars() > stopped + 20, PATIENCE_S)
                    assert collector.missing()["BTC"] > 0
                    assert 0 == collector.metrics()['data_collector_rest_calls_total{reason="gap"}']
                finally:
                    collector.kill()

            await asyncio.to_thread(collect)
            assert "candleSnapshot" not in asked


async def test_nothing_is_collected_live_where_that_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISABLE_WEBSOCKET", "true")
    (tmp_path / "collector" / "data").mkdir(parents=True)
    (tmp_path / "venue").mkdir()
    with running_venue(tmp_path / "venue", coins=("BTC",)) as venue:
        async with way_to(venue.url) as way:
            asked = _asked_of(way, monkeypatch)

            def collect() -> None:
                collector = CollectorProcess(tmp_path / "collector", way.url, "BTC")
                try:
                    assert "DISABLE_WEBSOCKET" == collector.get("/health")["locks"]
                    assert not collector.get("/collection")
                    assert 0 == collector.bars()
                    assert 0 == collector.stop()
                finally:
                    collector.kill()

            await asyncio.to_thread(collect)
            assert [] == asked


def _asked_of(way: WayToVenue, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what the venue is asked; a WebSocket is `stream`."""
    asked: list[str] = []
    forward, tunnel = way.forward, way._tunnel

    async def note(request: Request) -> Reply:
        asked.append(str(json.loads(request.body or b"{}").get("type", request.path)))
        return await forward(request)

    async def note_stream(
        request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        asked.append("stream")
        return await tunnel(request, reader, writer)

    monkeypatch.setattr(way, "forward", note)
    monkeypatch.setattr(way, "_tunnel", note_stream)
    return asked
