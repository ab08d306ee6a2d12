"""Services without what only makes them faster answer with the same bytes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.cache_faults import answer, collector
from tests.support.environments import Environment, prepared, report_hash, without
from tests.support.worlds import START_MS

from suite.bars import MINUTE_MS
from suite.contracts.market_data import ARROW, JSON

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

MINUTES = 360
FAST = ("uvloop", "httptools", "orjson")
"""The event loop, the reader of HTTP, and the JSON of ccxt."""
PATHS = (
    "/coverage",
    "/symbols",
    f"/klines/BTC?start={START_MS}",
    f"/klines/BTC?interval=1h&start={START_MS}",
    f"/gpt-latest/BTC?timestamp={START_MS + MINUTES * MINUTE_MS}",
)
LOADED = """
import sys
from data_collector.main import create_app
import ccxt.async_support
print(*[name for name in ("uvloop", "httptools", "orjson") if sys.modules.get(name)])
"""


@contextmanager
def missing(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Iterator[None]:
    with monkeypatch.context() as changed:
        for name, value in without(*modules).items():
            changed.setenv(name, value)
        yield


def test_a_service_without_them_answers_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prepared(tmp_path, MINUTES) / "data"
    with collector(tmp_path / "with", data, "") as complete:
        whole = [answer(complete, path, form) for path in PATHS for form in (JSON, ARROW)]
    with missing(monkeypatch, *FAST), collector(tmp_path / "without", data, "") as bare:
        assert whole == [answer(bare, path, form) for path in PATHS for form in (JSON, ARROW)]


def test_they_are_absent_where_that_is_said() -> None:
    """What this file tests is really what it says."""
    for absent in ((), FAST):
        told = subprocess.run(
            [sys.executable, "-c", LOADED],
            env=os.environ | without(*absent),
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("orjson" in told.stdout) == (not absent)


@pytest.mark.slow
def test_a_backtest_over_http_without_them_has_the_same_report(tmp_path: Path) -> None:
    folder = prepared(tmp_path, MINUTES)
    whole, bare = (
        Environment(
            hash_seed="0",
            zone="UTC",
            locale="C.UTF-8",
            transport="http",
            compiled=True,
            missing=absent,
        )
        for absent in ((), FAST)
    )
    assert report_hash(folder, whole, "whole") == report_hash(folder, bare, "bare")
