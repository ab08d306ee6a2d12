"""42: bars that are needed are there or told as missing, from where to where."""

from strategy_agent.application.preflight.warm_up import Found, check_warm_up, spans_of
from strategy_core.port import Needs
from strategy_core.registry import build
from strategy_core.testkit.rehearsal import instruments_for
from suite.bars import MINUTE_MS
from suite.contracts.trader import StrategySpec, TraderSpec

NOW_MS = 1_746_403_260_000
"""2025-05-05 00:01, a minute into a quarter of an hour."""
QUARTER_MS = 15 * MINUTE_MS
NEEDS = Needs(snapshots=("BTC",), intervals=("15",), bars=20)


def found(*holes: int) -> list[Found]:
    """All bars but those at some places."""
    (span,) = spans_of(NEEDS, NOW_MS)
    opens = range(span.from_ms, span.to_ms, QUARTER_MS)
    return [Found(span=span, open_ms=tuple(at for i, at in enumerate(opens) if i not in holes))]


def test_needs_of_each_strategy_become_spans() -> None:
    """As many bars as it looks at, up to the last that has had a minute to come."""
    spec = TraderSpec(
        trader_id="a",
        strategy=StrategySpec(kind="sma_cross", params={"fast": 3, "slow": 7}),
        symbols=("BTC", "ETH"),
    )
    needs = build(spec, instruments=instruments_for(spec.symbols), seed=0).needs
    spans = spans_of(needs, NOW_MS)
    assert [("BTC", "15m"), ("ETH", "15m")] == [(one.coin, one.interval) for one in spans]
    assert {NOW_MS // QUARTER_MS * QUARTER_MS} == {one.to_ms for one in spans}
    assert {7 * QUARTER_MS} == {one.to_ms - one.from_ms for one in spans}
    before = spans_of(needs, NOW_MS - 1)[0]
    assert spans[0].to_ms - QUARTER_MS == before.to_ms
    every = spans_of(Needs(snapshots=("BTC",)), NOW_MS)
    assert ["1m", "15m", "1h", "4h", "1d"] == [one.interval for one in every]
    assert {500} == {(one.to_ms - one.from_ms) // one.length_ms for one in every}


def test_whole_and_fresh_bars_pass() -> None:
    line = check_warm_up("anna", NEEDS, found())
    assert ("PASS", 42) == (line.status, line.number)
    assert "anna: 20 bars of 15m for BTC" == line.reason
    line = check_warm_up("anna", Needs(snapshots=("BTC",), bars=20, warm_up=1441), found())
    assert "opens nothing before it has seen 1441 bars" in line.reason


def test_strategy_that_reads_no_market_data_needs_none() -> None:
    line = check_warm_up("anna", Needs(), (), "the venue does not answer")
    assert ("PASS", "anna: reads no bars") == (line.status, line.reason)


def test_missing_bars_are_counted_with_first_and_last() -> None:
    line = check_warm_up("anna", NEEDS, found(4, 5, 9))
    assert "FAIL" == line.status
    assert (
        "anna: BTC 15m: 3 of 20 bars are missing, from 2025-05-04 20:00 to 2025-05-04 21:30"
        == line.reason
    )
    assert "data-collector" in line.fix


def test_data_that_is_not_fresh_fails() -> None:
    line = check_warm_up("anna", NEEDS, found(19))
    assert "FAIL" == line.status
    assert (
        "1 of 20 bars are missing, from 2025-05-04 23:45 to 2025-05-05, the newest" in line.reason
    )


def test_who_is_away_or_knows_nothing_is_named() -> None:
    (whole,) = found()
    line = check_warm_up("anna", NEEDS, [Found(span=whole.span, fault="cannot reach it")])
    assert "FAIL" == line.status
    assert "BTC 15m: none of 20 bars is there, from 2025-05-04 19:00 to 2025-05-05" in line.reason
    assert line.reason.endswith(": cannot reach it")
    line = check_warm_up("anna", NEEDS, (), "the venue does not answer")
    assert ("FAIL", "anna: the venue does not answer") == (line.status, line.reason)
