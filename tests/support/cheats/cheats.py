"""Strategies that cheat, each in one way, and honest ones: what an audit must tell apart."""

import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq

from strategy_core.building import Params as Base
from strategy_core.building import Setup
from strategy_core.lattice import round_size_down
from strategy_core.port import Decision, Needs, Observation
from suite.contracts.venue import PlaceOrder

HOUR_MS = 3_600_000


def prices(place: str, coin: str) -> tuple[np.ndarray, np.ndarray]:
    """All open times and closes that a store holds of a coin: the whole future among them."""
    files = sorted(Path(place).rglob(f"klines/**/symbol={coin}/interval=1m/**/*.parquet"))
    tables = [pq.read_table(file, columns=["open_time_ms", "close"]) for file in files]
    times = np.concatenate([table["open_time_ms"].to_numpy() for table in tables])
    close = np.concatenate([table["close"].to_numpy() for table in tables])
    order = np.argsort(times)
    return times[order], close[order]


class _Sided:
    """Long or short, as a subclass says."""

    class Params(Base, frozen=True):
        """Where the store is."""

        data: str = "var/data"

    def __init__(self, setup: Setup, params: Any) -> None:
        self.coin = setup.symbols[0]
        self.instrument = setup.instruments[self.coin]
        self.params = params
        self.needs = Needs(snapshots=(self.coin,), intervals=("15",))
        self.begin(setup)

    def begin(self, setup: Setup) -> None:
        """Prepare."""

    def side(self, seen: Observation) -> int:
        """1, -1, or 0 for nothing."""
        raise AssertionError

    def decide(self, seen: Observation) -> Decision:
        """Go to the side."""
        side, mid = self.side(seen), seen.mids.get(self.coin)
        if not side or not mid:
            return Decision(reasoning="nothing")
        wanted = round_size_down(self.instrument, side * Decimal(1000) / mid)
        change = wanted - seen.size_of(self.coin)
        if not change or abs(change * mid) < 20:
            return Decision(reasoning="there already")
        order = PlaceOrder(coin=self.coin, is_buy=change > 0, sz=abs(change))
        return Decision(actions=(order,), reasoning=f"side {side}")


class Honest(_Sided):
    """Follows the last closed bar."""

    def side(self, seen: Observation) -> int:
        """Up after a bar that rose."""
        block = seen.snapshots.get(self.coin, {}).get("intervals_data", {}).get("15") or {}
        if block.get("close") is None or block.get("open") is None:
            return 0
        return 1 if block["close"] > block["open"] else -1


class Paid(_Sided):
    """Takes the side that the last settled rate of funding pays, from the moment it is settled."""

    def side(self, seen: Observation) -> int:
        """Short where longs pay."""
        funding = seen.snapshots.get(self.coin, {}).get("funding")
        return 0 if not funding else -1 if funding["rate_hourly"] > 0 else 1


class Shifted(_Sided):
    """Reads a column that was shifted the wrong way: the close of an hour later."""

    def begin(self, setup: Setup) -> None:
        """Read everything, as a vectorized backtest does."""
        self.times, self.close = prices(self.params.data, self.coin)

    def side(self, seen: Observation) -> int:
        """Up where the next hour rises."""
        now = max(0, int(np.searchsorted(self.times, seen.now_ms)) - 1)
        later = min(now + 60, len(self.close) - 1)
        return 1 if self.close[later] > self.close[now] else -1


class Normalized(Shifted):
    """Measures prices by the mean of all prices, those to come too."""

    def side(self, seen: Observation) -> int:
        """Down where it is dear."""
        now = max(0, int(np.searchsorted(self.times, seen.now_ms)) - 1)
        return -1 if self.close[now] > self.close.mean() else 1


class Highest(Shifted):
    """Sells near the highest price that will have been."""

    def side(self, seen: Observation) -> int:
        """Down within one percent of the top of the next day."""
        now = max(0, int(np.searchsorted(self.times, seen.now_ms)) - 1)
        top = float(self.close[now : now + 1440].max())
        return -1 if self.close[now] > 0.99 * top else 1


class Noted(Shifted):
    """Writes down a price to come, and makes nothing of it so far."""

    noted = 0.0

    def side(self, seen: Observation) -> int:
        """Up, whatever it knows."""
        now = int(np.searchsorted(self.times, seen.now_ms))
        self.noted = float(self.close[min(now + 60, len(self.close) - 1)])
        return 1

    def remember(self) -> float:
        """Tell what it has written down."""
        return self.noted

    def recall(self, state: float) -> None:
        """Take it back."""
        self.noted = state


class Clocked(_Sided):
    """Asks the clock of the machine."""

    def side(self, seen: Observation) -> int:
        """By a time that does not change while an audit goes on."""
        return 1 if time.time() > 1e9 else -1


class Unseeded(_Sided):
    """Draws from the chance of the process."""

    def side(self, seen: Observation) -> int:
        """A coin."""
        return random.choice((1, -1))


class Counting(_Sided):
    """Counts its calls since the start."""

    calls = 0

    def side(self, seen: Observation) -> int:
        """Every seventh call."""
        self.calls += 1
        return (1, 0, 0, -1, 0, 0, 0)[self.calls % 7]


class Averaging(_Sided):
    """An average that begins with the first price it saw, and forgets it in days."""

    mean = 0.0

    def side(self, seen: Observation) -> int:
        """Above the average."""
        mid = float(seen.mids.get(self.coin, 0))
        self.mean = self.mean + (mid - self.mean) / 6 if self.mean else mid
        return 1 if mid > self.mean else -1


class Filed(_Sided):
    """Reads signals from a file beside it."""

    def begin(self, setup: Setup) -> None:
        """Signals that were made elsewhere."""
        text = (Path(__file__).parent / "signals.json").read_text()
        self.signals = msgspec.json.decode(text)

    def side(self, seen: Observation) -> int:
        """As the file says."""
        return int(self.signals[seen.now_ms // HOUR_MS % len(self.signals)])
