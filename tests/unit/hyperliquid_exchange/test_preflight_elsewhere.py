"""What the checklist cannot decide is on it all the same, with who can."""

from tests.support.gate_setting import account

from hyperliquid_exchange.application.preflight.elsewhere import other_lines


def test_lines_that_others_decide_say_why_and_what_to_do() -> None:
    told = {line.number: line for line in other_lines([account()])}
    assert {22, 29, 42, 43, 44, 45, 46, 47, 49} == told.keys()
    assert {"PASS"} == {told[number].status for number in (22, 29)}
    left = [line for number, line in told.items() if number > 29]
    assert {"SKIP"} == {line.status for line in left}
    assert all(line.reason and line.fix for line in left)
    agents = [line for line in left if 42 <= line.number <= 46]
    assert {"the agents' part: strategy-agent preflight"} == {line.reason for line in agents}
    assert all(line.fix.startswith("strategy-agent preflight --config") for line in agents)
    assert 3 == len({line.fix for line in left})


def test_what_stops_a_trader_is_told_with_its_numbers() -> None:
    """So that a person sees a limit that is ten times as high as was meant."""
    line = next(line for line in other_lines([account()]) if line.number == 22)
    limits = account().limits
    assert f"{limits.max_executions} fills" in line.reason
    assert f"{limits.max_orders_per_minute} orders a minute" in line.reason
    assert "nobody trades" == other_lines([])[0].reason
