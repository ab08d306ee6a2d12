"""Bars of the data contract: one of which a part is missing is not there."""

from typing import Any, cast

from strategy_agent.adapters.data_http import DataHttp
from suite.service.calls import ServiceCalls

ROW = b'{"open_time_ms":%d,"open":1,"high":1,"low":1,"close":1,"volume":1,"complete":%s}'


class OneAnswer:
    """Answers once, and keeps what it was asked."""

    def __init__(self, *rows: bytes) -> None:
        self.rows = rows
        self.asked = ""

    async def read(self, _method: str, path: str, _body: None, decoder: Any, *, reason: str) -> Any:
        assert "bars" == reason
        self.asked = path
        return decoder.decode(b"[" + b",".join(self.rows) + b"]")


async def test_a_bar_that_is_not_whole_is_left_out() -> None:
    calls = OneAnswer(ROW % (0, b"true"), ROW % (60_000, b"false"), ROW % (120_000, b"true"))
    found = await DataHttp(cast("ServiceCalls", calls)).whole_bars("kPEPE", "1m", 0, 180_000)
    assert (0, 120_000) == found
    assert "klines/kPEPE?interval=1m&start=0&end=180000" == calls.asked
