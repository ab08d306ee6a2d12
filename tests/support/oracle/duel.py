"""Engine and oracle side by side: one random sequence of commands, compared after each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.support.oracle.compare import canonical, engine_state, oracle_state
from tests.support.oracle.oracle import Oracle
from tests.support.oracle.traders import Trader
from tests.support.oracle.worlds import Setting, random_setting

from perp_engine.commands import Advance, Command, PlaceOrders
from perp_engine.engine import Engine

LONGEST = 60
AFTER_THE_END = 3


@dataclass(frozen=True)
class Difference:
    """Where the two first disagree.

    Attributes:
        commands: all that led there, the last one included.
    """

    setting: Setting
    commands: tuple[Command, ...]
    engine: tuple[Any, ...]
    oracle: tuple[Any, ...]

    @property
    def kind(self) -> tuple[object, ...]:
        """What differs, without its numbers."""
        sides = [{_word(item) for item in side} for side in (self.engine, self.oracle)]
        return (type(self.commands[-1]), *(tuple(sorted(side)) for side in sides))

    def __str__(self) -> str:
        setting = self.setting
        lines = [f"rules: {setting.rules}", f"coins: {setting.instruments}"]
        tape = setting.tape
        lines.append(f"start {tape.start_ms} interval {tape.interval_ms} bars {tape.length}")
        lines += [f"  {place}: {command}" for place, command in enumerate(self.commands)]
        lines += [f"  only engine: {item}" for item in self.engine]
        lines += [f"  only oracle: {item}" for item in self.oracle]
        return "\n".join(lines)


class Duel:
    """Both implementations of one world."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        instruments, tape = setting.instruments, setting.tape
        self.oracle = Oracle(instruments, tape, setting.accounts, setting.rules)
        self.engine = Engine(list(instruments), tape, setting.accounts, setting.rules)
        self.commands: list[Command] = []

    def apply(self, command: Command) -> Difference | None:
        """Let both carry out a command. Returns how their events or states differ."""
        self.commands.append(command)
        expected = canonical(self.oracle.apply(command))
        actual = canonical(self.engine.apply(command))
        if expected != actual:
            return self._difference(_without(actual, expected), _without(expected, actual))
        size = self.setting.accounts, self.setting.tape.symbols
        wanted, found = oracle_state(self.oracle, *size), engine_state(self.engine, *size)
        if wanted != found:
            wrong = [key for key in wanted if wanted[key] != found[key]]
            return self._difference(
                tuple((key, found[key]) for key in wrong),
                tuple((key, wanted[key]) for key in wrong),
            )
        return None

    def _difference(self, engine: tuple[object, ...], oracle: tuple[object, ...]) -> Difference:
        return Difference(self.setting, tuple(self.commands), engine, oracle)


def _without(items: Sequence[object], others: Sequence[object]) -> tuple[object, ...]:
    return tuple(item for item in items if item not in others)


def play(seed: int) -> Difference | None:
    """Play the random sequence of a seed."""
    random = Random(seed)
    duel = Duel(random_setting(random))
    trader = Trader(random, duel.oracle)
    for command in trader.deposits():
        found = duel.apply(command)
        if found is not None:
            return found
    after = 0
    for _ in range(LONGEST):
        after += duel.oracle.finished
        if after > AFTER_THE_END:
            break
        found = duel.apply(trader.command())
        if found is not None:
            return found
    return duel.apply(Advance(until_bar=duel.setting.tape.length))


def replay(setting: Setting, commands: Sequence[Command]) -> Difference | None:
    """Play commands as they are written."""
    duel = Duel(setting)
    for command in commands:
        found = duel.apply(command)
        if found is not None:
            return found
    return None


def _word(item: tuple[Any, ...]) -> str:
    """The name of a differing piece of state, or the kind of a differing event."""
    if isinstance(item[0], str):
        return item[0]
    fields = dict(item[3])
    return f"{item[2]} {fields.get('reason') or fields.get('status') or fields.get('cause')}"


def _simpler(commands: tuple[Command, ...], step: int) -> Iterator[tuple[Command, ...]]:
    for start in range(0, len(commands), step):
        yield commands[:start] + commands[start + step :]
    for place, command in enumerate(commands):
        if isinstance(command, PlaceOrders) and step == 1:
            for leave in range(len(command.orders)):
                orders = command.orders[:leave] + command.orders[leave + 1 :]
                if orders:
                    smaller = replace(command, orders=orders)
                    yield (*commands[:place], smaller, *commands[place + 1 :])


def shrink(found: Difference) -> Difference:
    """Leave out commands and orders, as long as the two still disagree in the same way."""
    step = max(1, len(found.commands) // 2)
    while True:
        for commands in _simpler(found.commands, step):
            smaller = replay(found.setting, commands)
            if smaller is not None and smaller.kind == found.kind:
                found = smaller
                break
        else:
            if step == 1:
                return found
            step //= 2
