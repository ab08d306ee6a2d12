"""A tape that is written while it is played plays like one that was there before."""

import numpy as np
import pytest
from tests.support.random_traders import COINS, MINUTE, Driver, random_tape

from perp_engine.commands import Advance, Command
from perp_engine.engine import Engine
from perp_engine.events import Advanced, Event
from perp_engine.live_tape import HIGHEST_PRICE, LiveTape
from perp_engine.rules import PLAIN, Rules
from perp_engine.tape import NO_BAR, Tape
from suite.checks import InvariantViolated
from suite.fixed import Rate

BARS = 150


def live_tape(bars: int = BARS, symbols: int = 2) -> LiveTape:
    """One with garbage in every bar that was not written."""
    table = np.full((symbols, 5, bars), 77, np.int64)
    stamps = np.array([[hour * 30 * MINUTE, 0] for hour in range(bars // 30)], np.int64)
    tape = LiveTape(0, MINUTE, table, tuple(stamps.copy() for _ in range(symbols)))
    for symbol in range(symbols):
        tape.lack(symbol, 0, 0)
    return tape


class WritingEngine(Engine):
    """Writes each bar of a recorded tape just before it is played."""

    recorded: Tape

    def apply(self, command: Command) -> tuple[Event, ...]:
        if not isinstance(command, Advance):
            return super().apply(command)
        events: list[Event] = []
        while self.bar < command.until_bar:
            for symbol in range(self.tape.symbols):
                self._write(symbol)
            events.extend(super().apply(Advance(until_bar=self.bar + 1)))
        return tuple(events)

    def _write(self, symbol: int) -> None:
        tape, bar = self.tape, self.bar
        assert isinstance(tape, LiveTape)
        _, high, low, last, volume = self.recorded.bars[symbol, :, bar].tolist()
        tape.close(symbol, bar, high=high, low=low, last=last, volume=volume)
        opened, *_, volume = self.recorded.bars[symbol, :, bar + 1].tolist()
        if volume == NO_BAR:
            tape.lack(symbol, bar + 1, last)
        else:
            tape.open(symbol, bar + 1, opened)
        stamps = self.recorded.funding[symbol]
        coming = stamps[stamps[:, 0] > bar * MINUTE]
        if len(coming):
            self.set_funding(symbol, Rate(int(coming[0, 1])))


@pytest.mark.parametrize("seed", range(6))
def test_world_written_bar_by_bar_is_the_recorded_world(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same events, money and positions, though nothing ahead is known and all of it is garbage."""
    recorded = random_tape(seed, BARS)
    known = Driver.start(seed, recorded, 2, Rules())
    tape = live_tape(4 * BARS)
    for symbol in range(2):
        tape.open(symbol, 0, int(recorded.bars[symbol, 0, 0]))
        tape.funding[symbol][0, 1] = recorded.funding[symbol][0, 1]
    monkeypatch.setattr("tests.support.random_traders.Engine", WritingEngine)
    monkeypatch.setattr(WritingEngine, "recorded", recorded, raising=False)
    written = Driver.start(seed, tape, 2, Rules())
    while known.engine.bar < BARS - 6:
        expected, found = (
            [event for event in driver.step() if not isinstance(event, Advanced)]
            for driver in (known, written)
        )
        assert expected == found
        assert known.engine.equities().tolist() == written.engine.equities().tolist()
        assert known.engine.open_orders(0) == written.engine.open_orders(0)
    for symbol in range(2):
        assert known.engine.last_funding(symbol) == written.engine.last_funding(symbol)


def test_rate_that_was_told_is_in_the_tape_for_its_readers() -> None:
    """The coming stamp has it, those that were settled stay as they were."""
    tape = live_tape()
    engine = WritingEngine(COINS[:2], tape, 1, PLAIN)
    engine.recorded = random_tape(1, BARS)
    engine.set_funding(1, Rate(7))
    assert [0, 7, 0] == tape.funding[1][:3, 1].tolist()
    assert [0, 0, 0] == tape.funding[0][:3, 1].tolist()


def test_rates_of_a_recorded_tape_cannot_be_set() -> None:
    """It is shared by the worlds over it."""
    engine = Engine(COINS[:2], random_tape(1, BARS), 1, PLAIN)
    with pytest.raises(InvariantViolated, match="recorded"):
        engine.set_funding(0, Rate(7))


@pytest.mark.parametrize(
    "prices", [(99, 90, 95), (110, 101, 105), (110, 0, 105), (HIGHEST_PRICE + 1, 90, 95)]
)
def test_bar_that_cannot_be_is_not_written(prices: tuple[int, int, int]) -> None:
    """High, low and close around an open of 100."""
    tape = live_tape()
    tape.open(0, 0, 100)
    high, low, last = prices
    with pytest.raises(InvariantViolated):
        tape.close(0, 0, high=high, low=low, last=last, volume=1)
    with pytest.raises(InvariantViolated):
        tape.open(0, 1, 0)


def test_bar_that_was_left_out_stays_so() -> None:
    """What came while it was not watched is not its own."""
    tape = live_tape()
    tape.lack(0, 3, 100)
    tape.close(0, 3, high=110, low=90, last=95, volume=5)
    assert [100, 100, 100, 100, NO_BAR] == tape.bars[0, :, 3].tolist()
