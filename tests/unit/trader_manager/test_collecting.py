"""What traders did gets into the store: once, all of it, whatever is away meanwhile."""

import asyncio
from collections import deque
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.scripted_venue import AWAY, MemoryRecords, ScriptedAgents, ScriptedVenue, fill

from suite.addresses import account_address
from suite.contracts.clock import ClockState
from suite.contracts.decisions import numbers_before
from suite.ids import TraderId
from trader_manager.application.collecting import STORE, VENUE, CollectingRules, Collector, pause_s
from trader_manager.application.runtime import Sighting
from trader_manager.application.venue_reads import FundingReceipt

SEEN = Sighting(actual="running", control_url="http://127.0.0.1:1", control_token=SecretStr("t"))


class Bench:
    """A collector and all it works with."""

    def __init__(self, *names: str, **rules: Any) -> None:
        self.seen = SEEN
        self.store: Any = MemoryRecords(*(names or ("a",)))
        self.venue = ScriptedVenue()
        self.agents: Any = ScriptedAgents()
        self.told: list[tuple[str, str]] = []
        self.rules = CollectingRules(**rules)
        self.collector = self.anew()

    def anew(self) -> Collector:
        """Begin again as a process does that was killed: only the store is left."""
        self.collector = Collector(
            store=self.store, venue=self.venue, agents=self.agents, look=lambda _name: self.seen,
            on_trouble=lambda name, why: self.told.append((name, why)), rules=self.rules,
        )  # fmt: skip
        return self.collector

    async def round(self, at_ms: int | None = None) -> None:
        self.venue.now_ms = at_ms or self.venue.now_ms + 1000
        await self.collector.collect()

    def numbers(self) -> list[int]:
        return sorted(row.number for row in self.store.of("decision"))


async def test_a_sample_is_the_venues_money_to_the_micro_usd() -> None:
    bench = Bench()
    bench.venue.equity = 10_123_456_789
    bench.venue.deposit(500, "9999.5")
    bench.venue.fills_told = [fill(1, 600, fee="0.250001"), fill(2, 600, fee="-0.1")]
    bench.venue.funding_told = [
        FundingReceipt(time_ms=700, coin="BTC", received_usd=Decimal("-1.5"))
    ]
    await bench.round()
    (sample,) = bench.store.samples()
    assert (2000, 10_123_456_789) == (sample.time_ms, sample.equity_usd)
    assert 9_999_500_000 == sample.net_deposits_usd
    assert (150_001, -1_500_000) == (sample.fees_usd, sample.funding_usd)
    assert [1, 2] == [row.tid for row in bench.store.of("trade")]
    assert f"state {account_address('a')}" in bench.venue.asked
    assert {} == bench.collector.troubles


async def test_a_collector_that_was_killed_goes_on_where_the_store_stands() -> None:
    """Two fills of one moment, one of them stored: nothing is lost, and no fee counted twice."""
    bench = Bench()
    bench.venue.fills_told = [fill(1, 1500), fill(2, 2500)]
    bench.agents.decide(1)
    await bench.round(3000)
    bench.venue.fills_told += [fill(3, 2500), fill(4, 3500)]
    bench.venue.fills_told.sort(key=lambda row: row.time)
    bench.agents.decide(2)
    bench.anew()
    await bench.round(4000)
    assert [1, 2, 3, 4] == sorted(row.tid for row in bench.store.of("trade"))
    assert "fills 2500" in bench.venue.asked
    assert 1_000_000 == bench.store.samples()[-1].fees_usd
    assert [1, 2] == bench.numbers()


async def test_funding_of_before_a_kill_is_not_forgotten() -> None:
    bench = Bench()
    paid = Decimal(-1)
    bench.venue.funding_told = [FundingReceipt(time_ms=500, coin="BTC", received_usd=paid)]
    await bench.round()
    bench.venue.funding_told.append(FundingReceipt(time_ms=500, coin="ETH", received_usd=paid))
    bench.venue.funding_told.append(FundingReceipt(time_ms=2500, coin="BTC", received_usd=paid))
    await bench.round()
    bench.anew()
    await bench.round()
    assert [-1_000_000, -3_000_000, -3_000_000] == [
        one.funding_usd for one in bench.store.samples()
    ]


async def test_an_account_that_nobody_opened_is_unknown_and_not_0_usd() -> None:
    bench = Bench()
    bench.venue.equity = 0
    await bench.round()
    assert [] == bench.store.samples()
    assert {} == bench.store.positions
    bench.venue.deposit(2500, "5.0")
    await bench.round()
    assert 1 == len(bench.store.samples())


async def test_an_account_is_not_named_before_its_trader_has_run() -> None:
    """A venue with a faucet would open it, and it could not be opened for the trader then."""
    bench = Bench()
    for actual in ("absent", "claimable"):
        bench.seen = replace(SEEN, actual=actual)
        await bench.round()
        assert not any(account_address("a") in asked for asked in bench.venue.asked)
    bench.seen = SEEN
    await bench.round()
    bench.seen = replace(SEEN, actual="absent")
    await bench.round()
    assert 2 == len(bench.store.samples()), "one that is stopped is followed on"
    bench.anew()
    await bench.round()
    assert 3 == len(bench.store.samples()), "also by the next manager"


async def test_where_time_stands_still_there_is_one_sample_and_no_fill_is_lost() -> None:
    bench = Bench()
    await bench.round(2000)
    bench.venue.fills_told = [fill(1, 2000)]
    bench.venue.equity -= 250_000
    await bench.round(2000)
    assert [2000] == [one.time_ms for one in bench.store.samples()]
    assert [1] == [row.tid for row in bench.store.of("trade")]
    await bench.round(3000)
    assert (250_000, 0) == (bench.store.samples()[-1].fees_usd, bench.collector.refused)


async def test_a_sample_holds_what_is_stamped_with_its_moment_or_is_read_again() -> None:
    """A fill comes after the money was read, at the same time of the venue."""
    bench = Bench()

    def trade() -> None:
        bench.venue.fills_told = [fill(1, 2000)]
        bench.venue.equity -= 250_000

    bench.venue.after_state = [trade]
    await bench.round(2000)
    (sample,) = bench.store.samples()
    assert (10_000_000_000 - 250_000, 250_000) == (sample.equity_usd, sample.fees_usd)


async def test_an_account_that_never_stands_still_has_its_fills_but_no_sample() -> None:
    bench = Bench()

    def trade() -> None:
        tid = len(bench.venue.fills_told) + 1
        bench.venue.fills_told.append(fill(tid, 2000))
        bench.venue.equity -= 1

    bench.venue.after_state = [trade] * 9
    await bench.round(2000)
    assert [] == bench.store.samples()
    assert bench.store.of("trade")
    assert "never stood still" in bench.collector.troubles["a"]


async def test_a_store_that_is_away_is_told_once_and_gets_everything_later() -> None:
    bench = Bench()
    bench.agents.decide(1)
    await bench.round()
    bench.store.away = True
    for number in range(2, 5):
        bench.agents.decide(number)
        bench.venue.fills_told.append(fill(number, bench.venue.now_ms + 500))
        await bench.round()
    assert [(STORE, "it is away")] == bench.told
    bench.store.away = False
    await bench.round()
    assert (5, 3, [1, 2, 3, 4]) == (
        len(bench.store.samples()), len(bench.store.of("trade")), bench.numbers(),
    )  # fmt: skip
    assert (STORE, "") == bench.told[-1]


async def test_rows_wait_up_to_a_bound_and_nothing_that_can_be_read_later_is_lost() -> None:
    bench = Bench(rows_max=3)
    await bench.round()
    bench.store.away = True
    for number in range(1, 9):
        bench.agents.decide(number)
        bench.venue.fills_told.append(fill(number, bench.venue.now_ms + 500))
        await bench.round()
    asked = len(bench.venue.asked)
    await bench.round()
    assert asked == len(bench.venue.asked), "nothing more is read"
    assert "nothing more is read" in bench.collector.troubles[STORE]
    bench.store.away = False
    await bench.round()
    await bench.round()
    assert list(range(1, 9)) == bench.numbers()
    assert list(range(1, 9)) == sorted(row.tid for row in bench.store.of("trade"))


async def test_rounds_that_are_asked_for_at_once_come_one_after_the_other() -> None:
    bench = Bench()
    bench.venue.fills_told = [fill(1, 500)]
    await asyncio.gather(bench.collector.collect(), bench.collector.collect())
    assert bench.venue.asked.index("clock", 1) > bench.venue.asked.index("ledger")
    assert 1 == len(bench.store.of("trade"))


async def test_an_account_that_stands_still_is_not_asked_what_happened() -> None:
    """Its cash and sizes say so: 2 of the venue's weight, not 62. Everything is read now and then.

    What explains a change to the last digit ends the search for more.
    """
    bench = Bench()
    bench.venue.cash = "10000.0"
    await bench.round()
    asked = await _asked(bench)
    assert ["state"] == asked
    bench.venue.fills_told = [fill(1, 2500)]
    bench.venue.cash = "9939.75"  # 60 USD bought, 0.25 USD of fees
    assert ["state", "funding", "fills"] == await _asked(bench)
    paid = FundingReceipt(time_ms=4500, coin="BTC", received_usd=Decimal("-0.75"))
    bench.venue.funding_told, bench.venue.cash = [paid], "9939.0"
    assert ["state", "funding"] == await _asked(bench)
    bench.venue.deposit(5500, "61")
    bench.venue.cash = "10000.0"
    assert ["state", "funding", "fills", "ledger"] == await _asked(bench)
    samples = bench.store.samples()
    assert (250_000, -750_000, 61_000_000) == (
        samples[-1].fees_usd, samples[-1].funding_usd, samples[-1].net_deposits_usd,
    )  # fmt: skip
    assert ["state"] == await _asked(bench)
    assert ["state", "fills", "funding", "ledger"] == await _asked(bench, 6 * 3_600_000 + 2000)
    assert 7 == len(bench.store.samples())


async def _asked(bench: Bench, at_ms: int | None = None) -> list[str]:
    bench.venue.asked.clear()
    await bench.round(at_ms)
    return [what.partition(" ")[0] for what in bench.venue.asked if what != "clock"]


async def test_funding_is_stored_payment_by_payment_and_read_on_after_a_kill() -> None:
    bench = Bench()
    first = FundingReceipt(time_ms=500, coin="BTC", received_usd=Decimal("-1.5"))
    bench.venue.funding_told = [first]
    await bench.round()
    bench.anew()
    more = [replace(first, coin="ETH"), replace(first, time_ms=2500)]
    bench.venue.funding_told += more
    await bench.round()
    assert [(500, "BTC"), (500, "ETH"), (2500, "BTC")] == [
        (row.time_ms, row.coin) for row in bench.store.of("paid")
    ]
    assert [-1_500_000, -4_500_000] == [row.funding_usd for row in bench.store.samples()]


async def test_who_does_not_supervise_collects_nothing_and_lets_go_of_what_waits() -> None:
    """Somebody else reads it: rows of one trader are stored in the order of their time."""
    bench = Bench(pause_s=0.001, cadence_ms=1)
    told: deque[bool | None] = deque([True, False, None, True])

    async def supervises() -> bool:
        rounds.append(len(bench.venue.asked))
        answer = told.popleft()
        if answer is None:
            raise AWAY
        bench.store.away = False
        return answer

    rounds: list[int] = []
    bench.venue.fills_told = [fill(1, 500)]
    bench.venue.after_state = [lambda: setattr(bench.store, "away", True)]
    collector = Collector(
        store=bench.store, venue=bench.venue, agents=bench.agents, look=lambda _name: SEEN,
        supervises=supervises, rules=bench.rules,
        on_trouble=lambda name, why: bench.told.append((name, why)),
    )  # fmt: skip
    with pytest.raises(IndexError):
        await collector.run()
    first, second, third, fourth, last = rounds
    assert 0 == first < second == third == fourth < last
    assert [(STORE, "it is away"), (STORE, "")] == bench.told[:2]
    assert [1] == [row.tid for row in bench.store.of("trade")]
    assert 2 == bench.venue.asked.count("fills 0"), "read again, not kept"


async def test_a_venue_that_is_away_is_told_and_caught_up_with() -> None:
    bench = Bench()
    await bench.round()
    bench.venue.away = True
    await bench.round()
    assert [(VENUE, "it is away")] == bench.told
    bench.venue.away = False
    bench.venue.fills_told.append(fill(1, 2500))
    await bench.round()
    assert [1] == [row.tid for row in bench.store.of("trade")]
    assert (VENUE, "") == bench.told[-1]


async def test_a_venue_that_goes_away_in_the_middle_is_not_tried_for_all_the_others() -> None:
    bench = Bench(*(f"t{number:02}" for number in range(40)))
    bench.venue.after_state = [lambda: setattr(bench.venue, "away", True)]
    await bench.round()
    assert len(bench.venue.asked) < 40
    bench.venue.away = False
    bench.venue.asked.clear()
    bench.venue.after_state = [lambda: None] * 7 + [lambda: setattr(bench.venue, "away", True)]
    await bench.round()
    bench.venue.away = False
    for _ in range(2):
        await bench.round()
    assert 40 == len({key[1] for key in bench.store.rows})
    assert {} == bench.collector.troubles


async def test_a_venue_that_answers_for_a_few_at_a_time_is_asked_for_all_in_turn() -> None:
    bench = Bench(*(f"t{number:02}" for number in range(40)))
    for _ in range(9):
        bench.venue.away = False
        bench.venue.after_state = [lambda: None] * 12
        bench.venue.after_state.append(lambda: setattr(bench.venue, "away", True))
        await bench.round()
    assert 40 == len({key[1] for key in bench.store.rows})


async def test_processes_that_hang_hold_up_no_money_and_lose_no_decision() -> None:
    bench = Bench(decisions_s=0.01)
    bench.agents.decide(1)
    bench.agents.hangs = True
    await bench.round()
    assert (1, []) == (len(bench.store.samples()), bench.numbers())
    bench.agents.hangs = False
    await bench.round()
    assert [1] == bench.numbers()


async def test_a_trader_whose_process_is_gone_still_has_its_money_recorded() -> None:
    bench = Bench()
    bench.agents.away = True
    await bench.round()
    assert 1 == len(bench.store.samples())
    assert [] == bench.told


async def test_one_row_that_the_store_will_not_have_is_told_and_holds_nobody_up() -> None:
    bench = Bench("a", "b")
    await bench.round()
    bench.store.rows["trade", "a", 7] = "another"
    bench.venue.fills_told = [fill(6, 2500), fill(7, 2500), fill(8, 2500)]
    bench.agents.decide(1)
    await bench.round()
    assert 1 == bench.collector.refused
    assert [6, 8] == [row.tid for row in bench.store.of("trade") if row != "another"]
    assert (2, 2) == (len(bench.store.samples("a")), len(bench.store.samples("b")))
    assert [1] == bench.numbers()
    assert any("refused" in why for _, why in bench.told)


async def test_a_decision_without_results_waits_for_them_unless_a_newer_one_is_there() -> None:
    bench = Bench()
    bench.agents.decide(1, results=None)
    bench.agents.decide(2, results=None)
    await bench.round()
    assert [1] == bench.numbers()
    bench.agents.decide(2, results=["ok"])
    await bench.round()
    assert [1, 2] == bench.numbers()
    assert ["ok"] == bench.store.of("decision")[-1].body["results"]
    await bench.round()
    assert 0 == bench.collector.refused


@pytest.mark.parametrize("gone", [0, 700])
async def test_a_long_backlog_of_decisions_comes_in_order_and_gaps_are_passed_over(
    gone: int,
) -> None:
    bench = Bench()
    bench.agents.decide(1)
    await bench.round()
    for number in range(2 + gone, 3001):
        bench.agents.decide(number)
    for _ in range(7):
        await bench.round()
    assert [1, *range(2 + gone, 3001)] == bench.numbers()


async def test_decisions_of_a_later_fence_are_recorded_however_many_numbers_are_left_out() -> None:
    """Whoever takes a trader over counts on from a number that nobody has reached."""
    bench = Bench()
    bench.agents.decide(1)
    bench.agents.decide(2, results=None)
    await bench.round()
    bench.agents.journal.clear()
    begin = numbers_before(7)
    bench.agents.decide(begin + 1, results=None)
    await bench.round()
    assert [1] == bench.numbers()
    for number in range(1, 1301):
        bench.agents.decide(begin + number)
    for _ in range(3):
        await bench.round()
    assert [1, *range(begin + 1, begin + 1301)] == bench.numbers()
    assert begin + 1300 == bench.collector.decided(TraderId("a"))
    assert 0 == bench.collector.decided(TraderId("nobody"))


async def test_decisions_that_count_anew_are_told() -> None:
    bench = Bench()
    bench.agents.decide(5)
    await bench.round()
    bench.agents.journal.clear()
    bench.agents.decide(1)
    await bench.round()
    assert "count anew" in bench.collector.troubles["a"]
    assert [5] == bench.numbers()


async def test_another_world_is_another_history() -> None:
    bench = Bench()
    bench.venue.fills_told = [fill(1, 1500)]
    await bench.round()
    bench.venue.world, bench.venue.fills_told = "w2", [fill(2, 100)]
    bench.store.rows.clear()
    await bench.round(200)
    assert [("w2", 250_000)] == [(one.world, one.fees_usd) for one in bench.store.samples()]


async def test_a_trader_with_another_account_is_read_from_its_beginning() -> None:
    bench = Bench()
    await bench.round()
    bench.store.traders = [replace(bench.store.traders[0], account_id="other")]
    await bench.round()
    assert f"state {account_address('other')}" in bench.venue.asked
    assert 1 == len({one.trader_id for one in bench.store.samples()})


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        (None, 5.0),
        (ClockState(mode="wall", now_ms=0, speed=1.0), 60.0),
        (ClockState(mode="paced", now_ms=0, speed=10.0), 6.0),
        (ClockState(mode="paced", now_ms=0, speed=600.0), 1.0),
        (ClockState(mode="lockstep", now_ms=0, speed=0.0), 1.0),
        (ClockState(mode="lockstep", now_ms=0, speed=0.0, finished=True), 5.0),
    ],
)
def test_samples_have_their_distance_in_the_venues_time(
    clock: ClockState | None, seconds: float
) -> None:
    assert seconds == pause_s(clock, CollectingRules())


async def test_a_bug_at_one_process_is_told_once_and_is_nobody_elses() -> None:
    """Whatever it is; until it is over."""
    bench = Bench("a", "b")
    decisions, is_broken = bench.agents.decisions, True

    async def breaks(trader_id: str, *args: Any, **more: Any) -> Any:
        if trader_id == "a" and is_broken:
            raise KeyError("decisions")
        return await decisions(trader_id, *args, **more)

    bench.agents.decisions = breaks
    for number in (1, 2, 3):
        bench.agents.decide(number)
        await bench.round()
    assert ([1, 2, 3], []) == (
        [row.number for row in bench.store.of("decision", "b")],
        bench.store.of("decision", "a"),
    )
    assert [("a", "KeyError: 'decisions'")] == bench.told
    is_broken = False
    await bench.round()
    assert [("a", "KeyError: 'decisions'"), ("a", "")] == bench.told
    assert 3 == len(bench.store.of("decision", "a"))
