"""Kills clients that trade, starts them again, and looks at what the venue has at the end."""

import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tests.support.delivery_agent import POINTS, order_of
from tests.support.delivery_runs import record_of
from tests.support.venue_process import VenueUnderTest

from strategy_agent.adapters.intent_file import IntentFile

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Kills:
    """What became of one client.

    Attributes:
        at: how often it was killed, by place.
        problems: in which its end differs from that of one that was never killed.
    """

    at: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def _started(
    venue: VenueUnderTest, name: str, folder: Path, turns: int, *options: str
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.delivery_agent", venue.url, venue.token(name)]
    command += [str(folder / name), str(turns), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def kill(
    venue: VenueUnderTest, name: str, folder: Path, *, turns: int, moments: int, seed: int = 1
) -> Kills:
    """Kill a client once at every place, in another turn each, then at moments of chance.

    Args:
        venue: with an account of the name.
        name: of the account.
        folder: of the client's files.
        turns: orders that the venue must have at the end, each once.
        moments: kills by chance.
        seed: of chance.
    """
    kills, chance = Kills(), random.Random(f"{seed} {name}")
    for point in POINTS:
        number = str(chance.randrange(1, 3))
        with _started(venue, name, folder, turns, "--point", point, "--number", number) as process:
            process.communicate(timeout=60)
        kills.at[point] += process.returncode == -9
    for _ in range(moments):
        with _started(venue, name, folder, turns) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(timeout=0.3 * chance.random())
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        kills.at["any moment"] += process.returncode == -9
    with _started(venue, name, folder, turns) as process:
        told, _ = process.communicate(timeout=120)
    if process.returncode or "ended" not in told:
        kills.problems.append(f"ended with {process.returncode}")
    await _compare(venue, name, folder, turns, kills)
    return kills


async def _compare(
    venue: VenueUnderTest, name: str, folder: Path, turns: int, kills: Kills
) -> None:
    rows, positions = await record_of(venue, name)
    found = Counter(row["cloid"] for row in rows)
    expected = Counter(f"0x{turn:032x}" for turn in range(1, turns + 1))
    if found != expected:
        kills.problems.append(f"more {found - expected}, fewer {expected - found}")
    held: dict[str, Decimal] = {}
    for turn in range(1, turns + 1):
        order = order_of(turn)
        size = order.sz if order.is_buy else -order.sz
        held[order.coin] = held.get(order.coin, Decimal(0)) + size
    if held != {coin: Decimal(size) for coin, size in positions.items()}:
        kills.problems.append(f"holds {positions} instead of {held}")
    log = IntentFile(folder / name / "intents")
    if log.open_intents():
        kills.problems.append("intents are open at the end")
    log.close()
