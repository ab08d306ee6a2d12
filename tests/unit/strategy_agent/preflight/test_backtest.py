"""43: a report counts for the very configuration that it was made with, and for no other."""

from typing import Any

import msgspec
import pytest

from strategy_agent.application.preflight.backtest import (
    Report,
    check_backtest,
    read_report,
)
from strategy_core.remembering import configuration_of
from suite.bars import DAY_MS
from suite.canonical import canonical_sha256, without_floats
from suite.checklist import Line
from suite.contracts.trader import StrategySpec, TraderSpec

START_MS = 1_746_403_200_000
PARAMS = {"fast": 3, "slow": 7, "exposure": 0.1, "api_key": "sk-not-for-anybody"}
SPEC = TraderSpec(
    trader_id="anna",
    strategy=StrategySpec(kind="sma_cross", params=PARAMS),
    symbols=("BTC", "ETH"),
    interval="15m",
    risk={"max_leverage": 3},
)


def report(spec: TraderSpec = SPEC, **more: Any) -> Report:
    """As virtual-exchange writes it, as far as it is read."""
    trader = {
        "initial_balance": "10000.0",
        "final_equity": "10250.0",
        "total_return": "0.025",
        "max_drawdown": "0.031",
        "total_trades": 12,
        "degraded": more.pop("degraded", False),
    }
    result: dict[str, Any] = {
        "period": {"from_ms": START_MS, "to_ms": START_MS + 30 * DAY_MS, "interval_ms": 60_000},
        "finished": True,
        "synthetic": False,
        "traders": {more.pop("account", "anna"): trader},
    } | more
    written = {
        "result": result,
        "sha256": canonical_sha256(result),
        "manifest": {
            "strategies": {
                name: without_floats(configuration_of(spec)) for name in result["traders"]
            }
        },
    }
    return read_report(msgspec.json.encode(written))


def line_of(found: Report | str | None, spec: TraderSpec = SPEC) -> Line:
    return check_backtest(
        spec.trader_id, spec.account_id, configuration_of(spec), found, config="t.yaml"
    )


def test_same_configuration_passes_with_span_result_and_hash() -> None:
    found = report()
    line = line_of(found)
    assert ("PASS", 43) == (line.status, line.number), line
    assert (
        "anna: 2025-05-05 to 2025-06-04 (30.0 days), 10000.0 -> 10250.0 USD (2.50%), "
        f"12 trades, drawdown 3.10%, report {found.sha256[:12]}" == line.reason
    )


def test_trader_on_another_account_is_found_by_its_name() -> None:
    """A simulated account has the trader's name, the real one an address."""
    live = msgspec.structs.replace(SPEC, account="0x" + "a" * 40, initial_balance=500)
    assert "PASS" == line_of(report(), live).status


def test_secret_is_no_part_of_a_configuration() -> None:
    """It opens a door and changes nothing behind it; nor is it told anywhere."""
    other = StrategySpec(kind="sma_cross", params=PARAMS | {"api_key": "sk-another"})
    line = line_of(report(), msgspec.structs.replace(SPEC, strategy=other))
    assert "PASS" == line.status
    assert "sk-" not in str(configuration_of(SPEC))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": StrategySpec(kind="hodl", params=PARAMS)}, "kind is hodl, in the report sma"),
        (
            {"strategy": StrategySpec(kind="sma_cross", params=PARAMS | {"fast": 4})},
            "params.fast is 4, in the report 3",
        ),
        ({"symbols": ("BTC",)}, 'symbols is ["BTC"], in the report ["BTC","ETH"]'),
        ({"interval": "1h"}, "interval is 1h, in the report 15m"),
        ({"risk": {"max_leverage": 5}}, "risk.max_leverage is 5, in the report 3"),
        ({"risk": {}}, "risk.max_leverage is nothing, in the report 3"),
        ({"exits": {"smart": True}}, "exits.smart is true, in the report nothing"),
        ({"execution": {"retries": 1}}, "execution.retries is 1, in the report nothing"),
    ],
)
def test_another_configuration_fails_and_names_the_field(change: dict[str, Any], said: str) -> None:
    line = line_of(report(), msgspec.structs.replace(SPEC, **change))
    assert "FAIL" == line.status
    assert said in line.reason, line.reason


def test_of_many_differences_some_are_told() -> None:
    spec = msgspec.structs.replace(SPEC, risk={f"limit_{n}": n for n in range(9)})
    assert ", and 5 more" in line_of(report(), spec).reason


def test_without_a_report_the_command_is_told() -> None:
    line = line_of(None)
    assert "WARN" == line.status
    assert "trader-manager arena --traders t.yaml" in line.fix


def test_report_that_is_none_or_was_changed_fails() -> None:
    assert "FAIL" == line_of("cannot read it").status
    with pytest.raises(ValueError, match="missing required field"):
        read_report(b'{"result": {}, "sha256": "", "manifest": {}}')
    changed = report()
    changed.result["traders"]["anna"]["final_equity"] = "99999.0"
    line = line_of(changed)
    assert "FAIL" == line.status
    assert "was changed after its run" in line.reason
    line = line_of(report(account="bob"))
    assert ("FAIL", "anna: is not in the report; it has bob") == (line.status, line.reason)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"synthetic": True}, "the market was generated"),
        ({"finished": False}, "the run did not come to its end"),
        ({"degraded": True}, "the trader did not come to its end"),
    ],
)
def test_run_that_proves_little_is_a_warning(more: dict[str, Any], said: str) -> None:
    line = line_of(report(**more))
    assert "WARN" == line.status
    assert said in line.reason
