"""Market structure of a chart: what the features' own step saw in the bars of the data service."""

from collections.abc import Mapping

import msgspec
import pytest
from tests.support.followed_portfolio import NoServices
from tests.support.ict_markets import market, rows

from portfolio_service.application.structure import BEFORE, structures_of
from strategy_core.ict.structures import structures
from suite.bars import MINUTE_MS, Bars
from suite.errors import BadRequest, UpstreamRefused


class Data(NoServices):
    """A data service that has some bars, and numbers as texts where a venue tells them so."""

    def __init__(self, bars: Bars, *, texts: bool = False) -> None:
        self.bars, self.texts, self.asked = bars, texts, dict[str, str]()

    async def data(self, path: str, query: Mapping[str, str]) -> bytes:
        assert "klines/BTC" == path
        self.asked = dict(query)
        names = ("open_time_ms", "open", "high", "low", "close", "volume")
        told = [
            {name: str(x) if self.texts and k else x for k, (name, x) in enumerate(pairs)}
            | {"complete": True}
            for row in rows(self.bars.between(int(query["start"]), int(query["end"])))
            for pairs in [list(zip(names, row, strict=True))]
        ]
        return msgspec.json.encode(told)


@pytest.mark.parametrize("texts", [False, True])
async def test_they_are_those_of_the_features(texts: bool) -> None:
    """Of the bars before the range too, as far as they are still in sight."""
    bars = market(41, 1500)
    start = int(bars.open_time_ms[BEFORE])
    end = int(bars.open_time_ms[-1]) + MINUTE_MS
    data = Data(bars, texts=texts)
    told = await structures_of(data, "BTC", "1m", start, end)
    assert {"interval": "1m", "start": str(bars.open_time_ms[0]), "end": str(end)} == data.asked
    assert (MINUTE_MS, end) == (told.interval_ms, told.as_of_ms)
    zones = ("order_block", "fair_value_gap")
    expected = [
        (s.kind.value, s.side, s.known_ms, s.from_ms, s.low, s.high, s.ended_ms)
        for s in structures(bars)
        if s.known_ms >= start
        or (s.ended_ms or 0) >= start
        or (s.kind.value in zones and s.ended_ms is None)
    ]
    assert expected == [
        (s.kind, s.side, s.known_ms, s.from_ms, s.low, s.high, s.ended_ms) for s in told.structures
    ]
    assert {"swing", "sweep", "break", "change", *zones} == {s.kind for s in told.structures}
    assert any(s.known_ms < start for s in told.structures)


async def test_without_bars_there_are_none() -> None:
    """A range that begins with the epoch has none before it either."""
    data = Data(market(42, 10))
    told = await structures_of(data, "BTC", "1m", 1_000, 2_000)
    assert (0, ()) == (told.as_of_ms, told.structures)
    assert "0" == data.asked["start"]


async def test_what_cannot_be_is_said() -> None:
    with pytest.raises(BadRequest, match="one of 1m"):
        await structures_of(Data(market(43, 10)), "BTC", "7m", 0, 1)
    wrong = market(44, 20)
    wrong.high[7] = 0.001
    with pytest.raises(UpstreamRefused, match="not between low and high"):
        await structures_of(Data(wrong), "BTC", "1m", 0, 4_000_000_000_000)
