"""How a kind that asks a language model gets one, and what a fault tells."""

from decimal import Decimal

import pytest
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, spec_of

from strategy_core.building import Setup, StrategyKind, kind_of
from strategy_core.llm.port import FaultKind, Model, ModelBudget, ModelChoice, ModelFault
from strategy_core.port import Decision, Needs, Observation
from strategy_core.registry import KINDS, build, problems
from suite.errors import ConfigError


class Asking:
    """Asks a model, one day."""

    Params = KINDS["flat"].params
    needs = Needs(slow=True)

    def __init__(self, setup: Setup, _: object) -> None:
        self.setup = setup

    def decide(self, _: Observation) -> Decision:
        return Decision()


class Nobody:
    """A source that opens nothing."""

    def open(self, choice: ModelChoice) -> Model:
        raise ConfigError(f"no model {choice.names[0]}")


KIND: StrategyKind = kind_of(Asking, asks_models=True)


def test_a_kind_that_asks_a_model_is_refused_where_there_is_none() -> None:
    """By name, and what to do; looking at its configuration needs no model."""
    spec = spec_of("plugin:a:B")
    plugins = {"plugin:a:B": KIND}
    assert problems(spec, plugins) == []
    with pytest.raises(ConfigError, match=r"traders\[t\]\.strategy\.kind: plugin:a:B asks a lang"):
        build(spec, instruments=INSTRUMENTS, seed=0, plugins=plugins)
    built = build(spec, instruments=INSTRUMENTS, seed=0, plugins=plugins, models=Nobody())
    assert isinstance(built, Asking)
    assert isinstance(built.setup.models, Nobody)
    assert built.setup.budget == ModelBudget(usd_per_day=Decimal(1), usd_total=None)


def test_a_model_that_cannot_be_had_is_named_with_its_trader() -> None:
    """One file may hold many of them."""
    spec = spec_of("llm", params={"model": "nobody/nothing"})
    with pytest.raises(
        ConfigError, match=r"traders\[t\]\.strategy\.params: no model nobody/nothing"
    ):
        build(spec, instruments=INSTRUMENTS, seed=0, models=Nobody())


def test_a_key_is_not_in_what_is_printed_of_a_choice() -> None:
    """A choice may end up in a log."""
    choice = ModelChoice(trader_id="t", names=("a/b",), api_key="sk-canary")
    assert "canary" not in repr(choice)


def test_a_fault_says_its_kind_first() -> None:
    """As it stands in a journal."""
    assert "quota: pay the bill" == str(ModelFault(FaultKind.QUOTA, "pay the bill"))


@pytest.mark.parametrize("value", [-1, "NaN", "Infinity"])
def test_a_budget_that_is_no_money_is_refused(value: object) -> None:
    """With its place, beside whatever else is wrong."""
    found = problems(spec_of("flat", budget={"usd_total": value, "usd": 1}))
    assert "budget.usd: unknown key" in found[0]
    assert any(text.startswith("budget: usd_total must be a number of USD") for text in found)
