"""A market and an account in which everything happens, one observation after the other.

Half of the observations are ordinary: prices move, orders are filled, refused or left to rest. The
other half each show one thing that is rare. Equal seeds and equal decisions, equal observations.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np
from msgspec.structs import replace

from strategy_core.intents import Intent, ParentOrder
from strategy_core.lattice import round_price_down
from strategy_core.port import ZERO, Instruments, Needs, Observation, Verdict
from strategy_core.snapshot import FundingView, MarketView, SnapshotSeries
from strategy_core.testkit.account import Account
from suite.bars import DAY_MS, MINUTE_MS, Bars
from suite.contracts.venue import ActionReply
from suite.enums import TraderStatus
from suite.instrument import Instrument, default_instrument

START_MS: Final = 1_746_403_200_000
"""2025-05-05, a UTC midnight."""
HISTORY: Final = 30_000
"""Minutes of bars before the market is no longer young: every indicator up to an hour is there."""
YOUNG: Final = 8
"""Observations of a market that has hardly begun, at the start."""
_REFUSED: Final = ActionReply(status="err", response="Insufficient margin to place order.")
_DONE: Final = ActionReply(status="ok", response={"type": "default"})


def instruments_for(symbols: Sequence[str]) -> Instruments:
    """Make the instruments of a venue that trades these coins, and one more."""
    return {coin: default_instrument(coin, 4) for coin in (*symbols, _strange(symbols))}


def _strange(symbols: Sequence[str]) -> str:
    """Name a coin that the trader does not trade."""
    return "XRP" if "DOGE" in symbols else "DOGE"


class Rehearsal:
    """Shows a strategy one observation after the other, and takes its decisions.

    Args:
        symbols: coins of the trader.
        needs: what it wants to be shown.
        interval_ms: how often it decides.
        steps: how many observations there are.
        seed: of everything.
    """

    def __init__(
        self, symbols: Sequence[str], needs: Needs, *, interval_ms: int, steps: int, seed: int
    ) -> None:
        self.symbols = tuple(symbols)
        self.instruments = instruments_for(symbols)
        self._needs = needs
        self._interval_ms = interval_ms
        self._steps = steps
        self._chance = np.random.Generator(np.random.PCG64(seed))
        count = HISTORY + steps * interval_ms // MINUTE_MS
        self._bars = {
            coin: _walk(instrument, count, self._chance)
            for coin, instrument in self.instruments.items()
        }
        self._series = {coin: SnapshotSeries(coin, bars) for coin, bars in self._bars.items()}
        self._now_ms = START_MS
        self._verdicts: tuple[Verdict, ...] = ()
        self._results: tuple[ActionReply, ...] = ()
        self.account = Account(self._chance)

    def observations(self) -> Iterator[tuple[str, Observation]]:
        """Go through it; `answer` takes what is decided on each before the next is asked for.

        Yields:
            What is special about an observation, and the observation.
        """
        rare = tuple(SITUATIONS.items())
        for step in range(self._steps):
            if step == YOUNG:
                self._now_ms = START_MS + HISTORY * MINUTE_MS
            self._move(step)
            turn, is_rare = divmod(step - YOUNG, 2)
            if step < YOUNG:
                yield "a young market", self._seen()
            elif is_rare:
                situation, change = rare[turn % len(rare)]
                yield situation, change(self, self._seen())
            else:
                yield "ordinary", self._seen()

    def answer(self, intents: Sequence[Intent]) -> None:
        """Carry out what was decided, but for what is rejected or refused.

        Args:
            intents: well-formed ones; a parent order trades at once, as a whole.
        """
        verdicts: list[Verdict] = []
        results: list[ActionReply] = []
        mids = self._mids()
        for index, intent in enumerate(intents):
            action = intent.whole() if isinstance(intent, ParentOrder) else intent
            draw = float(self._chance.random())
            if draw < 0.1:
                rule = "max_coin_exposure"
                verdicts.append(Verdict(action=index, outcome="rejected", rule=rule))
                continue
            verdicts.append(Verdict(action=index, outcome="accepted"))
            if draw < 0.2 or not self.account.affords(action, mids):
                results.append(_REFUSED)
                continue
            self.account.carry_out(action, mids, self._now_ms)
            results.append(_DONE)
        self._verdicts, self._results = tuple(verdicts), tuple(results)

    def snapshots(self, as_of_ms: int) -> dict[str, dict[str, object]]:
        """Build what `needs` names, as of a time."""
        found = {}
        for coin in self._needs.snapshots:
            if coin in self._series:
                close = self._close(coin, as_of_ms)
                found[coin] = self._series[coin].build(
                    as_of_ms,
                    funding=FundingView(rate_hourly=1.25e-5, settled_at_ms=as_of_ms - 1),
                    market=MarketView(mid=close, half_spread=close * 1e-4, last_price=close),
                    open_interest=1e4,
                    intervals=self._needs.intervals,
                )
        return found

    def _move(self, step: int) -> None:
        """Let an interval go by, or a minute where something would have woken the trader."""
        if step:
            early = float(self._chance.random()) < 0.2
            self._now_ms += MINUTE_MS if early else self._interval_ms
        self.account.live_on(self._mids(), self._now_ms)

    def _seen(self) -> Observation:
        mids = self._mids()
        equity = self.account.equity(mids)
        return Observation(
            now_ms=self._now_ms,
            woke_by=("fill",) if self.account.fills else ("time",),
            equity=equity,
            available=max(ZERO, equity - self.account.margin(mids)),
            positions=self.account.positions(mids),
            open_orders=tuple(self.account.orders),
            mids=mids,
            snapshots=self.snapshots(self._now_ms),
            fills=self.account.new_fills(),
            verdicts=self._verdicts,
            results=self._results,
        )

    def _mids(self) -> Mapping[str, Decimal]:
        return {
            coin: round_price_down(instrument, Decimal(str(self._close(coin, self._now_ms))))
            for coin, instrument in self.instruments.items()
        }

    def _close(self, coin: str, at_ms: int) -> float:
        """Close of the last bar; before the first one, its close."""
        return float(self._bars[coin].close[max(0, (at_ms - START_MS) // MINUTE_MS - 1)])


Change = Callable[[Rehearsal, Observation], Observation]


def _walk(instrument: Instrument, count: int, chance: np.random.Generator) -> Bars:
    """Make bars of a random walk around a price that suits the coin's lattice."""
    steps = chance.normal(0.0, 0.002, count)
    close = 10.0**instrument.sz_decimals * np.exp(np.cumsum(steps))
    open_ = np.concatenate([close[:1], close[:-1]])
    times = START_MS + np.arange(count, dtype=np.int64) * MINUTE_MS
    high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
    return Bars(MINUTE_MS, times, open_, high, low, close, chance.uniform(0.0, 50.0, count))


def _one_mid_missing(world: Rehearsal, seen: Observation) -> Observation:
    mids = {coin: price for coin, price in seen.mids.items() if coin != world.symbols[0]}
    return replace(seen, mids=mids)


def _one_snapshot_missing(world: Rehearsal, seen: Observation) -> Observation:
    rest = {coin: shown for coin, shown in seen.snapshots.items() if coin != world.symbols[-1]}
    return replace(seen, snapshots=rest)


def _no_bars(world: Rehearsal, seen: Observation) -> Observation:
    return replace(seen, snapshots=world.snapshots(START_MS - DAY_MS))


def _scaled(world: Rehearsal, seen: Observation, factor: Decimal) -> Observation:
    mids = {}
    for coin, price in seen.mids.items():
        instrument = world.instruments[coin]
        least = Decimal(1000).scaleb(-instrument.price_decimals)  # some ticks are left below it
        mids[coin] = max(least, round_price_down(instrument, price * factor))
    return replace(seen, mids=mids)


def _turned(world: Rehearsal, seen: Observation) -> Observation:
    for coin in world.symbols:
        world.account.turn(coin, world.instruments[coin], seen.mids[coin])
    return replace(seen, positions=world.account.positions(seen.mids))


def _strange_position(world: Rehearsal, seen: Observation) -> Observation:
    coin = _strange(world.symbols)
    world.account.turn(coin, world.instruments[coin], seen.mids[coin])
    held = world.account.positions(seen.mids)
    world.account.close(coin)
    return replace(seen, positions=held)


def _liquidated(world: Rehearsal, seen: Observation) -> Observation:
    world.account.liquidate(seen.mids, seen.now_ms)
    fills = world.account.new_fills()
    return replace(
        seen,
        woke_by=("liquidation", "fill"),
        positions={},
        open_orders=(),
        fills=seen.fills + fills,
        equity=world.account.equity(seen.mids),
        available=world.account.equity(seen.mids),
    )


def _all_rejected(_: Rehearsal, seen: Observation) -> Observation:
    verdicts = tuple(
        Verdict(action=verdict.action, outcome="rejected", rule="too_many_actions")
        for verdict in seen.verdicts
    )
    return replace(seen, verdicts=verdicts, results=())


def _all_refused(_: Rehearsal, seen: Observation) -> Observation:
    return replace(seen, results=(_REFUSED,) * len(seen.results))


def _status(status: TraderStatus) -> Change:
    return lambda _, seen: replace(seen, status=status)


SITUATIONS: Final[Mapping[str, Change]] = {
    "no mid prices": lambda _, seen: replace(seen, mids={}),
    "one mid price missing": _one_mid_missing,
    "no snapshots": lambda _, seen: replace(seen, snapshots={}),
    "one snapshot missing": _one_snapshot_missing,
    "snapshots without bars": _no_bars,
    "prices a million times as high": lambda world, seen: _scaled(world, seen, Decimal(10) ** 6),
    "prices near zero": lambda world, seen: _scaled(world, seen, Decimal(10) ** -9),
    "no equity": lambda _, seen: replace(seen, equity=ZERO, available=ZERO),
    "negative equity": lambda _, seen: replace(seen, equity=Decimal(-500), available=ZERO),
    "paused": _status(TraderStatus.PAUSED),
    "stopped": _status(TraderStatus.STOPPED),
    "positions turned by somebody else": _turned,
    "a position in a coin that is not its own": _strange_position,
    "liquidated": _liquidated,
    "everything rejected by the guard": _all_rejected,
    "everything refused by the venue": _all_refused,
    "joined again": lambda _, seen: replace(
        seen, woke_by=("join",), fills=(), verdicts=(), results=()
    ),
}
"""What is rare, by name."""
