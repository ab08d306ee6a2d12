"""When a trader may be given to whoever claims it: once it was seen to run nowhere else."""

from dataclasses import replace

from tests.unit.trader_manager.test_supervisor import Bench, ScriptedRuntime, fails, stored

from suite.errors import UpstreamTimeout
from suite.ids import TraderId
from trader_manager.application.runtime import Sighting


async def test_one_that_cannot_be_ended_elsewhere_is_not_settled() -> None:
    """Also for a manager that has begun anew, and has seen nothing else of it."""
    bench = Bench(stored("a"))
    await bench.settled()
    bench.want("a", runtime="other", generation=2)
    stop = bench.runtime.stop

    async def does_not_end(trader_id: str) -> None:
        raise UpstreamTimeout(f"{trader_id} does not end")

    bench.runtime.stop = does_not_end  # type: ignore[method-assign]
    moved = bench.store.traders[TraderId("a")]
    for supervisor in (bench.supervisor, bench.another()):
        bench.supervisor = supervisor
        await bench.settled()
        assert "a does not end" == supervisor.conditions[TraderId("a")].problem
        assert not supervisor.has_settled(moved)
    bench.runtime.stop = stop  # type: ignore[method-assign]
    await bench.settled()
    assert bench.supervisor.has_settled(moved)
    assert not bench.supervisor.has_settled(replace(moved, generation=3)), "not looked at since"


class Claimable(ScriptedRuntime):
    """Starts nobody, and has whoever may be claimed."""

    async def look_all(self) -> dict[str, Sighting]:
        return {"a": Sighting(actual="claimable")}

    async def look(self, trader_id: str) -> Sighting:
        return Sighting(actual="claimable")


async def test_one_that_may_be_where_nobody_can_look_is_not_settled() -> None:
    bench = Bench(stored("a", runtime="replicas"))
    bench.runtimes["replicas"] = Claimable(bench.wall)
    look_all, bench.other.look_all = bench.other.look_all, fails  # type: ignore[method-assign]
    trader = bench.store.traders[TraderId("a")]
    await bench.settled()
    assert not bench.supervisor.has_settled(trader)
    bench.other.look_all = look_all  # type: ignore[method-assign]
    await bench.settled()
    assert bench.supervisor.has_settled(trader)
