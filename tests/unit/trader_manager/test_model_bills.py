"""What language models cost a trader stands beside its money."""

from tests.unit.trader_manager.test_collecting import Bench


async def test_the_bill_of_a_traders_models_is_in_its_samples() -> None:
    """As far as its decisions were read; a collector that was killed goes on with it."""
    bench = Bench()
    thought = {"llm_cost_usd": "0.001234", "tokens": 900}
    bench.agents.decide(1, llm=thought)
    bench.agents.decide(2, llm=None)
    bench.agents.decide(3, llm={"llm_cost_usd": "NaN", "tokens": "many"})
    bench.agents.decide(4, llm=thought)
    await bench.round()
    await bench.round()
    bills = [(row.llm_cost_usd, row.llm_tokens) for row in bench.store.of("equity")]
    assert [(0, 0), (2_468, 1_800)] == bills
    bench.store.rows.pop(("decision", "a", 3))
    bench.anew()
    bench.agents.decide(5, llm=thought)
    await bench.round()
    await bench.round()
    assert 3_702 == bench.store.of("equity")[-1].llm_cost_usd
