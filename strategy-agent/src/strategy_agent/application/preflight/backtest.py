"""43: a backtest of this very configuration is there."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from suite.bars import DAY_MS
from suite.canonical import canonical_sha256, without_floats
from suite.checklist import Line, failed, passed, warned
from suite.moments import format_moment

NUMBER: Final = 43
NAME: Final = "backtest"
_MOST: Final = 5
"""Differences that are told."""
_NOTHING: Final = "nothing"


class _Period(msgspec.Struct):
    from_ms: int
    to_ms: int


class _Trader(msgspec.Struct):
    initial_balance: str
    final_equity: str
    total_return: str | None
    max_drawdown: str | None
    total_trades: int
    degraded: bool


class _Result(msgspec.Struct):
    period: _Period
    finished: bool
    synthetic: bool
    traders: dict[str, _Trader]


class _Manifest(msgspec.Struct):
    strategies: dict[str, dict[str, Any]] = {}


class Report(msgspec.Struct):
    """What is read of `report.json` of a backtest or an arena.

    Attributes:
        result: as it is hashed.
        sha256: that it says it has.
    """

    result: dict[str, Any]
    sha256: str
    manifest: _Manifest


def read_report(content: bytes) -> Report:
    """Read a report.

    Raises:
        ValueError: it is none.
    """
    try:
        report = msgspec.json.decode(content, type=Report)
        msgspec.convert(report.result, _Result)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    return report


def check_backtest(
    trader_id: str,
    account: str,
    configuration: Mapping[str, Any],
    report: Report | str | None,
    *,
    config: str,
) -> Line:
    """Decide.

    Args:
        trader_id: whose.
        account: of it; a report names traders by their accounts.
        configuration: of it, see `strategy_core.remembering.configuration_of`.
        report: that was given; a text that says why it cannot be read; None for none.
        config: the traders file, for the command that is told.
    """
    run = f"trader-manager arena --traders {config} --data var/data --out var/arena"
    if report is None:
        return warned(
            NUMBER, NAME, f"{trader_id}: no report was given", f"{run}, then --report var/arena"
        )
    if isinstance(report, str):
        return failed(NUMBER, NAME, f"{trader_id}: {report}", f"{run}, then --report var/arena")
    result = msgspec.convert(report.result, _Result)
    name = account if account in result.traders else trader_id
    trader = result.traders.get(name)
    if trader is None:
        known = ", ".join(sorted(result.traders))
        return failed(NUMBER, NAME, f"{trader_id}: is not in the report; it has {known}", run)
    if canonical_sha256(report.result) != report.sha256:
        return failed(NUMBER, NAME, f"{trader_id}: the report was changed after its run", run)
    there = report.manifest.strategies.get(name, {})
    others = list(differences(without_floats(dict(configuration)), there))
    if others:
        more = f", and {len(others) - _MOST} more" if len(others) > _MOST else ""
        told = f"is of another configuration: {'; '.join(others[:_MOST])}{more}"
        return failed(NUMBER, NAME, f"{trader_id}: the report {told}", run)
    told = f"{trader_id}: {_summary(result, trader)}, report {report.sha256[:12]}"
    odd = _oddities(result, trader)
    if odd:
        return warned(NUMBER, NAME, f"{told}; {', '.join(odd)}", f"{run} over recorded bars")
    return passed(NUMBER, NAME, told)


def differences(here: Any, there: Any, place: str = "") -> Iterator[str]:
    """Tell where two configurations differ, each place by its name."""
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        for key in dict.fromkeys((*here, *there)):
            where = f"{place}.{key}" if place else str(key)
            yield from differences(here.get(key, _NOTHING), there.get(key, _NOTHING), where)
    elif here != there:
        yield f"{place} is {_shown(here)}, in the report {_shown(there)}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:40]}..."


def _summary(result: _Result, trader: _Trader) -> str:
    period = result.period
    days = (period.to_ms - period.from_ms) / DAY_MS
    return (
        f"{format_moment(period.from_ms)} to {format_moment(period.to_ms)} ({days:.1f} days), "
        f"{trader.initial_balance} -> {trader.final_equity} USD ({_percent(trader.total_return)}), "
        f"{trader.total_trades} trades, drawdown {_percent(trader.max_drawdown)}"
    )


def _percent(text: str | None) -> str:
    return "n/a" if text is None else f"{float(text):.2%}"


def _oddities(result: _Result, trader: _Trader) -> list[str]:
    found = []
    if result.synthetic:
        found.append("the market was generated")
    if not result.finished:
        found.append("the run did not come to its end")
    if trader.degraded:
        found.append("the trader did not come to its end")
    return found
